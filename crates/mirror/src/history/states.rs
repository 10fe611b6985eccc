//! Which states there are, and which one is meant.

use super::{History, Run, State};
use crate::layout;
use octo_core::report::Counts;
use octo_core::{Code, Error, Outcome, Target, TargetFile, Timestamp};
use serde::Deserialize;
use std::io;

/// Which state is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The mirror as it is.
    Now,
    /// By its number.
    Number(u64),
    /// The newest of all that were complete at this moment.
    Time(Timestamp),
}

/// One state that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptState {
    /// The last run whose changes are in it.
    pub number: u64,
    /// When that run ended; `None` if its report is gone.
    pub taken: Option<Timestamp>,
    /// How that run ended; `None` if its report is gone.
    pub outcome: Option<Outcome>,
    /// What that run did; `None` if its report is gone.
    pub counts: Option<Counts>,
}

/// What is read of a report.
#[derive(Deserialize)]
struct Head {
    outcome: Outcome,
    started: Timestamp,
    duration_ms: u64,
    counts: Counts,
}

impl Head {
    fn ended(&self) -> Timestamp {
        Timestamp(self.started.0.saturating_add_unsigned(self.duration_ms.saturating_mul(10_000)))
    }
}

/// When a run ended, as its report says; `None` if there is none.
pub(crate) fn ended(target: &dyn Target, run: u64) -> Result<Option<Timestamp>, Error> {
    Ok(read_head(target, run)?.as_ref().map(Head::ended))
}

impl<'t> History<'t> {
    /// All states, oldest first. The last is the mirror as it is.
    pub fn states(&self) -> Result<Vec<KeptState>, Error> {
        self.numbers()?.into_iter().map(|number| self.kept(number)).collect()
    }

    /// Their numbers.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, Error> {
        let runs = self.taken_back()?;
        let oldest = runs.first().filter(|run| !run.is_first).map(|run| run.since.saturating_sub(1));
        let mut numbers: Vec<u64> = oldest.into_iter().chain(runs.iter().map(|run| run.number)).collect();
        if numbers.is_empty() {
            numbers.push(self.marker.next_run.saturating_sub(1));
        }
        Ok(numbers)
    }

    /// One of the states. An error says which there are.
    pub fn state(&'t self, when: When) -> Result<State<'t>, Error> {
        let number = match when {
            When::Now => self.marker.next_run.saturating_sub(1),
            When::Number(number) => number,
            When::Time(time) => {
                let states = self.states()?;
                let newest = states.iter().rev().find(|state| state.taken.is_some_and(|taken| taken <= time));
                newest.map(|state| state.number).ok_or_else(|| none_so_old(&format!("of {time} UTC"), &states))?
            }
        };
        if self.numbers()?.first().is_some_and(|oldest| number < *oldest) {
            return Err(none_so_old(&number.to_string(), &self.states()?));
        }
        if number >= self.marker.next_run {
            let newest = self.marker.next_run.saturating_sub(1);
            return Err(Error::new(Code::Usage, format!("there is no state {number} yet: the newest is {newest}")));
        }
        let next = self.taken_back()?.into_iter().find(|run| run.number > number);
        if let Some(next) = next.as_ref().filter(|next| next.since <= number) {
            let what = format!(
                "there is no state {number} any more: the nearest that are kept are {} and {}",
                next.since.saturating_sub(1),
                next.number
            );
            return Err(Error::new(Code::Usage, what));
        }
        let (before, since) = next.map_or((u64::MAX, u64::MAX), |next| (next.number, next.since));
        let damaged = self.tables(before..=u64::MAX)?.iter().rev().find_map(|table| {
            let line = table.damaged_line?;
            let changes = layout::changes(table.run);
            let what = format!("{changes}: line {line} is not a record: states before {} are unknown", table.run);
            Some(Error::new(Code::RecordsDamaged, format!("{what}; those from {} on can be restored", table.run)))
        });
        damaged.map_or_else(|| Ok(State::new(self, number, before, since)), Err)
    }

    /// The runs that can be taken back. What was before an empty mirror cannot be had.
    fn taken_back(&self) -> Result<Vec<Run>, Error> {
        let mut runs = self.runs()?;
        let first = runs.iter().rposition(|run| run.is_first).unwrap_or(0);
        Ok(runs.split_off(first))
    }

    fn kept(&self, number: u64) -> Result<KeptState, Error> {
        let head = read_head(self.target, number)?;
        let taken = head.as_ref().map(Head::ended);
        let (outcome, counts) = head.map_or((None, None), |head| (Some(head.outcome), Some(head.counts)));
        Ok(KeptState { number, taken, outcome, counts })
    }
}

fn none_so_old(what: &str, states: &[KeptState]) -> Error {
    let oldest = states.first().map_or_else(String::new, |state| {
        let taken = state.taken.map_or_else(String::new, |time| format!(" of {time} UTC"));
        format!(": the oldest is state {}{taken}", state.number)
    });
    Error::new(Code::Usage, format!("there is no state {what}{oldest}"))
}

/// What a report says of its run; `None` if there is none, or it cannot be read.
fn read_head(target: &dyn Target, run: u64) -> Result<Option<Head>, Error> {
    let Some(file) = target.open_file(&layout::report(run))? else { return Ok(None) };
    // The list of problems may be long: it is passed over as it is read.
    Ok(serde_json::from_reader(io::BufReader::new(Reading { file: &*file, at: 0 })).ok())
}

struct Reading<'f> {
    file: &'f dyn TargetFile,
    at: u64,
}

impl io::Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, buffer).map_err(|error| io::Error::other(error.to_string()))?;
        self.at += read as u64;
        Ok(read)
    }
}
