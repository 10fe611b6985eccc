//! What the agent answers, as frames.

use super::cursor::{Cursor, put_bytes, put_error, put_varint};
use super::meta::PreviousMeta;
use super::piece::{self, get_piece};
use super::request::{PARTS_MAX, put_ranges, ranges};
use super::{FRAME_BYTES_MAX, PLAIN_BYTES_MAX, fault};
use bytes::{Buf, Bytes, BytesMut};
use octo_core::{Entry, Error, LinkTarget, LinkType, Listed, Meta, Name, Piece, Ranges, RelPath};
use std::borrow::Cow;
use std::cell::RefCell;

/// A BLAKE3 hash.
pub(crate) const HASH_BYTES: usize = 32;
/// No system has longer names. Without this bound a few bytes could repeat a name of a mebibyte again and again.
const NAME_BYTES_MAX: usize = 4 << 10;
/// A frame of entries is sent when it holds so much.
const ENTRIES_BYTES: usize = 64 << 10;
/// Less than this is not worth compressing.
const PACK_BYTES_MIN: usize = 512;
/// The fastest: the wire shall not wait for the processor.
const ZSTD_LEVEL: i32 = 1;

mod kind {
    pub const ENTRIES: u8 = 1;
    pub const ODDITY: u8 = 2;
    pub const LISTED: u8 = 3;
    pub const OPENED: u8 = 4;
    pub const PIECE: u8 = 5;
    pub const FINISHED: u8 = 6;
    pub const FAILED: u8 = 7;
    pub const LINK: u8 = 8;
    pub const METADATA: u8 = 9;
    pub const FOLDER: u8 = 10;
    pub const HOLES: u8 = 11;
}

/// Whether the rest of a frame may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameCompression {
    Plain,
    Zstd,
}

thread_local! {
    // Making a context costs more than compressing a small folder with it.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

/// Compressed, if that makes it smaller.
fn zstd_smaller(plain: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
        }
        let packed = slot.as_mut()?.compress(plain).ok()?;
        (packed.len() + 8 < plain.len()).then_some(packed)
    })
}

fn put_packed(out: &mut Vec<u8>, plain: &[u8], packing: FrameCompression) {
    let packed =
        (packing == FrameCompression::Zstd && plain.len() >= PACK_BYTES_MIN).then(|| zstd_smaller(plain)).flatten();
    match packed {
        Some(packed) => {
            out.push(1);
            put_varint(out, plain.len() as u64);
            out.extend_from_slice(&packed);
        }
        None => {
            out.push(0);
            out.extend_from_slice(plain);
        }
    }
}

fn unpacked<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, [u8]>, Error> {
    let packing = cursor.u8()?;
    if packing == 0 {
        let plain = cursor.rest();
        return if plain.len() <= PLAIN_BYTES_MAX { Ok(plain.into()) } else { Err(fault("a frame holds too much")) };
    }
    let size: usize = cursor.varint()?;
    if packing != 1 || size > PLAIN_BYTES_MAX {
        return Err(fault("a frame is packed in an unknown way or holds too much"));
    }
    let plain = zstd::bulk::decompress(cursor.rest(), size).map_err(|_| fault("packed content is damaged"))?;
    if plain.len() != size {
        return Err(fault("packed content has another length than announced"));
    }
    Ok(plain.into())
}

/// Builds frames, each with its length in front.
pub(crate) struct Frame;

impl Frame {
    fn build(kind: u8, room: usize, body: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        let mut out = Vec::with_capacity(room + 64);
        out.extend_from_slice(&[0, 0, 0, 0, kind]);
        body(&mut out);
        let length = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
        out[..4].copy_from_slice(&length.to_le_bytes());
        out.into()
    }

    pub fn bad_name(name: &[u8], error: &Error) -> Bytes {
        Frame::build(kind::ODDITY, 0, |out| {
            put_bytes(out, &name[..name.len().min(PLAIN_BYTES_MAX)]);
            put_error(out, error);
        })
    }

    pub fn listed(listed: &Listed) -> Bytes {
        Frame::build(kind::LISTED, 0, |out| match listed {
            Listed::Complete => out.push(1),
            Listed::Incomplete(error) => {
                out.push(0);
                put_error(out, error);
            }
        })
    }

