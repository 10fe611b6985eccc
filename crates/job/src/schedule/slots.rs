//! From civil time to moments, and what happens where the two do not fit.
//!
//! A schedule that names a time of day has exactly one slot for each such time: one that falls into a skipped hour is due
//! when that hour would have begun, at the moment of the change; one in a repeated hour is due the first time. A schedule
//! that says how often follows real time: it has no slots in an hour that does not exist, and twice as many in one that
//! comes twice. That is what cron does, so there is nothing new to learn.

use super::form::{Part, Schedule};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, ToSpan};
use octo_api::moment::Moment;
use std::collections::BTreeSet;

/// How far civil time and moments can disagree in order: no clock was ever put back or forward by more than a day.
const SHIFT_MAX: SignedDuration = SignedDuration::from_hours(25);
/// A leap day comes at least every 8 years.
const YEARS_AHEAD_MAX: i64 = 9;

/// The moments in `(after, until]`, in order; at most `count_max`, the earliest.
pub fn slots(schedule: &Schedule, zone: &TimeZone, after: Moment, until: Moment, count_max: usize) -> Vec<Moment> {
    let mut found = BTreeSet::new();
    for part in schedule.parts() {
        found.extend(part_slots(part, zone, after, until, count_max));
    }
    found.into_iter().take(count_max).collect()
}

/// The first `count` moments after `after`.
pub fn next_slots(schedule: &Schedule, zone: &TimeZone, after: Moment, count: usize) -> Vec<Moment> {
    let until = after.timestamp().to_zoned(TimeZone::UTC).saturating_add(YEARS_AHEAD_MAX.years());
    slots(schedule, zone, after, Moment::from(until.timestamp()), count)
}

fn part_slots(part: &Part, zone: &TimeZone, after: Moment, until: Moment, count_max: usize) -> BTreeSet<Moment> {
    let civil = |moment: Moment| moment.timestamp().to_zoned(zone.clone()).datetime();
    let start = civil(after).saturating_sub(SHIFT_MAX);
    let end = civil(until).saturating_add(SHIFT_MAX);
    let mut found = BTreeSet::new();
    let mut next = part.cron.find_next_occurrence(&start, true);
    // Where the first `count_max` are enough, what comes a shift later cannot be earlier than they are.
    let mut enough_at: Option<DateTime> = None;
    while let Ok(time) = next {
        if time > end || enough_at.is_some_and(|at| time > at) {
            break;
        }
        found.extend(moments(part, zone, time).into_iter().flatten().filter(|slot| *slot > after && *slot <= until));
        if found.len() >= count_max && enough_at.is_none() {
            enough_at = Some(time.saturating_add(SHIFT_MAX));
        }
        next = part.cron.find_next_occurrence(&time, false);
    }
    found.into_iter().take(count_max).collect()
}

/// When the zone's clocks show `time`.
fn moments(part: &Part, zone: &TimeZone, time: DateTime) -> [Option<Moment>; 2] {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    let moment = |timestamp: Result<jiff::Timestamp, jiff::Error>| timestamp.ok().map(Moment::from);
    match (ambiguous.offset(), part.is_interval) {
        (AmbiguousOffset::Unambiguous { .. }, _) => [moment(ambiguous.unambiguous()), None],
        (AmbiguousOffset::Gap { .. }, true) => [None, None],
        (AmbiguousOffset::Gap { .. }, false) => {
            // Read with the offset that holds after the change, a skipped time lies before it: the change comes next.
            let before = ambiguous.earlier();
            let change = before.ok().and_then(|from| zone.following(from).next().map(|at| at.timestamp()));
            [change.map(Moment::from), None]
        }
        (AmbiguousOffset::Fold { .. }, false) => [moment(ambiguous.earlier()), None],
        (AmbiguousOffset::Fold { .. }, true) => [moment(ambiguous.earlier()), moment(ambiguous.later())],
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
