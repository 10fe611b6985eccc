//! The suite that every source must pass, over SMB.

use crate::fixture::connect;
use octo_core::{RelPath, Source, Timestamp};
use octo_smb::SmbSource;
use octo_testkit::samba::{Samba, SambaOptions};
use octo_testkit::source_suite;
use octo_testkit::source_suite::{Fixture, MOMENT};
use std::cell::Cell;
use std::path::PathBuf;

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
}

impl Fixture for SmbFixture {
    fn source(&self) -> &dyn Source {
        &self.source
    }
    fn folder(&self) -> PathBuf {
        self.samba.share_path("data")
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
