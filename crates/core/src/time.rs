//! Points in time with the resolution of Windows, and what a target filesystem makes of them.
//!
//! Times are compared only through [`TimeRules::represent`]: a mirror file is unchanged when its time equals what the
//! target would have stored for the source's time. There is no tolerance window (DESIGN section 5, "Times").

use serde::{Deserialize, Serialize};
use std::fmt;

/// A moment in UTC as a count of 100 ns ticks since 1970-01-01. Every source floors to this resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// Ticks in a second.
pub const TICKS_PER_SEC: i64 = 10_000_000;
/// Ticks between 1601-01-01 (FILETIME's zero, MS-DTYP 2.3.3) and 1970-01-01.
const WINDOWS_EPOCH_TICKS: i64 = 11_644_473_600 * TICKS_PER_SEC;

impl Timestamp {
    /// From a FILETIME: 100 ns ticks since 1601-01-01. Saturates beyond the year 29,000.
    pub fn from_filetime(filetime: u64) -> Timestamp {
        Timestamp(i64::try_from(filetime).unwrap_or(i64::MAX).saturating_sub(WINDOWS_EPOCH_TICKS))
    }

    /// As a FILETIME; times before 1601 become 0.
    pub fn to_filetime(self) -> u64 {
        u64::try_from(self.0.saturating_add(WINDOWS_EPOCH_TICKS)).unwrap_or(0)
    }

    /// From seconds and nanoseconds since 1970, floored to 100 ns. Saturates.
    pub fn from_unix(secs: i64, nanos: u32) -> Timestamp {
        Timestamp(secs.saturating_mul(TICKS_PER_SEC).saturating_add(i64::from(nanos / 100)))
    }

    /// Whole seconds since 1970 (floored) and the nanoseconds above them.
    pub fn to_unix(self) -> (i64, u32) {
        let nanos = self.0.rem_euclid(TICKS_PER_SEC) * 100;
        (self.0.div_euclid(TICKS_PER_SEC), u32::try_from(nanos).unwrap_or(0))
    }

    /// This moment plus a number of seconds, saturating.
    pub fn plus_secs(self, secs: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(secs.saturating_mul(TICKS_PER_SEC)))
    }

    /// The moment as `2026-08-04 21:00:05` in UTC (proleptic Gregorian calendar).
    pub fn to_utc_text(self) -> String {
        let (secs, _) = self.to_unix();
        let (days, in_day) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", in_day / 3600, in_day / 60 % 60, in_day % 60)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc_text())
    }
}

/// Year, month and day of a count of days since 1970-01-01 (the well-known era arithmetic: eras of 400 years that
/// begin on 1 March).
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// What a filesystem can store of a last write time. Probed once per target and kept in its marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRules {
    /// Stored times are multiples of this many 100 ns ticks: 1 for ext4 and NTFS, 20,000,000 for FAT.
    pub granularity_ticks: i64,
    /// The earliest time that can be stored.
    pub min: Timestamp,
    /// The latest time that can be stored.
    pub max: Timestamp,
}

impl TimeRules {
    /// Every time is stored as it is.
    pub const EXACT: TimeRules = TimeRules { granularity_ticks: 1, min: Timestamp(i64::MIN), max: Timestamp(i64::MAX) };

    /// What the target keeps for `time`: floored to its granularity. Times beyond the range are kept as they are, beside the
    /// file: all would look equal otherwise, and a change from one to another go unseen.
    pub fn represent(&self, time: Timestamp) -> Timestamp {
        if self.holds(time) { self.stored(time) } else { time }
    }

    /// Whether the filesystem itself can hold a time like this.
    pub fn holds(&self, time: Timestamp) -> bool {
        (self.min..=self.max).contains(&time)
    }

    /// Whether this may be the stored form of a time beyond the range.
    pub fn is_end(&self, stored: Timestamp) -> bool {
        stored == self.stored(Timestamp(i64::MIN)) || stored == self.stored(Timestamp(i64::MAX))
    }

    /// What the filesystem itself stores for `time`: clamped to its range, then floored to its granularity.
    pub fn stored(&self, time: Timestamp) -> Timestamp {
        let granularity = self.granularity_ticks.max(1);
        let clamped = time.clamp(self.min, self.max);
        let floored = Timestamp(clamped.0 - clamped.0.rem_euclid(granularity));
        // Flooring an odd minimum would leave the range; the filesystem then stores the next step up.
        if floored < self.min { Timestamp(floored.0.saturating_add(granularity)) } else { floored }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stored_is_idempotent_and_monotonic(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000, granularity in 1i64..5000) {
            let rules = TimeRules { granularity_ticks: granularity, min: Timestamp(-500_000), max: Timestamp(500_000) };
            let (a, b) = (Timestamp(a), Timestamp(b));
            prop_assert_eq!(rules.stored(rules.stored(a)), rules.stored(a));
            if a <= b { prop_assert!(rules.stored(a) <= rules.stored(b)); }
        }

        #[test]
        fn represent_equals_the_naive_search(t in -300i64..300, granularity in 1i64..40) {
            let rules = TimeRules { granularity_ticks: granularity, min: Timestamp(-200), max: Timestamp(200) };
            let storable: Vec<i64> = (-200..=200).filter(|v| v % granularity == 0).collect();
            let naive = storable.iter().copied().filter(|v| *v <= t).max().unwrap_or(storable[0]);
            prop_assert_eq!(rules.stored(Timestamp(t)).0, naive);
            let kept = if (-200..=200).contains(&t) { naive } else { t };
            prop_assert_eq!(rules.represent(Timestamp(t)).0, kept);
            prop_assert!(rules.holds(Timestamp(t)) || rules.is_end(rules.stored(Timestamp(t))));
        }

        #[test]
        fn filetime_round_trips(t in 0u64..i64::MAX as u64) {
            prop_assert_eq!(Timestamp::from_filetime(t).to_filetime(), t);
        }

        #[test]
        fn unix_round_trips(t in any::<i64>()) {
            let (secs, nanos) = Timestamp(t).to_unix();
            prop_assert_eq!(Timestamp::from_unix(secs, nanos).0, t);
        }
    }

    #[test]
    fn known_moments() {
        assert_eq!(Timestamp::from_filetime(116_444_736_000_000_000), Timestamp(0));
        assert_eq!(Timestamp::from_unix(1_785_877_205, 0).to_utc_text(), "2026-08-04 21:00:05");
        assert_eq!(Timestamp::from_unix(-1, 0).to_utc_text(), "1969-12-31 23:59:59");
        assert_eq!(Timestamp::from_unix(951_782_400, 0).to_utc_text(), "2000-02-29 00:00:00");
    }
}
