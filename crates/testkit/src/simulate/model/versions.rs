//! Versions: every earlier state comes back, until it is removed for its age.

use super::ran::{Broken, Ran};
use crate::memory::MemTarget;
use crate::simulate::scenario::Power;
use crate::tree::{Tree, read_file};
use crate::versions::{before_each_run, is_oldest, runs, since};
use octo_core::{Error, Kind, Outcome, RelPath, Target, naming};
use std::collections::{BTreeMap, BTreeSet};

/// Runs whose versions are never removed.
const RUNS_KEPT_MIN: usize = 3;

/// What the clock did.
pub(super) struct Judged {
    /// Before the run, so far that it is not to be believed.
    pub(super) jumped: bool,
    /// In the run.
    pub(super) moved: bool,
    /// What it showed when the run began,
    pub(super) began: i64,
    /// and when it ended.
    pub(super) ends: i64,
}

/// The mirror before each run that can be taken back.
#[derive(Default)]
pub(super) struct Versions {
    folds_case: bool,
    states: BTreeMap<u64, Tree>,
    /// When each run ended, by the clock.
    ended: BTreeMap<u64, i64>,
    /// How many runs have versions.
    count: usize,
    /// Runs before which nothing can be had.
    gone: BTreeSet<u64>,
    /// Of the runs up to this one, a power loss may have taken records.
    doubtful_to: u64,
}

impl Versions {
    /// Of a mirror without runs.
    pub(super) fn new(folds_case: bool) -> Versions {
        Versions { folds_case, ..Versions::default() }
    }

    /// Nothing can be taken back any more.
    pub(super) fn forget(&mut self) {
        self.states.clear();
    }

    pub(super) fn ended(
        &mut self,
        target: &MemTarget,
        ran: &Ran<'_>,
        before: &[u64],
        clock: &Judged,
        recovers: bool,
    ) -> Result<(), Broken> {
        let (options, run) = (&ran.asked.options, ran.report.run);
        if options.dry_run {
            return Ok(());
        }
        let after = runs(target);
        self.count = after.len();
        self.thinned(target, ran, before, &after, clock)?;
        let after: Vec<u64> = after.into_iter().filter(|run| options.no_versions || !is_oldest(target, *run)).collect();
        let oldest = after.first().map_or(u64::MAX, |oldest| since(target, *oldest));
        let was_there = before.iter().filter(|run| !self.gone.contains(run));
        let removed: Vec<u64> = was_there.copied().filter(|run| !after.contains(run) && *run < oldest).collect();
        self.gone.extend(&removed);
        if ran.power == Some(Power::Forgets) {
            // What was not on the disk yet was lost, and with it what that run had changed.
            self.states.retain(|run, _| !removed.contains(run));
        } else if let Some(newest) = removed.iter().max() {
            self.removed(ran, *newest, &after, clock)?;
        }
        self.ended.insert(run, clock.ends);
        if options.no_versions {
            if ran.before.places != ran.after.places {
                self.forget();
            }
        } else if run > 0 {
            self.states.insert(run, ran.before.places.clone());
            if recovers {
                // First it brought back names that were missing for an instant.
                self.states.remove(&run);
            }
        }
        if ran.lost_data() {
            self.doubtful_to = run.max(self.states.keys().next_back().copied().unwrap_or(0));
        }
        self.come_back(target, &ran.after.places)
    }

    /// Versions went: only the oldest, never the last three, only after a good run, and not by a clock that jumped.
    fn removed(&mut self, ran: &Ran<'_>, newest: u64, after: &[u64], clock: &Judged) -> Result<(), Broken> {
        self.states.retain(|run, _| *run > newest);
        self.may_go(ran, newest, after, clock)
    }

    /// States went out of the middle: each as it may go, and the others stay.
    fn thinned(
        &mut self,
        target: &MemTarget,
        ran: &Ran<'_>,
        before: &[u64],
        after: &[u64],
        clock: &Judged,
    ) -> Result<(), Broken> {
        for run in after {
            let gone = since(target, *run) + 1..=*run;
            let newly: Vec<u64> = self.states.keys().copied().filter(|state| gone.contains(state)).collect();
            if let Some(newest) = newly.iter().max().filter(|_| ran.power.is_none() && before.contains(run)) {
                self.may_go(ran, *newest, after, clock)?;
            }
            self.states.retain(|state, _| !gone.contains(state));
        }
        Ok(())
    }

