//! The suite that every source must pass, over SMB.

use crate::fixture::connect;
use octo_core::{RelPath, Source, Timestamp};
use octo_smb::SmbSource;
use octo_testkit::samba::{Samba, SambaOptions};
use octo_testkit::source_suite;
use octo_testkit::source_suite::{Fixture, MOMENT};
use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

struct SmbFixture {
    source: SmbSource,
    samba: Samba,
    snapshots: Cell<i64>,
}

impl SmbFixture {
    fn new() -> SmbFixture {
        let samba = Samba::start(SambaOptions::new().share_with_snapshots("shadow", "data"));
        SmbFixture { source: connect(&samba, "shadow", "plain"), samba, snapshots: Cell::new(0) }
    }

    fn at(&self, path: &RelPath) -> PathBuf {
        self.samba.share_path("data").join(path.to_os())
    }
}

impl Fixture for SmbFixture {
    fn source(&self) -> &dyn Source {
        &self.source
    }
    fn make_folder(&self, path: &RelPath) {
        fs::create_dir(self.at(path)).unwrap();
    }
    fn write(&self, path: &RelPath, content: &[u8], time: Timestamp) {
        fs::write(self.at(path), content).unwrap();
        let (secs, nanos) = time.to_unix();
        let time = UNIX_EPOCH + Duration::new(u64::try_from(secs).unwrap(), nanos);
        fs::File::options().write(true).open(self.at(path)).unwrap().set_modified(time).unwrap();
    }
    fn remove(&self, path: &RelPath) {
        if fs::symlink_metadata(self.at(path)).unwrap().is_dir() {
            fs::remove_dir_all(self.at(path)).unwrap();
        } else {
            fs::remove_file(self.at(path)).unwrap();
        }
    }
    fn rename(&self, from: &RelPath, to: &RelPath) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }
    fn deny(&self, path: &RelPath) {
        self.samba.deny(&path.to_string());
    }
    fn take_snapshot(&self) -> Timestamp {
        self.snapshots.set(self.snapshots.get() + 1);
        let taken = Timestamp::from_unix(MOMENT.to_unix().0 + 3600 * self.snapshots.get(), 0);
        self.samba.take_snapshot("shadow", taken);
        taken
    }
}

source_suite!(SmbFixture::new(), ids, deny, snapshots);
