//! One run as the model sees it, and how a broken rule is described.

use crate::simulate::Asked;
use crate::simulate::scenario::{Fault, Power};
use crate::simulate::source::Heard;
use crate::simulate::view::{Mirror, included};
use crate::tree::Tree;
use octo_core::{Change, Filter, Kind, Outcome, Problem, RelPath, RunReport};
use std::collections::BTreeMap;
use std::fmt;

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which rule.
    pub rule: &'static str,
    /// After which run, from 1.
    pub round: usize,
    /// What is not as it should be.
    pub detail: String,
}

impl Broken {
    pub(in crate::simulate) fn new(rule: &'static str, detail: impl Into<String>) -> Broken {
        Broken { rule, round: 0, detail: detail.into() }
    }

    pub(in crate::simulate) fn in_round(mut self, round: usize) -> Broken {
        self.round = round;
        self
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after run {}: {}: {}", self.round, self.rule, self.detail)
    }
}

/// One run, as the model sees it.
pub(in crate::simulate) struct Ran<'a> {
    pub(in crate::simulate) before: &'a Mirror,
    pub(in crate::simulate) folds_case: bool,
    pub(in crate::simulate) metadata: bool,
    pub(in crate::simulate) after: &'a Mirror,
    pub(in crate::simulate) heard: Heard,
    pub(in crate::simulate) changes: Vec<Change>,
    pub(in crate::simulate) problems: Vec<Problem>,
    pub(in crate::simulate) report: &'a RunReport,
    pub(in crate::simulate) asked: &'a Asked,
    pub(in crate::simulate) faults: &'a [Fault],
    pub(in crate::simulate) killed: bool,
    pub(in crate::simulate) power: Option<Power>,
}

impl Ran<'_> {
    /// The run came to its end, and its mirror is complete but for what it names.
    pub(super) fn is_complete(&self) -> bool {
        let complete = matches!(self.report.outcome, Outcome::Succeeded | Outcome::Warnings | Outcome::Held);
        complete && !self.killed && !self.asked.options.dry_run
    }

    /// The power took data of files.
    pub(super) fn lost_data(&self) -> bool {
        matches!(self.power, Some(Power::LeavesZeros | Power::LeavesSome(_)))
    }
}

/// By path on the source, for all states of it during a run.
pub(super) fn stable(states: &[Tree], filter: &Filter) -> Tree {
    let mut states = states.iter().map(|state| included(state, filter));
    let mut stable = states.next().unwrap_or_default();
    for state in states {
        stable.retain(|path, node| state.get(path) == Some(node));
    }
    stable
}

/// Everything that was on the source at any time during a run.
pub(super) fn ever(states: &[Tree], filter: &Filter) -> BTreeMap<RelPath, Kind> {
    states.iter().flat_map(|state| included(state, filter)).map(|(path, node)| (path, node.kind)).collect()
}
