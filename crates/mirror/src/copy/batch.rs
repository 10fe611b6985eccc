//! Takes the pieces of one fetch. Files get their places together after it, because what they will change is recorded, and
//! made durable, for all of them at once.

use super::copier::Copier;
use super::gathering::Gathering;
use super::hashing::Hashing;
use super::stage::Stage;
use super::task::{TRIES_AT_ONCE, Task, not_whole};
use crate::changes::Record;
use crate::space::SMALL_BYTES;
use octo_core::{Code, Error, FetchRequest, FetchSink, Kind, Meta, Piece, Ranges, Stop, TargetFile};

/// What is a hole on the source is compared in pieces of this size.
const ZEROS_AT_ONCE: usize = 256 << 10;

/// The files of one fetch.
pub struct Batch<'b, 'a> {
    copier: &'b Copier<'a>,
    tasks: Vec<Task>,
    requests: &'b [FetchRequest],
    files: Vec<State>,
    /// The metadata that has come so far, where it was asked for.
    gathered: Vec<Option<Gathering>>,
    /// The holes of files that are about to be opened.
    holes: Vec<Ranges>,
    again: Vec<Task>,
}

enum State {
    Waiting,
    /// Being gathered.
    Copying(Meta, Stage),
    /// Being compared with what is in its place: what came so far.
    Comparing(Meta, Box<dyn TargetFile>, Ranges, Hashing),
    /// Its metadata is being gathered.
    Refreshing(Meta),
    /// Gathered, and not yet in its place.
    Whole(Meta, Stage),
    /// What is in its place is equal, and has this hash.
    Equal(Meta, Option<[u8; 32]>),
    Ended,
}

impl<'b, 'a> Batch<'b, 'a> {
    pub fn new(copier: &'b Copier<'a>, tasks: Vec<Task>, requests: &'b [FetchRequest]) -> Batch<'b, 'a> {
        let files = tasks.iter().map(|_| State::Waiting).collect();
        let gathered = requests.iter().map(|request| request.metadata.then(Gathering::default)).collect();
        let holes = vec![Ranges::new(); requests.len()];
        Batch { copier, tasks, requests, files, gathered, holes, again: Vec::new() }
    }

    /// After the fetch: what is whole gets its place, what was not ended is given up. Returns what is to be read again.
    pub fn finish(mut self) -> Vec<Task> {
        self.settle();
        // On a full disk what would help the next run is in the way of this one's end.
        let keep = self.copier.context.fatal().is_none_or(|error| error.code != Code::NoSpace);
        for file in 0..self.tasks.len() {
            let silent = !matches!(self.files[file], State::Ended);
            self.give_up(file, keep);
            if silent && !self.copier.context.is_over() {
                let error = Error::new(Code::SourceEntry, "the source stopped in the middle of it");
                self.copier.failed(&self.tasks[file], error);
            }
        }
        self.again
    }

    /// Records what will change, and then changes it.
    fn settle(&mut self) {
        for file in 0..self.files.len() {
            let copier = self.copier;
            let State::Whole(_, stage) = &mut self.files[file] else { continue };
            match stage.seal(&|| !copier.reads_no_more()) {
                Ok(()) if stage.hash.is_some() => {}
                // The next run goes on with it.
                Ok(()) => self.give_up(file, true),
                Err(error) => {
                    self.target_failed(file, error);
                }
            }
        }
        let records: Vec<Record> =
            self.files.iter().zip(&self.tasks).filter_map(|(file, task)| self.record(file, task)).collect();
        let intended = self.copier.ops.intend(&records);
        for file in 0..self.files.len() {
            if !matches!(self.files[file], State::Whole(..) | State::Equal(..)) {
                continue;
            }
            if let Err(error) = intended.clone().and_then(|()| self.settle_one(file)) {
                self.target_failed(file, error);
            }
        }
    }

