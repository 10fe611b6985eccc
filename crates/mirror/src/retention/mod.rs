//! Which states are kept: removes the others, from the oldest on or out of the middle, and says why each stays.
//!
//! The decision is [`octo_core::retention`]'s. Every state that stays is exactly what it was, whenever the process dies. Nothing
//! goes while a person has to look (a brake, held deletions), by a clock that is in doubt, or where it is not known what is pinned.
//! DESIGN section 7.

mod forecast;
mod merge;
mod oldest;
mod overdue;
mod pins;
mod states;
mod sweep;

pub use forecast::{Decided, Forecast, decided, forecast};
pub use overdue::Overdue;
pub use pins::{Pin, pin, pins};
pub use states::unpin;

use crate::context::Context;
use crate::mirror_ops::MirrorOps;
use crate::order::NameOrder;
use crate::space::size;
use crate::versions::VersionedRun;
use crate::{files, layout};
use merge::Merge;
use octo_core::clock_trust::Doubt;
use octo_core::printable::counted;
use octo_core::retention::{self, KeepPolicy, KeepVersions, RUNS_KEPT_MIN, StateFacts};
use octo_core::{Code, Error, Target, Timestamp};
use states::{States, states};
use std::collections::BTreeSet;

/// When the run began, if its clock was believed then. What the clock shows later was not checked: it may have jumped since.
pub type Moment<'a> = Result<Timestamp, &'a Doubt>;

/// States that are named in a report.
const NAMED_MAX: usize = 10;

/// When states are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In a run that needs room: it is not known yet whether it replaces suspiciously much. Only what the policy does not keep goes.
    Within,
    /// At the end of a run that went well.
    AtEnd,
}

/// Removes the states that the policy does not keep, and then, where less is free than wanted, the oldest; and says so. Whether
/// there were any.
pub fn prune(context: &Context<'_>, ops: &MirrorOps<'_>, now: Moment<'_>, when: When) -> Result<bool, Error> {
    let KeepVersions::Of(policy) = context.options.keep_versions else { return Ok(false) };
    let now = match now {
        Ok(now) if context.clock.now() < now => {
            // States since then would look as if they were of one moment.
            context.remark(format!(
                "no older version was removed: the clock shows a time before {now} UTC, when this run began"
            ));
            return Ok(false);
        }
        Ok(now) => now,
        Err(doubt) => {
            context.remark(format!("no older version was removed for its age: {doubt}"));
            return Ok(false);
        }
    };
    let target = context.target;
    let order = NameOrder { folds_case: ops.abilities.names.folds_case };
    files::ensure_folder(target, &layout::staging(ops.run))?;
    let there = match states(target, Some(ops.run)) {
        Err(error) if [Code::RecordsDamaged, Code::NewerFormat].contains(&error.code) => {
            context.remark(format!(
                "no older version was removed, because it is not known which states there are, or which are pinned: {error}"
            ));
            return Ok(false);
        }
        there => there?,
    };
    let thinning = Thinning { target, ops, order };
    merge::finish(target, order, &there.runs)?;
    let unusable_bytes = thinning.unusable(&there, &policy, now)?;
    let reasons = retention::reasons(&there.facts, &policy, now, &context.options.local_time);
    let goes = there.facts.iter().zip(&reasons).filter(|(_, reasons)| reasons.is_empty());
    let goes: BTreeSet<u64> = goes.map(|(state, _)| state.number).collect();
    let removed = thinning.remove(&there, &goes)?;
    if !removed.states.is_empty() {
        let (states, named) = (counted(removed.states.len() as u64, "state", "states"), named(&removed.states));
        let freed = size(removed.freed + unusable_bytes);
        context.remark(format!("older versions of {states} were removed, {freed}: {named}. What is kept: {policy}"));
    }
    if let Some(why) = &removed.refused {
        context.remark(format!("not all older versions that are due could be removed: {why}"));
    }
    let is_short = when == When::AtEnd && make_room(context, &thinning, &policy)?;
    Ok(!removed.states.is_empty() || unusable_bytes > 0 || is_short)
}

/// Removes the oldest states until as much is free as wanted, or only the last ones are left. Whether there were any.
fn make_room(context: &Context<'_>, thinning: &Thinning<'_>, policy: &KeepPolicy) -> Result<bool, Error> {
    let Some(keep_free) = context.options.keep_free else { return Ok(false) };
    let free = || context.target.space().map(|space| (space.free_bytes, keep_free.bytes(space.total_bytes)));
    let (at_first, wanted) = free()?;
    let (mut dropped, mut freed, mut none_left, mut refused) = (Vec::new(), 0, false, None);
    // Some filesystems give space back later: what was removed counts, too.
    while !context.cancel.is_cancelled() && free()?.0 < wanted && at_first.saturating_add(freed) < wanted {
        let there = states(context.target, Some(thinning.ops.run))?;
        let Some(number) = retention::first_to_go(&there.facts, policy) else {
            none_left = true;
            break;
        };
        let removed = thinning.remove(&there, &BTreeSet::from([number]))?;
        freed += removed.freed;
        if removed.states.is_empty() {
            // It would not go the next time either.
            let unknown = || format!("state {number} is still there");
            refused = Some(removed.refused.unwrap_or_else(unknown));
            break;
        }
        dropped.extend(removed.states);
    }
    let missing = format!("less than {} of the target's disk were free (keep_free)", size(wanted));
    let is_any = !dropped.is_empty();
    if is_any {
        let states = counted(dropped.len() as u64, "state", "states");
        let named = named(&dropped);
        let freed = size(freed);
        context.remark(format!("{missing}: older versions of {states} were removed, {freed}: {named}"));
    }
    if let Some(why) = refused {
        context.remark(format!("{missing}, and still are: the oldest state could not be removed: {why}"));
    }
    if none_left {
        let last = policy.last_kept();
        context.remark(format!(
            "{missing}, and still are: only the last {last} states and those that are pinned are left, and they stay"
        ));
    }
    Ok(is_any)
}

