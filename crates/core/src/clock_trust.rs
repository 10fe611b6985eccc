//! Whether the wall clock may be believed before something is removed for its age.
//!
//! A clock that is a year ahead makes everything look old enough. So anyone who removes by age (a mirror its versions, the
//! server its history) keeps a [`ClockRecord`] beside it, and shows it the clock each time. A doubt costs disk space and nothing
//! else: what is too old goes later. It never reads a clock, and never decides what is old ([`retention`](crate::retention)).

use crate::time::{TICKS_PER_SEC, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

const DAY_TICKS: i64 = 86_400 * TICKS_PER_SEC;
/// Clocks of two machines that differ by no more agree; time zones set wrongly included.
const AGREE_TICKS: i64 = DAY_TICKS;
/// A clock that was believed is believed again after no more than this.
const STEP_TICKS_MAX: i64 = 14 * DAY_TICKS;
/// A doubted clock is believed in the end: when it was seen so often,
const DOUBTED_TIMES: u32 = 3;
/// over so long,
const DOUBTED_TICKS_MIN: i64 = 7 * DAY_TICKS;
/// and never after more than this, which is a jump of its own.
const DOUBTED_STEP_TICKS_MAX: i64 = 45 * DAY_TICKS;

/// What is remembered of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockRecord {
    /// The last moment that was believed.
    pub believed: Timestamp,
    /// Since when it has been believed each time.
    pub since: Timestamp,
    /// What it has shown since it jumped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<Doubted>,
}

/// A clock that jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubted {
    /// When it was first seen, by itself.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// How often it was seen.
    pub times: u32,
}

/// Why the clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// What it shows.
    pub now: Timestamp,
    /// The last moment that was believed.
    pub believed: Timestamp,
    /// What another machine's clock shows, if one was asked.
    pub other: Option<Timestamp>,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Doubt { now, believed, other } = self;
        write!(f, "the clock of this machine shows {now} UTC, and the last run before was at {believed} UTC")?;
        if let Some(other) = other {
            write!(f, "; the source's clock shows {other} UTC")?;
        }
        f.write_str(
            ". Set the clock if it is wrong; if it is right, removal goes on by itself after some runs over 7 days",
        )
    }
}

impl ClockRecord {
    /// Of something that was last worked on at this moment, and kept no record yet.
    pub fn last_seen(moment: Timestamp) -> ClockRecord {
        ClockRecord { believed: moment, since: moment, doubted: None }
    }

    /// Whether the clock has been watched long enough that this moment can vouch for the clock of something else.
    pub fn vouches(&self, now: Timestamp) -> bool {
        follows(self.believed, now) && self.doubted.is_none() && now.0.saturating_sub(self.since.0) >= DOUBTED_TICKS_MIN
    }
}

/// Whether the clock may show `now` when `believed` was the last moment.
fn follows(believed: Timestamp, now: Timestamp) -> bool {
    let step = now.0.saturating_sub(believed.0);
    (-AGREE_TICKS..=STEP_TICKS_MAX).contains(&step)
}

fn agrees(one: Timestamp, other: Timestamp) -> bool {
    one.0.abs_diff(other.0) <= AGREE_TICKS.unsigned_abs()
}

/// Looks at the clock: the record as it is from now on, and the doubt if there is one. `others` are what other clocks show
/// at this moment: the source's own, or one that [vouches](ClockRecord::vouches). Without a record there is nothing yet that could be removed.
pub fn judge(record: Option<&ClockRecord>, now: Timestamp, others: &[Timestamp]) -> (ClockRecord, Option<Doubt>) {
    let Some(before) = record else { return (ClockRecord::last_seen(now), None) };
    if follows(before.believed, now) {
        let believed = before.believed.max(now);
        return (ClockRecord { believed, since: before.since, doubted: None }, None);
    }
    let doubted = match before.doubted {
        Some(seen) if (0..=DOUBTED_STEP_TICKS_MAX).contains(&now.0.saturating_sub(seen.last.0)) => {
            Doubted { last: now, times: seen.times.saturating_add(1), ..seen }
        }
        _ => Doubted { first: now, last: now, times: 1 },
    };
    let is_steady = doubted.times >= DOUBTED_TIMES && now.0.saturating_sub(doubted.first.0) >= DOUBTED_TICKS_MIN;
    if is_steady || others.iter().any(|other| agrees(*other, now)) {
        return (ClockRecord::last_seen(now), None);
    }
    let doubt = Doubt { now, believed: before.believed, other: others.first().copied() };
    (ClockRecord { doubted: Some(doubted), ..*before }, Some(doubt))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp(17_000_000_000_000_000);

    fn day(n: i64) -> Timestamp {
        START.plus_secs(n * 86_400)
    }

    /// Shows a record these days one after the other; which of them are doubted.
    fn doubted(days: &[i64], others: impl Fn(i64) -> Vec<Timestamp>) -> Vec<i64> {
        let mut record = ClockRecord::last_seen(START);
        let mut doubted = Vec::new();
        for &n in days {
            let (next, doubt) = judge(Some(&record), day(n), &others(n));
            record = next;
            doubted.extend(doubt.map(|_| n));
        }
        doubted
    }

    #[test]
    fn a_clock_that_goes_on_is_believed_and_one_that_jumps_is_not() {
        let alone = |_| Vec::new();
        assert_eq!(doubted(&[1, 2, 9, 9, 22], alone), [0i64; 0]);
        assert_eq!(doubted(&[365, 1, 366, 2, 367, 730, 3], alone), [365, 366, 367, 730]);
        assert_eq!(doubted(&[-365, 1], alone), [-365]);
    }

    #[test]
    fn a_machine_that_was_off_for_long_is_believed_when_another_clock_agrees_or_after_a_while() {
        assert_eq!(doubted(&[60], |n| vec![day(n + 1)]), [0i64; 0]);
        assert_eq!(doubted(&[60], |n| vec![day(n + 300), day(n)]), [0i64; 0]);
        assert_eq!(doubted(&[365], |_| vec![day(0)]), [365]);
        assert_eq!(doubted(&[60, 61, 66, 67, 68], |_| Vec::new()), [60, 61, 66]);
        assert_eq!(doubted(&[60, 68, 76, 77], |_| Vec::new()), [60, 68]);
        assert_eq!(doubted(&[365, 730, 1095, 1460], |_| Vec::new()), [365, 730, 1095, 1460], "each is a jump");
    }

    #[test]
    fn only_a_clock_that_was_watched_for_long_vouches() {
        let mut record = judge(None, START, &[]).0;
        assert!(!record.vouches(START));
        for n in 1..8 {
            record = judge(Some(&record), day(n), &[]).0;
        }
        assert!(record.vouches(day(8)) && !record.vouches(day(400)) && !record.vouches(day(5)));
        let (jumped, doubt) = judge(Some(&record), day(400), &[]);
        assert!(doubt.is_some() && !jumped.vouches(day(400)) && !jumped.vouches(day(8)));
        assert!(doubt.unwrap().to_string().contains("UTC"));
    }

    proptest! {
        #[test]
        fn whatever_clocks_show_a_clock_that_stays_right_is_believed_in_the_end(wild in proptest::collection::vec(any::<i64>(), 0..20)) {
            let mut record = None;
            for now in wild.into_iter().map(Timestamp) {
                record = Some(judge(record.as_ref(), now, &[]).0);
            }
            let last = (0..10).map(|n| {
                let (next, doubt) = judge(record.as_ref(), day(n), &[]);
                record = Some(next);
                doubt
            }).last().flatten();
            prop_assert_eq!(last, None);
        }
    }
}