    /// What will be changed by giving this file its place, or its time.
    fn record(&self, file: &State, task: &Task) -> Option<Record> {
        match (file, &task.old) {
            (State::Whole(..), old) => Some(Record::of_copy(&task.place, old.as_ref())),
            (State::Equal(..), Some(old)) if self.copier.is_shifted(task) => Some(Record::of_time(&task.place, old)),
            _ => None,
        }
    }

    fn settle_one(&mut self, file: usize) -> Result<(), Error> {
        let (copier, task) = (self.copier, &self.tasks[file]);
        match std::mem::replace(&mut self.files[file], State::Ended) {
            State::Whole(opened, stage) => {
                let path = stage.path.clone();
                copier.place(task, stage, &opened, self.gathered[file].take()).inspect_err(|_| {
                    // Gone already if it got its place; else removed now or at the start of the next run.
                    let _ = copier.context.target.remove_file(&path);
                })
            }
            State::Equal(opened, hash) => {
                copier.found_equal(task, &opened, hash)?;
                let wanted = task.is_stale || copier.context.rereads_metadata();
                let gathered = self.gathered[file].take().filter(|_| wanted);
                gathered.map_or(Ok(()), |gathered| copier.refresh(task, gathered, &opened))
            }
            _ => Ok(()),
        }
    }

    fn give_up(&mut self, file: usize, keep: bool) {
        if let State::Copying(_, stage) | State::Whole(_, stage) =
            std::mem::replace(&mut self.files[file], State::Ended)
        {
            stage.give_up(self.copier.context.target, keep);
        }
    }

    /// Our own side failed: the run ends, or only this file.
    fn target_failed(&mut self, file: usize, error: Error) -> Stop {
        let (copier, task) = (self.copier, self.tasks[file].clone());
        self.give_up(file, error.code.stops_run() && error.code != Code::NoSpace);
        if error.code == Code::NoSpace && !task.refresh && copier.postpone(&task) {
            return Stop::ThisFile;
        }
        // Without what there was of it, is there room? Then it was only too large.
        let is_large = task.meta.size_bytes > SMALL_BYTES;
        let is_own = error.code == Code::NoSpace && is_large && copier.context.space.has_room(copier.context.target);
        let error = if is_own { Error { code: Code::DoesNotFit, ..error } } else { error };
        let stops = error.code.stops_run();
        if error.code == Code::DoesNotFit {
            copier.failed(&task, error);
        } else {
            copier.stays(&task, error);
        }
        if stops { Stop::Everything } else { Stop::ThisFile }
    }

    /// Whether more of a file is wanted. When the run is cancelled, what is under way and would have to be read again
    /// from its beginning may come to its end.
    fn going_on(&self, file: usize) -> Result<(), Stop> {
        let context = self.copier.context;
        if !context.is_over() {
            return Ok(());
        }
        let would_be_lost = |file: &State| matches!(file, State::Copying(_, stage) if !stage.is_resumable());
        if self.copier.reads_no_more() || !self.files.iter().any(would_be_lost) {
            return Err(Stop::Everything);
        }
        if self.files.get(file).is_some_and(would_be_lost) { Ok(()) } else { Err(Stop::ThisFile) }
    }

    /// Reads the file again at once, or hands it on with the reason.
    fn again(&mut self, file: usize, task: Task, error: Error) {
        self.give_up(file, false);
        if task.tries < TRIES_AT_ONCE {
            self.again.push(Task { tries: task.tries + 1, ..task });
        } else {
            self.copier.failed(&task, error);
        }
    }

    fn begin(&mut self, file: usize, meta: Meta) -> Result<State, Error> {
        let (task, request) = (&self.tasks[file], &self.requests[file]);
        let whole = Ranges::new().missing(meta.size_bytes);
        let holes = std::mem::take(&mut self.holes[file]).common(&whole);
        let is_other = meta.size_bytes != task.meta.size_bytes || meta.write_time != task.meta.write_time;
        // What has changed since it was found equal is not equal any more.
        if task.refresh {
            return Ok(State::Refreshing(meta));
        }
        if task.verify
            && !is_other
            && let Some(existing) = self.copier.context.target.open_file(&task.place)?
        {
            let same = same_holes(&*existing, &holes)?;
            let hashing = Hashing::new(meta.size_bytes, same.clone(), false);
            return Ok(State::Comparing(meta, existing, same, hashing));
        }
        let mut stage = self.copier.stage(task, &meta, request)?;
        if let Err(error) = self.copier.make_room(&mut stage, meta.size_bytes, &holes) {
            stage.give_up(self.copier.context.target, false);
            return Err(error);
        }
        Ok(State::Copying(meta, stage))
    }
}

