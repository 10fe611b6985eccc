//! What must be true after each run, whatever happened in it: DESIGN sections 3 and 4, written naively. It never asks the engine.

mod details;
mod names;
mod ran;
mod report;
mod versions;

pub use ran::Broken;
pub(super) use ran::Ran;

use super::scenario::Scenario;
use super::view::{Mirror, included};
use crate::memory::{Details, MemTarget, MemTree};
use crate::tree::{Tree, read_file};
use octo_core::{Abilities, Change, Clock, Filter, Kind, Outcome, RelPath, RunReport, Target, TimeRules};
use std::collections::{BTreeMap, BTreeSet};

/// A plan that waits for a person.
#[derive(Debug, Default, Clone)]
struct WaitingPlan {
    until_read: bool,
    paths: BTreeSet<RelPath>,
}

/// What the model remembers from run to run.
pub(super) struct Model {
    hard_links: bool,
    metadata: bool,
    times: TimeRules,
    versions: versions::Versions,
    /// Deletions were approved at some time: folders may have been accepted as unreadable.
    approved: bool,
    /// The mirrors since the last run that ended by itself.
    older: Vec<Tree>,
    older_details: Vec<BTreeMap<RelPath, Details>>,
    /// The last mirror that was on the disk for certain.
    durable: Tree,
    /// Before this run.
    plan: Option<WaitingPlan>,
    runs_before: Vec<u64>,
    /// The moment that the last run saw, and the one that this run began at.
    last_moment: Option<i64>,
    now: i64,
    clock_jumped: bool,
    jumped_before: bool,
}

const JUMP_TICKS: i64 = 14 * 86_400 * 10_000_000;

fn ours(text: &str) -> RelPath {
    RelPath::parse(format!("{}/{text}", octo_core::RESERVED).as_bytes()).unwrap_or_default()
}

impl Model {
    pub(super) fn new(scenario: &Scenario) -> Model {
        let times = match scenario.coarse_times {
            true => TimeRules { granularity_ticks: 20_000_000, ..TimeRules::EXACT },
            false => Abilities::full("").times,
        };
        Model {
            hard_links: scenario.hard_links,
            times,
            versions: versions::Versions::new(scenario.folds_case),
            approved: false,
            older: Vec::new(),
            older_details: Vec::new(),
            metadata: scenario.metadata,
            durable: Tree::new(),
            plan: None,
            runs_before: Vec::new(),
            last_moment: None,
            now: 0,
            clock_jumped: false,
            jumped_before: false,
        }
    }

    /// Somebody changed the mirror by hand: earlier states cannot be derived from what is there any more.
    pub(super) fn edited(&mut self, target: &MemTarget) {
        self.durable = Mirror::of(target).places;
        self.versions.forget();
    }

    /// Before a run.
    pub(super) fn begins(&mut self, target: &MemTarget, clock: &dyn Clock) {
        self.plan = waiting_plan(target);
        self.runs_before = crate::versions::runs(target);
        self.now = clock.now().0;
        let jump = self.last_moment.map_or(0, |last| self.now.abs_diff(last));
        // A clock that jumps again and again may be believed in the end.
        let jumped = jump > JUMP_TICKS.unsigned_abs();
        self.clock_jumped = jumped && !self.jumped_before;
        self.jumped_before |= jumped;
    }

    /// After a run. `before` is the mirror before a run as the engine shows it.
    pub(super) fn ended(
        &mut self,
        target: &MemTarget,
        clock: &dyn Clock,
        ran: &Ran<'_>,
        before: fn(&dyn Target, u64) -> Result<Tree, octo_core::Error>,
    ) -> Result<(), Broken> {
        self.judge(target, clock, ran)?;
        self.versions.are_shown(target, &ran.after.places, before)
    }

    fn judge(&mut self, target: &MemTarget, clock: &dyn Clock, ran: &Ran<'_>) -> Result<(), Broken> {
        self.approved |= ran.asked.approve.is_some();
        self.older.push(ran.before.places.clone());
        self.older_details.push(ran.before.details.clone());
        names::whole(ran, &self.older)?;
        details::whole(ran, &self.older_details)?;
        names::nothing_in_what_is_excluded(ran)?;
        self.deletions(target, ran)?;
        let recovers = self.older.len() > 1 && !self.hard_links;
        report::agrees(ran, recovers)?;
        if ran.is_complete() {
            report::nothing_silent(ran, &self.times)?;
            details::nothing_silent(ran)?;
            ended_on_disk(target, ran.report)?;
        }
        let moved = clock.now().0.abs_diff(self.now) > JUMP_TICKS.unsigned_abs();
        if moved {
            self.jumped_before = true;
        }
        let judged = versions::Judged { jumped: self.clock_jumped, moved, began: self.now, ends: clock.now().0 };
        self.versions.ended(target, ran, &self.runs_before, &judged, recovers)?;
        if !ran.asked.options.dry_run {
            self.last_moment = Some(self.now);
        }
        if ran.is_complete() || ran.power.is_some() {
            self.durable = ran.after.places.clone();
        }
        if ran.is_complete() {
            self.older.clear();
            self.older_details.clear();
        }
        Ok(())
    }

