//! Days, weeks, months and years of moments, in a time zone. Pure: what zone that is its user says.

use crate::time::{Timestamp, civil_from_days};
use std::fmt;
use std::sync::Arc;

const DAY_SECS: i64 = 86_400;

type OffsetAt = dyn Fn(Timestamp) -> i64 + Send + Sync;

/// How far the clocks of a zone are ahead of UTC. The default is UTC itself.
#[derive(Clone, Default)]
pub struct LocalTime(Option<Arc<OffsetAt>>);

impl LocalTime {
    /// What `offset_secs` says of the moment.
    pub fn new(offset_secs: impl Fn(Timestamp) -> i64 + Send + Sync + 'static) -> LocalTime {
        LocalTime(Some(Arc::new(offset_secs)))
    }

    /// Days since 1970-01-01.
    fn day(&self, moment: Timestamp) -> i64 {
        let offset = self.0.as_ref().map_or(0, |offset_at| offset_at(moment));
        moment.to_unix().0.saturating_add(offset).div_euclid(DAY_SECS)
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "LocalTime(zone)" } else { "LocalTime(UTC)" })
    }
}

/// A kind of period of which the last state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Every {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday (ISO 8601).
    Week,
    /// Of the calendar.
    Month,
    /// Of the calendar.
    Year,
}

impl Every {
    /// All of them.
    pub const ALL: [Every; 4] = [Every::Day, Every::Week, Every::Month, Every::Year];

    /// The number of the period in which a moment lies; that of the next period is one more.
    pub fn period(self, moment: Timestamp, local: &LocalTime) -> i64 {
        let day = local.day(moment);
        let (year, month, _) = civil_from_days(day);
        match self {
            Every::Day => day,
            // 1970-01-01 was a Thursday.
            Every::Week => (day + 3).div_euclid(7),
            Every::Month => year * 12 + month - 1,
            Every::Year => year,
        }
    }

    /// Such a period in words: `day 2026-11-20`, `week 2026-W47`, `month 2026-11`, `year 2026`.
    pub fn words(self, period: i64) -> String {
        match self {
            Every::Day => {
                let (year, month, day) = civil_from_days(period);
                format!("day {year:04}-{month:02}-{day:02}")
            }
            Every::Week => {
                // A week is of the year in which its Thursday is.
                let thursday = period * 7;
                let year = civil_from_days(thursday).0;
                let week = (0..54).take_while(|weeks| civil_from_days(thursday - weeks * 7).0 == year).count();
                format!("week {year:04}-W{week:02}")
            }
            Every::Month => format!("month {:04}-{:02}", period.div_euclid(12), period.rem_euclid(12) + 1),
            Every::Year => format!("year {period:04}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_a_calendar() {
        let words = |secs: i64, local: &LocalTime| {
            let moment = Timestamp::from_unix(secs, 0);
            Every::ALL.map(|every| every.words(every.period(moment, local)))
        };
        let utc = LocalTime::default();
        // date -ud @1767225600: Thu Jan  1 00:00:00 UTC 2026
        assert_eq!(words(1_767_225_600, &utc), ["day 2026-01-01", "week 2026-W01", "month 2026-01", "year 2026"]);
        assert_eq!(words(1_767_225_599, &utc), ["day 2025-12-31", "week 2026-W01", "month 2025-12", "year 2025"]);
        // Sun Jan  3 2021 is still in the last week of 2020, which had 53.
        assert_eq!(words(1_609_632_000, &utc)[1], "week 2020-W53");
        assert_eq!(words(1_609_718_400, &utc)[1], "week 2021-W01");
        let ahead = LocalTime::new(|_| 3600);
        assert_eq!(words(1_767_225_599, &ahead)[0], "day 2026-01-01");
    }
}
