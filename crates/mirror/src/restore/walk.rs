//! Goes through what is wanted of a state: first to look, then to restore.

use super::batch::{Copying, Ends, Pending};
use super::decide::{Action, Existing, decide};
use super::entries::{Find, List};
use super::place::beside;
use super::report::{RestoreOptions, RestoreReport};
use crate::codec::{Reader, Writer};
use crate::spill::{SpillWriter, Stack};
use octo_core::restore_target::{Placing, is_lost};
use octo_core::{Abilities, Code, Done, Entry, Error, Kind, Listed, Meta, Name, RelPath, naming};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Entries of a folder whose places are looked at together.
const LOOKED_AT_ONCE: usize = 256;
/// So often a link is made that is lost with the connection.
const LINK_TURNS: u32 = 4;

/// Counts what a restore would do.
pub fn look(ends: Ends<'_>, options: &RestoreOptions) -> Result<RestoreReport, Error> {
    let mut walk = Walk::new(ends, options);
    walk.run()?;
    Ok(walk.to.report)
}

/// Restores, with staging in this folder. `looked` is what is to be expected.
pub fn restore(
    ends: Ends<'_>,
    options: &RestoreOptions,
    staging: &RelPath,
    looked: &RestoreReport,
) -> Result<RestoreReport, Error> {
    let mut walk = Walk::new(ends, options);
    walk.to.staging = Some(staging);
    walk.to.planned = (looked.counts.created + looked.counts.replaced, looked.counts.copied_bytes);
    walk.run()?;
    Ok(walk.to.report)
}

struct Walk<'a> {
    to: Copying<'a>,
    abilities: Abilities,
    options: &'a RestoreOptions,
    /// Folders whose times and metadata are those of the state, in the end.
    folders: SpillWriter<'a>,
}

/// A folder whose entries are looked at next.
struct Step {
    path: RelPath,
    place: RelPath,
    /// Whether the target has it: below one that is not there, nothing is.
    is_there: bool,
}

impl Step {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.u8(u8::from(self.is_there));
        w.bytes(self.path.as_bytes());
        w.bytes(self.place.as_bytes());
        w.0
    }

    fn decode(bytes: &[u8]) -> Result<Step, Error> {
        let mut r = Reader(bytes);
        Ok(Step { is_there: r.u8()? != 0, path: r.path()?, place: r.path()? })
    }
}

type Looked = Result<Option<Meta>, Error>;

fn decode(entry: &[u8]) -> Result<Entry, Error> {
    let mut r = Reader(entry);
    let name = Name::new(r.bytes()?.to_vec()).map_err(|bad| Error::new(Code::TargetFailed, bad.reason()))?;
    Ok(Entry { name, meta: r.meta()? })
}