impl FetchSink for Batch<'_, '_> {
    fn wants_holes(&self, file: usize) -> bool {
        self.tasks.get(file).is_some_and(|task| !task.refresh)
    }

    fn holes(&mut self, file: usize, holes: &Ranges) {
        if let Some(known) = self.holes.get_mut(file) {
            known.clone_from(holes);
        }
    }

    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.going_on(file)?;
        let Some(State::Waiting) = self.files.get(file) else { return Err(Stop::ThisFile) };
        let task = &self.tasks[file];
        if meta.kind != task.meta.kind {
            let error = Error::new(Code::KindMoved, "it was listed as something else");
            let task = task.clone();
            self.files[file] = State::Ended;
            self.copier.failed(&task, error);
            return Err(Stop::ThisFile);
        }
        if let Some(stand_in) = &task.stand_in
            && !self.copier.wants(task, stand_in, &meta)
        {
            self.files[file] = State::Ended;
            return Err(Stop::ThisFile);
        }
        let listed = &task.meta;
        let is_other = meta.size_bytes != listed.size_bytes || meta.write_time != listed.write_time;
        if is_other && task.refresh && meta.kind == Kind::File {
            // Its data is not equal any more.
            let fresh = Meta { id: meta.id.or(listed.id), ..meta };
            self.again.push(Task { meta: fresh, refresh: false, ..task.clone() });
            self.files[file] = State::Ended;
            return Err(Stop::ThisFile);
        }
        if is_other && !task.refresh && self.requests[file].parts.is_some() {
            // The parts asked for were those of another content.
            let error = Error::new(Code::ChangedWhileRead, "it has changed since it was listed");
            let fresh = Meta { id: meta.id.or(listed.id), ..meta };
            self.again(file, Task { meta: fresh, ..task.clone() }, error);
            return Err(Stop::ThisFile);
        }
        match self.begin(file, meta) {
            Ok(state) => {
                self.files[file] = state;
                Ok(())
            }
            Err(error) => Err(self.target_failed(file, error)),
        }
    }

    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.going_on(file)?;
        let copier = self.copier;
        let end = offset_bytes.checked_add(bytes.len() as u64);
        let within = |meta: &Meta| end.is_some_and(|end| end <= meta.size_bytes);
        let result = match self.files.get_mut(file) {
            Some(State::Copying(opened, stage)) if within(opened) => {
                stage.write(copier.context.target, offset_bytes, bytes)
            }
            Some(State::Comparing(opened, existing, same, hashing)) if within(opened) => {
                compare(&**existing, offset_bytes, bytes).and_then(|equal| match end.filter(|_| equal) {
                    Some(end) => {
                        same.insert(offset_bytes..end);
                        hashing.wrote(&**existing, same, offset_bytes, bytes)
                    }
                    None => Ok(()),
                })
            }
            Some(State::Copying(opened, _) | State::Comparing(opened, ..)) => {
                let detail = format!("more bytes came than its size of {}", opened.size_bytes);
                let task = self.tasks[file].clone();
                self.again(file, task, Error::new(Code::ChangedWhileRead, detail));
                return Err(Stop::ThisFile);
            }
            _ => return Err(Stop::ThisFile),
        };
        if let Err(error) = result {
            return Err(self.target_failed(file, error));
        }
        copier.context.count(|c| c.copied_bytes += bytes.len() as u64);
        copier.context.progress(Some(&self.tasks[file].place));
        copier.throttle.take(bytes.len() as u64, copier.context.clock, || copier.reads_no_more());
        Ok(())
    }

    fn hashed(&mut self, file: usize, hash: [u8; 32]) {
        if let Some(State::Copying(opened, stage)) = self.files.get_mut(file) {
            stage.take_hash(opened.size_bytes, hash);
        }
    }

    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        self.going_on(file)?;
        let taken = match self.gathered.get_mut(file) {
            Some(Some(gathering)) => gathering.take(self.copier.context.target, piece),
            _ => Ok(()),
        };
        taken.map_err(|error| self.target_failed(file, error))
    }

    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        let Some(state) = self.files.get_mut(file) else { return Err(Stop::ThisFile) };
        let task = self.tasks[file].clone();
        match std::mem::replace(state, State::Ended) {
            State::Copying(opened, stage) => {
                if let Some(error) = not_whole(&task.source, &opened, &meta, stage.got.total_bytes()) {
                    stage.give_up(self.copier.context.target, false);
                    self.again(file, task, error);
                    return Ok(());
                }
                self.files[file] = State::Whole(opened, stage);
            }
            State::Comparing(opened, existing, same, mut hashing) => {
                if not_whole(&task.source, &opened, &meta, same.total_bytes()).is_some() {
                    self.again.push(Task { verify: false, ..task });
                } else {
                    // What cannot be read back has no hash for now; that it is equal was seen.
                    let go_on = || !self.copier.reads_no_more();
                    let hash = hashing.finish(&*existing, &go_on).unwrap_or_default();
                    self.files[file] = State::Equal(opened, hash);
                }
            }
            State::Refreshing(opened) => {
                let gathered = self.gathered[file].take().unwrap_or_default();
                if let Err(error) = self.copier.refresh(&task, gathered, &opened) {
                    return Err(self.target_failed(file, error));
                }
            }
            State::Waiting => {
                let error = Error::new(Code::SourceEntry, "the source ended it without opening it");
                self.copier.failed(&task, error);
            }
            // A second end of a file changes nothing.
            settled => self.files[file] = settled,
        }
        Ok(())
    }

    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        if self.files.get(file).is_none_or(|it| matches!(it, State::Ended | State::Whole(..) | State::Equal(..))) {
            return Err(Stop::ThisFile);
        }
        let stops = error.code.stops_run();
        self.give_up(file, stops);
        if stops {
            self.copier.context.problem(&self.tasks[file].source, error);
            return Err(Stop::Everything);
        }
        self.copier.failed(&self.tasks[file], error);
        Ok(())
    }
}

