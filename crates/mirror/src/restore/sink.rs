//! Takes the files of a batch and gathers each in staging.

use crate::copy::gathering::{Gathered, Gathering};
use octo_core::{Code, Error, FetchSink, Meta, Piece, Ranges, RelPath, Stop, Target, TargetFile};

/// One file of a batch.
#[derive(Default)]
pub struct Staged {
    /// Where it is gathered.
    pub stage: RelPath,
    /// How it ended; `None` while it has not.
    pub ended: Option<Result<(Meta, Gathered), Error>>,
    is_folder: bool,
    file: Option<Box<dyn TargetFile>>,
    metadata: Gathering,
    got_bytes: u64,
    holes_bytes: u64,
}

impl Staged {
    /// A file that will be gathered there.
    pub fn at(stage: RelPath) -> Staged {
        Staged { stage, ..Staged::default() }
    }

    /// A folder, of which only the metadata comes.
    pub fn folder() -> Staged {
        Staged { is_folder: true, ..Staged::default() }
    }
}

/// Takes a batch.
pub struct Batch<'a> {
    /// Where staging is.
    pub target: &'a dyn Target,
    /// By their places in the batch.
    pub files: Vec<Staged>,
    /// Our own side failed: nothing more can be taken.
    pub failed: Option<Error>,
}

impl Batch<'_> {
    fn with(
        &mut self,
        file: usize,
        work: impl FnOnce(&dyn Target, &mut Staged) -> Result<(), Error>,
    ) -> Result<(), Stop> {
        let Some(staged) = self.files.get_mut(file) else { return Err(Stop::ThisFile) };
        match work(self.target, staged) {
            Ok(()) => Ok(()),
            Err(error) if error.code.stops_run() => {
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

impl FetchSink for Batch<'_> {
    fn wants_holes(&self, _: usize) -> bool {
        true
    }

    fn holes(&mut self, file: usize, holes: &Ranges) {
        if let Some(staged) = self.files.get_mut(file) {
            staged.holes_bytes = holes.iter().map(|hole| hole.end - hole.start).sum();
        }
    }

    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.with(file, |target, staged| {
            if staged.is_folder {
                return Ok(());
            }
            let made = target.create_file(&staged.stage)?;
            if staged.holes_bytes > 0 {
                made.set_len(meta.size_bytes)?;
            }
            staged.file = Some(made);
            Ok(())
        })
    }

    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.with(file, |_, staged| {
            staged.got_bytes += bytes.len() as u64;
            staged.file.as_ref().map_or(Ok(()), |file| file.write_at(offset_bytes, bytes))
        })
    }

    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        self.with(file, |target, staged| staged.metadata.take(target, piece))
    }

    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.with(file, |_, staged| {
            let got = staged.got_bytes + staged.holes_bytes;
            if !staged.is_folder && got != meta.size_bytes {
                let what = format!("{got} bytes came of a file of {}", meta.size_bytes);
                return Err(Error::new(Code::ChangedWhileRead, what));
            }
            if let Some(file) = staged.file.take() {
                file.set_times(meta.write_time, meta.creation_time)?;
            }
            let gathered = std::mem::take(&mut staged.metadata).finish(&meta);
            staged.ended = Some(Ok((meta, gathered)));
            Ok(())
        })
    }

    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.with(file, |_, _| Err(error))
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
