//! What all parts of one run share: both sides, the options, counters, problems, and cancelling.

use crate::RunOptions;
use crate::space::Ledger;
use crate::spill::{SpillBuffer, SpillLog};
use octo_core::printable::counted;
use octo_core::report::{Cause, Counts, Problem};
use octo_core::{
    Cancel, Change, Clock, Code, Error, Event, Kind, Meta, Monitor, Part, Phase, RelPath, Source, Target, metadata,
};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Problems of one cause that the report shows by name; all of them are in the report file.
const EXAMPLES_MAX: usize = 20;
/// How many lasting problems are remembered, so that none is reported twice, and how much memory their paths may take.
const LASTING_MAX: usize = 10_000;
const LASTING_BYTES_MAX: usize = 1 << 20;
/// How often progress is reported.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Shared by all threads of a run.
pub struct Context<'a> {
    /// Where the files come from.
    pub source: &'a dyn Source,
    /// The mirror.
    pub target: &'a dyn Target,
    /// What was asked for.
    pub options: &'a RunOptions,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whether the run was cancelled.
    pub cancel: &'a Cancel,
    tally: Mutex<Tally>,
    problems: Mutex<Problems>,
    fatal: Mutex<Option<Error>>,
    gave_up: AtomicBool,
    remarks: Mutex<Vec<String>>,
    lost: Mutex<BTreeMap<Part, Lost>>,
    /// Who may take how much of the target's space.
    pub space: Ledger,
}

#[derive(Default)]
struct Tally {
    counts: Counts,
    planned_files: u64,
    planned_bytes: u64,
    /// Of what is planned, what would take no space.
    planned_holes: u64,
    listed_all: bool,
    reported: Duration,
}

/// What was lost of one part of metadata: how often, and the first example.
struct Lost {
    count: u64,
    path: RelPath,
    error: Error,
}

#[derive(Default)]
struct Problems {
    causes: BTreeMap<Code, Cause>,
    all: SpillBuffer,
    lasting: Lasting,
}

/// The problems that last, as far as they were reported: a folder that is closed is met when it is listed and when its metadata is
/// read, and is one problem. Those beyond the bounds may be reported twice.
#[derive(Default)]
struct Lasting {
    reported: HashSet<(Code, RelPath)>,
    path_bytes: usize,
}

