//! Where a file is gathered before it gets its place: a nameless number for small files, a resumable part for large ones.
//!
//! A part is keyed by everything that says which content it is; its map names only ranges that were synced before the
//! map was written. Anything that does not fit is thrown away and read again.

use super::hashing::Hashing;
use crate::space::Promise;
use crate::{files, layout, small_files};
use octo_core::{Code, Done, Error, Meta, Ranges, RelPath, Target, TargetFile, Timestamp};
use serde::{Deserialize, Serialize};

/// Files of this size and more can be resumed.
pub const PART_BYTES_MIN: u64 = 64 << 20;
/// How much may have to be read again after a crash.
const SAVE_EVERY_BYTES: u64 = 256 << 20;
/// The disk shall be at work while more arrives.
const SYNC_SOON_BYTES: u64 = 8 << 20;

/// A file being gathered.
pub struct Stage {
    /// Where it is gathered.
    pub path: RelPath,
    /// The file.
    pub file: Box<dyn TargetFile>,
    /// What is there.
    pub got: Ranges,
    /// BLAKE3 of the whole, as it comes.
    hashing: Hashing,
    /// The same, once it is whole, or if the source sent it.
    pub hash: Option<[u8; 32]>,
    /// The source mostly tells it.
    pub hash_is_told: bool,
    /// What it may still take of the target's space.
    pub promise: Option<Promise>,
    part: Option<Part>,
}

struct Part {
    map: RelPath,
    size_bytes: u64,
    unsaved_bytes: u64,
}

/// The map of a part.
#[derive(Serialize, Deserialize)]
struct Map {
    format: u32,
    size_bytes: u64,
    ranges: Ranges,
}

/// The key of a large file's part: another content has another key. A creation time that may be `invented` moves when the
/// file is read, and is no part of it.
pub fn part_key(source: &RelPath, meta: &Meta, invented: bool) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(source.as_bytes());
    let time = |t: Option<Timestamp>| t.map_or(i64::MIN, |t| t.0).to_le_bytes();
    let id = meta.id.map_or((0, 0), |id| (id.volume, id.id));
    hash.update(&[0]).update(&id.0.to_le_bytes()).update(&id.1.to_le_bytes());
    hash.update(&meta.size_bytes.to_le_bytes()).update(&time(Some(meta.write_time)));
    hash.update(&time(meta.creation_time.filter(|_| !invented))).update(&time(meta.change_time));
    hash.finalize().to_hex()[..32].to_owned()
}

/// What is there already of a large file.
pub fn parts_there(target: &dyn Target, key: &str, size_bytes: u64) -> Ranges {
    let map = small_files::read_small(target, &layout::part_map(key)).ok().flatten();
    let map: Option<Map> = map.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let data = target.look(&layout::part_data(key)).ok().flatten();
    match (map, data) {
        (Some(map), Some(data))
            if map.format == 1
                && map.size_bytes == size_bytes
                && data.size_bytes == size_bytes
                && map.ranges.is_well_formed()
                && map.ranges.iter().all(|r| r.end <= size_bytes) =>
        {
            map.ranges
        }
        _ => Ranges::new(),
    }
}

/// Removes the parts that no thread works on in this run. Returns whether there were any.
pub fn remove_idle_parts(target: &dyn Target, in_use: impl Fn(&str) -> bool) -> Result<bool, Error> {
    let mut removed = false;
    for entry in files::list_small(target, &layout::parts())? {
        let name = String::from_utf8_lossy(entry.name.as_bytes()).into_owned();
        if !name.rsplit_once('.').is_some_and(|(key, _)| in_use(key)) {
            removed |= target.remove_file(&layout::parts().join(&entry.name))? == Done::Yes;
        }
    }
    Ok(removed)
}

impl Stage {
    fn new(path: RelPath, file: Box<dyn TargetFile>, got: Ranges, part: Option<Part>) -> Stage {
        let hashing = Hashing::default();
        Stage { path, file, got, hashing, hash: None, hash_is_told: false, promise: None, part }
    }

