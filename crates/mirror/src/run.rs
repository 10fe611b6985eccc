//! One run from its checks to its report.

mod ending;
mod report;

use crate::changes::{ChangesLog, Record, RecordFile};
use crate::checkpoint::Checkpoints;
use crate::compare::{Comparer, Lists};
use crate::context::Context;
use crate::copy::{Copier, Task};
use crate::deletion::{Deletion, Verdict};
use crate::hashes::Hashes;
use crate::index::{self, Journal, NewStream};
use crate::mirror_ops::MirrorOps;
use crate::moves::{Moves, Unmatched};
use crate::order::NameOrder;
use crate::prepare::{Ready, prepare};
use crate::queue::Queue;
use crate::retention::Overdue;
use crate::spill::{Pool, SpillLog};
use crate::stall::WatchedSource;
use crate::unread::UnreadFolders;
use crate::walk::{Frame, Lister, Walk, list_folders, list_walked};
use crate::{RunOptions, RunResult, ballast, files, held, layout, remarks, settle};
use crossbeam_channel::bounded;
use octo_core::guard::{self, GuardInput};
use octo_core::plan::PlanRules;
use octo_core::printable::counted;
use octo_core::retention::KeepVersions;
use octo_core::{Cancel, Clock, Code, Error, Kind, Monitor, Phase, RunReport, Source, Target, Timestamp};
use report::report;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// Memory for sorting listings, the index and moves, whatever the size of the tree.
const SORT_BYTES: usize = 40 << 20;

/// Mirrors `source` to `target`. Never panics on what either side does; everything that happened is in the report.
pub fn run(
    source: &dyn Source,
    target: &dyn Target,
    options: &RunOptions,
    monitor: &dyn Monitor,
    clock: &dyn Clock,
    cancel: &Cancel,
) -> RunResult {
    let watched = WatchedSource::new(source, clock);
    let context = Context::new(&watched, target, options, monitor, clock, cancel);
    watched.watch(options.idle_max, |waited| context.give_up_on_source(waited), || run_in(&context))
}

fn run_in(context: &Context<'_>) -> RunResult {
    let (target, options, clock) = (context.target, context.options, context.clock);
    let begun = (clock.now(), clock.monotonic());
    let pool = Pool::new(SORT_BYTES);
    let order = NameOrder { folds_case: target.abilities().names.folds_case };
    context.phase(Phase::Check);
    let ready = prepare(context, order, &pool).and_then(|ready| {
        let folds_case = ready.marker.abilities.names.folds_case;
        let hashes = Hashes::new(target, ready.run, begun.0, folds_case)?;
        Ok((ready, hashes))
    });
    let (ready, hashes) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            context.fail(error);
            return RunResult { report: report(context, begun, 0, &Verdict::default(), Vec::new()), target_id: None };
        }
    };
    // The marker's, because a dry run may not be able to find out.
    let order = NameOrder { folds_case: ready.marker.abilities.names.folds_case };
    let target_id = Some(ready.marker.target_id.clone()).filter(|_| !options.dry_run);
    let report = Run::new(context, ready, hashes, order, pool).mirror(begun);
    RunResult { report, target_id }
}

/// A run that passed its checks.
struct Run<'a> {
    context: &'a Context<'a>,
    ready: Ready,
    order: NameOrder,
    pool: Arc<Pool>,
    ops: MirrorOps<'a>,
    journal: Journal<'a>,
    /// What there is to delete was all seen, and nothing of it waits for a person.
    proven: Cell<bool>,
    /// Every listing was complete.
    saw_all: Cell<bool>,
}

/// What the walk over both sides left to do.
struct Walked<'r> {
    index: NewStream<'r>,
    lists: Lists<'r>,
    guard: GuardInput,
    /// Files that were found changed.
    replacements: u64,
    /// So many that those not replaced at once wait for a person.
    brakes: bool,
    /// Every listing was complete.
    saw_all: bool,
    /// Folders that could not be read.
    unread: UnreadFolders,
}

