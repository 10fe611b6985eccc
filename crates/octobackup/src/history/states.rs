//! `octobackup states`: the states of a mirror that can be had.

use super::open;
use crate::args::history::StatesArgs;
use crate::listeners::print;
use crate::{exit, zone};
use octo_core::numbers::{count, size};
use octo_core::{Error, Outcome};
use octo_mirror::history::{History, KeptState};
use serde_json::json;

/// Lists them, the newest first.
pub fn run(args: &StatesArgs) -> Result<u8, Error> {
    let target = open(&args.mirror)?;
    let history = History::open(&target)?;
    let states = history.states()?;
    if !args.json {
        print("STATE  TAKEN                     THE RUN THAT MADE IT");
    }
    for state in states.iter().rev() {
        print(&if args.json { as_json(state) } else { as_line(state) });
    }
    Ok(exit::COMPLETE)
}

fn as_line(state: &KeptState) -> String {
    let taken = state
        .taken
        .map_or_else(|| "(under way, or no report)".to_owned(), |at| octo_report::time::seconds(at, &zone::shown()));
    format!("{:>5}  {taken:<24}  {}", state.number, run_words(state))
}

fn run_words(state: &KeptState) -> String {
    let Some(counts) = &state.counts else { return String::new() };
    let mut words = Vec::new();
    let mut say = |number: u64, what: &str| {
        if number > 0 {
            words.push(format!("{} {what}", octo_core::numbers::thousands(number)));
        }
    };
    say(counts.created, "new");
    say(counts.replaced, "changed");
    say(counts.moved, "moved");
    say(counts.deleted, "deleted");
    if counts.copied_bytes > 0 {
        words.push(format!("{} copied", size(counts.copied_bytes)));
    }
    let ended = match state.outcome {
        Some(Outcome::Failed) => "FAILED; ",
        Some(Outcome::Cancelled) => "cancelled; ",
        Some(Outcome::Warnings) => "with problems; ",
        _ => "",
    };
    let what = if words.is_empty() { count(0, "change") } else { words.join(", ") };
    format!("{ended}{what}")
}

fn as_json(state: &KeptState) -> String {
    json!({
        "state": state.number, "taken": state.taken.map(|at| at.to_utc_text()), "outcome": state.outcome,
        "counts": state.counts,
    })
    .to_string()
}
