//! What the filesystem cannot hold of an entry's metadata, on its way into the records and back.

use crate::records::{Detail, ObjectWriter, PieceKind, Records};
use octo_core::metadata::{Posix, Stream, StreamContent};
use octo_core::{Code, Error, Metadata, Part, RelPath, TargetFile, Timestamp};

/// Data is recorded in pieces of this size.
pub(crate) const PIECE_BYTES: usize = 256 << 10;
/// A stream of more bytes is not read into memory.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// A value that the filesystem does not hold.
pub(crate) struct Leftover<'m> {
    pub(crate) sort: PieceKind,
    pub(crate) name: &'m [u8],
    pub(crate) data: Data<'m>,
}

impl Leftover<'_> {
    /// Attributes and creation time.
    pub(crate) fn attributes(metadata: &Metadata) -> Leftover<'static> {
        let creation = metadata.creation_time.map_or(0, Timestamp::to_filetime);
        let bytes = [&metadata.attributes.to_be_bytes()[..], &creation.to_be_bytes()].concat();
        Leftover { sort: PieceKind::Attributes, name: b"", data: Data::Owned(bytes) }
    }
}

/// The bytes of a leftover.
pub(crate) enum Data<'m> {
    Owned(Vec<u8>),
    Bytes(&'m [u8]),
    /// In [`Metadata::bulk`].
    Bulk {
        offset_bytes: u64,
        size_bytes: u64,
    },
}

/// The sorts of piece that a part of metadata is recorded as.
fn sorts_of(part: Part) -> &'static [PieceKind] {
    match part {
        Part::Attributes => &[PieceKind::Attributes],
        Part::Security => &[PieceKind::Security],
        Part::Streams => &[PieceKind::Stream],
        Part::Extended => &[PieceKind::Extended, PieceKind::Xattr],
        Part::Reparse => &[PieceKind::Reparse],
        Part::Posix => &[PieceKind::Posix],
    }
}

/// Records what the filesystem did not take, and what it is never given. True if that is anything.
pub(crate) fn record(
    records: &mut Records,
    path: &RelPath,
    metadata: &Metadata,
    leftovers: &[Leftover<'_>],
) -> Result<bool, Error> {
    let old = records.detail(path)?;
    let mut object = records.write_object()?;
    for leftover in leftovers {
        put(&mut object, metadata, leftover)?;
    }
    put_unseen(&mut object, metadata)?;
    if let Some(old) = old {
        for part in &metadata.unknown {
            sorts_of(*part).iter().try_for_each(|sort| object.take_over(old, *sort))?;
        }
    }
    object.finish(path, false)
}

/// All of it that a filesystem may hold, as if it held none.
pub(crate) fn all(metadata: &Metadata) -> Vec<Leftover<'_>> {
    let security = metadata.security.iter().map(|security| (PieceKind::Security, &b""[..], Data::Bytes(security)));
    let extended = metadata.extended.iter().map(|(name, value)| (PieceKind::Extended, &name[..], Data::Bytes(value)));
    let streams = metadata.streams.iter().map(|stream| {
        let data = match &stream.content {
            StreamContent::Bytes(bytes) => Data::Bytes(bytes),
            StreamContent::Bulk { offset_bytes, size_bytes } => {
                Data::Bulk { offset_bytes: *offset_bytes, size_bytes: *size_bytes }
            }
        };
        (PieceKind::Stream, &stream.name[..], data)
    });
    let parts = security.chain(extended).chain(streams).map(|(sort, name, data)| Leftover { sort, name, data });
    let attributes = (!metadata.is_unknown(Part::Attributes)).then(|| Leftover::attributes(metadata));
    attributes.into_iter().chain(parts).collect()
}

/// Records all of it.
pub(crate) fn record_whole(records: &mut Records, path: &RelPath, metadata: &Metadata) -> Result<(), Error> {
    let mut object = records.write_object()?;
    all(metadata).iter().try_for_each(|leftover| put(&mut object, metadata, leftover))?;
    put_unseen(&mut object, metadata)?;
    object.finish(path, true).map(drop)
}

/// Whether there is anything that Samba would not show.
pub(crate) fn has_unseen(metadata: &Metadata) -> bool {
    metadata.reparse.is_some() || metadata.posix.is_some() || !metadata.xattrs.is_empty()
}

/// What Samba would not show, and is never an attribute of the mirror's files.
fn put_unseen(object: &mut ObjectWriter<'_>, metadata: &Metadata) -> Result<(), Error> {
    if let Some((tag, data)) = &metadata.reparse {
        object.piece(PieceKind::Reparse, &tag.to_be_bytes(), 0, data)?;
    }
    if let Some(Posix { uid, gid, mode }) = metadata.posix {
        object.piece(PieceKind::Posix, b"", 0, &[uid, gid, mode].map(u32::to_be_bytes).concat())?;
    }
    metadata.xattrs.iter().try_for_each(|(name, value)| object.piece(PieceKind::Xattr, name, 0, value))
}

