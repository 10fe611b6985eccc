//! When jobs are due, found out anew: minute by minute through real time, asking what the clocks on the wall show. The server
//! goes the other way, from civil time to moments.

use octo_job::schedule::{TimeZone, zone};

/// What a schedule says of a minute on the wall.
#[derive(Clone, Copy)]
pub enum Pattern {
    /// Minutes after midnight that this divides.
    Every(i64),
    /// In this hour, minutes that this divides.
    InHour(i64, i64),
    /// These minutes after midnight, on these days.
    At(&'static [i64], Days),
}

#[derive(Clone, Copy)]
pub enum Days {
    All,
    Weekdays,
    FirstSunday,
    LastFriday,
    First,
    Last,
    Sundays,
}

/// Texts that a person writes, and what they mean.
pub const SCHEDULES: [(&str, Pattern); 13] = [
    ("hourly", Pattern::Every(60)),
    ("daily 02:30", Pattern::At(&[150], Days::All)),
    ("daily 21:00, 06:15", Pattern::At(&[1260, 375], Days::All)),
    ("every 4h", Pattern::Every(240)),
    ("mon..fri 20:00", Pattern::At(&[1200], Days::Weekdays)),
    ("every 30m", Pattern::Every(30)),
    ("every 12h", Pattern::Every(720)),
    ("first sunday 03:00", Pattern::At(&[180], Days::FirstSunday)),
    ("last friday 23:00", Pattern::At(&[1380], Days::LastFriday)),
    ("monthly 1 02:00", Pattern::At(&[120], Days::First)),
    ("monthly last 02:00", Pattern::At(&[120], Days::Last)),
    ("30 1 * * 0", Pattern::At(&[90], Days::Sundays)),
    ("*/20 2 * * *", Pattern::InHour(2, 20)),
];

pub const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"];

/// Seconds since 1970, if the clocks on the wall never changed.
fn wall(zone: &TimeZone, at: i64) -> i64 {
    let moment = jiff::Timestamp::from_second(at).expect("a moment of a calendar");
    at + i64::from(zone.to_offset(moment).seconds())
}

fn fits(pattern: Pattern, wall: i64) -> bool {
    let (day, minute) = (wall.div_euclid(86_400), wall.rem_euclid(86_400) / 60);
    match pattern {
        Pattern::Every(minutes) => minute % minutes == 0,
        Pattern::InHour(hour, minutes) => minute / 60 == hour && minute % minutes == 0,
        Pattern::At(times, days) => times.contains(&minute) && is_among(days, day),
    }
}

fn is_among(days: Days, day: i64) -> bool {
    // 1 January 1970 was a Thursday; Sunday is 0.
    let weekday = (day + 4).rem_euclid(7);
    let date = |day: i64| jiff::Timestamp::from_second(day * 86_400).expect("a day").to_zoned(TimeZone::UTC).date();
    let (this, week_later) = (date(day), date(day + 7));
    match days {
        Days::All => true,
        Days::Weekdays => (1..=5).contains(&weekday),
        Days::Sundays => weekday == 0,
        Days::FirstSunday => weekday == 0 && this.day() <= 7,
        Days::LastFriday => weekday == 5 && week_later.month() != this.month(),
        Days::First => this.day() == 1,
        Days::Last => date(day + 1).day() == 1,
    }
}

/// The moments in `(after, until]` at which a job is due.
pub fn due(text: &str, zone_name: &str, after: i64, until: i64) -> Vec<i64> {
    let (_, pattern) = SCHEDULES.iter().find(|(known, _)| *known == text).expect("a schedule of this list");
    let zone = zone(zone_name).expect("a zone of this list");
    let names_times = matches!(pattern, Pattern::At(..));
    let mut found = Vec::new();
    let mut at = (after.div_euclid(60) + 1) * 60;
    let mut before = wall(&zone, at - 60);
    while at <= until {
        let now = wall(&zone, at);
        let mut is_due = fits(*pattern, now);
        if names_times {
            // Minutes that the clocks skipped are due at the change; those that come again were due the first time.
            is_due |= (1..(now - before) / 60).any(|skipped| fits(*pattern, before + skipped * 60));
            let comes_again = || now - before <= 60 && (1..=180).any(|ago| wall(&zone, at - ago * 60) == now);
            is_due = is_due && !comes_again();
        }
        if is_due {
            found.push(at);
        }
        before = now;
        at += 60;
    }
    found
}

/// Whether the clocks on the wall show a time that the texts of [`BLACKOUTS`] mean.
pub fn is_dark(text: &str, zone_name: &str, at: i64) -> bool {
    let now = wall(&zone(zone_name).expect("a zone of this list"), at);
    let is_day = (8 * 60..18 * 60).contains(&(now.rem_euclid(86_400) / 60));
    is_day && (text == BLACKOUTS[0] || is_among(Days::Weekdays, now.div_euclid(86_400)))
}

pub const BLACKOUTS: [&str; 2] = ["08:00-18:00", "mon..fri 08:00-18:00"];