impl<'a> Walk<'a> {
    fn new(ends: Ends<'a>, options: &'a RestoreOptions) -> Walk<'a> {
        let (to, abilities) = (Copying::new(ends), ends.target.abilities());
        Walk { to, abilities, options, folders: SpillWriter::new(ends.scratch) }
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut steps = Stack::default();
        if self.options.paths.is_empty() {
            let root = Step { path: RelPath::root(), place: RelPath::root(), is_there: true };
            steps.push(self.to.ends.scratch, &root.encode())?;
        }
        for path in &self.options.paths {
            self.begin(path, &mut steps)?;
        }
        let walked = self.walk(steps);
        let folders = self.folders.take();
        // However it ended: the next restore takes these folders for somebody's.
        let settled = if self.to.staging.is_some() { self.to.settle(&folders) } else { Ok(()) };
        walked.and(settled)
    }

    fn walk(&mut self, mut steps: Stack) -> Result<(), Error> {
        while let Some(step) = steps.pop()? {
            self.folder(&Step::decode(&step)?, &mut steps)?;
            if self.to.ends.cancel.is_cancelled() {
                self.to.report.cancelled = true;
                break;
            }
        }
        self.to.flush()
    }

    /// Begins with one path: the folders above it, and itself.
    fn begin(&mut self, path: &RelPath, steps: &mut Stack) -> Result<(), Error> {
        let mut above = Step { path: RelPath::root(), place: RelPath::root(), is_there: true };
        for name in path.names() {
            let Some(meta) = self.meta_of(&above.path, &name)? else {
                return Err(Error::new(Code::NotFound, format!("{path} is not in this state")));
            };
            let is_last = above.path.join(&name) == *path;
            if !is_last && meta.kind != Kind::Folder {
                return Err(Error::new(Code::NotFound, format!("{path} is not in this state")));
            }
            let there = self.look(&above, &[&name]).pop();
            match self.entry(&above, &Entry { name, meta }, there)? {
                Some(step) if is_last => return steps.push(self.to.ends.scratch, &step.encode()),
                Some(step) => above = step,
                None => return Ok(()),
            }
        }
        steps.push(self.to.ends.scratch, &above.encode())
    }

    fn meta_of(&self, folder: &RelPath, name: &Name) -> Result<Option<Meta>, Error> {
        let mut find = Find { name, found: None };
        match self.to.ends.state.list(folder, &mut find) {
            Listed::Incomplete(error) if find.found.is_none() => Err(error),
            _ => Ok(find.found),
        }
    }

    fn folder(&mut self, step: &Step, steps: &mut Stack) -> Result<(), Error> {
        let mut list = List { log: SpillWriter::new(self.to.ends.scratch), problems: Vec::new(), failed: None };
        let listed = self.to.ends.state.list(&step.path, &mut list);
        if let Some(error) = list.failed {
            return Err(error);
        }
        for (path, error) in list.problems {
            self.to.report.problem(self.to.ends.monitor, &step.path.join_path(&path), &error);
        }
        if let Listed::Incomplete(error) = listed {
            if error.code.stops_run() {
                return Err(error);
            }
            self.to.report.problem(self.to.ends.monitor, &step.path, &error);
        }
        let log = list.log.finish();
        let is_folded = self.abilities.names.folds_case && !self.to.ends.state.features().folds_case;
        let mut twins = Twins { names: is_folded.then(HashSet::new), hasher: RandomState::new() };
        let mut entries = log.forward().map(|entry| decode(&entry?)).peekable();
        while entries.peek().is_some() && !self.to.ends.cancel.is_cancelled() {
            let mut some: Vec<Entry> = entries.by_ref().take(LOOKED_AT_ONCE).collect::<Result<_, _>>()?;
            some.retain(|entry| twins.is_first(&entry.name) || self.refuse_twin(&step.path.join(&entry.name)));
            let names: Vec<_> = some.iter().map(|entry| &entry.name).collect();
            let mut there = self.look(step, &names).into_iter();
            for entry in &some {
                if let Some(step) = self.entry(step, entry, there.next())? {
                    steps.push(self.to.ends.scratch, &step.encode())?;
                }
            }
        }
        self.to.say(Some(&step.path));
        Ok(())
    }

    /// Never kept: it would replace the other one, and the other one it the next time.
    fn refuse_twin(&mut self, path: &RelPath) -> bool {
        let what = "another name here differs from it only in upper and lower case, and the target takes both for one; it was not \
                    restored: restore it to another folder";
        self.to.report.problem(self.to.ends.monitor, path, &Error::new(Code::TargetEntry, what));
        false
    }

    /// What is there of these names of a folder.
    fn look(&self, folder: &Step, names: &[&Name]) -> Vec<Looked> {
        if !folder.is_there {
            return names.iter().map(|_| Ok(None)).collect();
        }
        // What the target cannot hold is not there, and is refused later.
        let can_hold = |name: &Name| naming::can_hold(name, &self.abilities.names);
        let paths: Vec<_> = names.iter().filter(|name| can_hold(name)).map(|name| folder.place.join(name)).collect();
        let mut looked = self.to.ends.target.look(&paths).into_iter();
        let no_answer = || Err(Error::new(Code::TargetFailed, "a look without an answer"));
        let of = |name: &&Name| if can_hold(name) { looked.next().unwrap_or_else(no_answer) } else { Ok(None) };
        names.iter().map(of).collect()
    }

    /// One entry. A folder whose entries follow is handed back. What goes wrong at its place concerns it alone.
    fn entry(&mut self, folder: &Step, entry: &Entry, there: Option<Looked>) -> Result<Option<Step>, Error> {
        match there.unwrap_or(Ok(None)).and_then(|there| self.try_entry(folder, entry, there)) {
            Err(error) if !error.code.stops_run() => {
                self.to.report.problem(self.to.ends.monitor, &folder.path.join(&entry.name), &error);
                Ok(None)
            }
            done => done,
        }
    }

    fn try_entry(&mut self, folder: &Step, entry: &Entry, there: Option<Meta>) -> Result<Option<Step>, Error> {
        let (path, mut place) = (folder.path.join(&entry.name), folder.place.join(&entry.name));
        if !naming::can_hold(&entry.name, &self.abilities.names) {
            let error =
                Error::new(Code::TargetEntry, "the target's filesystem cannot hold this name; it was not restored");
            self.to.report.problem(self.to.ends.monitor, &path, &error);
            return Ok(None);
        }
        let mut action = decide(self.options.existing, &entry.meta, there.as_ref(), &self.abilities);
        if entry.meta.kind == Kind::Link && there.is_some() && self.is_same_link(&path, &place)? {
            action = Action::Same;
        }
        let is_newer = there.as_ref().is_some_and(|there| there.write_time > entry.meta.write_time);
        if action != Action::Same && entry.meta.kind == Kind::File {
            self.to.report.newer += u64::from(is_newer);
        }
        if action == Action::Beside {
            let is_same = |place: &RelPath, there: &Meta| match (entry.meta.kind, there.kind) {
                (Kind::Link, Kind::Link) => self.is_same_link(&path, place),
                _ => Ok(decide(Existing::Keep, &entry.meta, Some(there), &self.abilities) == Action::Same),
            };
            let (free, is_there) =
                beside(self.to.ends.target, &folder.place, &entry.name, &self.options.beside, is_same)?;
            place = free;
            action = if is_there { Action::Same } else { Action::Beside };
        }
        match action {
            Action::Leave => {
                self.to.report.left += 1;
                Ok(None)
            }
            Action::InTheWay => {
                let what = "something of another kind is there, and is not replaced; restore to another folder, or move it away";
                self.to.report.problem(self.to.ends.monitor, &path, &Error::new(Code::TargetMoved, what));
                Ok(None)
            }
            _ => self.made(path, place, (&entry.meta, there), action),
        }
    }

    fn is_same_link(&self, path: &RelPath, place: &RelPath) -> Result<bool, Error> {
        Ok(self
            .to
            .ends
            .target
            .read_link(place)?
            .is_some_and(|there| self.to.ends.state.read_link(path).is_ok_and(|was| was == there)))
    }

    fn made(
        &mut self,
        path: RelPath,
        place: RelPath,
        (meta, seen): (&Meta, Option<Meta>),
        action: Action,
    ) -> Result<Option<Step>, Error> {
        let is_new = action != Action::Same;
        match meta.kind {
            Kind::Folder => {
                let is_made = !is_new || self.make_folder(&path, &place)?;
                if !is_made {
                    return Ok(None);
                }
                // Folders above what was asked for are somebody's.
                let is_asked = self.options.paths.is_empty() || self.options.paths.iter().any(|it| path.is_within(it));
                let is_ours = is_asked && self.options.existing == Existing::Replace;
                // What is put into somebody's folder moves its time: in the end it has its own again.
                let (is_ours, end) = (is_new || is_ours, seen.filter(|_| !is_new && !is_ours).unwrap_or(*meta));
                let mut w = Writer::default();
                w.u8(u8::from(is_ours));
                w.bytes(path.as_bytes());
                w.bytes(place.as_bytes());
                w.meta(&end);
                self.folders.push(&w.0)?;
                Ok(Some(Step { path, place, is_there: !is_new || self.to.staging.is_some() }))
            }
            _ if !is_new => {
                self.to.report.counts.unchanged += 1;
                Ok(None)
            }
            Kind::Link => self.link(&path, &place, meta, (action, seen)).map(|()| None),
            _ => {
                self.to.file(Pending { path, meta: *meta, place, action, seen, losses: 0 })?;
                Ok(None)
            }
        }
    }

    fn make_folder(&mut self, path: &RelPath, place: &RelPath) -> Result<bool, Error> {
        let made = if self.to.staging.is_some() { self.to.ends.target.make_folder(place) } else { Ok(Done::Yes) };
        let failed = match made {
            Ok(Done::Yes) => {
                self.to.report.counts.folders_created += 1;
                return Ok(true);
            }
            Ok(_) => Error::new(
                Code::TargetMoved,
                "the folder could not be made: something is there, or the folder above is gone",
            ),
            Err(error) if error.code.stops_run() => return Err(error),
            Err(error) => error,
        };
        self.to.report.problem(self.to.ends.monitor, path, &failed);
        Ok(false)
    }

    fn link(
        &mut self,
        path: &RelPath,
        place: &RelPath,
        meta: &Meta,
        (action, seen): (Action, Option<Meta>),
    ) -> Result<(), Error> {
        let Some(staging) = self.to.staging else {
            self.to.report.counts.links += 1;
            return Ok(());
        };
        let Ends { state, target, monitor, .. } = self.to.ends;
        for turn in 1.. {
            let placing = Placing {
                stage: self.to.next_stage(staging)?,
                place: place.clone(),
                replaces: seen.filter(|_| action == Action::Replace),
            };
            match state.read_link(path).and_then(|link| target.place_link(&link, meta, &placing)) {
                Ok(()) => self.to.report.counts.links += 1,
                // It may have its name already.
                Err(error) if is_lost(&error) && turn < LINK_TURNS => match self.is_same_link(path, place)? {
                    true => self.to.report.counts.links += 1,
                    false => continue,
                },
                Err(error) if error.code.stops_run() => return Err(error),
                Err(error) => self.to.report.problem(monitor, path, &error),
            }
            break;
        }
        Ok(())
    }
}

/// Names of one folder that a target that folds case takes for one. Only their hashes are in memory.
struct Twins {
    names: Option<HashSet<u64>>,
    hasher: RandomState,
}

impl Twins {
    fn is_first(&mut self, name: &Name) -> bool {
        let hash = self.hasher.hash_one(naming::fold(name.as_bytes()));
        self.names.as_mut().is_none_or(|names| names.insert(hash))
    }
}
