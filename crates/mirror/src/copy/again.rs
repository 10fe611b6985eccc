//! What becomes of a file that could not be copied now: it is tried again at the end of the run, then read from the
//! source's snapshots, from the newest on, then named as a problem with the age of the copy that stays.

use super::copier::Copier;
use super::task::{StandIn, TRIES_AT_ONCE, Task};
use crate::LiveFiles;
use crate::changes::Record;
use crate::spill::SpillLog;
use octo_core::snapshot::{self, Age};
use octo_core::{Code, Error, Meta, Retry, Timestamp};
use std::sync::PoisonError;

impl Copier<'_> {
    /// A file could not be copied now.
    pub(super) fn failed(&self, task: &Task, error: Error) {
        if error.code.retry() == Retry::AtEndOfRun && task.tries <= TRIES_AT_ONCE {
            let verify = task.verify && !self.is_shifted(task);
            return self.push_later(&Task { tries: TRIES_AT_ONCE + 1, verify, ..task.clone() });
        }
        // What is wrong with the file itself counts, not what is wrong with a snapshot of it.
        let (why, tried) = match &task.stand_in {
            Some(stand_in) => (stand_in.why.clone(), Some(stand_in.taken)),
            None => (error, None),
        };
        // A comparison of contents is one with the file as it is now.
        if snapshot::can_help(why.code) && !task.verify {
            if let Some(taken) = snapshot::next(self.snapshots(), tried) {
                return self.push_later(&Task { stand_in: Some(StandIn { taken, why }), ..task.clone() });
            }
            if self.is_for_live(task, &why) {
                return self.push_later(&Task { is_live: true, stand_in: None, ..task.clone() });
            }
            if tried.is_some() {
                return self.stays(task, why.and("the newest previous versions do not have it"));
            }
        }
        self.stays(task, why);
    }

    /// Whether nothing but its beginning can be had of it, and that is wanted.
    fn is_for_live(&self, task: &Task, why: &Error) -> bool {
        let is_wanted = self.context.options.live_files == LiveFiles::Copy;
        is_wanted && why.code == Code::ChangedWhileRead && !task.refresh && !task.is_live
    }

    /// A problem; the copy in the mirror, if there is one, stays.
    pub(super) fn stays(&self, task: &Task, why: Error) {
        let is_torn = self.ops.suspects.is_torn(&task.place);
        match task.old.filter(|_| self.ops.suspects.has(&task.place)) {
            Some(old) if is_torn && !why.code.stops_run() => self.disown(task, &old, why),
            // It stays on the list of what is damaged.
            Some(old) => {
                let why = why.and("the copy in the mirror is damaged");
                self.context.file_problem(&task.source, why, Some(&old));
            }
            _ => self.context.file_problem(&task.source, why, task.old.as_ref()),
        }
    }

    /// The machine crashed before this copy was safe on the disk, and now there is no other. It must not bear the time of
    /// the file: later runs, which know nothing of the crash, would take it for equal.
    fn disown(&self, task: &Task, old: &Meta, why: Error) {
        let epoch = Timestamp(0);
        let is_epoch = old.write_time == self.ops.abilities.times.represent(epoch);
        let write_time = if is_epoch { epoch.plus_secs(86_400) } else { epoch };
        let done = self.ops.intend(&[Record::of_time(&task.place, old)]);
        let done = done.and_then(|()| self.ops.disown(&task.place, &Meta { write_time, ..*old }));
        match done {
            // Now it is another by its time.
            Ok(()) => self.ops.suspects.settle(&task.place),
            Err(error) => self.context.problem(&task.source, error),
        }
        let kept = "the copy in the mirror may not be whole, because the machine crashed after it was written";
        self.context.problem(&task.source, why.and(kept));
    }

    /// The source's snapshots, newest first, once they were asked for: a file gets here only after it was tried again.
    fn snapshots(&self) -> &[Timestamp] {
        self.snapshots.get().map_or(&[], Vec::as_slice)
    }

    /// A source without snapshots has none.
    fn ask_for_snapshots(&self) -> Vec<Timestamp> {
        self.context.source.snapshots().unwrap_or_else(|error| {
            self.context.remark(format!("the previous versions of the source could not be listed: {error}"));
            Vec::new()
        })
    }

    /// The file is open in a snapshot: whether it is wanted. If not, it is settled.
    pub(super) fn wants(&self, task: &Task, stand_in: &StandIn, then: &Meta) -> bool {
        // A copy that may not be whole is none.
        let copy = task.old.filter(|_| !self.ops.suspects.has(&task.place));
        match snapshot::age(then, copy.as_ref(), &self.ops.abilities.times) {
            Age::Newer => return true,
            Age::Same => self.stood_in(task, stand_in, false),
            Age::Older if self.is_for_live(task, &stand_in.why) => {
                self.push_later(&Task { is_live: true, stand_in: None, ..task.clone() });
            }
            Age::Older => {
                let more = format!("the previous version of {} UTC is older than the copy", stand_in.taken);
                self.stays(task, stand_in.why.clone().and(more));
            }
        }
        false
    }

    /// The mirror has the file as it is in a snapshot. `copied`: since now.
    pub(super) fn stood_in(&self, task: &Task, StandIn { taken, why }: &StandIn, copied: bool) {
        let how = if copied { "copied" } else { "the mirror has it already" };
        let problem = if snapshot::is_fresh(*taken, self.context.clock.now()) {
            Error::new(Code::FromSnapshot, format!("as it was at {taken} UTC; {how}"))
        } else {
            why.clone().and(format!("the newest previous version is more than a week old: {taken} UTC; {how}"))
        };
        self.context.problem(&task.source, problem);
    }

    /// The file is tried again at the end of the run.
    pub fn push_later(&self, task: &Task) {
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = later.push(self.context.target, &task.encode()) {
            drop(later);
            self.context.fail(error);
        }
    }

    /// The files that are to be tried again. What is needed to try them is asked for here: a sink, which learns of a
    /// failure first, must not call the source.
    pub fn take_later(&self) -> SpillLog {
        let later = self.later.lock().unwrap_or_else(PoisonError::into_inner).take();
        if later.count() > 0 {
            self.snapshots.get_or_init(|| self.ask_for_snapshots());
        }
        later
    }
}
