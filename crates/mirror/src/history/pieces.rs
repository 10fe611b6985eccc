//! Hands over kept metadata in the pieces in which a source does.

use octo_core::metadata::StreamContent;
use octo_core::{Error, FetchSink, Metadata, Piece, Stop, TargetFile};

/// Read at once of a large stream.
const STREAM_READ_BYTES: usize = 256 << 10;

/// Why handing over ended early.
pub enum Ended {
    /// Reading what was kept failed.
    Failed(Error),
    /// No more is wanted.
    Stopped(Stop),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Ended {
        Ended::Stopped(stop)
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Failed(error)
    }
}

/// Hands over everything of one entry. Attributes and creation time go with its meta.
pub fn hand_over(metadata: &Metadata, file: usize, sink: &mut dyn FetchSink) -> Result<(), Ended> {
    if let Some(security) = &metadata.security {
        sink.metadata(file, Piece::Security(security))?;
    }
    for (name, value) in &metadata.extended {
        sink.metadata(file, Piece::Extended { name, value })?;
    }
    for (name, value) in &metadata.xattrs {
        sink.metadata(file, Piece::Xattr { name, value })?;
    }
    if let Some((tag, data)) = &metadata.reparse {
        sink.metadata(file, Piece::Reparse { tag: *tag, data })?;
    }
    if let Some(posix) = metadata.posix {
        sink.metadata(file, Piece::Posix(posix))?;
    }
    for stream in &metadata.streams {
        match &stream.content {
            StreamContent::Bytes(bytes) => {
                sink.metadata(file, Piece::Stream { name: &stream.name, size_bytes: bytes.len() as u64 })?;
                sink.metadata(file, Piece::StreamData(bytes))?;
            }
            StreamContent::Bulk { offset_bytes, size_bytes } => {
                sink.metadata(file, Piece::Stream { name: &stream.name, size_bytes: *size_bytes })?;
                let bulk = metadata.bulk.as_deref();
                bulk.map_or(Ok(()), |bulk| stream_data(bulk, *offset_bytes, *size_bytes, file, sink))?;
            }
        }
    }
    Ok(())
}

fn stream_data(
    bulk: &dyn TargetFile,
    offset_bytes: u64,
    size_bytes: u64,
    file: usize,
    sink: &mut dyn FetchSink,
) -> Result<(), Ended> {
    let mut buffer = vec![0; STREAM_READ_BYTES];
    let mut at = 0;
    while at < size_bytes {
        let wanted = usize::try_from(size_bytes - at).unwrap_or(STREAM_READ_BYTES).min(STREAM_READ_BYTES);
        match bulk.read_at(offset_bytes + at, &mut buffer[..wanted])? {
            0 => return Err(Error::new(octo_core::Code::RecordsDamaged, "a stream is shorter than it was").into()),
            read => {
                sink.metadata(file, Piece::StreamData(&buffer[..read]))?;
                at += read as u64;
            }
        }
    }
    Ok(())
}
