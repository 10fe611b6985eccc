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

/// Removes the states that the policy does not keep, and then, where less is free than wanted, the oldest; and says so. Whether
/// there were any.
pub fn prune(context: &Context<'_>, ops: &MirrorOps<'_>, now: Moment<'_>) -> Result<bool, Error> {
    let KeepVersions::Of(policy) = context.options.keep_versions else { return Ok(false) };
    let now = match now {
        Ok(now) => now.min(context.clock.now()),
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
    let freed = thinning.remove(&there, &goes)?;
    let dropped: Vec<_> = there.facts.iter().filter(|state| goes.contains(&state.number)).collect();
    if !dropped.is_empty() {
        let (states, named) = (counted(dropped.len() as u64, "state", "states"), named(&dropped));
        let freed = size(freed + unusable_bytes);
        context.remark(format!("older versions of {states} were removed, {freed}: {named}. What is kept: {policy}"));
    }
    let is_short = make_room(context, &thinning, &policy)?;
    Ok(!dropped.is_empty() || unusable_bytes > 0 || is_short)
}

/// Removes the oldest states until as much is free as wanted, or only the last ones are left. Whether there were any.
fn make_room(context: &Context<'_>, thinning: &Thinning<'_>, policy: &KeepPolicy) -> Result<bool, Error> {
    let Some(keep_free) = context.options.keep_free else { return Ok(false) };
    let free = || context.target.space().map(|space| (space.free_bytes, keep_free.bytes(space.total_bytes)));
    let (at_first, wanted) = free()?;
    let (mut dropped, mut freed, mut none_left) = (Vec::new(), 0, false);
    // Some filesystems give space back later: what was removed counts, too.
    while free()?.0 < wanted && at_first.saturating_add(freed) < wanted {
        let there = states(context.target, Some(thinning.ops.run))?;
        let Some(number) = retention::first_to_go(&there.facts, policy) else {
            none_left = true;
            break;
        };
        freed += thinning.remove(&there, &BTreeSet::from([number]))?;
        dropped.extend(there.facts.into_iter().filter(|state| state.number == number));
    }
    let missing = format!("less than {} of the target's disk were free (keep_free)", size(wanted));
    let is_any = !dropped.is_empty();
    if is_any {
        let states = counted(dropped.len() as u64, "state", "states");
        let named = named(&dropped.iter().collect::<Vec<_>>());
        let freed = size(freed);
        context.remark(format!("{missing}: older versions of {states} were removed, {freed}: {named}"));
    }
    if none_left {
        let last = policy.last_kept();
        context.remark(format!(
            "{missing}, and still are: only the last {last} states and those that are pinned are left, and they stay"
        ));
    }
    Ok(is_any)
}

fn named(states: &[&StateFacts]) -> String {
    let words = |state: &&StateFacts| format!("state {} of {} UTC", state.number, state.taken);
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

impl Thinning<'_> {
    /// Removes these states. Returns how many bytes that freed.
    fn remove(&self, there: &States, goes: &BTreeSet<u64>) -> Result<u64, Error> {
        if goes.is_empty() {
            return Ok(0);
        }
        let Steps { oldest, merges } = steps(there, goes);
        let mut freed = oldest.map_or(Ok(0), |oldest| oldest::remove(self.ops, &there.runs, oldest))?;
        for members in merges {
            let merged = Merge::plan(self.target, self.order, &members)
                .and_then(|merge| merge.map_or(Ok(0), |merge| merge.make(self.target, self.ops)));
            match merged {
                // A later run finds the room; or, on Windows, nobody who reads the records.
                Err(error) if [Code::NoSpace, Code::TargetDenied].contains(&error.code) => {}
                merged => freed += merged?,
            }
        }
        Ok(freed)
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