    fn deletions(&self, target: &MemTarget, ran: &Ran<'_>) -> Result<(), Broken> {
        let kept = |place: &RelPath| {
            let versions = ours(&format!("versions/{}/tree", ran.report.run));
            !self.hard_links && target.look(&versions.join_path(place)).ok().flatten().is_some()
        };
        names::nothing_gone_without_proof(ran, &self.durable, kept)?;
        let deleted: Vec<&RelPath> = ran
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Deleted { path, kind: Kind::File, .. } => Some(path),
                _ => None,
            })
            .collect();
        let options = &ran.asked.options;
        if deleted.is_empty() || options.dry_run {
            return Ok(());
        }
        let in_plan = |path: &&&RelPath| self.plan.as_ref().is_some_and(|plan| plan.paths.contains(**path));
        let approves = ran.asked.approve.is_some();
        let free = deleted.iter().filter(|path| !(approves && in_plan(path))).count() as u64;
        let broken =
            |why: &str| Err(Broken::new("deletions that have to wait are held", format!("{why}: {deleted:?}")));
        if options.no_delete {
            return broken("nothing may be deleted");
        }
        if free > 0 && ran.heard.states.iter().all(|state| included(state, &ran.asked.filter).is_empty()) {
            return broken("the source is empty");
        }
        if options.max_delete.is_some_and(|limit| free > limit) {
            return broken("more than --max-delete");
        }
        if !approves && self.plan.as_ref().is_some_and(|plan| !plan.until_read) {
            return broken("a plan waits for a person");
        }
        if !self.approved && free > 0 && names::has_unread(ran) {
            return broken("a folder could not be read");
        }
        Ok(())
    }

    /// After the last fault and two runs.
    pub(super) fn settled(&self, mirror: &Mirror, tree: &MemTree, report: &RunReport) -> Result<(), Broken> {
        let fails = |detail: String| Err(Broken::new("two runs after the last fault the mirror is equal", detail));
        let source = &tree.as_tree();
        let reserved = source.keys().any(|path| {
            path.top().is_some_and(|top| top.as_bytes().eq_ignore_ascii_case(octo_core::RESERVED.as_bytes()))
        });
        let fine = report.outcome == Outcome::Succeeded || (reserved && report.outcome == Outcome::Warnings);
        if !fine {
            return fails(format!("{report:#?}"));
        }
        let source = included(source, &Filter::everything());
        if self.metadata
            && let Some(details) = tree.details().first()
            && let Some(detail) = details::different(mirror, details, &source)
        {
            return fails(detail);
        }
        let mirror = mirror.by_origin();
        let paths: BTreeSet<&RelPath> = source.keys().chain(mirror.keys()).collect();
        for path in paths {
            let (should, is) = (source.get(path), mirror.get(path));
            let same = match (should, is) {
                (Some(should), Some(is)) => {
                    should.kind == is.kind
                        && should.content == is.content
                        && self.times.represent(should.write_time) == is.write_time
                }
                _ => false,
            };
            if !same {
                return fails(format!("{path}: is {is:?}, should be {should:?}"));
            }
        }
        Ok(())
    }
}

/// What `held/plan.jsonl` says.
fn waiting_plan(target: &MemTarget) -> Option<WaitingPlan> {
    let at = ours("held/plan.jsonl");
    target.look(&at).ok().flatten()?;
    let text = read_file(target, &at);
    let mut lines =
        text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let head = lines.next()?;
    let paths = lines.filter_map(|line| RelPath::from_text(line["path"].as_str()?)).collect();
    Some(WaitingPlan { until_read: head["until_read"] == true, paths })
}

/// A run that ended left nothing open, and its report.
fn ended_on_disk(target: &MemTarget, report: &RunReport) -> Result<(), Broken> {
    let there = |text: &str| target.look(&ours(text)).ok().flatten().is_some();
    let broken = |what: String| Err(Broken::new("a run that ended is ended on the disk", what));
    if there("run.open") {
        return broken("run.open is still there".to_owned());
    }
    if there(&format!("tmp/{}", report.run)) {
        return broken("its staging folder is still there".to_owned());
    }
    if !there(&format!("reports/{}.json", report.run)) {
        return broken("its report is not there".to_owned());
    }
    Ok(())
}
