//! What people write as a schedule: a cron expression, or a plain form such as `mon..fri 20:00`.
//!
//! Every form becomes one or more cron expressions of five fields, so there is one meaning and one set of tests.

use croner::Cron;
use croner::parser::CronParser;
use jiff::civil::DateTime;
use std::fmt;

/// More than one line of a terminal is no schedule that a person could check.
const TEXT_BYTES_MAX: usize = 200;
/// Times a day in a plain form.
const TIMES_MAX: usize = 24;
/// What is allowed, for errors.
const ALLOWED: &str = "allowed are \"daily 22:00\", \"mon..fri 20:00\", \"mon,thu 06:30, 18:00\", \"every 4h\", \"every 15m\", \
     \"first sunday 03:00\", \"last friday 23:00\", \"monthly 1 02:00\", \"monthly last 02:00\", or a cron expression of five \
     fields such as \"0 22 * * 1-5\"";

/// Days of the week, as cron counts them.
pub(super) const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When a job is due, in civil time.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    parts: Vec<Part>,
}

/// One cron expression.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) cron: Cron,
    /// It says how often, not at which time of day: a minute or hour field that begins with `*`.
    pub(super) is_interval: bool,
}

impl Schedule {
    /// Reads a schedule. The error says what is allowed.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        let text = text.trim();
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!("it is too long; {ALLOWED}"));
        }
        let lower = text.to_ascii_lowercase();
        let expressions = if looks_like_cron(&lower) { vec![lower.clone()] } else { plain(&lower)? };
        let parts = expressions.iter().map(|expression| part(expression)).collect::<Result<Vec<_>, _>>()?;
        Ok(Schedule { text: text.to_owned(), parts })
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Five fields, and the first is of minutes.
fn looks_like_cron(text: &str) -> bool {
    let minutes = |field: &str| field.bytes().all(|b| b.is_ascii_digit() || b"*,-/".contains(&b));
    text.split_whitespace().count() == 5 && text.split_whitespace().next().is_some_and(minutes)
}

fn part(expression: &str) -> Result<Part, String> {
    let seconds = croner::parser::Seconds::Disallowed;
    let years = croner::parser::Year::Disallowed;
    let parser = CronParser::builder().seconds(seconds).year(years).build();
    let cron = parser.parse(expression).map_err(|why| format!("{why}; {ALLOWED}"))?;
    let start = DateTime::constant(2024, 1, 1, 0, 0, 0, 0);
    if cron.find_next_occurrence(&start, true).is_err() {
        return Err(format!("there is no such day in any year; {ALLOWED}"));
    }
    let is_interval = expression.split_whitespace().take(2).any(|field| field.starts_with('*'));
    Ok(Part { cron, is_interval })
}

/// Everything that is not cron.
fn plain(text: &str) -> Result<Vec<String>, String> {
    let wrong = || ALLOWED.to_owned();
    let text = text.replace(", ", ",");
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["hourly"] => Ok(vec!["0 * * * *".into()]),
        ["every", interval] => every(interval).map(|expression| vec![expression]),
        ["daily", times] => at(times, "* * *"),
        ["monthly", day, times] => match day.parse::<u8>() {
            Ok(day @ 1..=31) => at(times, &format!("{day} * *")),
            _ if day == "last" => at(times, "L * *"),
            _ => Err(wrong()),
        },
        [which, day, times] => {
            let day = weekday(day).ok_or_else(wrong)?;
            let days = match which {
                "first" => format!("* * {day}#1"),
                "second" => format!("* * {day}#2"),
                "third" => format!("* * {day}#3"),
                "fourth" => format!("* * {day}#4"),
                "last" => format!("* * {day}#L"),
                _ => return Err(wrong()),
            };
            at(times, &days)
        }
        [days, times] => {
            let days = weekdays(days).ok_or_else(wrong)?;
            let list: Vec<String> = days.iter().map(ToString::to_string).collect();
            at(times, &format!("* * {}", list.join(",")))
        }
        _ => Err(wrong()),
    }
}