fn put(object: &mut ObjectWriter<'_>, metadata: &Metadata, leftover: &Leftover<'_>) -> Result<(), Error> {
    let (sort, name) = (leftover.sort, leftover.name);
    match &leftover.data {
        Data::Owned(bytes) => object.piece(sort, name, 0, bytes),
        Data::Bytes(bytes) => object.piece(sort, name, 0, bytes),
        Data::Bulk { offset_bytes, size_bytes } => {
            let bulk = metadata.bulk.as_ref().ok_or_else(|| Error::new(Code::TargetEntry, "a stream has no data"))?;
            let mut buffer = vec![0; PIECE_BYTES];
            let mut at = 0;
            while at < *size_bytes {
                let wanted = usize::try_from(size_bytes - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
                let read = bulk.read_at(offset_bytes + at, &mut buffer[..wanted])?;
                if read == 0 {
                    return Err(Error::new(Code::TargetEntry, "a stream is shorter than it was"));
                }
                object.piece(sort, name, at, &buffer[..read])?;
                at += read as u64;
            }
            Ok(())
        }
    }
}

/// Adds what is recorded to what the attributes hold. `scratch` is for streams that are too large for memory.
pub(crate) fn add(
    records: &Records,
    detail: Detail,
    metadata: &mut Metadata,
    scratch: impl Fn() -> Result<Box<dyn TargetFile>, Error>,
) -> Result<(), Error> {
    records.pieces(detail, |sort, name, at, data| {
        match sort {
            PieceKind::Attributes => {
                if let Some((attributes, creation)) = data.split_first_chunk() {
                    let creation = creation.try_into().map(u64::from_be_bytes).unwrap_or_default();
                    metadata.attributes = u32::from_be_bytes(*attributes);
                    metadata.creation_time = (creation != 0).then(|| Timestamp::from_filetime(creation));
                }
            }
            PieceKind::Security => metadata.security = Some(data.to_vec()),
            PieceKind::Extended => metadata.extended.push((name.to_vec(), data.to_vec())),
            PieceKind::Xattr => metadata.xattrs.push((name.to_vec(), data.to_vec())),
            PieceKind::Reparse => {
                let tag = <[u8; 4]>::try_from(name).map(u32::from_be_bytes).unwrap_or_default();
                metadata.reparse = Some((tag, data.to_vec()));
            }
            PieceKind::Posix => {
                let mut fields = data.chunks_exact(4).filter_map(|b| Some(u32::from_be_bytes(b.try_into().ok()?)));
                if let (Some(uid), Some(gid), Some(mode)) = (fields.next(), fields.next(), fields.next()) {
                    metadata.posix = Some(Posix { uid, gid, mode });
                }
            }
            PieceKind::Stream => add_stream(metadata, name, at, data, &scratch)?,
        }
        Ok(())
    })
}

/// Adds a piece of a stream, which come in order and are of [`PIECE_BYTES`] but for the last one.
pub(crate) fn add_stream(
    metadata: &mut Metadata,
    name: &[u8],
    at: u64,
    data: &[u8],
    scratch: &impl Fn() -> Result<Box<dyn TargetFile>, Error>,
) -> Result<(), Error> {
    if at == 0 && data.len() <= INLINE_BYTES_MAX {
        let content = StreamContent::Bytes(data.to_vec());
        metadata.streams.push(Stream { name: name.to_vec(), content });
        return Ok(());
    }
    if metadata.bulk.is_none() {
        metadata.bulk = Some(scratch()?);
    }
    if at == 0 {
        let content = StreamContent::Bulk { offset_bytes: bulk_bytes(metadata), size_bytes: 0 };
        metadata.streams.push(Stream { name: name.to_vec(), content });
    }
    let end = bulk_bytes(metadata);
    if let (Some(bulk), Some(stream)) = (&metadata.bulk, metadata.streams.last_mut())
        && let StreamContent::Bulk { size_bytes, .. } = &mut stream.content
    {
        bulk.write_at(end, data)?;
        *size_bytes += data.len() as u64;
    }
    Ok(())
}

/// How much the streams in [`Metadata::bulk`] take of it.
fn bulk_bytes(metadata: &Metadata) -> u64 {
    let ends = metadata.streams.iter().rev().find_map(|stream| match stream.content {
        StreamContent::Bulk { offset_bytes, size_bytes } => Some(offset_bytes + size_bytes),
        StreamContent::Bytes(_) => None,
    });
    ends.unwrap_or(0)
}
