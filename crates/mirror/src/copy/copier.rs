//! Copies files: stages them, makes room for them, and gives what is whole its place. Shared by all threads that copy.
//!
//! A copy is stamped with the time and size of its own open handle.

use super::gathering::{Gathering, as_listed};
use super::postponed::Postponed;
use super::stage::{self, Stage};
use super::task::Task;
use super::throttle::Throttle;
use crate::checkpoint::Checkpoints;
use crate::context::Context;
use crate::index::{IndexRecord, Journal, Placed};
use crate::mirror_ops::MirrorOps;
use crate::retention::Overdue;
use crate::spill::SpillBuffer;
use octo_core::clock::SHUTDOWN_GRACE;
use octo_core::{Change, Code, Error, Kind, Meta, Ranges, Timestamp};
use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Files of this size are synced before they get their place, so that a checkpoint has little left to do.
const SYNC_BYTES_MIN: u64 = 8 << 20;
/// Copies files. Shared by all threads that copy.
pub struct Copier<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) ops: &'a MirrorOps<'a>,
    pub(super) journal: &'a Journal<'a>,
    pub(super) checkpoints: &'a Checkpoints<'a>,
    pub(super) overdue: &'a Overdue<'a>,
    pub(super) throttle: Throttle,
    pub(super) next_stage: AtomicU64,
    pub(super) later: Mutex<SpillBuffer>,
    /// Copies that wait for the deletions.
    pub postponed: Postponed,
    pub(super) snapshots: OnceLock<Vec<Timestamp>>,
    /// When it was first noticed that the run is to stop, by the monotonic clock.
    pub(super) stops_since: OnceLock<Duration>,
    /// Keys of the parts that are being worked on.
    pub(super) parts_in_use: Mutex<HashSet<String>>,
}

