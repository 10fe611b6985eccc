//! Moments as the server stores and answers them: whole seconds in UTC, and as RFC 3339 in every interface.

use octo_core::{Clock, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A moment: seconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub i64);

/// Whatever a clock or a hostile number says: the years that calendars can hold, with room for arithmetic.
const SECS_MAX: i64 = 250_000_000_000;

impl Moment {
    /// The moment that the clock shows.
    pub fn now(clock: &dyn Clock) -> Moment {
        Moment::from(clock.now())
    }

    /// The moment this many seconds later, or earlier.
    pub fn plus_secs(self, secs: i64) -> Moment {
        Moment(self.0.saturating_add(secs).clamp(-SECS_MAX, SECS_MAX))
    }

    /// `2026-08-04 23:00 CEST`, in a time zone.
    pub fn local(self, zone: &jiff::tz::TimeZone) -> String {
        octo_report::time::minutes(self.into(), zone)
    }

    /// `2026-08-04 23:00:05 CEST`, in a time zone.
    pub fn local_secs(self, zone: &jiff::tz::TimeZone) -> String {
        octo_report::time::seconds(self.into(), zone)
    }

    /// For calendars.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.0.clamp(-SECS_MAX, SECS_MAX)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Moment {
        Moment(time.to_unix().0.clamp(-SECS_MAX, SECS_MAX))
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Timestamp {
        Timestamp::from_unix(moment.0, 0)
    }
}

impl From<jiff::Timestamp> for Moment {
    fn from(time: jiff::Timestamp) -> Moment {
        Moment(time.as_second())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        jiff::Timestamp::deserialize(deserializer).map(Moment::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_utc_and_read_with_any_offset() {
        assert_eq!(Moment(1_785_877_205).to_string(), "2026-08-04T21:00:05Z");
        let read: Moment = serde_json::from_str("\"2026-08-04T23:00:05+02:00\"").unwrap();
        assert_eq!(read, Moment(1_785_877_205));
        assert!(serde_json::from_str::<Moment>("\"yesterday\"").is_err());
    }

    #[test]
    fn no_clock_is_too_wrong() {
        for time in [i64::MIN, i64::MAX] {
            let moment = Moment::from(Timestamp(time)).plus_secs(time);
            assert!(!moment.to_string().is_empty() && moment.0.abs() <= SECS_MAX);
        }
    }
}
