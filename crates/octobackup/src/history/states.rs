//! `octobackup states`: the states of a mirror that can be had.

use super::{Failed, Place, as_json, open, place};
use crate::args::history::StatesArgs;
use crate::listeners::print;
use crate::{exit, zone};
use octo_api::history::KeptState;
use octo_core::Outcome;
use octo_core::numbers::{count, size};
use octo_core::printable::printable;
use octo_mirror::history::History;

/// Lists them, the newest first.
pub fn run(args: &StatesArgs) -> Result<u8, Failed> {
    let states = match place(&args.mirror, &args.server)? {
        Place::Job(job) => job.states()?,
        Place::Folder(folder) => {
            let target = open(&folder)?;
            octo_server::history::states(&History::open(&target)?)?
        }
    };
    if !args.server.json {
        print("STATE  TAKEN                     THE RUN THAT MADE IT [WHY IT IS KEPT]");
    }
    for state in &states {
        print(&if args.server.json { as_json(state) } else { as_line(state) });
    }
    Ok(exit::COMPLETE)
}

fn as_line(state: &KeptState) -> String {
    let taken = state.taken.map_or_else(|| "(under way, or no report)".to_owned(), |at| at.local_secs(&zone::shown()));
    let why = state.because.as_ref().map(|why| if why.is_empty() { "not any more".to_owned() } else { why.join(", ") });
    let why = why.map_or_else(String::new, |why| format!(" [{}]", printable(&why)));
    format!("{:>5}  {taken:<24}  {}{why}", state.state, run_words(state))
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
