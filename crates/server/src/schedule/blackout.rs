//! When no run may start: `mon..fri 08:00-18:00`, by the clocks of the job's zone.

use super::form::{time_of_day, weekdays};
use crate::moment::Moment;
use jiff::tz::TimeZone;

/// What is allowed, for refusals.
const ALLOWED: &str =
    "allowed are \"08:00-18:00\", \"mon..fri 08:00-18:00\", \"sat,sun 22:00-06:00\", \"sun 00:00-24:00\"";
const DAY_MINUTES: u16 = 24 * 60;

/// A window of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blackout {
    /// Days on which it begins; 0 is Sunday.
    days: Vec<u8>,
    /// Minutes of the day.
    from: u16,
    /// Minutes; up to `from` it is of the day after.
    to: u16,
}

impl Blackout {
    /// Reads one. The refusal says what is allowed.
    pub fn parse(text: &str) -> Result<Blackout, String> {
        let wrong = || ALLOWED.to_owned();
        let lower = text.to_ascii_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let (days, times) = match words[..] {
            [times] => ((0..7).collect(), times),
            [days, times] => (weekdays(days).ok_or_else(wrong)?, times),
            _ => return Err(wrong()),
        };
        let minutes = |text: &str| time_of_day(text).map(|(hour, minute)| u16::from(hour) * 60 + u16::from(minute));
        let (from, to) = times.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (minutes(from).ok_or_else(wrong)?, minutes(to).ok_or_else(wrong)?);
        if from == to || from == DAY_MINUTES {
            return Err(wrong());
        }
        Ok(Blackout { days, from, to })
    }

    /// Whether no run may start at that minute of that day.
    fn covers(&self, weekday: u8, minute: u16) -> bool {
        let yesterday = (weekday + 6) % 7;
        if self.from < self.to {
            return self.days.contains(&weekday) && (self.from..self.to).contains(&minute);
        }
        self.days.contains(&weekday) && minute >= self.from || self.days.contains(&yesterday) && minute < self.to
    }

    /// Whether one of `blackouts` holds at `moment`.
    pub fn any_holds(blackouts: &[Blackout], zone: &TimeZone, moment: Moment) -> bool {
        if blackouts.is_empty() {
            return false;
        }
        let civil = moment.timestamp().to_zoned(zone.clone()).datetime();
        let weekday = u8::try_from(civil.date().weekday().to_sunday_zero_offset()).unwrap_or(0);
        let minute = u16::from(civil.hour().unsigned_abs()) * 60 + u16::from(civil.minute().unsigned_abs());
        blackouts.iter().any(|blackout| blackout.covers(weekday, minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blackout_holds_within_its_window_only() {
        let zone = crate::schedule::zone("Europe/Berlin").unwrap();
        for (text, local, holds) in [
            ("mon..fri 08:00-18:00", "2026-08-03T08:00", true),
            ("mon..fri 08:00-18:00", "2026-08-03T17:59", true),
            ("mon..fri 08:00-18:00", "2026-08-03T18:00", false),
            ("mon..fri 08:00-18:00", "2026-08-02T12:00", false),
            ("sat 22:00-06:00", "2026-08-01T23:00", true),
            ("sat 22:00-06:00", "2026-08-02T05:59", true),
            ("sat 22:00-06:00", "2026-08-02T06:00", false),
            ("sat 22:00-06:00", "2026-08-01T05:00", false),
            ("sun 00:00-24:00", "2026-08-02T00:00", true),
            ("sun 00:00-24:00", "2026-08-02T23:59", true),
            ("sun 00:00-24:00", "2026-08-03T00:00", false),
            ("22:00-06:00", "2026-08-04T03:00", true),
        ] {
            let at = local.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
            let blackouts = [Blackout::parse(text).unwrap()];
            assert_eq!(
                Blackout::any_holds(&blackouts, &zone, Moment::from(at.timestamp())),
                holds,
                "{text} at {local}"
            );
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "always",
            "08:00",
            "08:00-08:00",
            "24:00-06:00",
            "8-18",
            "xyz 08:00-18:00",
            "mon 08:00 - 18:00",
            "25:00-26:00",
        ] {
            assert!(Blackout::parse(text).expect_err(text).contains("allowed are"));
        }
    }
}
