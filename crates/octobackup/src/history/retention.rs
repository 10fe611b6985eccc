//! `octobackup retention`, `pin` and `unpin`: which states are kept, and why.

use super::{folder, open, when};
use crate::args::history::{PinArgs, RetentionArgs, UnpinArgs};
use crate::listeners::print;
use crate::{exit, zone};
use octo_core::numbers::{count, size};
use octo_core::printable::printable;
use octo_core::{Code, Error, Target};
use octo_disk::DiskTarget;
use octo_job::keep::Keep;
use octo_mirror::history::History;
use octo_mirror::retention::{self, Decided, Pin};
use octo_server::history::{Rules, now, rules};
use serde_json::json;
use std::path::Path;

/// Shows what rules keep.
pub fn run(args: &RetentionArgs) -> Result<u8, Error> {
    let target = open(&folder(&args.mirror)?)?;
    let Rules { policy, local } = rules(&target)?;
    let simulated = args.simulate.as_ref().map(Keep::read).transpose();
    let simulated = simulated.map_err(|why| Error::new(Code::Usage, format!("--simulate: {why}")))?;
    let Some(policy) = simulated.or(policy) else {
        print("The last run kept no versions, and a run like it removes none.");
        return Ok(exit::COMPLETE);
    };
    if policy.is_empty() {
        let what = "--simulate: give at least one rule, such as all=30d";
        return Err(Error::new(Code::Usage, what));
    }
    let forecast = retention::forecast(&target, &policy, now(), &local)?;
    if !args.json {
        print("STATE  TAKEN                     IS KEPT");
    }
    for decided in forecast.states.iter().rev() {
        print(&if args.json { as_json(decided) } else { as_line(decided) });
    }
    let going = forecast.states.iter().filter(|it| it.reasons.is_empty()).count() as u64;
    if args.json {
        let sum = json!({
            "rules": policy.to_string(), "kept": forecast.states.len() as u64 - going, "removed": going,
            "freed_bytes": forecast.freed_bytes,
        });
        print(&sum.to_string());
        return Ok(exit::COMPLETE);
    }
    let (kept, freed) = (count(forecast.states.len() as u64 - going, "state"), size(forecast.freed_bytes));
    print(&format!(
        "Rules {policy}: {kept} kept, {} removed by the next run that ends well; about {freed} freed.",
        count(going, "state")
    ));
    if let Some(run) = forecast.braked_by {
        let what = format!(
            "Nothing is removed now: state {run} replaced suspiciously many files. If that is right: --release-brake."
        );
        exit::remark(&what);
    }
    Ok(exit::COMPLETE)
}

fn as_line(decided: &Decided) -> String {
    let taken = octo_report::time::seconds(decided.state.taken, &zone::shown());
    let why = why(decided);
    let why = if why.is_empty() { "no: removed" } else { &why };
    format!("{:>5}  {taken:<24}  {why}", decided.state.number)
}

/// Why a state is kept; empty if it is not.
fn why(decided: &Decided) -> String {
    printable(&decided.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn as_json(decided: &Decided) -> String {
    let state = &decided.state;
    json!({
        "state": state.number, "taken": state.taken.to_utc_text(), "pinned": state.pinned,
        "kept": !decided.reasons.is_empty(), "because": because(decided),
    })
    .to_string()
}

/// The reasons, for programs.
fn because(decided: &Decided) -> Vec<String> {
    decided.reasons.iter().map(ToString::to_string).collect()
}

/// A mirror whose pins are changed: nobody else works on it meanwhile.
fn locked(mirror: &Path) -> Result<(DiskTarget, Box<dyn Send>), Error> {
    let target = open(&folder(mirror)?)?;
    let lock = target.lock().map_err(|error| match error.code {
        Code::TargetBusy => {
            Error::new(Code::TargetBusy, "a run, a verify or a restore works on this mirror: try again after its end")
        }
        _ => error,
    })?;
    Ok((target, lock))
}

/// Pins a state.
pub fn pin(args: &PinArgs) -> Result<u8, Error> {
    // Where no mirror is, nothing is locked.
    History::open(&open(&folder(&args.mirror)?)?)?;
    let (target, _lock) = locked(&args.mirror)?;
    let number = number(&target, &args.when)?;
    retention::pin(&target, Pin { state: number, words: args.words.clone(), pinned_at: now() })?;
    print(&format!("State {number} is kept until it is unpinned."));
    Ok(exit::COMPLETE)
}

/// Unpins a state.
pub fn unpin(args: &UnpinArgs) -> Result<u8, Error> {
    History::open(&open(&folder(&args.mirror)?)?)?;
    let (target, _lock) = locked(&args.mirror)?;
    let number = number(&target, &args.when)?;
    if !retention::unpin(&target, number)? {
        exit::remark(&format!("State {number} is not pinned."));
        return Ok(exit::NOT_FOUND);
    }
    print(&format!("State {number} is kept as the rules say. The next run that ends well may remove it."));
    Ok(exit::COMPLETE)
}

/// The number of a state as `octobackup states` shows it. A run that changed nothing left the state of the one before.
fn number(target: &DiskTarget, text: &str) -> Result<u64, Error> {
    let history = History::open(target)?;
    let number = history.state(when(Some(text))?)?.number();
    let states = history.states()?;
    Ok(states.iter().rev().map(|state| state.number).find(|shown| *shown <= number).unwrap_or(number))
}
