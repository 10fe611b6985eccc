//! What the server asks for.

use super::cursor::{Cursor, put_bytes, put_varint, put_zigzag};
use super::fault;
use octo_core::{Error, FetchRequest, Kind, Meta, Ranges, RelPath, Timestamp};

/// The most files one request may ask for.
pub(crate) const FILES_MAX: usize = 4096;
/// The most ranges of one file, and of all files of one request.
pub(super) const PARTS_MAX: usize = 65_536;
/// The largest request.
pub(crate) const REQUEST_BYTES_MAX: usize = 4 << 20;

const MAY_PACK: u8 = 1;
const TELL_HOLES: u8 = 2;
const PARTS: u8 = 1;
const SNAPSHOT: u8 = 2;
const METADATA: u8 = 4;
const FOLDER: u8 = 8;

/// One place in one root: to list a folder, to walk from there, or to read a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub root: String,
    pub path: RelPath,
}

impl Order {
    pub fn encode(root: &str, path: &RelPath) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, root.as_bytes());
        put_bytes(&mut out, path.as_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Order, Error> {
        let mut cursor = Cursor(bytes);
        let order = Order { root: cursor.text()?.to_owned(), path: cursor.path()? };
        cursor.end()?;
        Ok(order)
    }
}

/// Files to be read. What a listing said of them is not sent: nobody here would believe it.
#[derive(Debug)]
pub(crate) struct FetchOrder {
    pub root: String,
    pub may_pack: bool,
    /// Holes are to be reported instead of read.
    pub tell_holes: bool,
    pub files: Vec<FetchRequest>,
}

/// Builds a request until it is full.
pub(crate) struct FetchWriter {
    head: Vec<u8>,
    files: Vec<u8>,
    count: usize,
    parts: usize,
}

impl FetchOrder {
    pub fn writer(root: &str, may_pack: bool, tell_holes: bool) -> FetchWriter {
        let mut head = Vec::new();
        put_bytes(&mut head, root.as_bytes());
        head.push(if may_pack { MAY_PACK } else { 0 } | if tell_holes { TELL_HOLES } else { 0 });
        FetchWriter { head, files: Vec::new(), count: 0, parts: 0 }
    }

    pub fn decode(bytes: &[u8]) -> Result<FetchOrder, Error> {
        let mut cursor = Cursor(bytes);
        let root = cursor.text()?.to_owned();
        let flags = cursor.u8()?;
        let (may_pack, tell_holes) = (flags & MAY_PACK != 0, flags & TELL_HOLES != 0);
        let count: usize = cursor.varint()?;
        if count > FILES_MAX {
            return Err(fault("too many files in one request"));
        }
        let (mut files, mut parts_max) = (Vec::new(), PARTS_MAX);
        for _ in 0..count {
            let file = file(&mut cursor, parts_max)?;
            parts_max -= file.parts.as_ref().map_or(0, |parts| parts.iter().count());
            files.push(file);
        }
        cursor.end()?;
        Ok(FetchOrder { root, may_pack, tell_holes, files })
    }
}

impl FetchWriter {
    /// Adds a file; false if it does not fit any more.
    pub fn push(&mut self, file: &FetchRequest) -> bool {
        let before = self.files.len();
        put_bytes(&mut self.files, file.path.as_bytes());
        let has = |is: bool, bit: u8| if is { bit } else { 0 };
        let is_folder = file.listed.kind == Kind::Folder;
        let wanted = has(file.metadata, METADATA) | has(is_folder, FOLDER);
        self.files.push(has(file.parts.is_some(), PARTS) | has(file.snapshot.is_some(), SNAPSHOT) | wanted);
        if let Some(parts) = &file.parts {
            put_ranges(&mut self.files, parts);
        }
        if let Some(moment) = file.snapshot {
            put_zigzag(&mut self.files, moment.0);
        }
        let parts = self.parts + file.parts.as_ref().map_or(0, |parts| parts.iter().take(PARTS_MAX).count());
        let fits =
            self.count < FILES_MAX && parts <= PARTS_MAX && self.head.len() + self.files.len() + 3 <= REQUEST_BYTES_MAX;
        if fits {
            (self.count, self.parts) = (self.count + 1, parts);
        } else {
            self.files.truncate(before);
        }
        fits
    }

    pub fn finish(mut self) -> Vec<u8> {
        put_varint(&mut self.head, self.count as u64);
        self.head.append(&mut self.files);
        self.head
    }
}

fn file(cursor: &mut Cursor<'_>, parts_max: usize) -> Result<FetchRequest, Error> {
    let path = cursor.path()?;
    let flags = cursor.u8()?;
    let parts = if flags & PARTS != 0 { Some(ranges(cursor, parts_max)?) } else { None };
    let snapshot = if flags & SNAPSHOT != 0 { Some(Timestamp(cursor.zigzag()?)) } else { None };
    let metadata = flags & METADATA != 0;
    let kind = if flags & FOLDER != 0 { Kind::Folder } else { Kind::File };
    let is_details_only = metadata && parts.as_ref().is_some_and(Ranges::is_empty);
    if kind == Kind::Folder && !is_details_only {
        return Err(fault("the data of a folder is wanted"));
    }
    Ok(FetchRequest { path, listed: Meta::new(kind, 0, Timestamp(0)), parts, snapshot, metadata })
}

/// The first ranges of a set, as many as one message may have.
pub(super) fn put_ranges(out: &mut Vec<u8>, ranges: &Ranges) {
    put_varint(out, ranges.iter().take(PARTS_MAX).count() as u64);
    let mut end = 0;
    for range in ranges.iter().take(PARTS_MAX) {
        put_varint(out, range.start - end);
        put_varint(out, range.end - range.start);
        end = range.end;
    }
}

/// At most so many ranges, sorted and not touching each other whatever came.
pub(super) fn ranges(cursor: &mut Cursor<'_>, max: usize) -> Result<Ranges, Error> {
    let count: usize = cursor.varint()?;
    if count > max {
        return Err(fault("too many parts"));
    }
    let mut parts = Ranges::new();
    let mut end = 0u64;
    for _ in 0..count {
        let (gap, length): (u64, u64) = (cursor.varint()?, cursor.varint()?);
        let start = end.checked_add(gap);
        let next = start.and_then(|start| start.checked_add(length)).filter(|_| length > 0);
        let (Some(start), Some(next)) = (start, next) else {
            return Err(fault("an impossible part of a file"));
        };
        parts.insert(start..next);
        end = next;
    }
    Ok(parts)
}
