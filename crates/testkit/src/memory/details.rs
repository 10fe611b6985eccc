//! What an entry has besides its data, in memory: a text that stands for its permissions, and a stream.

use octo_core::metadata::{Named, Stream, StreamContent};
use octo_core::{FetchSink, Metadata, Part, Piece, Stop};

/// The name of the extended attribute that stands for permissions.
const PERMISSIONS: &[u8] = b"user.permissions";
/// The name of the stream.
const STREAM: &[u8] = b"notes";

/// What an entry has besides its data. Empty is what it does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Who may do what with it.
    pub permissions: Vec<u8>,
    /// A stream.
    pub stream: Vec<u8>,
}

impl Details {
    /// Hands it over, as a source does.
    pub(super) fn hand_over(&self, file: usize, sink: &mut dyn FetchSink) -> Result<(), Stop> {
        if !self.permissions.is_empty() {
            sink.metadata(file, Piece::Xattr { name: PERMISSIONS, value: &self.permissions })?;
        }
        if !self.stream.is_empty() {
            sink.metadata(file, Piece::Stream { name: STREAM, size_bytes: self.stream.len() as u64 })?;
            sink.metadata(file, Piece::StreamData(&self.stream))?;
        }
        Ok(())
    }

    /// Keeps what is known of `metadata`; the rest stays.
    pub(super) fn keep(&mut self, metadata: &Metadata) {
        if !metadata.is_unknown(Part::Extended) {
            let found = metadata.xattrs.iter().find(|(name, _)| name == PERMISSIONS);
            self.permissions = found.map(|(_, value)| value.clone()).unwrap_or_default();
        }
        if !metadata.is_unknown(Part::Streams) {
            let found = metadata.streams.iter().find(|stream| stream.name == STREAM);
            self.stream = found.map(|stream| content(stream, metadata)).unwrap_or_default();
        }
    }

    /// As a target tells it.
    pub(super) fn metadata(&self) -> Metadata {
        let named = |name: &[u8], value: &Vec<u8>| -> Option<Named> {
            (!value.is_empty()).then(|| (name.to_vec(), value.clone()))
        };
        let stream = named(STREAM, &self.stream);
        Metadata {
            xattrs: named(PERMISSIONS, &self.permissions).into_iter().collect(),
            streams: stream
                .into_iter()
                .map(|(name, data)| Stream { name, content: StreamContent::Bytes(data) })
                .collect(),
            ..Metadata::default()
        }
    }
}

impl From<&Metadata> for Details {
    fn from(metadata: &Metadata) -> Details {
        let mut details = Details::default();
        details.keep(metadata);
        details
    }
}

fn content(stream: &Stream, metadata: &Metadata) -> Vec<u8> {
    match (&stream.content, &metadata.bulk) {
        (StreamContent::Bytes(bytes), _) => bytes.clone(),
        (StreamContent::Bulk { offset_bytes, size_bytes }, Some(bulk)) => {
            let mut bytes = vec![0; usize::try_from(*size_bytes).unwrap_or(0)];
            let read = bulk.read_at(*offset_bytes, &mut bytes).unwrap_or(0);
            bytes.truncate(read);
            bytes
        }
        (StreamContent::Bulk { .. }, None) => Vec::new(),
    }
}
