//! Windows of the week, in the job's time zone: `mon..fri 08:00-18:00`, in which no run may start or another
//! bandwidth holds.

use super::form::{time_of_day, weekdays};
use crate::units::{UNLIMITED, bytes};
use jiff::tz::TimeZone;
use octo_api::moment::Moment;

/// What is allowed, for errors.
const ALLOWED: &str =
    "allowed are \"08:00-18:00\", \"mon..fri 08:00-18:00\", \"sat,sun 22:00-06:00\", \"sun 00:00-24:00\"";
const DAY_MINUTES: u16 = 24 * 60;

/// A window of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Days on which it begins; 0 is Sunday.
    days: Vec<u8>,
    /// Minutes of the day.
    from: u16,
    /// Minutes; up to `from` it is of the day after.
    to: u16,
}

impl Window {
    /// Reads one. The error says what is allowed.
    pub fn parse(text: &str) -> Result<Window, String> {
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
        Ok(Window { days, from, to })
    }

    /// Whether that minute of that day lies within.
    fn covers(&self, weekday: u8, minute: u16) -> bool {
        let yesterday = (weekday + 6) % 7;
        if self.from < self.to {
            return self.days.contains(&weekday) && (self.from..self.to).contains(&minute);
        }
        self.days.contains(&weekday) && minute >= self.from || self.days.contains(&yesterday) && minute < self.to
    }

    /// Whether `moment` lies within one of `windows`.
    pub fn any_holds(windows: &[Window], zone: &TimeZone, moment: Moment) -> bool {
        windows.iter().any(|window| window.holds(zone, moment))
    }

    /// Whether `moment` lies within.
    pub fn holds(&self, zone: &TimeZone, moment: Moment) -> bool {
        let civil = moment.timestamp().to_zoned(zone.clone()).datetime();
        let weekday = u8::try_from(civil.date().weekday().to_sunday_zero_offset()).unwrap_or(0);
        let minute = u16::from(civil.hour().unsigned_abs()) * 60 + u16::from(civil.minute().unsigned_abs());
        self.covers(weekday, minute)
    }
}

/// `mon..fri 08:00-18:00 2M`: another limit of bandwidth within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// When.
    pub window: Window,
    /// Bytes a second; `None` for no limit.
    pub limit: Option<u64>,
}

impl Hours {
    /// Reads them. The error says what is allowed.
    pub fn parse(text: &str) -> Result<Hours, String> {
        let form = "allowed is a window and a rate, as \"mon..fri 08:00-18:00 2M\" or \"22:00-06:00 unlimited\"";
        let (window, rate) = text.trim().rsplit_once(char::is_whitespace).ok_or(form)?;
        let window = Window::parse(window).map_err(|_| form)?;
        let limit = if rate == UNLIMITED { None } else { Some(bytes(rate).map_err(|why| format!("{why}; {form}"))?) };
        Ok(Hours { window, limit })
    }

    /// The limit at `moment`: that of the first window that it lies in, and `otherwise` in none.
    pub fn limit_at(hours: &[Hours], zone: &TimeZone, moment: Moment, otherwise: Option<u64>) -> Option<u64> {
        hours.iter().find(|it| it.window.holds(zone, moment)).map_or(otherwise, |it| it.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_window_holds_at_the_minutes_that_it_names(days in 1u8..128, from in 0u16..1440, length in 1u16..1440, at in 0u16..10_080) {
            const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
            let begins: Vec<u16> = (0..7).filter(|day| days & (1 << day) != 0).collect();
            let to = (from + length) % 1440;
            let names: Vec<&str> = begins.iter().map(|day| NAMES[usize::from(*day)]).collect();
            let text = format!("{} {:02}:{:02}-{:02}:{:02}", names.join(","), from / 60, from % 60, to / 60, to % 60);
            let window = Window::parse(&text).map_err(|why| TestCaseError::fail(format!("{text}: {why}")))?;
            // Every minute of the week, one by one, from each day on which it begins.
            let minutes: std::collections::BTreeSet<u16> =
                begins.iter().flat_map(|day| (0..length).map(move |minute| (day * 1440 + from + minute) % 10_080)).collect();
            // 2 August 2026 is a Sunday.
            let moment = Moment(1_785_628_800 + i64::from(at) * 60);
            prop_assert_eq!(window.holds(&TimeZone::UTC, moment), minutes.contains(&at), "{} at {}", text, at);
        }
    }

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
            let blackouts = [Window::parse(text).unwrap()];
            assert_eq!(Window::any_holds(&blackouts, &zone, Moment::from(at.timestamp())), holds, "{text} at {local}");
        }
    }

    #[test]
    fn the_first_window_says_which_limit_holds() {
        let zone = crate::schedule::zone("Europe/Berlin").unwrap();
        let hours = ["mon..fri 08:00-18:00 2M", "12:00-13:00 unlimited", "sat 22:00-06:00 500KiB"];
        let hours = hours.map(|text| Hours::parse(text).unwrap());
        for (local, limit) in [
            ("2026-08-03T07:59", Some(9)),
            ("2026-08-03T08:00", Some(2_000_000)),
            ("2026-08-03T12:30", Some(2_000_000)),
            ("2026-08-02T12:30", None),
            ("2026-08-02T05:59", Some(500 << 10)),
            ("2026-08-02T06:00", Some(9)),
        ] {
            let at = local.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
            assert_eq!(Hours::limit_at(&hours, &zone, Moment::from(at.timestamp()), Some(9)), limit, "{local}");
        }
        for text in ["", "2M", "08:00-18:00", "always 2M", "08:00-18:00 0", "08:00-18:00 fast", "8-18 2M"] {
            assert!(Hours::parse(text).expect_err(text).contains("08:00-18:00 2M"), "{text}");
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
            assert!(Window::parse(text).expect_err(text).contains("allowed are"));
        }
    }
}
