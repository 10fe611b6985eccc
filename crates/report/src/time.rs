//! Moments by the clocks of a time zone, as reports and tables show them.

use jiff::tz::TimeZone;
use octo_core::Timestamp;

/// Calendars end here, whatever a clock or a hostile number says.
const SECS_MAX: i64 = 250_000_000_000;

/// `2026-08-04 23:00 CEST`.
pub fn minutes(at: Timestamp, zone: &TimeZone) -> String {
    shown(at, zone, "%Y-%m-%d %H:%M %Z")
}

/// `2026-08-04 23:00:05 CEST`.
pub fn seconds(at: Timestamp, zone: &TimeZone) -> String {
    shown(at, zone, "%Y-%m-%d %H:%M:%S %Z")
}

fn shown(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    let secs = at.to_unix().0.clamp(-SECS_MAX, SECS_MAX);
    let at = jiff::Timestamp::from_second(secs).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_by_the_clocks_of_a_zone_and_no_clock_is_too_wrong() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = Timestamp::from_unix(1_785_877_205, 0);
        assert_eq!(seconds(at, &berlin), "2026-08-04 23:00:05 CEST");
        assert_eq!(minutes(at, &TimeZone::UTC), "2026-08-04 21:00 UTC");
        for wrong in [i64::MIN, i64::MAX] {
            assert!(seconds(Timestamp(wrong), &berlin).len() > 10);
        }
    }
}
