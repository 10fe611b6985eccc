//! Finds records by file id: fixed-size entries sorted by a hash of the id, searched on disk, so that memory does not
//! grow with the index. Only new files are looked up.

use crate::codec::{Reader, Writer};
use crate::spill::{Pool, Sorter};
use octo_core::{Error, FileId, Target, TargetFile};
use std::sync::Arc;

/// hash u64, volume u64, id u128, place of the folder u64, place of the record u64.
const ENTRY_BYTES: usize = 48;
const MAGIC: &[u8; 8] = b"octoids1";
const BUFFER_BYTES: usize = 48 << 10;

/// Collects ids.
pub struct IdWriter<'a>(Sorter<'a>);

impl<'a> IdWriter<'a> {
    pub fn new(target: &'a dyn Target, pool: &Arc<Pool>) -> IdWriter<'a> {
        IdWriter(Sorter::new(target, pool))
    }

    pub fn push(&mut self, id: FileId, folder_at: u64, record_at: u64) -> Result<(), Error> {
        let mut writer = Writer::default();
        writer.u64(id.volume);
        writer.u128(id.id);
        writer.u64(folder_at);
        writer.u64(record_at);
        self.0.push(&hash(id).to_be_bytes(), &writer.0)
    }

    pub fn finish(self, file: &dyn TargetFile) -> Result<(), Error> {
        let mut buffer = MAGIC.to_vec();
        let mut at = 0;
        for record in self.0.finish()?.iter()? {
            let record = record?;
            buffer.extend_from_slice(record.key());
            buffer.extend_from_slice(record.value());
            if buffer.len() >= BUFFER_BYTES {
                file.write_at(at, &buffer)?;
                at += buffer.len() as u64;
                buffer.clear();
            }
        }
        file.write_at(at, &buffer)?;
        file.sync()
    }
}

/// Spreads ids evenly (the finaliser of splitmix64); equality of ids is checked by the ids themselves.
fn hash(id: FileId) -> u64 {
    let bytes = id.id.to_le_bytes();
    let half = |b: &[u8]| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let mut x = half(&bytes[..8]) ^ half(&bytes[8..]).rotate_left(31) ^ id.volume.rotate_left(17);
    for factor in [0xBF58_476D_1CE4_E5B9u64, 0x94D0_49BB_1331_11EB] {
        x = (x ^ (x >> 30)).wrapping_mul(factor);
    }
    x ^ (x >> 31)
}

/// The ids of one generation.
pub struct Ids {
    file: Box<dyn TargetFile>,
    count: u64,
}

impl Ids {
    /// `None` if the file is not one of ours, or cut.
    pub fn open(file: Box<dyn TargetFile>) -> Option<Ids> {
        let size = file.meta().ok()?.size_bytes.checked_sub(MAGIC.len() as u64)?;
        let mut magic = [0u8; 8];
        let whole = file.read_at(0, &mut magic).ok()? == 8 && magic == *MAGIC && size % ENTRY_BYTES as u64 == 0;
        whole.then_some(Ids { file, count: size / ENTRY_BYTES as u64 })
    }

    fn entry(&self, n: u64) -> Result<(u64, FileId, u64, u64), Error> {
        let mut bytes = [0u8; ENTRY_BYTES];
        let at = MAGIC.len() as u64 + n * ENTRY_BYTES as u64;
        let mut have = 0;
        while have < bytes.len() {
            match self.file.read_at(at + have as u64, &mut bytes[have..])? {
                0 => return Err(Error::new(octo_core::Code::RecordsDamaged, "the index of ids ends early")),
                n => have += n,
            }
        }
        let mut head = [0u8; 8];
        head.copy_from_slice(&bytes[..8]);
        let mut reader = Reader(&bytes[8..]);
        let id = FileId { volume: reader.u64()?, id: reader.u128()? };
        Ok((u64::from_be_bytes(head), id, reader.u64()?, reader.u64()?))
    }

    /// All entries of an id: at most two are looked for.
    fn find(&self, id: FileId) -> Result<Vec<(u64, u64)>, Error> {
        let wanted = hash(id);
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entry(middle)?.0 < wanted { low = middle + 1 } else { high = middle }
        }
        let mut found = Vec::new();
        while low < self.count && found.len() < 2 {
            let (hash, entry_id, folder_at, record_at) = self.entry(low)?;
            if hash != wanted {
                break;
            }
            if entry_id == id {
                found.push((folder_at, record_at));
            }
            low += 1;
        }
        Ok(found)
    }

    /// Whether any record has the id.
    pub fn has(&self, id: FileId) -> bool {
        self.find(id).is_ok_and(|found| !found.is_empty())
    }

    /// The places of the folder and of the record, if exactly one record has the id.
    pub fn find_unique(&self, id: FileId) -> Option<(u64, u64)> {
        let found = self.find(id).ok()?;
        if let [place] = found[..] { Some(place) } else { None }
    }
}
