//! One file as it is. Its last piece is sent only when its content is what was copied.

use super::archive::not_taken;
use octo_core::{Code, Error, FetchRequest, FetchSink, Meta, RelPath, Source, Stop};
use octo_mirror::history::State;
use std::io::Write;

/// Sends a file that has this size.
pub fn send(state: &State<'_>, path: &RelPath, meta: &Meta, out: impl Write) -> Result<(), Error> {
    let request = FetchRequest { path: path.clone(), listed: *meta, parts: None, snapshot: None, metadata: false };
    let mut sink = Sink { out, held: Vec::new(), size_bytes: meta.size_bytes, ended: None };
    state.fetch(&[request], &mut sink);
    sink.ended.unwrap_or_else(|| Err(Error::new(Code::Cancelled, "nobody takes it")))?;
    sink.out.write_all(&sink.held).and_then(|()| sink.out.flush()).map_err(|error| not_taken(&error))
}

struct Sink<W> {
    out: W,
    held: Vec<u8>,
    size_bytes: u64,
    ended: Option<Result<(), Error>>,
}

impl<W: Write> FetchSink for Sink<W> {
    fn opened(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        if meta.size_bytes == self.size_bytes {
            return Ok(());
        }
        let what = format!("it has {} bytes, and was announced with {}", meta.size_bytes, self.size_bytes);
        self.ended = Some(Err(Error::new(Code::ChangedWhileRead, what)));
        Err(Stop::Everything)
    }

    fn data(&mut self, _: usize, _: u64, bytes: &[u8]) -> Result<(), Stop> {
        if let Err(error) = self.out.write_all(&self.held) {
            self.ended = Some(Err(not_taken(&error)));
            return Err(Stop::Everything);
        }
        self.held.clear();
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        self.ended = Some(Ok(()));
        Ok(())
    }

    fn failed(&mut self, _: usize, error: Error) -> Result<(), Stop> {
        self.ended = Some(Err(error));
        Ok(())
    }
}
