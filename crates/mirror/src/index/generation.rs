//! One generation on disk: folder blocks in walk order between a head and a tail.
//!
//! ```text
//! "octoidx3" | frame*            frame = length u32, payload
//! payload = 1 path               a folder begins
//!         | 2 name record        a file or folder in it
//!         | 3 count u64          the end; without it the generation is not believed
//! ```

use super::buffered::Buffered;
use super::ids::{IdWriter, Ids};
use super::{IndexRecord, Placed};
use crate::codec::{Reader, Writer};
use crate::order::NameOrder;
use crate::spill::Pool;
use crate::{files, layout};
use octo_core::merge::{Pair, merge};
use octo_core::target::Done;
use octo_core::{Code, Error, FileId, Name, RelPath, Target, TargetFile};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"octoidx3";
const FOLDER: u8 = 1;
const FILE: u8 = 2;
const END: u8 = 3;
const BUFFER_BYTES: usize = 128 << 10;
/// No record is longer: a path of 64 KiB and its fixed fields.
const FRAME_BYTES_MAX: usize = 128 << 10;

/// A generation that is complete.
pub struct Generation {
    file: Box<dyn TargetFile>,
    ids: Option<Ids>,
    end: u64,
}

/// The newest complete generation. Damage is no error: the index is a cache.
pub fn open_latest(target: &dyn Target) -> Result<Option<Generation>, Error> {
    let mut numbers = numbers(target)?;
    numbers.sort_unstable();
    while let Some(number) = numbers.pop() {
        if let Some(generation) = Generation::open(target, number)? {
            return Ok(Some(generation));
        }
    }
    Ok(None)
}

/// The numbers of all generations that are there, whole or not.
fn numbers(target: &dyn Target) -> Result<Vec<u64>, Error> {
    let number = |name: &[u8]| std::str::from_utf8(name.strip_suffix(b".ids").unwrap_or(name)).ok()?.parse().ok();
    let entries = files::list_small(target, &layout::index_folder())?;
    Ok(entries.iter().filter_map(|entry| number(entry.name.as_bytes())).collect())
}

impl Generation {
    fn open(target: &dyn Target, number: u64) -> Result<Option<Generation>, Error> {
        let Some(file) = target.open_file(&layout::index(number))? else { return Ok(None) };
        let end = file.meta()?.size_bytes;
        let mut head = [0u8; 8];
        let mut tail = [0u8; 13];
        let tail_at = end.saturating_sub(tail.len() as u64);
        let whole = file.read_at(0, &mut head)? == head.len()
            && file.read_at(tail_at, &mut tail)? == tail.len()
            && head == *MAGIC
            && tail[..5] == [9, 0, 0, 0, END];
        let ids = target.open_file(&layout::index_ids(number))?.and_then(Ids::open);
        Ok(whole.then_some(Generation { file, ids, end }))
    }

    /// All records in walk order.
    pub fn records(&self) -> Records<'_> {
        Records {
            frames: Frames::new(&*self.file, MAGIC.len() as u64, self.end),
            folder: RelPath::root(),
            folder_at: 0,
        }
    }

    /// The record of a file id that exactly one file of the generation has. Damage is not knowing.
    pub fn by_id(&self, id: FileId) -> Option<Placed> {
        let (folder_at, record_at) = self.ids.as_ref()?.find_unique(id)?;
        let frame = |at, sort| {
            let (_, payload) = Frames::new(&*self.file, at, self.end).next().ok()??;
            (payload.first() == Some(&sort)).then_some(payload)
        };
        let folder = Reader(frame(folder_at, FOLDER)?.get(1..)?).path().ok()?;
        let placed = decode_file(&folder, &frame(record_at, FILE)?).ok()?;
        // A crash between two renames can leave the ids of one generation beside the data of another.
        (placed.record.source.id == Some(id)).then_some(placed)
    }

    /// Whether a file id may be in the generation.
    pub fn has_id(&self, id: FileId) -> bool {
        self.ids.as_ref().is_some_and(|ids| ids.has(id))
    }
}

fn decode_file(folder: &RelPath, payload: &[u8]) -> Result<Placed, Error> {
    let mut reader = Reader(&payload[1..]);
    let name = Name::new(reader.bytes()?).map_err(|e| Error::new(Code::RecordsDamaged, e.reason()))?;
    Ok(Placed { place: folder.join(&name), record: IndexRecord::decode(&mut reader)? })
}

/// Reads frames.
struct Frames<'a> {
    bytes: Buffered<'a>,
    at: u64,
}

impl<'a> Frames<'a> {
    fn new(file: &'a dyn TargetFile, at: u64, end: u64) -> Frames<'a> {
        Frames { bytes: Buffered::new(file, end), at }
    }

    fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8], Error> {
        let ends = || Error::new(Code::RecordsDamaged, "the index ends early");
        self.bytes.bytes(at, len)?.ok_or_else(ends)
    }

    /// The next frame's place and payload.
    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, Error> {
        if self.at >= self.bytes.end() {
            return Ok(None);
        }
        let place = self.at;
        let head = self.bytes(place, 4)?;
        let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if len == 0 || len > FRAME_BYTES_MAX {
            return Err(Error::new(Code::RecordsDamaged, "the index has a frame of impossible length"));
        }
        let payload = self.bytes(place + 4, len)?.to_vec();
        self.at = place + 4 + len as u64;
        Ok(Some((place, payload)))
    }
}

