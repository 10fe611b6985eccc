//! The index: a cache of what the source and the mirror said of each file and folder when it was last found good.
//!
//! It may cause a move or save a metadata read. It never causes a delete and never overrules size or time; a lost index
//! is rebuilt (DESIGN section 7, "Index"). A generation is one stream of records in walk order, written again and renamed
//! into place; a file beside it finds records by file id.

mod buffered;
mod generation;
mod ids;
mod journal;
mod stream;

pub use generation::{Generation, open_latest, publish};
pub use journal::{Journal, placed as journal_records, sorted as sorted_journal};
pub use stream::{Cursor, NewStream, records as new_records};

use crate::codec::{Reader, Writer};
use octo_core::plan::IndexedFile;
use octo_core::{Error, Kind, Meta, RelPath, Timestamp};

/// What is known of one file or folder of the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRecord {
    /// What the source said when it was copied or found equal.
    pub source: Meta,
    /// Inode of the copy.
    pub inode: u128,
    /// Size of the copy.
    pub size_bytes: u64,
    /// Last write time of the copy; 0 for a folder, whose time moves with what is changed in it.
    pub time: Timestamp,
    /// BLAKE3 of the copy's content, if it is known.
    pub hash: Option<[u8; 32]>,
    /// The source's metadata of then was kept.
    pub has_metadata: bool,
}

impl IndexRecord {
    /// A record from what both sides say now; `None` where the target has no inodes.
    pub fn new(source: &Meta, target: &Meta, has_metadata: bool) -> Option<IndexRecord> {
        let inode = target.id?.id;
        let time = if target.kind == Kind::Folder { Timestamp::default() } else { target.write_time };
        let size_bytes = target.size_bytes;
        Some(IndexRecord { source: *source, inode, size_bytes, time, hash: None, has_metadata })
    }

    /// The same, of a copy that is still the one that `before` was made of.
    pub fn knowing(self, before: &IndexRecord) -> IndexRecord {
        let copy = |it: &IndexRecord| (it.inode, it.size_bytes, it.time);
        let hash = before.hash.filter(|_| copy(before) == copy(&self));
        IndexRecord { hash, ..self }
    }

    /// What the plan needs of it.
    pub fn indexed_file(&self) -> IndexedFile {
        IndexedFile {
            change_time: self.source.change_time,
            target_inode: self.inode,
            size_bytes: self.size_bytes,
            target_time: self.time,
            has_metadata: self.has_metadata,
            attributes: self.source.attributes,
            creation_time: self.source.creation_time,
        }
    }

    /// For spill files.
    pub fn encode(&self, writer: &mut Writer) {
        writer.meta(&self.source);
        writer.u128(self.inode);
        writer.u64(self.size_bytes);
        writer.time(self.time);
        writer.u8(u8::from(self.hash.is_some()));
        if let Some(hash) = &self.hash {
            writer.0.extend_from_slice(hash);
        }
        writer.u8(u8::from(self.has_metadata));
    }

    /// Reads what [`IndexRecord::encode`] wrote.
    pub fn decode(reader: &mut Reader<'_>) -> Result<IndexRecord, Error> {
        let (source, inode, size_bytes, time) = (reader.meta()?, reader.u128()?, reader.u64()?, reader.time()?);
        let hash = if reader.u8()? != 0 { Some(reader.array()?) } else { None };
        Ok(IndexRecord { source, inode, size_bytes, time, hash, has_metadata: reader.u8()? != 0 })
    }
}

/// A record with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where the copy is in the mirror.
    pub place: RelPath,
    /// The record.
    pub record: IndexRecord,
}

impl Placed {
    /// For files of the index.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(self.place.as_bytes());
        self.record.encode(&mut writer);
        writer.0
    }

    /// Reads what [`Placed::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Placed, Error> {
        let mut reader = Reader(bytes);
        Ok(Placed { place: reader.path()?, record: IndexRecord::decode(&mut reader)? })
    }
}
