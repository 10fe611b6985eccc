//! Copies whose content a power cut may have taken: those that had got their places since the last checkpoint.
//!
//! A name stays suspect, in `suspects`, from run to run, until its file was copied or compared, or is gone: whatever a run
//! was configured to leave out, could not read, or did not come to. Which names they are is read from what the run recorded durably
//! before it gave them their contents, never from times: clocks jump (DESIGN section 7, "Durability").

use crate::changes::{self, Record};
use crate::marker::RunOpen;
use crate::small_files::put_in_place;
use crate::{files, layout};
use octo_core::naming::fold;
use octo_core::{Code, Error, Kind, RelPath, Target, TargetFile};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The list is written in pieces of this size.
const WRITE_BYTES: usize = 64 << 10;

/// The copies that may not be whole. Of each only a hash is in memory: one that is taken for another is copied once more.
#[derive(Default)]
pub struct Suspects {
    folds_case: bool,
    hasher: RandomState,
    /// There were some when the run began.
    any: bool,
    unchecked: Mutex<UncheckedPaths>,
}

#[derive(Default)]
struct UncheckedPaths {
    /// Nothing is known of the run that the power cut ended: each copy is suspect.
    all: bool,
    names: HashSet<u64>,
}

impl Suspects {
    /// What earlier runs left in doubt, and what the power cut that ended the run `before` did.
    pub fn find(target: &dyn Target, before: Option<&RunOpen>, folds_case: bool) -> Result<Suspects, Error> {
        let (mut suspects, mut any) = (Suspects::none(folds_case), false);
        suspects.each(target, before, |_| {
            any = true;
            Ok(())
        })?;
        suspects.any = any;
        Ok(suspects)
    }

    fn none(folds_case: bool) -> Suspects {
        Suspects { folds_case, ..Suspects::default() }
    }

    /// As [`Suspects::find`], and makes the list durable, before the record of that run goes.
    pub fn keep(target: &dyn Target, before: Option<&RunOpen>, folds_case: bool) -> Result<Suspects, Error> {
        let suspects = Suspects::find(target, before, folds_case)?;
        if suspects.any && before.is_some_and(|before| before.boot_id != target.boot_id()) {
            let mut list = List::new(target)?;
            Suspects::none(folds_case).each(target, before, |path| list.push(path))?;
            list.finish()?;
        }
        Ok(suspects)
    }

    /// Every path of both, once. The root stands for all.
    fn each(
        &self,
        target: &dyn Target,
        before: Option<&RunOpen>,
        mut each: impl FnMut(&RelPath) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut add = |path: RelPath| {
            let is_new = match path.is_root() {
                true => !std::mem::replace(&mut self.unchecked().all, true),
                false => self.unchecked().names.insert(self.hash(&path)),
            };
            if is_new { each(&path) } else { Ok(()) }
        };
        listed(target, &mut add)?;
        let Some(before) = before.filter(|before| before.boot_id != target.boot_id()) else { return Ok(()) };
        let Some(durable) = before.durable else { return add(RelPath::root()) };
        let mut record = |record: Record| record.place_of_file().map_or(Ok(()), |place| add(place.clone()));
        changes::read_from(target, &layout::changes(before.run), durable.changes_bytes, &mut record)?;
        changes::read_from(target, &layout::placed(before.run), durable.placed_bytes, &mut record)
    }

    /// Whether this copy may not be whole.
    pub fn has(&self, place: &RelPath) -> bool {
        self.any && {
            let unchecked = self.unchecked();
            unchecked.all || unchecked.names.contains(&self.hash(place))
        }
    }

    /// Whether there were any when the run began.
    pub fn were_any(&self) -> bool {
        self.any
    }

    /// It was copied or compared, and will be durable with the next checkpoint.
    pub fn settle(&self, place: &RelPath) {
        if self.any {
            self.unchecked().names.remove(&self.hash(place));
        }
    }

    /// At the end of a run, after its last checkpoint: what was not looked at stays suspect. `saw_all`: the run came to its end and
    /// no listing was cut.
    pub fn end(&self, target: &dyn Target, saw_all: bool) -> Result<(), Error> {
        if !self.any {
            return Ok(());
        }
        let mut list = List::new(target)?;
        listed(target, |path| {
            let stays = if path.is_root() { !saw_all } else { self.stays(target, &path) };
            if stays { list.push(&path) } else { Ok(()) }
        })?;
        list.finish()
    }

    fn stays(&self, target: &dyn Target, path: &RelPath) -> bool {
        let is_file = || target.look(path).map_or(true, |now| now.is_some_and(|now| now.kind == Kind::File));
        self.unchecked().names.contains(&self.hash(path)) && is_file()
    }

    fn hash(&self, place: &RelPath) -> u64 {
        match self.folds_case {
            true => self.hasher.hash_one(fold(place.as_bytes())),
            false => self.hasher.hash_one(place.as_bytes()),
        }
    }

    fn unchecked(&self) -> MutexGuard<'_, UncheckedPaths> {
        self.unchecked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The paths in the list. Where it is damaged it says nothing of the others: all are suspect.
fn listed(target: &dyn Target, mut each: impl FnMut(RelPath) -> Result<(), Error>) -> Result<(), Error> {
    changes::lines(target, &layout::suspects(), 0, |line| each(serde_json::from_slice(line).unwrap_or_default()))
}

/// A new list, until it takes the place of the old one.
struct List<'a> {
    target: &'a dyn Target,
    new: RelPath,
    file: Box<dyn TargetFile>,
    at: u64,
    buffer: Vec<u8>,
}

impl<'a> List<'a> {
    fn new(target: &'a dyn Target) -> Result<List<'a>, Error> {
        let new = layout::new_suspects();
        files::ensure_folder(target, &layout::reserved())?;
        target.remove_file(&new)?;
        let file = target.create_file(&new)?;
        Ok(List { target, new, file, at: 0, buffer: Vec::new() })
    }

    fn push(&mut self, path: &RelPath) -> Result<(), Error> {
        serde_json::to_writer(&mut self.buffer, path).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))?;
        self.buffer.push(b'\n');
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_at(self.at, &self.buffer)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Takes the place of the old one, durably. An empty list is none.
    fn finish(mut self) -> Result<(), Error> {
        let (target, list) = (self.target, layout::suspects());
        if self.at == 0 && self.buffer.is_empty() {
            drop(self.file);
            target.remove_file(&self.new)?;
            target.remove_file(&list)?;
            return target.sync_folder(&layout::reserved());
        }
        self.flush()?;
        self.file.sync()?;
        put_in_place(target, &self.new, &list)
    }
}
