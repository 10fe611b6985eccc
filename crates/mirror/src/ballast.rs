//! The ballast: files of no content that hold some space and some inodes of the target, so that somebody else who fills the
//! disk, at night or in the middle of a run, cannot keep a run from writing its own end (DESIGN section 7, "Space").
//!
//! It is laid out by the first run that finds room, stays from run to run, and belongs to no run: what a killed one left of
//! it, the next one takes. It must never be in the way: nothing of it is laid out where space is short, and a file of it
//! that cannot be made is no failure.
//!
//! Two things can be had of it. The space of its large files, and its inodes, are given up piece by piece, and then are
//! anybody's. A small file of it becomes the file that has to be written: which no other program can get first.

use crate::{files, layout};
use octo_core::{Code, Done, Entry, Error, Name, RelPath, Space, Target, TargetFile};

/// A truth file fits into one of these, and most reports without their list of problems.
const SMALL: (&str, u64) = ("small", 4);
/// Given up one by one.
const LARGE: (&str, u64) = ("large", 4);
/// Files without content, where inodes are counted. As many go with each large one as are due.
const EMPTY: (&str, u64) = ("empty", 24);

/// How large a large file of it is: on a small disk less than 1 MiB; nothing where that would be next to nothing.
fn large_bytes(space: &Space) -> u64 {
    let bytes = (space.total_bytes / 256).min(1 << 20) & !4095;
    if bytes < 16 << 10 { 0 } else { bytes }
}

/// All files of it, with their sizes.
fn wanted(space: &Space) -> Vec<(RelPath, u64)> {
    let large = large_bytes(space);
    let empty = space.files.map_or(0, |files| (files.total / 20).min(EMPTY.1));
    let kinds = [(SMALL, (large / 4).clamp(4096, 64 << 10)), (LARGE, large), ((EMPTY.0, empty), 0)];
    let kinds = kinds.into_iter().filter(|(_, size)| large > 0 || *size == 0);
    kinds.flat_map(|((kind, count), size)| (0..count).map(move |n| (layout::ballast(kind, n), size))).collect()
}

/// Whether there is less space than what a run writes for itself may take.
pub fn is_short(target: &dyn Target) -> bool {
    target.space().is_ok_and(|space| lacks(&space))
}

fn lacks(space: &Space) -> bool {
    space.free_bytes < large_bytes(space)
        || space.files.is_some_and(|files| files.free < (EMPTY.1 / 4).min(files.total / 40))
}

/// What there is of it.
fn list(target: &dyn Target) -> Vec<Entry> {
    files::list_small(target, &layout::ballast_folder()).unwrap_or_default()
}

fn path(name: &Name) -> RelPath {
    layout::ballast_folder().join(name)
}

/// Lays out what is missing of it, if there is room for it and for what is kept free besides.
pub fn lay_out(target: &dyn Target) {
    let Ok(space) = target.space() else { return };
    let wanted = wanted(&space);
    let bytes: u64 = wanted.iter().map(|(_, size)| size).sum();
    let has_inodes = space.files.is_none_or(|files| files.free > space.reserve_files() + wanted.len() as u64);
    if space.free_bytes < space.reserve_bytes() + bytes || !has_inodes {
        return;
    }
    let there = list(target);
    let is_there = |wanted: &RelPath, size: u64| {
        there.iter().any(|entry| path(&entry.name) == *wanted && entry.meta.size_bytes == size)
    };
    let missing: Vec<_> = wanted.into_iter().filter(|(path, size)| !is_there(path, *size)).collect();
    if missing.is_empty() || files::ensure_folder(target, &layout::ballast_folder()).is_err() {
        return;
    }
    for (path, size) in missing {
        // Of one that was cut short there is something.
        let is_begun = there.iter().any(|entry| self::path(&entry.name) == path);
        if (is_begun && target.remove_file(&path).is_err()) || lay_out_one(target, &path, size).is_err() {
            return;
        }
    }
}

fn lay_out_one(target: &dyn Target, path: &RelPath, size: u64) -> Result<(), Error> {
    let file = target.create_file(path)?;
    // Zeros take no space on a filesystem that compresses.
    let mut noise = blake3::Hasher::new().update(path.as_bytes()).finalize_xof();
    let mut piece = vec![0; usize::try_from(size.min(1 << 20)).unwrap_or(0)];
    let mut at = 0;
    while at < size {
        let len = piece.len().min(usize::try_from(size - at).unwrap_or(piece.len()));
        noise.fill(&mut piece[..len]);
        file.write_at(at, &piece[..len])?;
        at += len as u64;
    }
    Ok(())
}

/// Gives up one piece of what may be given up. Whether there was any.
fn give_up(target: &dyn Target) -> bool {
    let there = list(target);
    let of = |kind: (&'static str, u64)| {
        there.iter().filter(move |entry| entry.name.as_bytes().starts_with(kind.0.as_bytes()))
    };
    let mut gave = false;
    for entry in of(LARGE).take(1).chain(of(EMPTY).take((EMPTY.1 / LARGE.1) as usize)) {
        gave |= matches!(target.remove_file(&path(&entry.name)), Ok(Done::Yes));
    }
    gave
}

/// Where space is so short that what a run writes for itself may not fit: gives up as much of the ballast as that takes.
pub fn give_room(target: &dyn Target) {
    while is_short(target) && give_up(target) {}
}

/// Does `work`, which can be done again, with the help of the ballast if there is no space for it.
pub fn with_help<T>(target: &dyn Target, mut work: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    loop {
        match work() {
            Err(error) if error.code == Code::NoSpace && give_up(target) => {}
            done => return done,
        }
    }
}

/// A file of the ballast that holds at least this many bytes, renamed to `to`: its space is that of the new file. `None` if there is none.
pub fn take_file(target: &dyn Target, to: &RelPath, bytes: u64) -> Result<Option<Box<dyn TargetFile>>, Error> {
    let mut there = list(target);
    there.retain(|entry| entry.meta.size_bytes >= bytes.max(1));
    there.sort_by_key(|entry| entry.meta.size_bytes);
    for entry in there {
        if target.rename_over(&path(&entry.name), to)? == Done::Yes {
            return target.open_file(to);
        }
    }
    Ok(None)
}
