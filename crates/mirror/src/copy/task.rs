//! One file to copy.

use crate::codec::{Reader, Writer};
use octo_core::{Error, Meta, RelPath};

/// One file to copy, or to compare byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its path on the source.
    pub source: RelPath,
    /// Its place in the mirror.
    pub place: RelPath,
    /// What the listing said.
    pub meta: Meta,
    /// What is in its place now.
    pub old: Option<Meta>,
    /// Compare with what is there; copy only if that finds a difference.
    pub verify: bool,
    /// The name of its place cannot be turned back and has to be recorded.
    pub is_cut: bool,
    /// How often it was tried.
    pub tries: u8,
}

impl Task {
    /// For spill files.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.bytes(self.source.as_bytes());
        w.bytes(self.place.as_bytes());
        w.meta(&self.meta);
        w.u8(u8::from(self.verify) | u8::from(self.is_cut) << 1 | u8::from(self.old.is_some()) << 2);
        w.u8(self.tries);
        if let Some(old) = &self.old {
            w.meta(old);
        }
        w.0
    }

    /// Reads what [`Task::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Task, Error> {
        let mut r = Reader(bytes);
        let (source, place, meta) = (r.path()?, r.path()?, r.meta()?);
        let (flags, tries) = (r.u8()?, r.u8()?);
        let old = if flags & 4 != 0 { Some(r.meta()?) } else { None };
        Ok(Task { source, place, meta, old, verify: flags & 1 != 0, is_cut: flags & 2 != 0, tries })
    }
}
