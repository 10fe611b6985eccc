//! What a policy keeps, and what the others would free: for who looks before it is saved. Changes nothing.

use super::merge::Merge;
use super::{Steps, oldest, states, steps};
use crate::marker::Marker;
use crate::order::NameOrder;
use octo_core::retention::{KeepPolicy, LocalTime, Reason, StateFacts, reasons};
use octo_core::{Code, Error, Target, Timestamp};

/// A state, and why it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The state.
    pub state: StateFacts,
    /// Why it is kept; without one it goes with the next run that ends well.
    pub reasons: Vec<Reason>,
}

/// What a policy would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// All states, oldest first.
    pub states: Vec<Decided>,
    /// How many bytes those that go would free.
    pub freed_bytes: u64,
    /// Until a person has looked nothing goes: the run that replaced suspiciously much.
    pub braked_by: Option<u64>,
}

/// Why each state is kept, oldest first.
pub fn decided(
    target: &dyn Target,
    policy: &KeepPolicy,
    now: Timestamp,
    local: &LocalTime,
) -> Result<Vec<Decided>, Error> {
    let facts = states(target, None)?.facts;
    let reasons = reasons(&facts, policy, now, local);
    Ok(facts.into_iter().zip(reasons).map(|(state, reasons)| Decided { state, reasons }).collect())
}

/// The same, and what would be freed: looks through the versions.
pub fn forecast(
    target: &dyn Target,
    policy: &KeepPolicy,
    now: Timestamp,
    local: &LocalTime,
) -> Result<Forecast, Error> {
    let none = || Error::new(Code::Usage, "there is no mirror made by octobackup");
    let marker = Marker::read(target)?.ok_or_else(none)?;
    let order = NameOrder { folds_case: marker.abilities.names.folds_case };
    let there = states(target, None)?;
    let decided = decided(target, policy, now, local)?;
    let goes = decided.iter().filter(|it| it.reasons.is_empty()).map(|it| it.state.number).collect();
    let Steps { oldest, merges } = steps(&there, &goes);
    let mut freed_bytes = oldest.map_or(Ok(0), |oldest| oldest::would_free(target, &there.runs, oldest))?;
    for members in merges {
        if let Some(merge) = Merge::plan(target, order, &members)? {
            freed_bytes += merge.would_free(target)?;
        }
    }
    Ok(Forecast { states: decided, freed_bytes, braked_by: marker.braked_by })
}
