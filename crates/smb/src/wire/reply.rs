//! The bodies of the server's answers, as slices of what has arrived. Offsets on the wire count from the header, which
//! is not part of a body.

use super::listing::{Times, common, size};
use super::{Bytes, Malformed, attribute};
use octo_core::{FileId, Kind, Meta, windows_kind};

/// Bytes of an SMB2 header, from whose start the wire's offsets count.
const HEADER_BYTES: usize = 64;
/// The most a reparse point can hold (MS-FSCC 2.1.2: MAXIMUM_REPARSE_DATA_BUFFER_SIZE).
pub(crate) const REPARSE_BYTES_MAX: usize = 16 * 1024;

/// A handle on the server: its persistent and its volatile half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle(pub u64, pub u64);

/// What an open tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub handle: Handle,
    pub meta: Meta,
    /// What the file takes on the disk. Never believed alone.
    pub allocated_bytes: u64,
}

fn expect_size(body: Bytes<'_>, bytes: u16) -> Result<(), Malformed> {
    if body.u16(0)? == bytes { Ok(()) } else { Err(Malformed("an answer has the wrong structure size")) }
}

/// A buffer named by an offset from the header and a length.
fn buffer(body: Bytes<'_>, offset: usize, len: usize) -> Result<&[u8], Malformed> {
    if len == 0 {
        return Ok(&[]);
    }
    let at = offset.checked_sub(HEADER_BYTES).ok_or(Malformed("a buffer lies inside the header"))?;
    body.slice(at, len)
}

fn kind_of(attributes: u32) -> Kind {
    if attributes & attribute::DIRECTORY != 0 { Kind::Folder } else { Kind::File }
}

/// CREATE (MS-SMB2 2.2.14), with the file id where the server gives one (context `QFid`, 2.2.14.2.9).
pub(crate) fn create(body: &[u8], volume: u64) -> Result<Opened, Malformed> {
    let body = Bytes(body);
    expect_size(body, 89)?;
    let attributes = body.u32(56)?;
    let meta = common(kind_of(attributes), Times::at(body, 8)?, size(body.u64(48)?)?, attributes);
    let handle = Handle(body.u64(64)?, body.u64(72)?);
    let contexts = buffer(body, body.len32(80)?, body.len32(84)?)?;
    let id = disk_id(Bytes(contexts))?.map(|id| FileId { volume, id: id.into() });
    Ok(Opened { handle, meta: Meta { id, ..meta }, allocated_bytes: body.u64(40)? })
}

/// Finds the context `QFid` in a chain of create contexts (MS-SMB2 2.2.13.2).
fn disk_id(contexts: Bytes<'_>) -> Result<Option<u64>, Malformed> {
    let mut rest = contexts;
    while !rest.0.is_empty() {
        let name = rest.slice(rest.u16(4)?.into(), rest.u16(6)?.into())?;
        if name == b"QFid" {
            let data = rest.slice(rest.u16(10)?.into(), rest.len32(12)?)?;
            return Bytes(data).u64(0).map(Some);
        }
        match rest.len32(0)? {
            0 => break,
            // A context is at least its fixed part: no chain runs in place.
            next if next < 16 => return Err(Malformed("the contexts of an open overlap")),
            next => rest = Bytes(rest.0.get(next..).ok_or(Malformed("a context lies beyond the end"))?),
        }
    }
    Ok(None)
}

/// CLOSE with the file's last state (MS-SMB2 2.2.16); `None` where the server did not give it.
pub(crate) fn close(body: &[u8]) -> Result<Option<Meta>, Malformed> {
    let body = Bytes(body);
    expect_size(body, 60)?;
    let attributes = body.u32(56)?;
    if body.u16(2)? & 1 == 0 {
        return Ok(None);
    }
    Ok(Some(common(kind_of(attributes), Times::at(body, 8)?, size(body.u64(48)?)?, attributes)))
}

/// READ (MS-SMB2 2.2.20): the data, at most the `asked` bytes.
pub(crate) fn read(body: &[u8], asked: u32) -> Result<&[u8], Malformed> {
    let bytes = Bytes(body);
    expect_size(bytes, 17)?;
    if bytes.u32(4)? > asked {
        return Err(Malformed("a read gave more than was asked for"));
    }
    buffer(bytes, bytes.u8(2)?.into(), bytes.len32(4)?)
}

