//! Trees of millions of entries that exist only as arithmetic.
//!
//! Name, size, times, id and content of an entry follow from its number, so that a run over ten million entries
//! measures the engine's memory and not the test's. Nothing here may ever hold something per entry.

mod source;
mod target;

pub use source::GeneratedSource;
pub use target::{Difference, GeneratedTarget};

use octo_core::{Entry, FileId, Kind, Meta, Name, RelPath, Timestamp};

/// The first moment that a generated entry can have: 2023-11-14 22:13:20 UTC.
const EPOCH_SECS: i64 = 1_700_000_000;
/// Larger than any tree and prime, so that multiplying with it visits every number once.
const STRIDE: u64 = 4_294_967_291;

/// The shape of a generated tree: folders at the root, each with the same number of files.
#[derive(Debug, Clone, Copy)]
pub struct GeneratedTree {
    /// Folders at the root, named `d0000000` and so on.
    pub folders: u64,
    /// Files in each of them, named `f0000000000` and so on, counted over the whole tree.
    pub files_per_folder: u64,
    /// Sizes run from 0 up to this, without it; at least 1.
    pub size_bytes_below: u64,
    /// Listings come in a scattered order instead of a sorted one.
    pub scattered: bool,
}

impl GeneratedTree {
    /// Small files in sorted order.
    pub fn new(folders: u64, files_per_folder: u64) -> GeneratedTree {
        GeneratedTree { folders, files_per_folder, size_bytes_below: 4096, scattered: false }
    }

    /// Files in the tree.
    pub fn files(&self) -> u64 {
        self.folders * self.files_per_folder
    }

    /// The folder with this number.
    pub fn folder(&self, number: u64) -> Entry {
        let mut meta = Meta::new(Kind::Folder, 0, Timestamp::from_unix(EPOCH_SECS, 0));
        meta.id = Some(id(self.files() + number));
        Entry { name: name(format!("d{number:07}")), meta }
    }

    /// The file with this number, counted over the whole tree.
    pub fn file(&self, number: u64) -> Entry {
        let time = Timestamp::from_unix(EPOCH_SECS, 0).plus_secs(i64::try_from(number % 100_000_000).unwrap_or(0));
        let size_bytes = number.wrapping_mul(7919) % self.size_bytes_below.max(1);
        let mut meta = Meta::new(Kind::File, size_bytes, time);
        meta.creation_time = Some(time);
        meta.change_time = Some(time);
        meta.id = Some(id(number));
        Entry { name: name(format!("f{number:010}")), meta }
    }

    /// The byte at `offset_bytes` of the file with this number.
    pub fn byte(number: u64, offset_bytes: u64) -> u8 {
        number.wrapping_mul(31).wrapping_add(offset_bytes).to_le_bytes()[0]
    }

    /// What a path names, if anything.
    pub fn find(&self, path: &RelPath) -> Option<Found> {
        let mut names = path.names();
        let Some(folder) = names.next() else { return Some(Found::Root) };
        let folder = number(&folder, b'd').filter(|n| *n < self.folders && self.folder(*n).name == folder)?;
        let Some(file) = names.next() else { return Some(Found::Folder(folder)) };
        let file = number(&file, b'f').filter(|n| self.file(*n).name == file)?;
        (names.next().is_none() && self.numbers_in(folder).contains(&file)).then_some(Found::File(file))
    }

    /// What is known of the thing found.
    pub fn meta(&self, found: Found) -> Meta {
        match found {
            Found::Root => Meta::new(Kind::Folder, 0, Timestamp::from_unix(EPOCH_SECS, 0)),
            Found::Folder(number) => self.folder(number).meta,
            Found::File(number) => self.file(number).meta,
        }
    }

    /// The entries of a folder as they are listed; `None` if it is no folder.
    fn entries(&self, folder: Found) -> Option<impl Iterator<Item = (Found, Entry)> + use<>> {
        let numbers = match folder {
            Found::Root => 0..self.folders,
            Found::Folder(number) => self.numbers_in(number),
            Found::File(_) => return None,
        };
        let (tree, count) = (*self, numbers.end - numbers.start);
        Some((0..count).map(move |at| {
            let number = numbers.start + if tree.scattered { at.wrapping_mul(STRIDE) % count } else { at };
            match folder {
                Found::Root => (Found::Folder(number), tree.folder(number)),
                _ => (Found::File(number), tree.file(number)),
            }
        }))
    }

    fn numbers_in(&self, folder: u64) -> std::ops::Range<u64> {
        folder * self.files_per_folder..(folder + 1) * self.files_per_folder
    }
}

/// What a path in a generated tree names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The tree's root.
    Root,
    /// The folder with this number.
    Folder(u64),
    /// The file with this number.
    File(u64),
}

fn id(number: u64) -> FileId {
    FileId { volume: 7, id: u128::from(number) + 1 }
}

fn name(text: String) -> Name {
    Name::new(text.into_bytes()).expect("generated names are made of letters and digits")
}

fn number(name: &Name, first: u8) -> Option<u64> {
    let digits = name.as_bytes().strip_prefix(&[first])?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
