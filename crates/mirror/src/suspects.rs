//! Copies whose content may not be what was copied: a power cut may have taken it, from those that had got their places since the
//! last checkpoint, or the disk damaged it, as a verify found. Runs compare them with the source, and copy what differs.
//!
//! A name stays suspect, in `suspects`, from run to run, until its file was copied or compared, or is gone: whatever a run
//! was configured to leave out, could not read, or did not come to. Which names they are is read from what the run recorded durably
//! before it gave them their contents, never from times: clocks jump (DESIGN section 7, "Durability").

use crate::changes::{self, Record};
use crate::marker::RunOpen;
use crate::small_files::put_in_place;
use crate::spill::SpillLog;
use crate::{files, layout};
use octo_core::naming::fold;
use octo_core::{Code, Error, Kind, RelPath, Target, TargetFile};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The list is written in pieces of this size.
const WRITE_BYTES: usize = 64 << 10;

/// A line of the list. Where it is damaged it says nothing of the others: all are suspect, which the root stands for.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// A power cut may have taken its content.
    Torn(RelPath),
    /// The disk damaged it.
    Damaged {
        /// Which.
        damaged: RelPath,
    },
}

impl Line {
    fn read(bytes: &[u8]) -> Line {
        serde_json::from_slice(bytes).unwrap_or(Line::Torn(RelPath::root()))
    }

    fn path(&self) -> &RelPath {
        match self {
            Line::Torn(path) | Line::Damaged { damaged: path } => path,
        }
    }
}

/// The copies that may not be whole. Of each only a hash is in memory: one that is taken for another is copied once more.
#[derive(Default)]
pub struct Suspects {
    folds_case: bool,
    hasher: RandomState,
    /// There were some when the run began: so many names of files.
    any: bool,
    began: usize,
    unchecked: Mutex<UncheckedPaths>,
}

#[derive(Default)]
struct UncheckedPaths {
    /// Nothing is known of the run that the power cut ended: each copy is suspect.
    all: bool,
    names: HashSet<u64>,
    /// Those among them that the disk damaged.
    damaged: HashSet<u64>,
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
        let began = suspects.unchecked().names.len();
        suspects.began = began;
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
            Suspects::none(folds_case).each(target, before, |line| list.push(line))?;
            list.finish()?;
        }
        Ok(suspects)
    }

    /// After a verify: these copies are damaged, and those that were settled are not any more. `damaged` holds paths.
    pub fn note_damaged(&self, target: &dyn Target, damaged: &SpillLog) -> Result<(), Error> {
        if damaged.count() == 0 && self.were_damaged() == 0 {
            return Ok(());
        }
        let mut list = List::new(target)?;
        listed(target, |line| {
            let stays = matches!(line, Line::Torn(_)) || self.has(line.path());
            if stays { list.push(&line) } else { Ok(()) }
        })?;
        for path in damaged.forward() {
            let damaged = RelPath::parse(&path?).unwrap_or_default();
            list.push(&Line::Damaged { damaged })?;
        }
        list.finish()
    }

    /// Every path of both, once. The root stands for all.
    fn each(
        &self,
        target: &dyn Target,
        before: Option<&RunOpen>,
        mut each: impl FnMut(&Line) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut add = |line: Line| {
            let (path, mut unchecked) = (line.path(), self.unchecked());
            let is_new = match path.is_root() {
                true => !std::mem::replace(&mut unchecked.all, true),
                false => unchecked.names.insert(self.hash(path)),
            };
            if is_new && matches!(line, Line::Damaged { .. }) {
                unchecked.damaged.insert(self.hash(path));
            }
            drop(unchecked);
            if is_new { each(&line) } else { Ok(()) }
        };
        listed(target, &mut add)?;
        let Some(before) = before.filter(|before| before.boot_id != target.boot_id()) else { return Ok(()) };
        let Some(durable) = before.durable else { return add(Line::Torn(RelPath::root())) };
        let mut record = |record: Record| record.place_of_file().map_or(Ok(()), |place| add(Line::Torn(place.clone())));
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

    /// Whether a power cut may have taken its content. Of what the disk damaged more is known.
    pub fn is_torn(&self, place: &RelPath) -> bool {
        self.has(place) && !self.unchecked().damaged.contains(&self.hash(place))
    }

    /// Whether there were any that a power cut may have taken when the run began.
    pub fn were_torn(&self) -> bool {
        let unchecked = self.unchecked();
        self.any && (unchecked.all || self.began != unchecked.damaged.len())
    }

    /// How many there were that the disk damaged when the run began.
    pub fn were_damaged(&self) -> usize {
        self.unchecked().damaged.len()
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
        listed(target, |line| {
            let stays = if line.path().is_root() { !saw_all } else { self.stays(target, line.path()) };
            if stays { list.push(&line) } else { Ok(()) }
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

/// The lines of the list.
fn listed(target: &dyn Target, mut each: impl FnMut(Line) -> Result<(), Error>) -> Result<(), Error> {
    changes::lines(target, &layout::suspects(), 0, |line| each(Line::read(line)))
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

    fn push(&mut self, line: &Line) -> Result<(), Error> {
        serde_json::to_writer(&mut self.buffer, line).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))?;
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
