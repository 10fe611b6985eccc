//! An entry of the mirror that the source provably does not have any more.

use crate::codec::{Reader, Writer};
use octo_core::{Error, Kind, Meta, RelPath};

/// An entry to delete, as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vanished {
    /// Where it is in the mirror.
    pub place: RelPath,
    /// What the listing of the mirror said.
    pub meta: Meta,
}

impl Vanished {
    /// For spill files.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(self.place.as_bytes());
        writer.meta(&self.meta);
        writer.0
    }

    /// Reads what [`Vanished::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Vanished, Error> {
        let mut reader = Reader(bytes);
        Ok(Vanished { place: reader.path()?, meta: reader.meta()? })
    }

    /// Whether what is there now is still what was listed.
    pub fn is_still(&self, now: &Meta) -> bool {
        let same = now.kind == self.meta.kind && now.id == self.meta.id;
        same && (now.kind == Kind::Folder
            || (now.size_bytes == self.meta.size_bytes && now.write_time == self.meta.write_time))
    }
}