    pub fn opened(file: usize, meta: &Meta) -> Bytes {
        Frame::build(kind::OPENED, 0, |out| {
            put_varint(out, file as u64);
            PreviousMeta::default().put(out, meta);
        })
    }

    pub fn holes(file: usize, holes: &Ranges) -> Bytes {
        Frame::build(kind::HOLES, 0, |out| {
            put_varint(out, file as u64);
            put_ranges(out, holes);
        })
    }

    /// `bytes` are at most [`PLAIN_BYTES_MAX`].
    pub fn piece(file: usize, offset_bytes: u64, bytes: &[u8], packing: FrameCompression) -> Bytes {
        Frame::build(kind::PIECE, bytes.len(), |out| {
            put_varint(out, file as u64);
            put_varint(out, offset_bytes);
            put_packed(out, bytes, packing);
        })
    }

    pub fn finished(file: usize, meta: &Meta, hash: &[u8; HASH_BYTES]) -> Bytes {
        Frame::build(kind::FINISHED, 0, |out| {
            put_varint(out, file as u64);
            PreviousMeta::default().put(out, meta);
            out.extend_from_slice(hash);
        })
    }

    pub fn failed(file: usize, error: &Error) -> Bytes {
        Frame::build(kind::FAILED, 0, |out| {
            put_varint(out, file as u64);
            put_error(out, error);
        })
    }

    /// What is in `piece` is at most [`PLAIN_BYTES_MAX`].
    pub fn metadata(file: usize, piece: &Piece<'_>) -> Bytes {
        Frame::build(kind::METADATA, 0, |out| {
            put_varint(out, file as u64);
            piece::put_piece(out, piece);
        })
    }

    pub fn folder(path: &RelPath) -> Bytes {
        Frame::build(kind::FOLDER, path.as_bytes().len(), |out| put_bytes(out, path.as_bytes()))
    }

    pub fn link(target: &LinkTarget) -> Bytes {
        Frame::build(kind::LINK, target.data.len(), |out| {
            match target.kind {
                LinkType::Posix => out.push(0),
                LinkType::Windows(tag) => {
                    out.push(1);
                    put_varint(out, tag);
                }
            }
            out.extend_from_slice(&target.data[..target.data.len().min(PLAIN_BYTES_MAX)]);
        })
    }
}

/// Gathers entries until they are worth a frame.
#[derive(Default)]
pub(crate) struct EntryBatch {
    plain: Vec<u8>,
    name: Vec<u8>,
    before: PreviousMeta,
}

impl EntryBatch {
    /// Adds an entry; a frame when there are enough.
    pub fn push(&mut self, entry: &Entry) -> Option<Bytes> {
        let name = entry.name.as_bytes();
        let shared = self.name.iter().zip(name).take_while(|(a, b)| a == b).count();
        put_varint(&mut self.plain, shared as u64);
        put_bytes(&mut self.plain, &name[shared..]);
        self.name.clear();
        self.name.extend_from_slice(name);
        self.before.put(&mut self.plain, &entry.meta);
        if self.plain.len() >= ENTRIES_BYTES { self.take() } else { None }
    }

    /// What is gathered, as a frame; none if there is nothing.
    pub fn take(&mut self) -> Option<Bytes> {
        if self.plain.is_empty() {
            return None;
        }
        let frame =
            Frame::build(kind::ENTRIES, self.plain.len(), |out| put_packed(out, &self.plain, FrameCompression::Zstd));
        self.plain.clear();
        self.name.clear();
        self.before = PreviousMeta::default();
        Some(frame)
    }
}

/// One entry as it came, or a name that cannot be one and why.
pub(crate) type ReceivedEntry = Result<Entry, (Vec<u8>, &'static str)>;

/// A frame of entries, read one by one.
pub(crate) struct Entries<'a> {
    plain: Cow<'a, [u8]>,
    at: usize,
    name: Vec<u8>,
    before: PreviousMeta,
}

