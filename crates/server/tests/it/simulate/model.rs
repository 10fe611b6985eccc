//! What must be true after each step, said naively: of two looks into the database, and of what was asked and answered.

use super::calendar;
use super::seen::Seen;
use octo_api::job::Slot;
use octo_job::Job;
use octo_job::schedule::machine_zone;
use octo_server::RunOverrides;
use octo_server::run::{Ended, Reason, Run, State};
use std::collections::{BTreeMap, BTreeSet};

const DAY: i64 = 86_400;
/// How long history is kept.
const KEEP: i64 = 90 * DAY;

/// A promise that was broken.
pub type Broken = String;
pub type Holds = Result<(), Broken>;

/// Fails with what was found.
macro_rules! must {
    ($holds:expr, $($found:tt)*) => {
        if !$holds {
            return Err(format!($($found)*));
        }
    };
}
pub(super) use must;

/// What happened between two looks.
pub struct Between<'a> {
    pub before: &'a Seen,
    pub after: &'a Seen,
    /// The runs that somebody worked on before, with their hosts and disks.
    pub held: &'a BTreeSet<i64>,
    /// What the clock shows now.
    pub now: i64,
    /// Up to when all slots of a job are known to have been recorded.
    pub until: &'a BTreeMap<i64, i64>,
    /// The runner looked, at this moment.
    pub looked_at: Option<i64>,
    /// All that was tried worked: nothing failed, nothing died.
    pub is_whole: bool,
}