impl<'a> Copier<'a> {
    /// At the start of a run.
    pub fn new(
        context: &'a Context<'a>,
        ops: &'a MirrorOps<'a>,
        journal: &'a Journal<'a>,
        checkpoints: &'a Checkpoints<'a>,
        overdue: &'a Overdue<'a>,
    ) -> Copier<'a> {
        Copier {
            context,
            ops,
            journal,
            checkpoints,
            overdue,
            throttle: Throttle::new(context.options.bandwidth.clone()),
            next_stage: AtomicU64::new(0),
            later: Mutex::default(),
            postponed: Postponed::new(context.options),
            snapshots: OnceLock::new(),
            stops_since: OnceLock::new(),
            parts_in_use: Mutex::default(),
        }
    }

    /// Whether not even what is under way may come to its end: the run failed, or has been stopping for long enough.
    pub(super) fn reads_no_more(&self) -> bool {
        if !self.context.is_over() {
            return false;
        }
        let now = self.context.clock.monotonic();
        let has_grace = now.saturating_sub(*self.stops_since.get_or_init(|| now)) < SHUTDOWN_GRACE;
        self.context.fatal().is_some() || !has_grace
    }

    /// Takes space for a file that is open, and lays it out. What it needs is what it will take on the disk.
    pub(super) fn make_room(&self, stage: &mut Stage, size_bytes: u64, holes: &Ranges) -> Result<(), Error> {
        let free_bytes = if !holes.is_empty() && stage.file.can_have_holes() { holes.total_bytes() } else { 0 };
        let needed = size_bytes.saturating_sub(stage.got.total_bytes()).saturating_sub(free_bytes);
        let ask = || self.context.space.promise(self.context.target, needed);
        let refused = |asked: &Result<_, Error>| {
            asked.as_ref().is_err_and(|error| matches!(error.code, Code::NoSpace | Code::DoesNotFit))
        };
        let mut asked = ask();
        if refused(&asked) && self.remove_idle_parts()? {
            asked = ask();
        }
        if refused(&asked) && self.overdue.remove()? {
            asked = ask();
        }
        stage.promise = Some(asked?);
        stage.lay_out(size_bytes, holes)?;
        self.context.plan_hole(holes.total_bytes());
        Ok(())
    }

    /// Gives up what earlier runs have of large files that this run does not work on now. Whether that made room.
    fn remove_idle_parts(&self) -> Result<bool, Error> {
        let in_use = self.parts_in_use.lock().unwrap_or_else(PoisonError::into_inner);
        stage::remove_idle_parts(self.context.target, |key| in_use.contains(key))
    }

    /// A file is whole: its time, its place, its record. That it gets its place was recorded.
    pub(super) fn place(
        &self,
        task: &Task,
        stage: Stage,
        opened: &Meta,
        gathered: Option<Gathering>,
    ) -> Result<(), Error> {
        let has_metadata = self.keep_metadata(task, &stage.path, gathered, opened)?;
        stage.file.set_times(opened.write_time, opened.creation_time)?;
        let is_beyond = !self.ops.abilities.times.holds(opened.write_time);
        if is_beyond {
            // By its path the true time is kept too.
            self.context.target.set_times(&stage.path, opened.write_time, opened.creation_time)?;
        }
        if opened.size_bytes >= SYNC_BYTES_MIN || !self.ops.abilities.whole_sync {
            stage.file.sync()?;
        }
        if task.is_cut {
            self.ops.record_name(&task.source, &task.place)?;
        }
        let mut copy = stage.file.meta()?;
        if is_beyond {
            copy.write_time = opened.write_time;
        }
        if let Some(hash) = stage.hash {
            self.ops.hashes.copied(&task.place, &copy, hash)?;
        }
        match &task.old {
            None => self.ops.create(&stage.path, &task.place)?,
            Some(_) => self.ops.replace(&stage.path, &task.place)?,
        }
        stage.forget_part(self.context.target)?;
        if task.is_live {
            self.tell_live(task, opened.size_bytes);
            return self.placed(task, opened.size_bytes);
        }
        if let Some(stand_in) = &task.stand_in {
            // The index stays without it: nothing must be concluded from it about the file as it is now.
            self.stood_in(task, stand_in, true);
            return self.placed(task, opened.size_bytes);
        }
        if let Some(record) = IndexRecord::new(&as_listed(task, opened), &copy, has_metadata) {
            let record = IndexRecord { hash: stage.hash, ..record };
            self.journal.push(&Placed { place: task.place.clone(), record })?;
        }
        self.placed(task, opened.size_bytes)
    }

    /// The copy has the same content as the file: it gets the file's time if that is another, which was recorded.
    pub(super) fn found_equal(&self, task: &Task, opened: &Meta, hash: Option<[u8; 32]>) -> Result<(), Error> {
        self.ops.suspects.settle(&task.place);
        match &task.old {
            Some(_) if self.is_shifted(task) => {
                self.ops.restamp(&task.place, opened)?;
                self.context.changed(&Change::Restamped { path: task.place.clone() });
            }
            _ => self.context.count(|c| c.unchanged += 1),
        }
        match (hash, self.context.target.look(&task.place)?) {
            (Some(hash), Some(copy)) => self.ops.hashes.copied(&task.place, &copy, hash),
            _ => Ok(()),
        }
    }

    /// Whether it is compared although its time is another: it is copied if it cannot be compared.
    pub(super) fn is_shifted(&self, task: &Task) -> bool {
        let represent = |time| self.ops.abilities.times.represent(time);
        task.verify && task.old.is_some_and(|old| old.write_time != represent(task.meta.write_time))
    }

    /// A copy got its place.
    pub(super) fn placed(&self, task: &Task, size_bytes: u64) -> Result<(), Error> {
        self.ops.suspects.settle(&task.place);
        let path = task.place.clone();
        self.context.changed(&match task.old {
            None => Change::Created { path, kind: Kind::File, size_bytes },
            Some(_) => Change::Replaced { path, size_bytes },
        });
        self.context.progress(Some(&task.place));
        self.checkpoints.copied(size_bytes)
    }
}