    /// Whether the state before this run might go, and those before it.
    fn may_go(&self, ran: &Ran<'_>, newest: u64, after: &[u64], clock: &Judged) -> Result<(), Broken> {
        let broken = |why: &str| Err(Broken::new("versions go by their age only", format!("{why}; left: {after:?}")));
        let full = ran.faults.iter().any(|fault| fault.kind() == "disk full" || fault.kind() == "little room");
        if self.count < RUNS_KEPT_MIN {
            return broken("fewer than three are left");
        }
        let keep_ticks = ran.asked.options.keep_days as i64 * 86_400 * 10_000_000;
        // A run of the future counts as written when the next one was that is none, or now.
        let written = self.ended.range(newest..).map(|(_, ended)| *ended).find(|ended| *ended <= clock.began);
        let is_due = !self.ended.contains_key(&newest) || written.is_some_and(|it| it + keep_ticks < clock.began);
        if clock.jumped || (clock.moved && !is_due) {
            return broken("the clock had jumped");
        }
        if !ran.killed
            && !full
            && !matches!(ran.report.outcome, Outcome::Succeeded | Outcome::Warnings | Outcome::Failed)
        {
            return broken("after a run that did not end well");
        }
        Ok(())
    }

    /// Where upper and lower case are the same, a name may come back in the other case.
    fn same(&self, path: &RelPath) -> RelPath {
        match self.folds_case {
            true => RelPath::parse(&naming::fold(path.as_bytes())).unwrap_or_default(),
            false => path.clone(),
        }
    }

    fn folded(&self, tree: &Tree) -> Tree {
        tree.iter().map(|(path, node)| (self.same(path), node.clone())).collect()
    }

    fn come_back(&self, target: &MemTarget, mirror: &Tree) -> Result<(), Broken> {
        if self.states.is_empty() {
            return Ok(());
        }
        let folded = |tree: &Tree| self.folded(tree);
        let taken_back = before_each_run(target, mirror, &|path| self.same(path));
        for (run, should) in &self.states {
            let now = folded(mirror);
            // Of runs whose changes are taken back together that before the first is kept.
            let is = taken_back.range(run..).next().map_or(&now, |(_, state)| state);
            let doubtful = *run <= self.doubtful_to;
            let should = folded(should);
            let paths = should.keys().chain(is.keys().filter(|_| !doubtful));
            for path in paths {
                let (was, now) = (should.get(path), is.get(path));
                let same = match (was, now) {
                    (Some(was), Some(now)) if was.kind == Kind::Folder && now.kind == Kind::Folder => true,
                    (Some(was), _) if doubtful && was.kind == Kind::Folder => true,
                    (was, now) => was == now,
                };
                if !same {
                    let detail = format!("before run {run} {path} was {was:?}, and comes back as {now:?}");
                    return Err(Broken::new("versions give back every earlier state", detail));
                }
            }
        }
        Ok(())
    }

    /// The engine shows each of these states as it was: names, kinds, contents and times.
    pub(super) fn are_shown(
        &self,
        target: &MemTarget,
        mirror: &Tree,
        before: fn(&dyn Target, u64) -> Result<Tree, Error>,
    ) -> Result<(), Broken> {
        let broken = |detail: String| Err(Broken::new("every earlier state is shown as it was", detail));
        let kept = before_each_run(target, mirror, &|path| self.same(path)).into_iter();
        // What the model has forgotten, nobody has promised.
        let kept = kept.map(|(run, it)| (since(target, run), it));
        for (run, should) in kept.filter(|(run, it)| !it.is_empty() && self.states.contains_key(run)) {
            let is = match before(target, run) {
                Ok(is) => self.folded(&is),
                Err(_) if not_kept_since(target, run) => continue,
                Err(error) => return broken(format!("before run {run}: {error}")),
            };
            if let Some(path) = should.keys().chain(is.keys()).find(|path| should.get(path) != is.get(path)) {
                let (should, is) = (should.get(path), is.get(path));
                return broken(format!("before run {run} {path} was {should:?}, and is shown as {is:?}"));
            }
        }
        Ok(())
    }
}

/// Whether a run from this one on said that it kept nothing.
fn not_kept_since(target: &MemTarget, run: u64) -> bool {
    runs(target).into_iter().filter(|it| *it >= run).any(|run| {
        let changes = RelPath::parse(format!(".octobackup/versions/{run}/changes").as_bytes()).unwrap_or_default();
        let is_there = target.look(&changes).is_ok_and(|meta| meta.is_some());
        is_there && read_file(target, &changes).windows(10).any(|words| words == b"\"not-kept\"")
    })
}
