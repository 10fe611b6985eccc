//! Metadata of an entry, as records of an archive.

use super::archive::Details;
use octo_core::{Code, Error, FetchRequest, FetchSink, Meta, Piece, Ranges, RelPath, Source, Stop};
use octo_mirror::history::State;

/// A larger stream does not fit into a record.
const STREAM_BYTES_MAX: u64 = 1 << 20;

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
    /// The last stream is too large.
    skips: bool,
}

impl Sink {
    fn record(&mut self, kind: &str, name: &[u8], value: &[u8]) {
        self.found.records.push(([kind.as_bytes(), name].concat(), value.to_vec()));
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
            Piece::Security(descriptor) => self.record("OCTOBACKUP.security", b"", descriptor),
            Piece::Extended { name, value } => self.record("OCTOBACKUP.extended.", name, value),
            Piece::Xattr { name, value } => self.record("SCHILY.xattr.", name, value),
            Piece::Reparse { tag, data } => {
                self.record("OCTOBACKUP.reparse.", tag.to_string().as_bytes(), data);
            }
            Piece::Posix(posix) => self.found.posix = Some(posix),
            Piece::Stream { name, size_bytes } => {
                self.skips = size_bytes > STREAM_BYTES_MAX;
                if self.skips {
                    let name = octo_core::path::bytes_to_text(name);
                    let what = format!("its stream {name} is too large for an archive; a restore brings it back");
                    self.lost.push(Error::new(Code::NotMirrored, what));
                } else {
                    self.record("OCTOBACKUP.stream.", name, b"");
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
