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

/// Reads a moment that a person typed, by the clocks of a zone: `2026-08-04 23:00`, with seconds or without, or as RFC 3339 with its
/// own offset. A day alone is its last instant.
pub fn read(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || "it must be a moment such as \"2026-08-04 23:00\", or a day such as 2026-08-04".to_owned();
    let moment = |at: jiff::Timestamp| Timestamp::from_unix(at.as_second(), at.subsec_nanosecond().unsigned_abs());
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(moment(at));
    }
    let civil = match text.parse::<jiff::civil::Date>() {
        Ok(day) if text.len() <= "2026-08-04".len() => day.at(23, 59, 59, 999_999_999),
        _ => text.parse::<jiff::civil::DateTime>().map_err(|_| wrong())?,
    };
    civil.to_zoned(zone.clone()).map(|at| moment(at.timestamp())).map_err(|_| wrong())
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

    #[test]
    fn what_is_shown_can_be_typed_and_a_day_is_its_end() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = Timestamp::from_unix(1_785_877_205, 0);
        for text in ["2026-08-04 23:00:05", "2026-08-04T23:00:05", "2026-08-04T21:00:05Z", "2026-08-04T23:00:05+02:00"]
        {
            assert_eq!(read(text, &berlin), Ok(at), "{text}");
        }
        assert_eq!(read("2026-08-04 23:00", &berlin), Ok(at.plus_secs(-5)));
        assert_eq!(seconds(read("2026-08-04", &berlin).unwrap(), &berlin), "2026-08-04 23:59:59 CEST");
        for wrong in ["", "yesterday", "2026-13-01", "2026-08-04 25:00", "12"] {
            assert!(read(wrong, &berlin).is_err(), "{wrong}");
        }
    }
}