/// Iterates over all records of a generation.
pub struct Records<'a> {
    frames: Frames<'a>,
    folder: RelPath,
    folder_at: u64,
}

impl Iterator for Records<'_> {
    type Item = Result<Placed, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (at, payload) = match self.frames.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            };
            match payload[0] {
                FOLDER => match Reader(&payload[1..]).path() {
                    Ok(folder) => (self.folder, self.folder_at) = (folder, at),
                    Err(error) => return Some(Err(error)),
                },
                FILE => return Some(decode_file(&self.folder, &payload)),
                _ => return None,
            }
        }
    }
}

/// Writes a generation from two streams in walk order (of two records of one place that of `newer` counts), and removes
/// the older generations. The new one has a number that none had before: `base` is read from one that is open, and not
/// every system lets a file take the place of an open one.
pub fn publish(
    target: &dyn Target,
    pool: &Arc<Pool>,
    order: NameOrder,
    run: u64,
    base: impl Iterator<Item = Result<Placed, Error>>,
    newer: impl Iterator<Item = Result<Placed, Error>>,
) -> Result<(), Error> {
    let (data, ids) = (layout::stage(run, u64::MAX), layout::stage(run, u64::MAX - 1));
    files::ensure_folder(target, &layout::staging(run))?;
    files::ensure_folder(target, &layout::index_folder())?;
    for path in [&data, &ids] {
        target.remove_file(path)?;
    }
    let mut writer = GenerationWriter::new(target, pool, target.create_file(&data)?)?;
    let keyed = |placed: Result<Placed, Error>| placed.map(|p| (order.entry_key(&p.place), p));
    for pair in merge(base.map(keyed), newer.map(keyed), |a: &(Vec<u8>, Placed), b: &(Vec<u8>, Placed)| a.0.cmp(&b.0)) {
        match pair? {
            Pair::Source((_, placed)) | Pair::Target((_, placed)) | Pair::Both(_, (_, placed)) => {
                writer.push(&placed)?
            }
        }
    }
    writer.finish(target, &ids)?;
    let number = numbers(target)?.into_iter().max().unwrap_or(0).saturating_add(1);
    for (from, to) in [(&ids, layout::index_ids(number)), (&data, layout::index(number))] {
        if target.rename_over(from, &to)? != Done::Yes {
            return Err(Error::new(Code::TargetFailed, format!("{to} could not be put in place")));
        }
    }
    remove_others(target, number)
}

/// Removes all generations but one, and the journal that went into it.
fn remove_others(target: &dyn Target, keep: u64) -> Result<(), Error> {
    target.remove_file(&layout::journal())?;
    for entry in files::list_small(target, &layout::index_folder())? {
        let path = layout::index_folder().join(&entry.name);
        if path != layout::index(keep) && path != layout::index_ids(keep) {
            target.remove_file(&path)?;
        }
    }
    Ok(())
}

struct GenerationWriter<'a> {
    file: Box<dyn TargetFile>,
    at: u64,
    buffer: Vec<u8>,
    folder: Option<(RelPath, u64)>,
    count: u64,
    ids: IdWriter<'a>,
}

impl<'a> GenerationWriter<'a> {
    fn new(target: &'a dyn Target, pool: &Arc<Pool>, file: Box<dyn TargetFile>) -> Result<Self, Error> {
        let ids = IdWriter::new(target, pool);
        Ok(GenerationWriter { file, at: 0, buffer: MAGIC.to_vec(), folder: None, count: 0, ids })
    }

    fn push(&mut self, placed: &Placed) -> Result<(), Error> {
        let folder = placed.place.parent().unwrap_or_default();
        if self.folder.as_ref().is_none_or(|(current, _)| *current != folder) {
            let mut writer = Writer::default();
            writer.u8(FOLDER);
            writer.bytes(folder.as_bytes());
            let at = self.frame(&writer.0)?;
            self.folder = Some((folder, at));
        }
        let Some(name) = placed.place.name() else { return Ok(()) };
        let mut writer = Writer::default();
        writer.u8(FILE);
        writer.bytes(name.as_bytes());
        placed.record.encode(&mut writer);
        let at = self.frame(&writer.0)?;
        self.count += 1;
        match (placed.record.source.id, &self.folder) {
            // Ids are for finding moved files, and the folders that were moved with them.
            (Some(id), Some((_, folder_at))) if id.is_usable() => self.ids.push(id, *folder_at, at),
            _ => Ok(()),
        }
    }

    /// Appends a frame and returns its place.
    fn frame(&mut self, payload: &[u8]) -> Result<u64, Error> {
        let place = self.at + self.buffer.len() as u64;
        self.buffer.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.buffer.extend_from_slice(payload);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(place)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_at(self.at, &self.buffer)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self, target: &dyn Target, ids: &RelPath) -> Result<(), Error> {
        let mut writer = Writer::default();
        writer.u8(END);
        writer.u64(self.count);
        self.frame(&writer.0)?;
        self.flush()?;
        self.file.sync()?;
        self.ids.finish(&*target.create_file(ids)?)
    }
}
