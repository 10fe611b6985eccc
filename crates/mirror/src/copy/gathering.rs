//! Gathers the metadata of one entry, bounded in every direction.
//!
//! It must never make the copy of the data fail: what cannot be gathered is counted and said once.

use super::task::Task;
use octo_core::metadata::{
    EXTENDED_BYTES_MAX, NAME_BYTES_MAX, Named, STREAMS_MAX, Stream, StreamContent, is_security_descriptor,
};
use octo_core::{Code, Error, Meta, Metadata, Part, Piece, Target};

/// Streams of one entry up to this size together stay in memory.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// The metadata of one entry as it came, and what of it is lost.
pub type Gathered = (Metadata, Vec<(Part, Error)>);

/// The metadata of one entry, being gathered.
#[derive(Default)]
pub struct Gathering {
    metadata: Metadata,
    lost: Vec<(Part, Error)>,
    inline_bytes: usize,
    extended_bytes: usize,
    bulk_bytes: u64,
    /// How many more bytes the stream that was begun last has; `None` if none was begun, or it is not wanted.
    awaited_bytes: Option<u64>,
}

fn hostile(what: &str) -> Error {
    Error::new(Code::Protocol, what)
}

impl Gathering {
    /// Takes a piece. An error is our own side's, and ends the run.
    pub fn take(&mut self, target: &dyn Target, piece: Piece<'_>) -> Result<(), Error> {
        match piece {
            Piece::Security(bytes) if is_security_descriptor(bytes) => self.metadata.security = Some(bytes.to_vec()),
            Piece::Security(_) => {
                self.lose(Part::Security, hostile("what the source sent is not a security descriptor"))
            }
            Piece::Extended { name, value } => {
                if self.has_room(name, value) {
                    self.metadata.extended.retain(|(known, _)| known != name);
                    self.metadata.extended.push((name.to_vec(), value.to_vec()));
                }
            }
            Piece::Xattr { name, value } => {
                if self.has_room(name, value) {
                    self.metadata.xattrs.retain(|(known, _)| known != name);
                    self.metadata.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
            Piece::Reparse { data, .. } if data.len() > usize::from(u16::MAX) => {
                self.lose(Part::Reparse, hostile("the reparse point is larger than any can be"));
            }
            Piece::Reparse { tag, data } => self.metadata.reparse = Some((tag, data.to_vec())),
            Piece::Posix(posix) => self.metadata.posix = Some(posix),
            Piece::Unknown(part, Some(error)) => {
                if part == Part::Streams {
                    self.drop_unfinished();
                }
                self.lose(part, error);
            }
            Piece::Unknown(part, None) => self.metadata.unknown.push(part),
            Piece::Stream { name, size_bytes } => return self.begin_stream(target, name, size_bytes),
            Piece::StreamData(bytes) => return self.stream_data(bytes),
        }
        Ok(())
    }

    fn lose(&mut self, part: Part, error: Error) {
        if !self.metadata.is_unknown(part) {
            self.metadata.unknown.push(part);
        }
        if !self.lost.iter().any(|(lost, _)| *lost == part) {
            self.lost.push((part, error));
        }
    }

    fn has_room(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.extended_bytes += name.len() + value.len();
        let fits = self.extended_bytes <= EXTENDED_BYTES_MAX && !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        if !fits {
            self.lose(Part::Extended, hostile("more extended attributes than are taken"));
        }
        fits
    }

    fn begin_stream(&mut self, target: &dyn Target, name: &[u8], size_bytes: u64) -> Result<(), Error> {
        self.drop_unfinished();
        let streams = &mut self.metadata.streams;
        if streams.len() >= STREAMS_MAX || name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(&0) {
            self.lose(Part::Streams, hostile("more streams, or longer names of streams, than are taken"));
            return Ok(());
        }
        let inline = usize::try_from(size_bytes).ok().filter(|size| self.inline_bytes + size <= INLINE_BYTES_MAX);
        // After a lost connection some of it comes again.
        streams.retain(|stream| stream.name != name);
        let content = match inline {
            Some(size) => {
                self.inline_bytes += size;
                StreamContent::Bytes(Vec::with_capacity(size))
            }
            None => {
                if self.metadata.bulk.is_none() {
                    self.metadata.bulk = Some(target.scratch()?);
                }
                StreamContent::Bulk { offset_bytes: self.bulk_bytes, size_bytes }
            }
        };
        streams.push(Stream { name: name.to_vec(), content });
        self.awaited_bytes = Some(size_bytes);
        Ok(())
    }

    fn stream_data(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(awaited) = self.awaited_bytes else { return Ok(()) };
        let Some(left) = awaited.checked_sub(bytes.len() as u64) else {
            self.drop_unfinished();
            self.lose(Part::Streams, Error::new(Code::ChangedWhileRead, "a stream grew while it was read"));
            return Ok(());
        };
        match self.metadata.streams.last_mut().map(|stream| &mut stream.content) {
            Some(StreamContent::Bytes(data)) => data.extend_from_slice(bytes),
            Some(StreamContent::Bulk { .. }) => {
                if let Some(bulk) = &self.metadata.bulk {
                    bulk.write_at(self.bulk_bytes, bytes)?;
                }
                self.bulk_bytes += bytes.len() as u64;
            }
            None => {}
        }
        self.awaited_bytes = Some(left);
        Ok(())
    }

    /// A stream that did not come to its end is none.
    fn drop_unfinished(&mut self) {
        if self.awaited_bytes.take().is_some_and(|left| left > 0) {
            self.metadata.streams.pop();
            self.lose(Part::Streams, Error::new(Code::ChangedWhileRead, "a stream shrank while it was read"));
        }
    }

    /// All that came.
    pub fn finish(mut self, opened: &Meta) -> Gathered {
        self.drop_unfinished();
        self.metadata.attributes = opened.attributes;
        self.metadata.creation_time = opened.creation_time;
        (self.metadata, self.lost)
    }
}

/// Whether nothing of `new` that is known differs from what is kept. What is not in memory is taken to differ.
pub(super) fn is_alike(kept: &Metadata, new: &Metadata) -> bool {
    let is_same = |part: Part, same: bool| same || new.is_unknown(part);
    let sorted = |all: &[Named]| {
        let mut all = all.to_vec();
        all.sort();
        all
    };
    let streams = |of: &Metadata| {
        let mut all: Vec<Stream> = of.streams.clone();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    };
    let extended = sorted(&kept.extended) == sorted(&new.extended) && sorted(&kept.xattrs) == sorted(&new.xattrs);
    let attributes = (kept.attributes, kept.creation_time) == (new.attributes, new.creation_time);
    let in_memory = kept.bulk.is_none() && new.bulk.is_none();
    is_same(Part::Attributes, attributes)
        && is_same(Part::Security, kept.security == new.security)
        && is_same(Part::Streams, in_memory && streams(kept) == streams(new))
        && is_same(Part::Extended, extended)
        && is_same(Part::Reparse, kept.reparse == new.reparse)
        && is_same(Part::Posix, kept.posix == new.posix)
}

/// What the next run compares with: the listing's, where the handle may know otherwise. The handle knows the change time
/// from before the open, and a filter of the server may show other attributes than the listing does.
pub(super) fn as_listed(task: &Task, opened: &Meta) -> Meta {
    let listed = &task.meta;
    Meta {
        change_time: listed.change_time.or(opened.change_time),
        creation_time: listed.creation_time.or(opened.creation_time),
        attributes: listed.attributes,
        id: listed.id.or(opened.id),
        ..*opened
    }
}
