//! One file to copy.

use super::stage::PART_BYTES_MIN;
use crate::codec::{Reader, Writer};
use octo_core::{Code, Error, Kind, Meta, RelPath, Timestamp};

/// A file that changes while it is read is read so often at once, and once more at the end of the run.
pub const TRIES_AT_ONCE: u8 = 2;

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
    /// Read its metadata only: the data is equal, or it is a folder.
    pub refresh: bool,
    /// What is kept of its metadata is to be looked at, too, if its data turns out to be equal.
    pub is_stale: bool,
    /// The name of its place cannot be turned back and has to be recorded.
    pub is_cut: bool,
    /// How often it was tried.
    pub tries: u8,
    /// It is read from a snapshot, because it cannot be read as it is now.
    pub stand_in: Option<StandIn>,
    /// It is written all the time: its beginning is copied.
    pub is_live: bool,
}

/// A snapshot that stands in for the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// The snapshot.
    pub taken: Timestamp,
    /// Why the file itself cannot be read.
    pub why: Error,
}

impl Task {
    /// Whether it is gathered in a part that the next run can go on with. A part is keyed by what the listing said, which
    /// is not what a snapshot holds.
    pub fn has_part(&self) -> bool {
        self.meta.size_bytes >= PART_BYTES_MIN && !self.verify && !self.refresh && self.stand_in.is_none()
    }

    /// For spill files.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(self.source.as_bytes());
        writer.bytes(self.place.as_bytes());
        writer.meta(&self.meta);
        writer.u8(u8::from(self.verify)
            | u8::from(self.is_cut) << 1
            | u8::from(self.old.is_some()) << 2
            | u8::from(self.stand_in.is_some()) << 3
            | u8::from(self.refresh) << 4
            | u8::from(self.is_live) << 5
            | u8::from(self.is_stale) << 6);
        writer.u8(self.tries);
        if let Some(old) = &self.old {
            writer.meta(old);
        }
        if let Some(StandIn { taken, why }) = &self.stand_in {
            writer.time(*taken);
            writer.bytes(why.code.as_str().as_bytes());
            writer.bytes(why.detail.as_bytes());
        }
        writer.0
    }

    /// Reads what [`Task::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Task, Error> {
        Task::read(&mut Reader(bytes))
    }

    /// The same, where more follows.
    pub fn read(reader: &mut Reader<'_>) -> Result<Task, Error> {
        let (source, place, meta) = (reader.path()?, reader.path()?, reader.meta()?);
        let (flags, tries) = (reader.u8()?, reader.u8()?);
        let old = if flags & 4 != 0 { Some(reader.meta()?) } else { None };
        let stand_in = if flags & 8 != 0 { Some(StandIn::decode(reader)?) } else { None };
        let (verify, is_cut, refresh, is_live) = (flags & 1 != 0, flags & 2 != 0, flags & 16 != 0, flags & 32 != 0);
        let is_stale = flags & 64 != 0;
        Ok(Task { source, place, meta, old, verify, refresh, is_stale, is_cut, tries, stand_in, is_live })
    }
}

impl StandIn {
    fn decode(reader: &mut Reader<'_>) -> Result<StandIn, Error> {
        let (taken, code, detail) = (reader.time()?, reader.bytes()?, reader.bytes()?);
        let code = Code::ALL.iter().find(|known| known.as_str().as_bytes() == code);
        let code = *code.ok_or_else(|| Error::new(Code::RecordsDamaged, "a record has no such code"))?;
        Ok(StandIn { taken, why: Error::new(code, String::from_utf8_lossy(detail)) })
    }
}

/// What an incomplete copy is called in the report.
pub fn not_whole(path: &RelPath, opened: &Meta, after: &Meta, got_bytes: u64) -> Option<Error> {
    let detail = if after.kind != Kind::File {
        return Some(Error::new(Code::KindMoved, path.to_string()));
    } else if after.size_bytes != opened.size_bytes {
        format!("its size went from {} to {} bytes", opened.size_bytes, after.size_bytes)
    } else if after.write_time != opened.write_time {
        format!("its last write time went from {} to {}", opened.write_time, after.write_time)
    } else if got_bytes != opened.size_bytes {
        format!("{got_bytes} of {} bytes came", opened.size_bytes)
    } else {
        return None;
    };
    Some(Error::new(Code::ChangedWhileRead, detail))
}
