//! A local folder passes the suite, and so it does read by threads that a run which is cancelled leaves alone.

use octo_core::{Cancel, Source};
use octo_disk::{CancellableSource, LocalSource};
use octo_testkit::source_suite;
use octo_testkit::source_suite::Fixture;
use std::path::PathBuf;

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
}

impl Fixture for LocalFixture {
    fn source(&self) -> &dyn Source {
        &*self.source
    }
    fn folder(&self) -> PathBuf {
        self.temp.path().to_owned()
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
