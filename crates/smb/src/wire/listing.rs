//! QUERY_DIRECTORY's entries: FileIdFullDirectoryInformation (MS-FSCC 2.4.18).
//!
//! That class has the four times, the attributes, the size, a 64-bit file id and, for reparse points, the tag; Windows
//! and Samba both give it. Its sister FileIdBothDirectoryInformation adds the short name, which is not needed here and Samba
//! has to compute. (The 128-bit ids of newer classes matter on ReFS only, whose ids we do not rely on.)

use super::name::{self, WireName};
use super::{Bytes, Malformed, attribute};
use octo_core::{FileId, Kind, Meta, Timestamp, windows_kind};

/// The information class's number.
pub(crate) const CLASS: u8 = 0x26;
/// Bytes of an entry before its name.
const FIXED_BYTES: usize = 80;

/// One entry: its name, judged, and what the server says of it.
#[derive(Debug)]
pub(crate) struct WireEntry {
    pub name: WireName,
    pub meta: Meta,
}

/// The entries of one response, in the server's order. Ends after the first malformed one.
pub(crate) struct Entries<'a> {
    rest: Option<Bytes<'a>>,
    volume: u64,
}

/// Reads the entries in `buffer`; `volume` becomes the first half of their ids.
pub(crate) fn entries(buffer: &[u8], volume: u64) -> Entries<'_> {
    Entries { rest: Some(Bytes(buffer)), volume }
}

impl Iterator for Entries<'_> {
    type Item = Result<WireEntry, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest.take()?;
        Some(entry(bytes, self.volume).map(|(entry, rest)| {
            self.rest = rest;
            entry
        }))
    }
}

fn entry(bytes: Bytes<'_>, volume: u64) -> Result<(WireEntry, Option<Bytes<'_>>), Malformed> {
    let next = bytes.len32(0)?;
    let name_len = bytes.len32(60)?;
    if !name_len.is_multiple_of(2) {
        return Err(Malformed("a name has half a character"));
    }
    let name = bytes.slice(FIXED_BYTES, name_len)?;
    let rest = match next {
        0 => None,
        _ if !next.is_multiple_of(8) || next < FIXED_BYTES + name_len => {
            return Err(Malformed("the entries of a listing overlap"));
        }
        _ => Some(Bytes(bytes.0.get(next..).ok_or(Malformed("an entry lies beyond the end of the listing"))?)),
    };
    Ok((WireEntry { name: name::from_utf16le(name), meta: meta(bytes, volume)? }, rest))
}

fn meta(bytes: Bytes<'_>, volume: u64) -> Result<Meta, Malformed> {
    let attributes = bytes.u32(56)?;
    // For reparse points the field of the extended attributes' size holds the tag instead.
    let tag = if attributes & attribute::REPARSE_POINT != 0 { bytes.u32(64)? } else { 0 };
    let kind = windows_kind(attributes, tag);
    Ok(Meta {
        id: Some(FileId { volume, id: bytes.u64(72)?.into() }),
        ..common(kind, Times::at(bytes, 8)?, size(bytes.u64(40)?)?, attributes)
    })
}

/// The four times as the protocol always orders them: creation, last access, last write, change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    creation: u64,
    write: u64,
    change: u64,
}

impl Times {
    pub fn at(bytes: Bytes<'_>, at: usize) -> Result<Times, Malformed> {
        Ok(Times { creation: bytes.u64(at)?, write: bytes.u64(at + 16)?, change: bytes.u64(at + 24)? })
    }
}

/// A size is a signed number on the wire; no file has a negative one.
pub(crate) fn size(wire: u64) -> Result<u64, Malformed> {
    if i64::try_from(wire).is_ok() { Ok(wire) } else { Err(Malformed("a file has a negative size")) }
}

/// What listings and handles tell alike.
pub(crate) fn common(kind: Kind, times: Times, size_bytes: u64, attributes: u32) -> Meta {
    // Zero means that the server does not know; last write time has no such way out.
    let known = |filetime: u64| (filetime != 0).then(|| Timestamp::from_filetime(filetime));
    Meta {
        creation_time: known(times.creation),
        change_time: known(times.change),
        attributes,
        is_local: attributes & attribute::NOT_LOCAL == 0,
        ..Meta::new(kind, if kind == Kind::File { size_bytes } else { 0 }, Timestamp::from_filetime(times.write))
    }
}
