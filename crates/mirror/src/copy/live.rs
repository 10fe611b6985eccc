//! Copies a file that is written all the time and has no snapshot to be read from: its beginning, as it was at one moment
//! ([`LiveFiles`](crate::LiveFiles)).
//!
//! It is read twice. What is the same the second time was all there at one moment between the two, so that a file to which
//! is only appended passes, as far as it went when it was opened first; any other fails, and its old copy stays. Such a copy
//! must never be taken for the file: it bears an earlier time, so that the next run copies again, and the index does not
//! know it.

use super::batch::{compare, same_holes};
use super::copier::Copier;
use super::gathering::Gathering;
use super::stage::Stage;
use super::task::Task;
use crate::changes::Record;
use crate::layout;
use octo_core::{Code, Error, FetchRequest, FetchSink, Kind, Meta, Piece, Ranges, Stop, Timestamp};
use std::sync::atomic::Ordering;

/// Takes one of the two readings.
struct Reading<'r, 'a> {
    copier: &'r Copier<'a>,
    stage: &'r mut Stage,
    /// How much is wanted the second time; `None` the first time.
    wanted_bytes: Option<u64>,
    holes: Ranges,
    /// What was found equal the second time.
    same: Ranges,
    gathering: Gathering,
    opened: Option<Meta>,
    ended: Option<Meta>,
    failed: Option<Error>,
}

impl Reading<'_, '_> {
    fn begin(&mut self, meta: &Meta) -> Result<(), Error> {
        if meta.kind != Kind::File {
            return Err(Error::new(Code::KindMoved, "it was listed as something else"));
        }
        let whole = Ranges::new().missing(self.wanted_bytes.unwrap_or(meta.size_bytes));
        let holes = self.holes.common(&whole);
        match self.wanted_bytes {
            None => self.copier.make_room(self.stage, meta.size_bytes, &holes),
            Some(_) => same_holes(&*self.stage.file, &holes).map(|same| self.same = same),
        }
    }

    fn take(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let size = self.wanted_bytes.or(self.opened.map(|meta| meta.size_bytes)).unwrap_or(0);
        let len = usize::try_from(size.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        let (target, bytes) = (self.copier.context.target, &bytes[..len]);
        if self.wanted_bytes.is_none() {
            return self.stage.write(target, at, bytes);
        }
        if compare(&*self.stage.file, at, bytes)? {
            self.same.insert(at..at + len as u64);
        }
        Ok(())
    }

    fn stop(&mut self, taken: Result<(), Error>) -> Result<(), Stop> {
        taken.map_err(|error| {
            self.failed = Some(error);
            Stop::Everything
        })
    }
}

impl FetchSink for Reading<'_, '_> {
    fn wants_holes(&self, _: usize) -> bool {
        true
    }

    fn holes(&mut self, _: usize, holes: &Ranges) {
        self.holes.clone_from(holes);
    }

    fn opened(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        self.opened = Some(meta);
        let begun = self.begin(&meta);
        self.stop(begun)
    }

    fn data(&mut self, _: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let copier = self.copier;
        if copier.context.is_over() {
            return Err(Stop::Everything);
        }
        let taken = self.take(offset_bytes, bytes);
        self.stop(taken)?;
        copier.context.count(|c| c.copied_bytes += bytes.len() as u64);
        copier.throttle.take(bytes.len() as u64, copier.context.clock, || copier.context.is_over());
        Ok(())
    }

    fn metadata(&mut self, _: usize, piece: Piece<'_>) -> Result<(), Stop> {
        let taken = self.gathering.take(self.copier.context.target, piece);
        self.stop(taken)
    }

    fn finished(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        self.ended = Some(meta);
        Ok(())
    }

    fn failed(&mut self, _: usize, error: Error) -> Result<(), Stop> {
        self.failed = Some(error);
        Ok(())
    }
}

/// What one reading found.
struct Read {
    opened: Meta,
    ended: Meta,
    same_bytes: u64,
    gathering: Gathering,
}

impl Copier<'_> {
    /// Copies the file's beginning, or reports why not.
    pub(super) fn copy_live(&self, task: &Task) {
        let target = self.context.target;
        let path = layout::stage(self.ops.run, self.next_stage.fetch_add(1, Ordering::Relaxed));
        let done = Stage::small(target, &path).and_then(|stage| self.read_twice(task, stage));
        if let Err(error) = done {
            // Gone already if it got its place.
            let _ = target.remove_file(&path);
            if !self.context.is_over() {
                self.stays(task, error);
            }
        }
    }

    fn read_twice(&self, task: &Task, mut stage: Stage) -> Result<(), Error> {
        let first = self.read_once(task, &mut stage, None)?;
        let size = first.opened.size_bytes;
        let changed = |why: String| Err(Error::new(Code::ChangedWhileRead, why));
        if first.ended.size_bytes < size || stage.got.total_bytes() != size {
            return changed(format!("it became shorter than the {size} bytes it had when it was opened"));
        }
        if size > 0 {
            let second = self.read_once(task, &mut stage, Some(size))?;
            if second.opened.id != first.opened.id || second.ended.size_bytes < size {
                return changed("another file took its place, or it became shorter".to_owned());
            }
            if second.same_bytes != size {
                return changed("it is not only appended to: read a second time, its beginning was another".to_owned());
            }
        }
        let copy = Meta { write_time: self.set_back(first.opened.write_time), ..first.opened };
        let gathered = self.context.wants_metadata().then_some(first.gathering);
        stage.seal(&|| !self.reads_no_more())?;
        if stage.hash.is_none() {
            return Err(Error::new(Code::Cancelled, ""));
        }
        self.ops.intend(&[Record::of_copy(&task.place, task.old.as_ref())])?;
        self.place(task, stage, &copy, gathered)
    }

    /// Reads the file, or the bytes that are wanted the second time.
    fn read_once(&self, task: &Task, stage: &mut Stage, wanted_bytes: Option<u64>) -> Result<Read, Error> {
        let parts = wanted_bytes.map(|bytes| Ranges::new().missing(bytes));
        let metadata = wanted_bytes.is_none() && self.context.wants_metadata();
        let request = FetchRequest { path: task.source.clone(), listed: task.meta, parts, snapshot: None, metadata };
        let (holes, same, gathering) = (Ranges::new(), Ranges::new(), Gathering::default());
        let mut reading = Reading {
            copier: self,
            stage,
            wanted_bytes,
            holes,
            same,
            gathering,
            opened: None,
            ended: None,
            failed: None,
        };
        self.context.source.fetch(&[request], &mut reading);
        let Reading { same, gathering, opened, ended, failed, .. } = reading;
        match (opened, ended, failed) {
            (Some(opened), Some(ended), None) => Ok(Read { opened, ended, same_bytes: same.total_bytes(), gathering }),
            (_, _, Some(error)) => Err(error),
            _ => Err(Error::new(Code::SourceEntry, "the source stopped in the middle of it")),
        }
    }

    /// An earlier time than this one, also as the target stores it.
    fn set_back(&self, time: Timestamp) -> Timestamp {
        let represent = |time| self.ops.abilities.times.represent(time);
        let steps = (0..12).flat_map(|n| [-(1i64 << n), 1 << n]);
        steps.map(|secs| time.plus_secs(secs)).find(|other| represent(*other) != represent(time)).unwrap_or_default()
    }

    /// Such a copy got its place.
    pub(super) fn tell_live(&self, task: &Task, size_bytes: u64) {
        let detail = format!("its first {size_bytes} bytes, as they were at {} UTC", self.context.clock.now());
        self.context.problem(&task.source, Error::new(Code::LiveCopy, detail));
    }
}
