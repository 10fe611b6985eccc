//! Metadata of an entry, as records of an archive.

use super::archive::Details;
use octo_core::{Code, Error, FetchRequest, FetchSink, Meta, Piece, Ranges, RelPath, Source, Stop};
use octo_mirror::history::State;

const STREAM: &str = "OCTOBACKUP.stream.";
/// A larger stream does not fit into a record.
const STREAM_BYTES_MAX: u64 = 1 << 20;
/// All records of an entry: they are in memory together.
const RECORDS_BYTES_MAX: usize = 8 << 20;

/// What is kept of an entry, and what of it does not come along.
pub fn details(state: &State<'_>, path: &RelPath, meta: &Meta) -> (Details, Vec<Error>) {
    let parts = Some(Ranges::new());
    let request = FetchRequest { path: path.clone(), listed: *meta, parts, snapshot: None, metadata: true };
    let mut sink = Sink::default();
    state.fetch(&[request], &mut sink);
    (sink.found, sink.lost)
}

#[derive(Default)]
struct Sink {
    found: Details,
    lost: Vec<Error>,
    /// What the records have by now.
    bytes: usize,
    /// The last stream does not come along.
    skips: bool,
}

impl Sink {
    fn record(&mut self, (kind, name): (&str, &[u8]), what: &str, value: &[u8]) {
        if self.reserve(kind.len() + name.len() + value.len()) {
            self.found.records.push(([kind.as_bytes(), name].concat(), value.to_vec()));
        } else {
            self.lose(what, name);
        }
    }

    /// Whether the records may have so much more.
    fn reserve(&mut self, bytes: usize) -> bool {
        let all = self.bytes.checked_add(bytes).filter(|all| *all <= RECORDS_BYTES_MAX);
        self.bytes = all.unwrap_or(self.bytes);
        all.is_some()
    }

    fn lose(&mut self, what: &str, name: &[u8]) {
        let name = octo_core::path::bytes_to_text(name);
        let what = format!("its {what} {name} is too large for an archive, by itself or with the others");
        self.lost.push(Error::new(Code::NotMirrored, format!("{what}; a restore brings it back")));
    }
}

impl FetchSink for Sink {
    fn opened(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        self.found.creation_time = meta.creation_time;
        self.found.attributes = Some(meta.attributes);
        Ok(())
    }

    fn data(&mut self, _: usize, _: u64, _: &[u8]) -> Result<(), Stop> {
        Err(Stop::ThisFile)
    }

    fn metadata(&mut self, _: usize, piece: Piece<'_>) -> Result<(), Stop> {
        match piece {
            Piece::Security(descriptor) => self.record(("OCTOBACKUP.security", b""), "access list", descriptor),
            Piece::Extended { name, value } => self.record(("OCTOBACKUP.extended.", name), "attribute", value),
            Piece::Xattr { name, value } => self.record(("SCHILY.xattr.", name), "attribute", value),
            Piece::Reparse { tag, data } => {
                self.record(("OCTOBACKUP.reparse.", tag.to_string().as_bytes()), "reparse point", data);
            }
            Piece::Posix(posix) => self.found.posix = Some(posix),
            Piece::Stream { name, size_bytes } => {
                let bytes = usize::try_from(size_bytes).unwrap_or(usize::MAX).saturating_add(STREAM.len() + name.len());
                self.skips = size_bytes > STREAM_BYTES_MAX || !self.reserve(bytes);
                if self.skips {
                    self.lose("stream", name);
                } else {
                    self.found.records.push(([STREAM.as_bytes(), name].concat(), Vec::new()));
                }
            }
            Piece::StreamData(bytes) if !self.skips => {
                if let Some((_, value)) = self.found.records.last_mut() {
                    value.extend_from_slice(bytes);
                }
            }
            Piece::StreamData(_) | Piece::Unknown(..) => {}
        }
        Ok(())
    }

    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Ok(())
    }

    fn failed(&mut self, _: usize, error: Error) -> Result<(), Stop> {
        self.lost.push(error);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_with_many_streams_takes_no_more_memory_than_its_records_may_and_the_rest_is_named() {
        let mut sink = Sink::default();
        let data = vec![7; STREAM_BYTES_MAX as usize / 2];
        for n in 0..100 {
            let name = format!("stream{n}");
            let size_bytes = 2 * data.len() as u64;
            sink.metadata(0, Piece::Stream { name: name.as_bytes(), size_bytes }).unwrap();
            sink.metadata(0, Piece::StreamData(&data)).unwrap();
            sink.metadata(0, Piece::StreamData(&data)).unwrap();
        }
        sink.metadata(0, Piece::Xattr { name: b"user.large", value: &[0; 4 << 20] }).unwrap();
        sink.metadata(0, Piece::Xattr { name: b"user.small", value: b"small" }).unwrap();
        let Details { records, .. } = &sink.found;
        let bytes: usize = records.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= RECORDS_BYTES_MAX, "{bytes}");
        let whole = |value: &[u8]| value.len() == 2 * data.len() || value == b"small";
        assert!(records.iter().all(|(_, value)| whole(value)));
        assert_eq!((records.len(), sink.lost.len()), (8, 94), "7 streams, and the small attribute");
        assert!(sink.lost[0].detail.contains("stream stream7 ") && sink.lost[93].detail.contains("user.large"));
    }
}