/// Of these ranges, which are zeros on the source, those that are zeros here too. What is a hole here is not read.
pub(super) fn same_holes(file: &dyn TargetFile, holes: &Ranges) -> Result<Ranges, Error> {
    let mut same = Ranges::new();
    if holes.is_empty() {
        return Ok(same);
    }
    let (known, zeros) = (file.holes()?, vec![0; ZEROS_AT_ONCE]);
    for hole in holes.iter() {
        let mut one = Ranges::new();
        one.insert(hole.clone());
        let mut is_same = true;
        for range in one.minus(&known).iter() {
            let mut at = range.start;
            while is_same && at < range.end {
                let len = usize::try_from(range.end - at).unwrap_or(ZEROS_AT_ONCE).min(ZEROS_AT_ONCE);
                is_same = compare(file, at, &zeros[..len])?;
                at += len as u64;
            }
        }
        if is_same {
            same.insert(hole);
        }
    }
    Ok(same)
}

/// Whether these bytes are there.
pub(super) fn compare(file: &dyn TargetFile, offset_bytes: u64, bytes: &[u8]) -> Result<bool, Error> {
    let mut there = vec![0; bytes.len()];
    let mut have = 0;
    while have < there.len() {
        match file.read_at(offset_bytes + have as u64, &mut there[have..])? {
            0 => return Ok(false),
            n => have += n,
        }
    }
    Ok(there == bytes)
}