fn named(states: &[StateFacts]) -> String {
    let words = |state: &StateFacts| format!("state {} of {} UTC", state.number, state.taken);
    let some = states.iter().take(NAMED_MAX).map(words).collect::<Vec<_>>().join(", ");
    match states.len().checked_sub(NAMED_MAX) {
        None | Some(0) => some,
        Some(more) => format!("{some} and {more} more"),
    }
}

/// Removes states.
struct Thinning<'a> {
    target: &'a dyn Target,
    ops: &'a MirrorOps<'a>,
    order: NameOrder,
}

/// What is to be done for some states to go.
struct Steps {
    /// The oldest state that is kept, if an older one goes.
    oldest: Option<u64>,
    /// Runs whose records come together.
    merges: Vec<Vec<VersionedRun>>,
}

fn steps(there: &States, goes: &BTreeSet<u64>) -> Steps {
    let stays: Vec<u64> = there.facts.iter().map(|state| state.number).filter(|state| !goes.contains(state)).collect();
    let is_older_gone = there.facts.first().is_some_and(|oldest| goes.contains(&oldest.number));
    let between = |older: u64, newer: u64| {
        there.runs.iter().filter(|run| (older + 1..=newer).contains(&run.run)).copied().collect::<Vec<_>>()
    };
    let merges = stays.windows(2).map(|pair| between(pair[0], pair[1])).filter(|runs| runs.len() > 1).collect();
    Steps { oldest: stays.first().copied().filter(|_| is_older_gone), merges }
}

/// What went.
struct Removed {
    states: Vec<StateFacts>,
    freed: u64,
    /// Why not all.
    refused: Option<String>,
}

impl Thinning<'_> {
    /// Removes these states, as far as that is possible.
    fn remove(&self, there: &States, goes: &BTreeSet<u64>) -> Result<Removed, Error> {
        let mut removed = Removed { states: Vec::new(), freed: 0, refused: None };
        if goes.is_empty() {
            return Ok(removed);
        }
        let Steps { oldest, merges } = steps(there, goes);
        let mut done = |step: Result<u64, Error>| match step {
            // A later run finds the room; or, on Windows, nobody who reads the records.
            Err(error) if [Code::NoSpace, Code::TargetDenied, Code::RecordsDamaged].contains(&error.code) => {
                removed.refused.get_or_insert(error.to_string());
                Ok(())
            }
            step => step.map(|freed| removed.freed += freed),
        };
        if let Some(oldest) = oldest {
            done(oldest::remove(self.ops, &there.runs, oldest))?;
        }
        for members in merges {
            done(self.merge(&members))?;
        }
        let left = states(self.target, Some(self.ops.run))?.facts;
        let is_left = |number| left.iter().any(|state| state.number == number);
        let gone = there.facts.iter().filter(|state| goes.contains(&state.number) && !is_left(state.number));
        removed.states = gone.cloned().collect();
        Ok(removed)
    }

    fn merge(&self, members: &[VersionedRun]) -> Result<u64, Error> {
        match Merge::plan(self.target, self.order, members)? {
            Some(merge) => merge.make(self.target, self.ops),
            None => {
                let runs: Vec<String> = members.iter().map(|member| member.run.to_string()).collect();
                let what =
                    format!("a line is not a record in versions/<run>/changes of one of the runs {}", runs.join(", "));
                Err(Error::new(Code::RecordsDamaged, what))
            }
        }
    }

    /// Versions before a state that cannot be had serve nobody but who looks for one file by hand: they go by their age.
    fn unusable(&self, there: &States, policy: &KeepPolicy, now: Timestamp) -> Result<u64, Error> {
        let KeepVersions::Of(usual) = KeepVersions::default() else { return Ok(0) };
        let secs = policy.all_secs.or(usual.all_secs).unwrap_or_default();
        let limit = now.plus_secs(i64::try_from(secs).unwrap_or(i64::MAX).saturating_neg());
        let total = there.unusable.len() + there.runs.len();
        let may_go = there.unusable.len().min(total.saturating_sub(RUNS_KEPT_MIN as usize));
        let old = there.unusable[..may_go].iter().take_while(|run| run.written < limit).count();
        let old = &there.unusable[..old];
        old.last().map_or(Ok(0), |last| oldest::remove(self.ops, old, last.run))
    }
}