impl<'a> Run<'a> {
    fn new(
        context: &'a Context<'a>,
        mut ready: Ready,
        hashes: Hashes<'a>,
        order: NameOrder,
        pool: Arc<Pool>,
    ) -> Run<'a> {
        let versions = context.options.keep_versions != KeepVersions::No && !context.options.dry_run;
        let ops = MirrorOps {
            target: context.target,
            run: ready.run,
            abilities: ready.marker.abilities.clone(),
            changes: versions.then(|| ChangesLog::new(context.target, ready.run)),
            placed: RecordFile::new(context.target, layout::placed(ready.run)),
            suspects: std::mem::take(&mut ready.suspects),
            hashes,
        };
        Run {
            context,
            ready,
            order,
            pool,
            ops,
            journal: Journal::new(context.target),
            proven: Cell::new(false),
            saw_all: Cell::new(false),
        }
    }

    fn mirror(mut self, begun: (Timestamp, Duration)) -> RunReport {
        let mut verdict = Verdict::default();
        if let Err(error) = self.work(&mut verdict) {
            self.context.fail(error);
        }
        self.context.phase(Phase::Settle);
        if let Err(error) = self.close(&verdict) {
            self.context.fail(error);
        }
        let report = report(
            self.context,
            begun,
            self.ready.run,
            &verdict,
            remarks::of(self.context, &self.ready, &self.ops, &verdict),
        );
        self.end(report)
    }

    fn work(&self, verdict: &mut Verdict) -> Result<(), Error> {
        let checkpoints = Checkpoints::new(self.context, &self.ops, &self.journal);
        let (now, is_braked) = (self.ready.moment(), self.ready.marker.braked_by.is_some());
        let overdue = Overdue::new(self.context, &self.ops, now, is_braked);
        let copier = Copier::new(self.context, &self.ops, &self.journal, &checkpoints, &overdue);
        if !self.context.options.dry_run {
            files::ensure_folder(self.context.target, &layout::staging(self.ready.run))?;
            if self.ops.changes.is_none() {
                settle::note_not_kept(self.context.target, self.ready.run)?;
            }
        }
        if self.ready.was_empty && !self.context.options.dry_run {
            self.ops.intend(&[Record::Began])?;
        }
        if !self.context.options.dry_run && !self.context.space.has_room(self.context.target) {
            overdue.remove()?;
        }
        self.context.phase(Phase::Copy);
        let comparer = self.comparer();
        let mut comparer = self.walk(comparer, &copier, vec![Frame::root()])?;
        let unread = std::mem::take(&mut comparer.unread);
        self.saw_all.set(comparer.saw_all);
        copier.keep_top()?;
        let (replacements, brakes, saw_all) = (comparer.planned_replacements, comparer.brakes(), comparer.saw_all);
        let (index, lists, guard) = comparer.finish()?;
        let mut walked = Walked { index, lists, guard, replacements, brakes, saw_all, unread };
        self.context.phase(Phase::Finish);
        let vanished = self.finish_copies(&copier, &mut walked)?;
        self.demand_privilege();
        if self.context.is_over() {
            return Ok(());
        }
        self.context.phase(Phase::Delete);
        ballast::give_room(self.context.target);
        let kind_changes = walked.lists.kind_changes.take();
        self.look_into_late_folders(&kind_changes, &mut walked.unread)?;
        self.delete(&checkpoints, &copier, vanished, &mut walked, verdict)?;
        if kind_changes.count() > 0 && !self.context.is_over() && !self.context.options.dry_run {
            // A record that such a name was created must not outlast, in a power loss, the deletion that made room for it:
            // the versions would then take the old entry for one that never was.
            checkpoints.make()?;
        }
        self.make_changed_kinds(&copier, kind_changes, !verdict.because.is_empty())?;
        if self.context.is_over() || self.context.options.dry_run {
            return Ok(());
        }
        let sets_times = settle::folder_times(self.context, &self.ops, &walked.lists.folder_times.finish())?;
        if self.ops.changes.is_none() && !sets_times && self.context.counts().changes() == 0 {
            settle::unnote_not_kept(self.context.target, self.ready.run)?;
        }
        checkpoints.make()?;
        self.publish_index(walked.index)
    }

    fn comparer(&self) -> Comparer<'_> {
        let options = self.context.options;
        let rules = PlanRules {
            compare: options.compare,
            times: self.ops.abilities.times,
            restamp_shift_secs: options.restamp_shift_secs,
            suspect: false,
            metadata: self.context.wants_metadata(),
            refresh_metadata: self.context.rereads_metadata(),
        };
        // A move takes the old name away, which `--no-delete` does not allow; without hard links moves become copies.
        let moves = !options.no_delete
            && self.context.source.features().stable_ids
            && self.ops.abilities.hard_links
            && !self.ready.marker.unproven;
        let braked = self.ready.marker.braked_by.is_some();
        Comparer::new(self.context, &self.ops, self.order, rules, self.ready.index.as_ref(), moves, braked)
    }

    /// Walks over both sides from `frames` down, and copies meanwhile.
    fn walk<'c>(
        &'c self,
        mut comparer: Comparer<'c>,
        copier: &Copier<'_>,
        frames: Vec<Frame>,
    ) -> Result<Comparer<'c>, Error> {
        let lister = Lister {
            source: self.context.source,
            target: self.context.target,
            filter: &self.context.options.filter,
            order: self.order,
            rules: self.ops.abilities.names.clone(),
            pool: Arc::clone(&self.pool),
            limits: self.context.options.folder_limits,
        };
        let threads = self.context.options.workers.unwrap_or(self.context.source.features().listings_in_flight);
        std::thread::scope(|scope| {
            let (mut walk, jobs) = Walk::new(self.context.target, frames)?;
            for _ in 0..threads.max(1) {
                let (lister, jobs, context) = (&lister, jobs.clone(), self.context);
                scope.spawn(move || list_folders(lister, &jobs, || context.is_over()));
            }
            self.with_queue(copier, |queue| {
                while !self.context.is_over() {
                    let next = match walk.next(|frame| list_walked(&lister, frame)) {
                        // The threads that list have ended, because the run has.
                        Err(_) if self.context.is_over() => break,
                        next => next?,
                    };
                    let Some((frame, pair)) = next else { break };
                    let children = comparer.folder(queue, &frame, &pair)?;
                    walk.descend(children)?;
                    self.context.progress(None);
                }
                // Ends the threads that list; those that copy go on with what is queued.
                drop(walk);
                self.context.listed_all();
                Ok(())
            })
        })?;
        Ok(comparer)
    }

    /// Gives `work` a queue, and copies what it queues until all is done.
    fn with_queue<T>(
        &self,
        copier: &Copier<'_>,
        work: impl FnOnce(&mut Queue<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let threads = self.context.options.workers.unwrap_or(self.context.source.features().fetches_in_flight).max(1);
        let (batches, receiver) = bounded::<Vec<Task>>(2 * threads);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let receiver = receiver.clone();
                scope.spawn(move || receiver.iter().for_each(|batch| copier.copy(batch)));
            }
            drop(receiver);
            let mut queue = Queue::new(self.context, batches);
            work(&mut queue)
        })
    }

    /// Moves, what was not moved, replacements that the brake allows, and files that were in use. Returns what is left
    /// to delete.
    fn finish_copies(&self, copier: &Copier<'_>, walked: &mut Walked<'_>) -> Result<SpillLog, Error> {
        let (candidates, vanished) = (walked.lists.candidates.take(), walked.lists.vanished.take());
        let left = match (&self.ready.index, self.context.is_over()) {
            (Some(index), false) => {
                let moves = Moves {
                    context: self.context,
                    ops: &self.ops,
                    journal: &self.journal,
                    order: self.order,
                    pool: Arc::clone(&self.pool),
                };
                moves.settle(&candidates, vanished, index)?
            }
            _ => Unmatched { vanished, copies: candidates },
        };
        self.copy_all(copier, &left.copies)?;
        let deferred = walked.lists.deferred.take();
        if walked.brakes && deferred.count() > 0 {
            self.hold_replacements(&deferred);
            walked.guard.replaced_files = walked.replacements;
        } else {
            self.copy_all(copier, &deferred)?;
            walked.guard.replaced_files = self.context.counts().replaced;
        }
        self.copy_later(copier)?;
        Ok(left.vanished)
    }

    fn copy_all(&self, copier: &Copier<'_>, tasks: &SpillLog) -> Result<(), Error> {
        if tasks.count() == 0 || self.context.is_over() {
            return Ok(());
        }
        self.with_queue(copier, |queue| {
            for task in tasks.forward() {
                queue.push(Task::decode(&task?)?)?;
            }
            Ok(())
        })
    }

    /// What could not be copied is tried once more, then from one snapshot after the other: a few rounds, and all is settled.
    fn copy_later(&self, copier: &Copier<'_>) -> Result<(), Error> {
        while !self.context.is_over() && !copier.postponed.waits() {
            let later = copier.take_later();
            if later.count() == 0 {
                break;
            }
            self.copy_all(copier, &later)?;
        }
        Ok(())
    }

    /// Without versions a suspicious wave of replacements would overwrite the last good copies.
    fn hold_replacements(&self, deferred: &SpillLog) {
        let detail = format!(
            "{} more changed files were not copied, because no versions are kept and so many changed at once; \
             if that is right, run again with --release-brake",
            deferred.count()
        );
        self.context.problem(&octo_core::RelPath::root(), Error::new(Code::ReplacementsHeld, detail));
    }

    /// `--backup-intent require`: any access denied makes the run fail, before anything is deleted.
    fn demand_privilege(&self) {
        if self.context.options.require_privilege
            && let Some(count) = self.context.count_of(Code::AccessDenied)
        {
            let detail = format!(
                "{} could not be read, and --backup-intent require was given",
                counted(count, "entry", "entries")
            );
            self.context.fail(Error::new(Code::PrivilegeMissing, detail));
        }
    }

    fn delete(
        &self,
        checkpoints: &Checkpoints<'_>,
        copier: &Copier<'_>,
        vanished: SpillLog,
        walked: &mut Walked<'_>,
        verdict: &mut Verdict,
    ) -> Result<(), Error> {
        let options = self.context.options;
        if options.no_delete {
            return Ok(());
        }
        let (mut guard, saw_all) = (std::mem::take(&mut walked.guard), walked.saw_all);
        let mut unread = std::mem::take(&mut walked.unread);
        guard.unread = unread.judge(self.context);
        let waits = held::held_plan(self.context.target, 0)?;
        let waits = waits.filter(|plan| !plan.until_read && options.approve.is_none());
        let plan_waits = waits.iter().map(|plan| guard::plan_waits(&plan.id));
        let standing = plan_waits.chain(self.ready.marker.braked_by.map(guard::brake_is_on)).collect();
        guard.first_after_adoption = self.ready.marker.unproven;
        guard.listings_untrusted = self.context.source.features().hides_unreadable && !options.trust_listings;
        if options.release_brake {
            guard.replaced_files = 0;
        }
        // A set that could not be seen again is not an empty one.
        let unseen = waits.filter(|_| !saw_all).map(|plan| plan.id);
        let (context, ops, journal, order) = (self.context, &self.ops, &self.journal, self.order);
        let (index, postponed) = (self.ready.index.as_ref(), &copier.postponed);
        let deletion = Deletion { context, ops, index, journal, checkpoints, order, standing, postponed, unseen };
        let allowed;
        (*verdict, allowed) = deletion.settle(vanished, guard)?;
        if !options.dry_run && !self.context.is_over() {
            unread.write(self.context.target)?;
        }
        // An approval is a person's look, and counts even if not all could be listed.
        let looked = saw_all || options.approve.is_some();
        self.proven.set(looked && verdict.because.is_empty());
        if postponed.resume() {
            self.copy_later(copier)?;
            if !self.context.is_over() {
                // What stayed may have been the only copy of one that waited.
                checkpoints.make()?;
                deletion.delete(&allowed)?;
            }
        }
        Ok(())
    }

    /// Folders that come in the place of something else are walked after the deletions; whether they can be read is asked before.
    fn look_into_late_folders(&self, kind_changes: &SpillLog, unread: &mut UnreadFolders) -> Result<(), Error> {
        if self.context.options.no_delete {
            return Ok(());
        }
        for task in kind_changes.forward() {
            let task = Task::decode(&task?)?;
            if task.meta.kind == Kind::Folder {
                unread.look_into(self.context, &task.source)?;
            }
        }
        Ok(())
    }

    /// What could not be made before something of another kind was deleted. What is held stays as it is.
    fn make_changed_kinds(&self, copier: &Copier<'_>, kind_changes: SpillLog, held: bool) -> Result<(), Error> {
        let (dry_run, no_delete) = (self.context.options.dry_run, self.context.options.no_delete);
        if kind_changes.count() == 0 || self.context.is_over() || (dry_run && held) {
            return Ok(());
        }
        let mut comparer = self.comparer();
        let mut folders = Vec::new();
        self.with_queue(copier, |queue| {
            for task in kind_changes.forward() {
                let task = Task::decode(&task?)?;
                let stays = if dry_run { no_delete } else { self.context.target.look(&task.place)?.is_some() };
                if stays {
                    if !held {
                        self.kind_stays(&task);
                    }
                    continue;
                }
                match task.meta.kind {
                    Kind::Folder => {
                        let Some(folder) = comparer.make_late_folder(&task) else { continue };
                        folders.push(folder);
                        if self.context.wants_metadata() {
                            queue.push(Task { refresh: true, old: None, ..task })?;
                        }
                    }
                    Kind::Link => comparer.make_late_link(&task),
                    _ => queue.push(task)?,
                }
            }
            Ok(())
        })?;
        let comparer = self.walk(comparer, copier, folders)?;
        let (_, lists, _) = comparer.finish()?;
        self.copy_all(copier, &lists.candidates.finish())?;
        self.copy_later(copier)?;
        if self.context.options.dry_run {
            return Ok(());
        }
        settle::folder_times(self.context, &self.ops, &lists.folder_times.finish()).map(drop)
    }

    /// Something of another kind is still there: what is in it was excluded or could not be deleted, or nothing may be.
    fn kind_stays(&self, task: &Task) {
        let detail = match self.context.options.no_delete {
            true => "the mirror has something of another kind in its place, and --no-delete was given",
            false => "the mirror still has something of another kind in its place: is there something excluded in it?",
        };
        self.context.problem(&task.source, Error::new(Code::TargetEntry, detail));
    }

    /// The index of this run: what the walk kept, and what was copied.
    fn publish_index(&self, stream: NewStream<'_>) -> Result<(), Error> {
        if !stream.differs() && self.journal.count() == 0 {
            return Ok(());
        }
        let (common, rest) = stream.finish();
        let base = index::new_records(self.ready.index.as_ref(), common, &rest);
        let journal = index::sorted_journal(self.context.target, &self.pool, self.order)?;
        let newer = index::journal_records(&journal)?;
        index::publish(self.context.target, &self.pool, self.order, self.ready.run, base, newer)
    }
}