/// Only what divides a day or an hour evenly: otherwise one interval of each day would be shorter than the others, and
/// that would be unexpected.
fn every(interval: &str) -> Result<String, String> {
    let digits = interval.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = interval.split_at(digits);
    let wrong = || {
        "allowed are every 5m, 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h: what divides an hour or a day evenly"
            .to_owned()
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    match (unit, number) {
        ("m" | "min", 5 | 10 | 15 | 20 | 30) => Ok(format!("*/{number} * * * *")),
        ("m" | "min", 60) | ("h", 1) => Ok("0 * * * *".into()),
        ("h", 2 | 3 | 4 | 6 | 8 | 12) => Ok(format!("0 */{number} * * *")),
        ("h", 24) => Ok("0 0 * * *".into()),
        _ => Err(wrong()),
    }
}

fn at(times: &str, days: &str) -> Result<Vec<String>, String> {
    let times: Vec<&str> = times.split(',').collect();
    if times.len() > TIMES_MAX {
        return Err(format!("at most {TIMES_MAX} times a day; {ALLOWED}"));
    }
    let one = |time: &&str| {
        let (hour, minute) = time_of_day(time)
            .filter(|(hour, _)| *hour < 24)
            .ok_or_else(|| format!("{time:?} is not a time of day such as 22:00; {ALLOWED}"))?;
        Ok(format!("{minute} {hour} {days}"))
    };
    times.iter().map(one).collect()
}

/// `22:00`; `24:00` is the end of a day.
pub(super) fn time_of_day(text: &str) -> Option<(u8, u8)> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || minute.len() != 2 || !digits(minute) {
        return None;
    }
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour < 24 || (hour, minute) == (24, 0)).then_some((hour, minute))
}

fn weekday(text: &str) -> Option<u8> {
    let found = DAYS.iter().position(|day| *day == text || full_name(day) == text)?;
    u8::try_from(found).ok()
}

fn full_name(short: &str) -> &'static str {
    match short {
        "sun" => "sunday",
        "mon" => "monday",
        "tue" => "tuesday",
        "wed" => "wednesday",
        "thu" => "thursday",
        "fri" => "friday",
        _ => "saturday",
    }
}

/// `mon..fri`, `mon,thu`, `fri..mon`, `weekdays`, `weekend`.
pub(super) fn weekdays(text: &str) -> Option<Vec<u8>> {
    let mut days = std::collections::BTreeSet::new();
    for part in text.split(',') {
        match (part, part.split_once("..")) {
            ("daily", _) => days.extend(0..7),
            ("weekdays", _) => days.extend(1..6),
            ("weekend", _) => days.extend([0, 6]),
            (_, Some((from, to))) => {
                let (from, to) = (weekday(from)?, weekday(to)?);
                let length = (to + 7 - from) % 7;
                days.extend((0..=length).map(|n| (from + n) % 7));
            }
            (day, None) => drop(days.insert(weekday(day)?)),
        }
    }
    Some(days.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_schedule_is_refused_with_what_is_allowed() {
        for text in [
            "",
            "never",
            "daily",
            "daily 24:00",
            "daily 25:00",
            "daily 22:60",
            "daily 2200",
            "every 7h",
            "every 0m",
            "every 5",
            "every -4h",
            "fifth monday 01:00",
            "first 03:00",
            "monthly 32 01:00",
            "monthly 0 01:00",
            "mon..xyz 01:00",
            "* * * * * *",
            "61 * * * *",
            "0 0 30 2 *",
            "0 0 * *",
            "* * * * * * *",
            "a b c d e",
            "0 22 * * 1-5 extra",
            "daily 22:00 23:00",
            "daily +2:00",
            &"daily 01:00,".repeat(40),
            "@reboot",
            "0 0 1 1 * 2030",
        ] {
            let why = Schedule::parse(text).map(|_| ()).expect_err(text);
            assert!(why.contains("allowed are"), "{text}: {why}");
        }
    }

    #[test]
    fn every_plain_form_is_a_schedule_and_is_told_as_it_was_written() {
        for text in [
            "daily 22:00",
            "Daily 8:00",
            "mon..fri 20:00",
            "mon,thu 06:30, 18:00",
            "weekdays 20:00",
            "weekend 03:00",
            "hourly",
            "every 4h",
            "every 15m",
            "first sunday 03:00",
            "last fri 23:00",
            "monthly 1 02:00",
            "monthly last 02:00",
            "0 22 * * 1-5",
            "*/5 * * * *",
            "0 0 29 2 *",
            "30 2 L * *",
            "fri..mon 01:00",
        ] {
            assert_eq!(Schedule::parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn days_wrap_around_the_week() {
        assert_eq!(weekdays("fri..mon"), Some(vec![0, 1, 5, 6]));
        assert_eq!(weekdays("monday..monday"), Some(vec![1]));
        assert_eq!(weekdays("mon..fri..sat"), None);
    }
}
