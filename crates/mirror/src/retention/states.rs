//! The states of a mirror, as far as it matters for which are kept.

use super::pins::{pins, remove};
use crate::history::states::ended;
use crate::layout;
use crate::marker::Marker;
use crate::versions::{VersionedRun, versioned_runs};
use octo_core::retention::StateFacts;
use octo_core::{Code, Error, Outcome, Target};

/// A report's first fields: numbers, and how the run ended.
const HEAD_BYTES: usize = 256;

/// The states, oldest first, and the runs that are taken back to them. Runs before a state that cannot be had are left out.
pub struct States {
    pub facts: Vec<StateFacts>,
    pub runs: Vec<VersionedRun>,
    /// Earlier runs: what was before them cannot be had.
    pub unusable: Vec<VersionedRun>,
}

/// Looks which states there are. `ending` is a run that has no report yet.
pub fn states(target: &dyn Target, ending: Option<u64>) -> Result<States, Error> {
    let mut unusable = versioned_runs(target)?;
    if let Some(run) = unusable.iter().find(|run| run.is_damaged) {
        let changes = layout::changes(run.run);
        let what = format!("{changes}: line 1 is not a record: it is not known which runs' changes these are");
        return Err(Error::new(Code::RecordsDamaged, what));
    }
    let runs = unusable.split_off(unusable.iter().rposition(|run| run.is_first).unwrap_or(0));
    let pins = pins(target)?;
    let mut facts: Vec<StateFacts> = Vec::new();
    let mut push = |number, taken, replaced| -> Result<(), Error> {
        let is_complete = ending == Some(number) || outcome(target, number)?.is_some_and(is_good);
        facts.push(StateFacts { number, taken, replaced, is_complete, pinned: None });
        Ok(())
    };
    if let Some(first) = runs.first().filter(|run| !run.is_first) {
        let number = first.since.saturating_sub(1);
        push(number, ended(target, number)?.unwrap_or(first.since_written), Some(first.since_written))?;
    }
    for (at, run) in runs.iter().enumerate() {
        push(run.run, run.written, runs.get(at + 1).map(|next| next.since_written))?;
    }
    if facts.is_empty() {
        let none = || Error::new(Code::Usage, "there is no mirror made by octobackup");
        let number = Marker::read(target)?.ok_or_else(none)?.next_run.saturating_sub(1);
        let taken = ended(target, number)?.unwrap_or_default();
        facts.push(StateFacts { number, taken, replaced: None, is_complete: true, pinned: None });
    }
    for pin in pins {
        // A run that changed nothing left the state of the one before.
        let found = facts.iter_mut().rev().find(|state| state.number <= pin.state);
        if let Some(state) = found {
            state.pinned = Some(pin.words);
        }
    }
    Ok(States { facts, runs, unusable })
}

/// Unpins a state. Whether it was pinned. The caller holds the mirror's lock.
pub fn unpin(target: &dyn Target, state: u64) -> Result<bool, Error> {
    let facts = states(target, None)?.facts;
    let next = facts.iter().map(|it| it.number).find(|number| *number > state).unwrap_or(u64::MAX);
    remove(target, |pin| (state..next).contains(&pin.state))
}

fn is_good(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Succeeded | Outcome::Warnings | Outcome::Held)
}

/// How a run ended; `None` if there is no report that says it. The list of problems, which may be long, is not read.
fn outcome(target: &dyn Target, run: u64) -> Result<Option<Outcome>, Error> {
    let Some(file) = target.open_file(&layout::report(run))? else { return Ok(None) };
    let mut head = vec![0; HEAD_BYTES];
    let read = file.read_at(0, &mut head)?;
    let text = String::from_utf8_lossy(&head[..read]);
    let word = text.split_once("\"outcome\":").and_then(|(_, rest)| rest.split(',').next());
    Ok(word.and_then(|word| serde_json::from_str(word).ok()))
}