    /// A stage for a small file.
    pub fn small(target: &dyn Target, path: &RelPath) -> Result<Stage, Error> {
        let file = target.create_file(path)?;
        Ok(Stage::new(path.clone(), file, Ranges::new(), None))
    }

    /// A stage for a large file that goes on where `there` ends.
    pub fn part(target: &dyn Target, key: &str, size_bytes: u64, there: Ranges) -> Result<Stage, Error> {
        let path = layout::part_data(key);
        let existing = if there.is_empty() { None } else { target.open_file(&path)? };
        let (file, got) = match existing {
            Some(file) => (file, there),
            None => {
                files::ensure_folder(target, &layout::parts())?;
                target.remove_file(&layout::part_map(key))?;
                target.remove_file(&path)?;
                (target.create_file(&path)?, Ranges::new())
            }
        };
        let part = Part { map: layout::part_map(key), size_bytes, unsaved_bytes: 0 };
        Ok(Stage::new(path, file, got, Some(part)))
    }

    /// Makes room for the whole file, and its holes. Space was promised for it.
    pub fn lay_out(&mut self, size_bytes: u64, holes: &Ranges) -> Result<(), Error> {
        self.hashing = Hashing::new(size_bytes, holes.clone(), self.hash_is_told);
        if self.part.is_some() || !holes.is_empty() {
            self.file.set_len(size_bytes)?;
        }
        for hole in holes.iter() {
            // A part may hold something there since it was begun.
            self.file.clear(hole.clone())?;
            self.got.insert(hole);
        }
        Ok(())
    }

    /// Whether the next run can go on where this one stops.
    pub fn is_resumable(&self) -> bool {
        self.part.is_some()
    }

    /// Takes a piece.
    pub fn write(&mut self, target: &dyn Target, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_at(offset_bytes, bytes)?;
        self.got.insert(offset_bytes..offset_bytes + bytes.len() as u64);
        self.hashing.wrote(&*self.file, &self.got, offset_bytes, bytes)?;
        self.promise.iter_mut().for_each(|promise| promise.used(bytes.len() as u64));
        let Some(part) = &mut self.part else { return Ok(()) };
        let before = part.unsaved_bytes;
        part.unsaved_bytes += bytes.len() as u64;
        if part.unsaved_bytes / SYNC_SOON_BYTES > before / SYNC_SOON_BYTES {
            self.file.sync_soon();
        }
        if part.unsaved_bytes >= SAVE_EVERY_BYTES { self.save(target) } else { Ok(()) }
    }

    /// The source sent the hash of the whole.
    pub fn take_hash(&mut self, size_bytes: u64, hash: [u8; 32]) {
        self.hash = Some(hash).filter(|_| Hashing::takes_told(size_bytes));
    }

    /// It is whole: its hash is known from now on, unless that takes longer than it may.
    pub fn seal(&mut self, go_on: &dyn Fn() -> bool) -> Result<(), Error> {
        if self.hash.is_none() {
            self.hash = self.hashing.finish(&*self.file, go_on)?;
        }
        Ok(())
    }

    /// Makes what is there resumable.
    fn save(&mut self, target: &dyn Target) -> Result<(), Error> {
        let Some(part) = &mut self.part else { return Ok(()) };
        part.unsaved_bytes = 0;
        self.file.sync()?;
        let map = Map { format: 1, size_bytes: part.size_bytes, ranges: self.got.clone() };
        let bytes = serde_json::to_vec(&map).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))?;
        small_files::write_durable(target, &part.map, &bytes)
    }

    /// The file got its place: the map is not needed any more.
    pub fn forget_part(&self, target: &dyn Target) -> Result<(), Error> {
        match &self.part {
            Some(part) => target.remove_file(&part.map).map(drop),
            None => Ok(()),
        }
    }

    /// The file will not get its place in this run. `keep`: go on with it in the next one, if it is a large one.
    pub fn give_up(mut self, target: &dyn Target, keep: bool) {
        if keep && self.part.is_some() {
            // If that fails too, the next run reads the file from its beginning.
            let _ = self.save(target);
            return;
        }
        // What cannot be removed now is removed at the start of the next run.
        let _ = self.forget_part(target);
        let _ = target.remove_file(&self.path);
    }
}