impl Entries<'_> {
    /// The next entry; `None` at the end.
    pub fn next(&mut self) -> Result<Option<ReceivedEntry>, Error> {
        let mut cursor = Cursor(&self.plain[self.at..]);
        if cursor.is_empty() {
            return Ok(None);
        }
        let left = cursor.0.len();
        let shared: usize = cursor.varint()?;
        if shared > self.name.len() {
            return Err(fault("a name shares more than the name before it has"));
        }
        let rest = cursor.bytes()?;
        if shared + rest.len() > NAME_BYTES_MAX {
            return Err(fault("a name is longer than any system's"));
        }
        self.name.truncate(shared);
        self.name.extend_from_slice(rest);
        let meta = self.before.get(&mut cursor)?;
        self.at += left - cursor.0.len();
        Ok(Some(match Name::new(self.name.as_slice()) {
            Ok(name) => Ok(Entry { name, meta }),
            Err(bad) => Err((self.name.clone(), bad.reason())),
        }))
    }
}

/// One frame of an answer.
pub(crate) enum Answer<'a> {
    Entries(Entries<'a>),
    Oddity { name: &'a [u8], error: Error },
    Listed(Listed),
    Holes { file: usize, holes: Ranges },
    Opened { file: usize, meta: Meta },
    Piece { file: usize, offset_bytes: u64, bytes: Cow<'a, [u8]> },
    Finished { file: usize, meta: Meta, hash: [u8; HASH_BYTES] },
    Failed { file: usize, error: Error },
    Link(LinkTarget),
    Metadata { file: usize, piece: Piece<'a> },
    Folder(RelPath),
}

impl<'a> Answer<'a> {
    /// Reads a frame without its length.
    pub fn decode(frame: &'a [u8]) -> Result<Answer<'a>, Error> {
        let mut cursor = Cursor(frame);
        let answer = match cursor.u8()? {
            kind::ENTRIES => {
                let plain = unpacked(&mut cursor)?;
                Answer::Entries(Entries { plain, at: 0, name: Vec::new(), before: PreviousMeta::default() })
            }
            kind::ODDITY => Answer::Oddity { name: cursor.bytes()?, error: cursor.error()? },
            kind::LISTED => match cursor.u8()? {
                1 => Answer::Listed(Listed::Complete),
                0 => Answer::Listed(Listed::Incomplete(cursor.error()?)),
                _ => return Err(fault("a listing ends in an unknown way")),
            },
            kind::HOLES => Answer::Holes { file: cursor.varint()?, holes: ranges(&mut cursor, PARTS_MAX)? },
            kind::OPENED => Answer::Opened { file: cursor.varint()?, meta: PreviousMeta::default().get(&mut cursor)? },
            kind::PIECE => {
                Answer::Piece { file: cursor.varint()?, offset_bytes: cursor.varint()?, bytes: unpacked(&mut cursor)? }
            }
            kind::FINISHED => {
                let (file, meta) = (cursor.varint()?, PreviousMeta::default().get(&mut cursor)?);
                let hash = cursor.take(HASH_BYTES)?.try_into().map_err(|_| fault("no hash"))?;
                Answer::Finished { file, meta, hash }
            }
            kind::FAILED => Answer::Failed { file: cursor.varint()?, error: cursor.error()? },
            kind::LINK => {
                let kind = match cursor.u8()? {
                    0 => LinkType::Posix,
                    1 => LinkType::Windows(cursor.varint()?),
                    _ => return Err(fault("an unknown sort of link")),
                };
                Answer::Link(LinkTarget { kind, data: cursor.rest().to_vec() })
            }
            kind::METADATA => Answer::Metadata { file: cursor.varint()?, piece: get_piece(&mut cursor)? },
            kind::FOLDER => Answer::Folder(cursor.path()?),
            _ => return Err(fault("an unknown frame")),
        };
        cursor.end()?;
        Ok(answer)
    }
}

/// Cuts a stream of bytes into frames. Holds at most one frame and what came last.
#[derive(Default)]
pub(crate) struct Decoder(BytesMut);

impl Decoder {
    /// More bytes came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole frame, without its length.
    pub fn next(&mut self) -> Result<Option<BytesMut>, Error> {
        let Some(head) = self.0.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        if length == 0 || length > FRAME_BYTES_MAX {
            return Err(fault("a frame of an impossible length"));
        }
        if self.0.len() < 4 + length {
            return Ok(None);
        }
        self.0.advance(4);
        Ok(Some(self.0.split_to(length)))
    }
}
