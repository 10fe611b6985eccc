//! A local folder passes the suite, and so it does read by threads that a run which is cancelled leaves alone.

use octo_core::{Cancel, RelPath, Source, Timestamp};
use octo_disk::{CancellableSource, LocalSource};
use octo_testkit::source_suite;
use octo_testkit::source_suite::Fixture;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

struct LocalFixture {
    temp: tempfile::TempDir,
    source: Box<dyn Source>,
}

impl LocalFixture {
    fn new() -> LocalFixture {
        LocalFixture::read_by(|source| Box::new(source))
    }

    fn cancellable() -> LocalFixture {
        LocalFixture::read_by(|source| Box::new(CancellableSource::new(source, Cancel::new())))
    }

    fn read_by(reader: impl FnOnce(LocalSource) -> Box<dyn Source>) -> LocalFixture {
        let temp = tempfile::tempdir().unwrap();
        let source = reader(LocalSource::open(temp.path()).unwrap());
        LocalFixture { temp, source }
    }

    fn at(&self, path: &RelPath) -> PathBuf {
        self.temp.path().join(path.to_os())
    }
}

impl Fixture for LocalFixture {
    fn source(&self) -> &dyn Source {
        &*self.source
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
        match fs::symlink_metadata(self.at(path)).unwrap().is_dir() {
            true => fs::remove_dir_all(self.at(path)).unwrap(),
            false => fs::remove_file(self.at(path)).unwrap(),
        }
    }
    fn rename(&self, from: &RelPath, to: &RelPath) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }
    #[cfg(unix)]
    fn link(&self, path: &RelPath, text: &str) {
        std::os::unix::fs::symlink(text, self.at(path)).unwrap();
    }
}

#[cfg(unix)]
source_suite!(LocalFixture::new(), ids, links);
// Wine makes no links.
#[cfg(windows)]
source_suite!(LocalFixture::new(), ids);

mod cancellable {
    use super::*;

    #[cfg(unix)]
    source_suite!(LocalFixture::cancellable(), ids, links);
    #[cfg(windows)]
    source_suite!(LocalFixture::cancellable(), ids);
}