/// QUERY_DIRECTORY and QUERY_INFO (MS-SMB2 2.2.34, 2.2.38): the buffer.
pub(crate) fn query(body: &[u8]) -> Result<&[u8], Malformed> {
    let bytes = Bytes(body);
    expect_size(bytes, 9)?;
    buffer(bytes, bytes.u16(2)?.into(), bytes.len32(4)?)
}

/// IOCTL (MS-SMB2 2.2.32): the output.
pub(crate) fn ioctl(body: &[u8]) -> Result<&[u8], Malformed> {
    let bytes = Bytes(body);
    expect_size(bytes, 49)?;
    buffer(bytes, bytes.len32(32)?, bytes.len32(36)?)
}

/// A reparse point (MS-FSCC 2.1.2.2): its tag and its data.
pub(crate) fn reparse(output: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    if output.len() > REPARSE_BYTES_MAX {
        return Err(Malformed("a reparse point is larger than any can be"));
    }
    let bytes = Bytes(output);
    let tag = bytes.u32(0)?;
    Ok((tag, bytes.slice(8, bytes.u16(4)?.into())?))
}

/// FileAttributeTagInformation (MS-FSCC 2.4.6): whether the open entry is a link, of DFS or other.
pub(crate) fn is_link(info: &[u8]) -> Result<bool, Malformed> {
    let bytes = Bytes(info);
    Ok(matches!(windows_kind(bytes.u32(0)?, bytes.u32(4)?), Kind::Link | Kind::Other))
}

/// The same: what kind of entry it is.
pub(crate) fn kind(info: &[u8]) -> Result<Kind, Malformed> {
    let bytes = Bytes(info);
    Ok(windows_kind(bytes.u32(0)?, bytes.u32(4)?))
}

/// WRITE (MS-SMB2 2.2.22): all of the `asked` bytes were taken.
pub(crate) fn write(body: &[u8], asked: usize) -> Result<(), Malformed> {
    let bytes = Bytes(body);
    expect_size(bytes, 17)?;
    if bytes.len32(4)? == asked { Ok(()) } else { Err(Malformed("a write took another number of bytes than was sent")) }
}

/// SET_INFO (MS-SMB2 2.2.40).
pub(crate) fn set_info(body: &[u8]) -> Result<(), Malformed> {
    expect_size(Bytes(body), 2)
}

/// FLUSH (MS-SMB2 2.2.18).
pub(crate) fn flush(body: &[u8]) -> Result<(), Malformed> {
    expect_size(Bytes(body), 4)
}

/// What VALIDATE_NEGOTIATE_INFO says was negotiated (MS-SMB2 2.2.32.6).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Negotiated<'a> {
    pub capabilities: u32,
    pub guid: &'a [u8],
    pub security_mode: u16,
    pub dialect: u16,
}

/// The output of FSCTL_VALIDATE_NEGOTIATE_INFO.
pub(crate) fn validate_negotiate(output: &[u8]) -> Result<Negotiated<'_>, Malformed> {
    let bytes = Bytes(output);
    Ok(Negotiated {
        capabilities: bytes.u32(0)?,
        guid: bytes.slice(4, 16)?,
        security_mode: bytes.u16(20)?,
        dialect: bytes.u16(22)?,
    })
}

/// The same four facts in the body of the NEGOTIATE response itself (MS-SMB2 2.2.4).
pub(crate) fn negotiate(body: &[u8]) -> Result<Negotiated<'_>, Malformed> {
    let bytes = Bytes(body);
    expect_size(bytes, 65)?;
    Ok(Negotiated {
        security_mode: bytes.u16(2)?,
        dialect: bytes.u16(4)?,
        guid: bytes.slice(8, 16)?,
        capabilities: bytes.u32(24)?,
    })
}

/// The server's clock in the body of the NEGOTIATE response (MS-SMB2 2.2.4): a FILETIME.
pub(crate) fn server_time(body: &[u8]) -> Result<u64, Malformed> {
    let bytes = Bytes(body);
    expect_size(bytes, 65)?;
    bytes.u64(40)
}
