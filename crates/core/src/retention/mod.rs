//! Which states of a mirror are kept, and why. Pure: it reads no clock, and that `now` may be believed is the caller's to know
//! ([`clock_trust`](crate::clock_trust)). A state that is in doubt is kept.

mod calendar;
mod policy;

pub use calendar::{Every, LocalTime};
pub use policy::{KeepFree, KeepPolicy, KeepVersions, RUNS_KEPT_MIN, short_age};

use crate::time::{TICKS_PER_SEC, Timestamp};
use std::collections::BTreeMap;
use std::fmt;

/// One state, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFacts {
    /// Its number.
    pub number: u64,
    /// When it came to be.
    pub taken: Timestamp,
    /// When the next run changed something; `None` of the mirror as it is.
    pub replaced: Option<Timestamp>,
    /// Whether the run that made it came to its end.
    pub is_complete: bool,
    /// What the person wrote who pinned it.
    pub pinned: Option<String>,
}

/// Why a state is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is the mirror.
    Newest,
    /// A person said so, with these words.
    Pinned(String),
    /// It is one of so many before the newest.
    Last(u32),
    /// The mirror was so not longer ago than these seconds.
    Within(u64),
    /// It is the last one of a period.
    Of(Every, i64),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Newest => f.write_str("the mirror as it is"),
            Reason::Pinned(words) if words.is_empty() => f.write_str("pinned"),
            Reason::Pinned(words) => write!(f, "pinned: {words}"),
            Reason::Last(count) => write!(f, "one of the last {count}"),
            Reason::Within(secs) => write!(f, "within {}", policy::age_words(*secs)),
            Reason::Of(every, period) => write!(f, "last of {}", every.words(*period)),
        }
    }
}

/// Why each state is kept, in the order of `states`, which is by number; one without a reason may go.
pub fn reasons(states: &[StateFacts], policy: &KeepPolicy, now: Timestamp, local: &LocalTime) -> Vec<Vec<Reason>> {
    let states = with_moments(states, now);
    let mut reasons: Vec<Vec<Reason>> = vec![Vec::new(); states.len()];
    let Some(newest) = states.len().checked_sub(1) else { return reasons };
    reasons[newest].push(Reason::Newest);
    let last = policy.last_kept();
    let age = policy.all_secs.map(|secs| (secs, before(now, secs)));
    for (at, state) in states.iter().enumerate() {
        if let Some(words) = &state.pinned {
            reasons[at].push(Reason::Pinned(words.clone()));
        }
        if at < newest && newest - at <= last as usize {
            reasons[at].push(Reason::Last(last));
        }
        if let Some((secs, limit)) = age
            && state.replaced.is_some_and(|replaced| replaced >= limit)
        {
            reasons[at].push(Reason::Within(secs));
        }
    }
    for every in Every::ALL {
        let count = policy.count(every) as usize;
        for (period, at) in last_of_each(&states, every, local).into_iter().rev().take(count) {
            reasons[at].push(Reason::Of(every, period));
        }
    }
    reasons
}

/// The last state of each period that has any. One whose run did not come to its end only if the period has no other.
fn last_of_each(states: &[StateFacts], every: Every, local: &LocalTime) -> BTreeMap<i64, usize> {
    let mut last = BTreeMap::new();
    for (at, state) in states.iter().enumerate() {
        let known = last.entry(every.period(state.taken, local)).or_insert(at);
        if state.is_complete || !states[*known].is_complete {
            *known = at;
        }
    }
    last
}

/// The state that goes first where less than wanted is free: the oldest that is not pinned. The last ones stay, however little
/// is free; `None`: only those are left.
pub fn first_to_go(states: &[StateFacts], policy: &KeepPolicy) -> Option<u64> {
    let older = states.len().saturating_sub(1 + policy.last_kept() as usize);
    states[..older].iter().find(|state| state.pinned.is_none()).map(|state| state.number)
}

fn before(now: Timestamp, secs: u64) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(TICKS_PER_SEC)))
}

/// The states with moments that follow each other. A clock that was wrong must neither make a state older than it is nor keep it,
/// and all that came after it, for ever: a moment that has not come yet is that of what came after it, or now; and nothing happened
/// before what came before it.
fn with_moments(states: &[StateFacts], now: Timestamp) -> Vec<StateFacts> {
    let mut states = states.to_vec();
    let mut after = now;
    let mut not_later = |moment: &mut Timestamp| {
        if *moment > now {
            *moment = after;
        }
        after = *moment;
    };
    for state in states.iter_mut().rev() {
        state.replaced.iter_mut().for_each(&mut not_later);
        not_later(&mut state.taken);
    }
    let mut earlier = Timestamp(i64::MIN);
    let mut not_earlier = |moment: &mut Timestamp| {
        *moment = earlier.max(*moment);
        earlier = *moment;
    };
    for state in &mut states {
        not_earlier(&mut state.taken);
        state.replaced.iter_mut().for_each(&mut not_earlier);
    }
    states
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
