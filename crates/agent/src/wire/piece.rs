//! One piece of a file's metadata.

use super::cursor::{Cursor, put_bytes, put_error, put_varint};
use super::fault;
use octo_core::metadata::Posix;
use octo_core::{Error, Part, Piece};

mod what {
    pub const SECURITY: u8 = 0;
    pub const EXTENDED: u8 = 1;
    pub const STREAM: u8 = 2;
    pub const STREAM_DATA: u8 = 3;
    pub const REPARSE: u8 = 4;
    pub const POSIX: u8 = 5;
    pub const XATTR: u8 = 6;
    pub const UNKNOWN: u8 = 7;
}

/// By their numbers on the wire.
const PARTS: [Part; 6] = [Part::Attributes, Part::Security, Part::Streams, Part::Extended, Part::Reparse, Part::Posix];

/// The part that a piece belongs to, and how many bytes there are in it.
pub(crate) fn extent(piece: &Piece<'_>) -> (Part, usize) {
    match piece {
        Piece::Security(bytes) => (Part::Security, bytes.len()),
        Piece::Extended { name, value } | Piece::Xattr { name, value } => (Part::Extended, name.len() + value.len()),
        Piece::Stream { name, .. } => (Part::Streams, name.len()),
        Piece::StreamData(bytes) => (Part::Streams, bytes.len()),
        Piece::Reparse { data, .. } => (Part::Reparse, data.len()),
        Piece::Posix(_) => (Part::Posix, 0),
        Piece::Unknown(part, _) => (*part, 0),
    }
}

pub(super) fn put_piece(out: &mut Vec<u8>, piece: &Piece<'_>) {
    let mut named = |what: u8, name: &[u8], value: &[u8]| {
        out.push(what);
        put_bytes(out, name);
        out.extend_from_slice(value);
    };
    match piece {
        Piece::Extended { name, value } => named(what::EXTENDED, name, value),
        Piece::Xattr { name, value } => named(what::XATTR, name, value),
        Piece::Stream { name, size_bytes } => {
            named(what::STREAM, name, &[]);
            put_varint(out, *size_bytes);
        }
        Piece::Security(bytes) => {
            out.push(what::SECURITY);
            out.extend_from_slice(bytes);
        }
        Piece::StreamData(bytes) => {
            out.push(what::STREAM_DATA);
            out.extend_from_slice(bytes);
        }
        Piece::Reparse { tag, data } => {
            out.push(what::REPARSE);
            put_varint(out, *tag);
            out.extend_from_slice(data);
        }
        Piece::Posix(posix) => {
            out.push(what::POSIX);
            [posix.uid, posix.gid, posix.mode].into_iter().for_each(|number| put_varint(out, number));
        }
        Piece::Unknown(part, lost) => {
            out.push(what::UNKNOWN);
            out.push(PARTS.iter().position(|known| known == part).unwrap_or_default() as u8);
            lost.iter().for_each(|error| put_error(out, error));
        }
    }
}

pub(super) fn get_piece<'a>(cursor: &mut Cursor<'a>) -> Result<Piece<'a>, Error> {
    Ok(match cursor.u8()? {
        what::SECURITY => Piece::Security(cursor.rest()),
        what::EXTENDED => Piece::Extended { name: cursor.bytes()?, value: cursor.rest() },
        what::XATTR => Piece::Xattr { name: cursor.bytes()?, value: cursor.rest() },
        what::STREAM => Piece::Stream { name: cursor.bytes()?, size_bytes: cursor.varint()? },
        what::STREAM_DATA => Piece::StreamData(cursor.rest()),
        what::REPARSE => Piece::Reparse { tag: cursor.varint()?, data: cursor.rest() },
        what::POSIX => Piece::Posix(Posix { uid: cursor.varint()?, gid: cursor.varint()?, mode: cursor.varint()? }),
        what::UNKNOWN => {
            let part = PARTS.get(usize::from(cursor.u8()?)).ok_or_else(|| fault("an unknown part of metadata"))?;
            Piece::Unknown(*part, if cursor.is_empty() { None } else { Some(cursor.error()?) })
        }
        _ => return Err(fault("an unknown piece of metadata")),
    })
}