impl Between<'_> {
    /// The rules that hold for every step.
    pub fn check(&self) -> Holds {
        self.ids()?;
        self.run_history()?;
        self.forgotten()?;
        self.picked_up()?;
        self.slot_history()?;
        for job in self.before.jobs.values().filter(|job| self.after.jobs.contains_key(&job.id)) {
            self.slots_of(job)?;
        }
        self.scheduled()
    }

    fn new_runs(&self) -> impl Iterator<Item = &Run> {
        self.after.runs.values().filter(|run| !self.before.runs.contains_key(&run.id))
    }

    fn ids(&self) -> Holds {
        let newest = self.before.runs.keys().max().copied().unwrap_or(0);
        must!(self.new_runs().all(|run| run.id > newest), "the id of a run was used again");
        let newest = self.before.jobs.keys().max().copied().unwrap_or(0);
        let mut new = self.after.jobs.keys().filter(|id| !self.before.jobs.contains_key(id));
        must!(new.all(|id| *id > newest), "the id of a job was used again");
        let newest = self.before.messages.keys().max().copied().unwrap_or(0);
        let mut new = self.after.messages.keys().filter(|id| !self.before.messages.contains_key(id));
        must!(new.all(|id| *id > newest), "the id of a message was used again");
        Ok(())
    }

    /// A run waits, then runs, then has ended; what has ended is never another.
    fn run_history(&self) -> Holds {
        for (id, was) in &self.before.runs {
            let Some(is) = self.after.runs.get(id) else { continue };
            let (from, to) = (was.state, is.state);
            let goes_on = from == to || from == State::Queued || from == State::Running && to == State::Finished;
            must!(goes_on, "run {id} went from {from:?} to {to:?}");
            must!(from != State::Finished || was == is, "run {id} had ended, and is another now: {was:?} {is:?}");
            must!(
                from == to
                    || from != State::Queued
                    || to != State::Finished
                    || is.started_at.is_none()
                    || self.looked_at.is_some(),
                "run {id} began and ended at once"
            );
        }
        for run in self.after.runs.values().filter(|run| run.state == State::Finished) {
            must!(self.after.reports.contains_key(&run.id), "run {} has ended without a report", run.id);
        }
        Ok(())
    }

    /// History is forgotten for its age alone, and never the newest run of a job, nor its newest good one.
    fn forgotten(&self) -> Holds {
        let is_good = |run: &&Run| matches!(run.outcome, Some(Ended::Succeeded | Ended::Warnings | Ended::Held));
        for (id, was) in self.before.runs.iter().filter(|(id, _)| !self.after.runs.contains_key(id)) {
            let old = was.finished_at.is_some_and(|at| at.0 < self.now - KEEP);
            must!(old && was.state == State::Finished, "run {id} is gone, which ended at {:?}", was.finished_at);
            let real = || self.before.of_job(was.job_id).filter(|run| !run.once.dry_run);
            let newest = real().filter(|run| run.started_at.is_some()).map(|run| run.id).max();
            let newest_good = real().filter(is_good).map(|run| run.id).max();
            must!(newest != Some(*id) && newest_good != Some(*id), "the newest run {id} of a job is gone");
        }
        for (id, was) in self.before.messages.iter().filter(|(id, _)| !self.after.messages.contains_key(id)) {
            must!(was.queued_at.0 < self.now - KEEP, "message {id} is gone");
            must!(was.next_try_at.is_none(), "message {id} is gone, and was not taken: {was:?}");
        }
        Ok(())
    }

    /// Once the runner has looked, what says that it runs is worked on, and what nobody worked on goes on once.
    fn picked_up(&self) -> Holds {
        if self.looked_at.is_none() || !self.is_whole {
            return Ok(());
        }
        let dead = |run: &&Run| run.state == State::Running && !self.held.contains(&run.id);
        for run in self.before.runs.values().filter(dead) {
            let is = &self.after.runs[&run.id];
            must!(is.outcome == Some(Ended::Interrupted), "run {} was not worked on, and is {is:?}", run.id);
        }
        Ok(())
    }

    /// Whoever was interrupted goes on: a run of the job waits or has begun, unless it was a dry run or died too often.
    pub fn goes_on(&self, run: &Run) -> Holds {
        let next = self.after.of_job(run.job_id).any(|other| {
            !other.once.dry_run
                && (other.state != State::Finished || other.id > run.id && other.reason == Reason::Recovery)
        });
        let mut ended: Vec<&Run> = self.after.of_job(run.job_id).filter(|run| !run.once.dry_run).collect();
        ended.retain(|run| run.state == State::Finished && run.started_at.is_some());
        let in_a_row = ended.iter().rev().take_while(|run| run.outcome == Some(Ended::Interrupted)).count();
        must!(next || run.once.dry_run || in_a_row > 3, "run {} was interrupted, and nothing goes on", run.id);
        let recoveries =
            self.new_runs().filter(|new| new.job_id == run.job_id && new.reason == Reason::Recovery).count();
        must!(recoveries <= 1, "run {} was interrupted, and {recoveries} go on", run.id);
        Ok(())
    }

    /// What a slot's record says, it says for ever; only its run may be another, which a person started instead.
    fn slot_history(&self) -> Holds {
        for (job, slots) in &self.before.slots {
            let Some(now) = self.after.slots.get(job) else { continue };
            for (at, was) in slots {
                match now.get(at) {
                    None => must!(*at < self.now - 100 * DAY, "the record of slot {at} of job {job} is gone"),
                    Some(is) => {
                        let same = Slot { run: is.run, ..was.clone() } == *is && was.run.is_some() == is.run.is_some();
                        must!(same, "the record of a slot is another: {was:?} {is:?}");
                    }
                }
            }
        }
        Ok(())
    }

    /// Each slot that has come has exactly one record, and it says what the rules say.
    fn slots_of(&self, job: &Job) -> Holds {
        let none = BTreeMap::new();
        let known = &self.before.slots[&job.id];
        let new: Vec<&Slot> = self
            .after
            .slots
            .get(&job.id)
            .unwrap_or(&none)
            .values()
            .filter(|slot| !known.contains_key(&slot.due_at.0))
            .collect();
        let name = &job.spec.name;
        let (Some(now), Some(schedule)) = (self.looked_at, &job.spec.schedule) else {
            must!(new.is_empty(), "{name} has new slots, and nobody looked: {new:?}");
            return Ok(());
        };
        let policy = self.before.policy(job);
        let zone = policy.time_zone.as_deref().unwrap_or(machine_zone());
        let after = self.until[&job.id].min(now).max(now - KEEP);
        let mut due = calendar::due(schedule, zone, after, now);
        due.retain(|at| !known.contains_key(at));
        let noted: Vec<i64> = new.iter().map(|slot| slot.due_at.0).collect();
        must!(
            noted == due || noted.is_empty() && !self.is_whole,
            "{name} ({schedule}, {zone}) was due at {due:?} between {after} and {now}, and has {noted:?}"
        );
        for slot in &new {
            let is_last = due.last() == Some(&slot.due_at.0);
            let wanted = self.fate(job, slot.due_at.0, is_last, now);
            must!(slot.fate == wanted, "{name}: the slot is {slot:?}, not {wanted}");
            let gets_run = matches!(wanted, "run" | "late");
            must!(slot.run.is_some() == gets_run, "{name}: a slot without its run, or with one too many: {slot:?}");
        }
        Ok(())
    }

    /// Up to when all slots have been recorded, after this step. A job's slots begin when it is made, or its schedule becomes
    /// another.
    pub fn until_after(&self) -> BTreeMap<i64, i64> {
        let rule = |seen: &Seen, job: &Job| (job.spec.schedule.clone(), seen.policy(job).time_zone);
        let after = self.after.jobs.values().map(|job| {
            let Some(was) = self.before.jobs.get(&job.id) else { return (job.id, self.now) };
            let noted = self.after.slots[&job.id].len() > self.before.slots[&job.id].len();
            let until = match self.looked_at {
                // Where the look failed, somewhere, that may have been before this job or after it.
                Some(at) if self.is_whole || noted || job.slots_until.0 == at => at,
                _ if rule(self.before, was) != rule(self.after, job) => self.now,
                _ => self.until[&job.id],
            };
            (job.id, until)
        });
        after.collect()
    }

    fn fate(&self, job: &Job, at: i64, is_last: bool, now: i64) -> &'static str {
        use octo_job::schedule::{CatchUp, Overlap};
        let policy = self.before.policy(job);
        let real = |run: &&Run| !run.once.dry_run;
        let runs = self
            .before
            .of_job(job.id)
            .filter(real)
            .any(|run| run.state == State::Running && self.held.contains(&run.id));
        let waits = self.before.of_job(job.id).filter(real).any(|run| run.state == State::Queued)
            || self.new_runs().any(|run| run.job_id == job.id && run.reason == Reason::Recovery);
        let is_late = now - at > 120;
        let zone = policy.time_zone.as_deref().unwrap_or(machine_zone());
        let is_dark = policy.blackouts.iter().flatten().any(|text| calendar::is_dark(text, zone, at));
        let skips = policy.overlap != Some(Overlap::Queue);
        match () {
            () if job.spec.paused => "skipped",
            () if !is_last => {
                if is_late {
                    "missed"
                } else {
                    "skipped"
                }
            }
            () if waits || runs && skips => "skipped",
            () if is_late => {
                if policy.catch_up == Some(CatchUp::Skip) {
                    "missed"
                } else {
                    "late"
                }
            }
            () if is_dark => "skipped",
            () => "run",
        }
    }

    /// Each run that a schedule made has its slot, and each slot its own run.
    fn scheduled(&self) -> Holds {
        let scheduled: BTreeSet<i64> =
            self.new_runs().filter(|run| run.reason == Reason::Schedule).map(|run| run.id).collect();
        let mut of_slots = BTreeSet::new();
        for (job, slots) in &self.after.slots {
            let known = self.before.slots.get(job);
            for slot in slots.values().filter(|slot| known.is_none_or(|known| !known.contains_key(&slot.due_at.0))) {
                if let Some(run) = slot.run {
                    must!(of_slots.insert(run), "two slots have run {run}");
                    must!(self.after.runs.get(&run).is_some_and(|run| run.job_id == *job), "slot {slot:?} has no run");
                }
            }
        }
        must!(scheduled == of_slots, "runs of schedules {scheduled:?}, of slots {of_slots:?}");
        let plain = |run: &Run| run.once == RunOverrides::default();
        must!(self.new_runs().filter(|run| run.reason == Reason::Schedule).all(plain), "a slot has wishes for one run");
        Ok(())
    }
}
