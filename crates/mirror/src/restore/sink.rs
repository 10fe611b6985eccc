//! Takes files from a state and gathers each in staging.

use crate::copy::gathering::{Gathered, Gathering};
use octo_core::restore_target::is_lost;
use octo_core::{Code, Error, FetchSink, Meta, Piece, Ranges, RelPath, RestoreBatch, Stop, Target};

/// One file on its way.
#[derive(Default)]
pub struct Staged {
    /// Where it is gathered; `None` of a folder, of which only the metadata comes.
    pub stage: Option<RelPath>,
    /// How it ended; `None` while it has not.
    pub ended: Option<Result<(Meta, Gathered), Error>>,
    metadata: Gathering,
    got_bytes: u64,
    holes_bytes: u64,
}

impl Staged {
    /// A file that will be gathered there.
    pub fn at(stage: RelPath) -> Staged {
        Staged { stage: Some(stage), ..Staged::default() }
    }
}

/// Takes a batch.
pub struct Gather<'a> {
    /// Where the content goes; `None` if only metadata is taken.
    pub to: Option<&'a mut dyn RestoreBatch>,
    /// Where what is too large for memory waits.
    pub scratch: &'a dyn Target,
    /// By their places in the batch.
    pub files: Vec<Staged>,
    /// Our own side failed: nothing more can be taken.
    pub failed: Option<Error>,
}

impl<'a> Gather<'a> {
    fn with(
        &mut self,
        file: usize,
        work: impl FnOnce(Option<&mut (dyn RestoreBatch + 'a)>, &dyn Target, &mut Staged) -> Result<(), Error>,
    ) -> Result<(), Stop> {
        let Some(staged) = self.files.get_mut(file) else { return Err(Stop::ThisFile) };
        match work(self.to.as_deref_mut(), self.scratch, staged) {
            Ok(()) => Ok(()),
            // What was lost with the target's connection is fetched again.
            Err(error) if error.code.stops_run() && !is_lost(&error) => {
                self.failed = Some(error);
                Err(Stop::Everything)
            }
            Err(error) => {
                staged.ended = Some(Err(error));
                Err(Stop::ThisFile)
            }
        }
    }
}

impl FetchSink for Gather<'_> {
    fn wants_holes(&self, _: usize) -> bool {
        true
    }

    fn holes(&mut self, file: usize, holes: &Ranges) {
        if let Some(staged) = self.files.get_mut(file) {
            staged.holes_bytes = holes.iter().map(|hole| hole.end - hole.start).sum();
        }
    }

    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.with(file, |to, _, staged| {
            let (Some(to), Some(stage)) = (to, &staged.stage) else { return Ok(()) };
            to.create(file, stage, &meta)?;
            if staged.holes_bytes > 0 { to.set_len(file, meta.size_bytes) } else { Ok(()) }
        })
    }

    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.with(file, |to, _, staged| {
            staged.got_bytes += bytes.len() as u64;
            to.map_or(Ok(()), |to| to.write_at(file, offset_bytes, bytes))
        })
    }

    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        self.with(file, |_, scratch, staged| staged.metadata.take(scratch, piece))
    }

    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.with(file, |_, _, staged| {
            let got = staged.got_bytes + staged.holes_bytes;
            if staged.stage.is_some() && got != meta.size_bytes {
                let what = format!("{got} bytes came of a file of {}", meta.size_bytes);
                return Err(Error::new(Code::ChangedWhileRead, what));
            }
            let gathered = std::mem::take(&mut staged.metadata).finish(&meta);
            staged.ended = Some(Ok((meta, gathered)));
            Ok(())
        })
    }

    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        if error.code.stops_run() {
            self.failed = Some(error);
            return Err(Stop::Everything);
        }
        self.with(file, |_, _, _| Err(error))
    }
}

/// Only asks how many bytes of a file are holes.
pub struct Holes(pub u64);

impl FetchSink for Holes {
    fn wants_holes(&self, _: usize) -> bool {
        true
    }
    fn holes(&mut self, _: usize, holes: &Ranges) {
        self.0 = holes.iter().map(|hole| hole.end - hole.start).sum();
    }
    fn opened(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Err(Stop::Everything)
    }
    fn data(&mut self, _: usize, _: u64, _: &[u8]) -> Result<(), Stop> {
        Err(Stop::Everything)
    }
    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Err(Stop::Everything)
    }
    fn failed(&mut self, _: usize, _: Error) -> Result<(), Stop> {
        Err(Stop::Everything)
    }
}