impl Lasting {
    /// False if it was reported before.
    fn insert(&mut self, path: &RelPath, code: Code) -> bool {
        let key = (code, path.clone());
        if self.reported.contains(&key) {
            return false;
        }
        let path_bytes = self.path_bytes + path.as_bytes().len();
        if self.reported.len() < LASTING_MAX && path_bytes <= LASTING_BYTES_MAX {
            self.path_bytes = path_bytes;
            self.reported.insert(key);
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Context<'a> {
    /// At the start of a run.
    pub fn new(
        source: &'a dyn Source,
        target: &'a dyn Target,
        options: &'a RunOptions,
        monitor: &'a dyn Monitor,
        clock: &'a dyn Clock,
        cancel: &'a Cancel,
    ) -> Context<'a> {
        Context {
            source,
            target,
            options,
            monitor,
            clock,
            cancel,
            tally: Mutex::default(),
            problems: Mutex::default(),
            fatal: Mutex::new(None),
            gave_up: AtomicBool::new(false),
            remarks: Mutex::default(),
            lost: Mutex::default(),
            space: Ledger::default(),
        }
    }

    /// A part of the run begins.
    pub fn phase(&self, phase: Phase) {
        self.monitor.event(&Event::Phase(phase));
    }

    /// Changes the counters.
    pub fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut lock(&self.tally).counts);
    }

    /// The counters now.
    pub fn counts(&self) -> Counts {
        lock(&self.tally).counts
    }

    /// More to copy has become known.
    pub fn plan_copy(&self, size_bytes: u64) {
        let mut tally = lock(&self.tally);
        tally.planned_files += 1;
        tally.planned_bytes = tally.planned_bytes.saturating_add(size_bytes);
    }

    /// Some of what is to be copied is a hole, and will not come.
    pub fn plan_hole(&self, bytes: u64) {
        let mut tally = lock(&self.tally);
        tally.planned_holes = tally.planned_holes.saturating_add(bytes);
    }

    /// What is to be copied so far, without holes: files and bytes.
    pub fn planned(&self) -> (u64, u64) {
        let tally = lock(&self.tally);
        (tally.planned_files, tally.planned_bytes.saturating_sub(tally.planned_holes))
    }

    /// Both sides have been listed to their end.
    pub fn listed_all(&self) {
        lock(&self.tally).listed_all = true;
    }

    /// Reports the counters, if it is time.
    pub fn progress(&self, current: Option<&RelPath>) {
        let now = self.clock.monotonic();
        let mut tally = lock(&self.tally);
        if now.saturating_sub(tally.reported) < PROGRESS_EVERY {
            return;
        }
        tally.reported = now;
        let (counts, files, bytes, listed_all) = (
            tally.counts,
            tally.planned_files,
            tally.planned_bytes.saturating_sub(tally.planned_holes),
            tally.listed_all,
        );
        drop(tally);
        self.monitor.event(&Event::Progress {
            counts: &counts,
            planned_files: files,
            planned_bytes: bytes,
            listed_all,
            current,
        });
    }

    /// Something was done to an entry, or would be: counts and reports it.
    pub fn changed(&self, change: &Change) {
        self.count(|c| match change {
            Change::Created { kind: Kind::Folder, .. } => c.folders_created += 1,
            Change::Created { kind: Kind::Link, .. } => c.links += 1,
            Change::Created { .. } => c.created += 1,
            Change::Replaced { .. } => c.replaced += 1,
            Change::Moved { .. } => c.moved += 1,
            Change::Restamped { .. } => c.restamped += 1,
            Change::Deleted { kind: Kind::Folder, .. } => c.folders_deleted += 1,
            Change::Deleted { size_bytes, .. } => {
                c.deleted += 1;
                c.deleted_bytes += size_bytes;
            }
            Change::Held { kind: Kind::Folder, .. } => {}
            Change::Held { .. } => c.held += 1,
        });
        self.monitor.event(&Event::Change(change));
    }

    /// Whether a person said to know that this entry cannot be copied, for a cause that lasts.
    pub fn is_acknowledged(&self, path: &RelPath, code: Code) -> bool {
        code.may_be_acknowledged() && self.options.acknowledged.contains(path)
    }

    /// Something went wrong with one entry. The same again is no second problem.
    pub fn problem(&self, path: &RelPath, mut error: Error) {
        if error.code.stops_run() {
            return self.fail(error.within(path));
        }
        if error.code.may_be_acknowledged() && !lock(&self.problems).lasting.insert(path, error.code) {
            return;
        }
        if self.is_acknowledged(path, error.code) {
            error = Error::new(Code::Acknowledged, error.to_string());
        }
        let problem = Problem { code: error.code, path: path.clone(), detail: error.detail };
        if !problem.code.is_note() {
            self.count(|c| c.problems += 1);
        }
        self.keep(&problem);
        self.monitor.event(&Event::Problem(&problem));
    }

    /// Something went wrong with one file. Reports also how old the copy is that stays.
    pub fn file_problem(&self, path: &RelPath, error: Error, copy: Option<&Meta>) {
        if error.code.stops_run() {
            return self.problem(path, error);
        }
        let kept = match copy {
            Some(copy) => format!("the copy in the mirror is from {} UTC", copy.write_time),
            None => "there is no copy of it yet".to_owned(),
        };
        self.problem(path, error.and(kept));
    }

    fn keep(&self, problem: &Problem) {
        let mut problems = lock(&self.problems);
        let cause =
            problems.causes.entry(problem.code).or_insert(Cause { code: problem.code, count: 0, examples: Vec::new() });
        cause.count += 1;
        if cause.examples.len() < EXAMPLES_MAX {
            cause.examples.push(problem.clone());
        }
        // Without room for the full list the examples and the count remain.
        if let Ok(text) = serde_json::to_vec(problem) {
            let _ = problems.all.push(self.target, &text);
        }
    }

    /// Something worth a line in the report that concerns no single entry.
    pub fn remark(&self, remark: String) {
        lock(&self.remarks).push(remark);
    }

    /// All remarks so far.
    pub fn remarks(&self) -> Vec<String> {
        lock(&self.remarks).clone()
    }

    /// Whether metadata is read and kept.
    pub fn wants_metadata(&self) -> bool {
        self.options.metadata != metadata::Keep::Basic && self.source.features().has_metadata
    }

    /// Whether it is read for every entry, whatever the source's listings say.
    pub fn rereads_metadata(&self) -> bool {
        self.options.metadata == metadata::Keep::Refresh && self.wants_metadata()
    }

    /// Some of the metadata of an entry could not be read or kept: counted, and said once.
    pub fn lost_metadata(&self, path: &RelPath, parts: Vec<(Part, Error)>) {
        self.count(|c| c.metadata_lost += 1);
        let mut lost = lock(&self.lost);
        for (part, error) in parts {
            lost.entry(part).or_insert_with(|| Lost { count: 0, path: path.clone(), error }).count += 1;
        }
    }

    /// What was lost of metadata, a line for each part.
    pub fn metadata_remarks(&self) -> Vec<String> {
        let line = |(part, lost): (&Part, &Lost)| {
            let entries = counted(lost.count, "entry", "entries");
            format!("{} of {entries} could not be read or kept; the first: {}: {}", part.words(), lost.path, lost.error)
        };
        lock(&self.lost).iter().map(line).collect()
    }

    /// The run cannot go on. The first reason counts.
    pub fn fail(&self, error: Error) {
        if error.code == Code::Cancelled && self.cancel.is_cancelled() {
            // A call that ended because we asked it to is no reason of its own.
            return;
        }
        let mut fatal = lock(&self.fatal);
        if fatal.is_none() {
            let problem = Problem { code: error.code, path: RelPath::root(), detail: error.detail.clone() };
            *fatal = Some(error);
            drop(fatal);
            self.count(|c| c.problems += 1);
            self.keep(&problem);
            self.monitor.event(&Event::Problem(&problem));
        }
    }

    /// The source gives nothing any more: the run has failed, and what waits for the source ends as if it were cancelled.
    pub fn give_up_on_source(&self, waited: Duration) {
        if self.is_over() {
            return;
        }
        let what = format!("the source gave nothing for {} s, neither an entry nor data", waited.as_secs());
        self.fail(Error::new(Code::TimedOut, what));
        self.gave_up.store(true, Ordering::SeqCst);
        self.cancel.cancel();
    }

    /// Whether the run ended because the source gave nothing any more.
    pub fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::SeqCst)
    }

    /// Why the run cannot go on.
    pub fn fatal(&self) -> Option<Error> {
        lock(&self.fatal).clone()
    }

    /// Whether everybody should stop: cancelled, or failed.
    pub fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || lock(&self.fatal).is_some()
    }

    /// How many problems of one cause there are; `None` for none.
    pub fn count_of(&self, code: Code) -> Option<u64> {
        lock(&self.problems).causes.get(&code).map(|cause| cause.count)
    }

    /// All problems by cause.
    pub fn causes(&self) -> Vec<Cause> {
        lock(&self.problems).causes.values().cloned().collect()
    }

    /// All problems one by one, as JSON.
    pub fn take_problems(&self) -> SpillLog {
        lock(&self.problems).all.take()
    }
}
