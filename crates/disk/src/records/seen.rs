//! The database's files as they were when they were opened to be looked at: whether somebody changes them meanwhile.

use octo_core::{Code, Error};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Length and last write time of a file; `None` if it is not there.
type Stamp = Option<(u64, Option<SystemTime>)>;

/// The database and its log, as they were at some moment.
#[derive(Debug)]
pub(super) struct Seen {
    path: PathBuf,
    stamps: [Stamp; 2],
}

impl Seen {
    pub(super) fn at(path: &Path) -> io::Result<Seen> {
        Ok(Seen { path: path.to_owned(), stamps: [stamp(path)?, stamp(&log(path))?] })
    }

    /// How long the database (0) or its log (1) is.
    pub(super) fn bytes(&self, of: usize) -> u64 {
        self.stamps[of].map_or(0, |(bytes, _)| bytes)
    }

    /// The error, or, if the files are others now, that somebody changes them.
    pub(super) fn judged(&self, error: Error) -> Error {
        let is_as_before = Seen::at(&self.path).is_ok_and(|now| now.stamps == self.stamps);
        if is_as_before || error.code != Code::RecordsDamaged {
            return error;
        }
        Error::new(Code::TargetBusy, "meta.db is being changed by a run that is under way")
    }
}

fn log(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        meta => meta.map(|meta| Some((meta.len(), meta.modified().ok()))),
    }
}
