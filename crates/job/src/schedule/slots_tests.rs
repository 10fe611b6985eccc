//! Tables of slots: what the manual says about time zones and their changes.

use super::*;
use crate::schedule::zone;
use proptest::prelude::*;

fn moment(text: &str) -> Moment {
    Moment::from(text.parse::<jiff::Timestamp>().expect(text))
}

/// The next slots after a moment, as the zone's clocks and offsets show them.
fn next(schedule: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
    let zone = zone(zone_name).unwrap();
    let slots = next_slots(&Schedule::parse(schedule).expect(schedule), &zone, moment(after), count);
    slots
        .iter()
        .map(|slot| slot.timestamp().to_zoned(zone.clone()).strftime("%a %m-%d %H:%M %:z").to_string())
        .collect()
}

/// Each row: schedule, zone, after, the next slots. In 2026 Berlin's clocks go forward on 29 March at 02:00 and back on 25
/// October at 03:00; New York's on 8 March and 1 November; Lord Howe's change by half an hour.
const TABLE: &[(&str, &str, &str, &[&str])] = &[
    ("daily 22:00", "UTC", "2026-08-04T21:00:00Z", &["Tue 08-04 22:00 +00:00", "Wed 08-05 22:00 +00:00"]),
    ("daily 22:00", "UTC", "2026-08-04T22:00:00Z", &["Wed 08-05 22:00 +00:00"]),
    ("daily 22:00", "Europe/Berlin", "2026-08-04T19:59:59Z", &["Tue 08-04 22:00 +02:00", "Wed 08-05 22:00 +02:00"]),
    ("mon..fri 20:00", "UTC", "2026-08-07T20:00:00Z", &["Mon 08-10 20:00 +00:00"]),
    ("mon,thu 06:30, 18:00", "UTC", "2026-08-06T07:00:00Z", &["Thu 08-06 18:00 +00:00", "Mon 08-10 06:30 +00:00"]),
    ("first sunday 03:00", "UTC", "2026-08-02T03:00:00Z", &["Sun 09-06 03:00 +00:00"]),
    ("last friday 23:00", "UTC", "2026-08-01T00:00:00Z", &["Fri 08-28 23:00 +00:00", "Fri 09-25 23:00 +00:00"]),
    ("monthly last 02:00", "UTC", "2026-02-01T00:00:00Z", &["Sat 02-28 02:00 +00:00", "Tue 03-31 02:00 +00:00"]),
    ("monthly 31 02:00", "UTC", "2026-08-31T02:00:00Z", &["Sat 10-31 02:00 +00:00"]),
    ("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["Fri 02-29 00:00 +00:00"]),
    ("every 4h", "UTC", "2026-08-04T23:00:00Z", &["Wed 08-05 00:00 +00:00", "Wed 08-05 04:00 +00:00"]),
    // A skipped hour: due at the change, once, even if two times fall into it.
    ("daily 02:30", "Europe/Berlin", "2026-03-28T12:00:00Z", &["Sun 03-29 03:00 +02:00", "Mon 03-30 02:30 +02:00"]),
    (
        "daily 02:10, 02:50",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        &["Sun 03-29 03:00 +02:00", "Mon 03-30 02:10 +02:00"],
    ),
    ("daily 02:00", "Europe/Berlin", "2026-03-28T12:00:00Z", &["Sun 03-29 03:00 +02:00"]),
    (
        "daily 02:30, 03:00",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        &["Sun 03-29 03:00 +02:00", "Mon 03-30 02:30 +02:00"],
    ),
    (
        "daily 02:15",
        "Australia/Lord_Howe",
        "2026-10-03T00:00:00Z",
        &["Sun 10-04 02:30 +11:00", "Mon 10-05 02:15 +11:00"],
    ),
    // A repeated hour: the first time only.
    ("daily 02:30", "Europe/Berlin", "2026-10-24T12:00:00Z", &["Sun 10-25 02:30 +02:00", "Mon 10-26 02:30 +01:00"]),
    ("daily 01:30", "America/New_York", "2026-11-01T05:30:00Z", &["Mon 11-02 01:30 -05:00"]),
    // How often, not when: real time counts.
    (
        "every 30m",
        "Europe/Berlin",
        "2026-10-24T23:45:00Z",
        &[
            "Sun 10-25 02:00 +02:00",
            "Sun 10-25 02:30 +02:00",
            "Sun 10-25 02:00 +01:00",
            "Sun 10-25 02:30 +01:00",
            "Sun 10-25 03:00 +01:00",
        ],
    ),
    ("every 30m", "Europe/Berlin", "2026-03-29T00:15:00Z", &["Sun 03-29 01:30 +01:00", "Sun 03-29 03:00 +02:00"]),
    ("every 30m", "Europe/Berlin", "2026-10-25T00:30:00Z", &["Sun 10-25 02:00 +01:00", "Sun 10-25 02:30 +01:00"]),
    // A whole day that did not exist: Samoa, 30 December 2011.
    (
        "daily 12:00",
        "Pacific/Apia",
        "2011-12-29T12:00:00Z",
        &["Thu 12-29 12:00 -10:00", "Sat 12-31 00:00 +14:00", "Sat 12-31 12:00 +14:00"],
    ),
];

#[test]
fn slots_are_as_the_manual_says() {
    for (schedule, zone, after, wanted) in TABLE {
        assert_eq!(next(schedule, zone, after, wanted.len()), *wanted, "{schedule} in {zone} after {after}");
    }
}

#[test]
fn the_end_of_time_is_no_panic() {
    let schedule = Schedule::parse("daily 22:00").unwrap();
    for at in [Moment(i64::MIN), Moment(i64::MAX), Moment(0).plus_secs(i64::MAX), Moment(0).plus_secs(i64::MIN)] {
        for zone in [zone("UTC").unwrap(), zone("Pacific/Apia").unwrap()] {
            let _ = next_slots(&schedule, &zone, at, 3);
        }
    }
}

proptest! {
    /// Walking from slot to slot sees the same moments as asking for a window, whatever the start.
    #[test]
    fn a_window_is_the_walk_through_it(hours in 0i64..9000, form in 0usize..6, place in 0usize..4) {
        let form = ["daily 02:30", "every 30m", "every 4h", "mon..fri 01:45, 23:30", "last sunday 02:15", "30 1,2 * * *"][form];
        let zone = zone(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"][place]).unwrap();
        let schedule = Schedule::parse(form).unwrap();
        let after = moment("2026-01-01T00:00:00Z").plus_secs(hours * 3600);
        let until = after.plus_secs(3 * 86_400);
        let window = slots(&schedule, &zone, after, until, usize::MAX);
        let mut walked = Vec::new();
        let mut at = after;
        while let Some(next) = next_slots(&schedule, &zone, at, 1).first().copied().filter(|next| *next <= until) {
            prop_assert!(next > at);
            walked.push(next);
            at = next;
        }
        prop_assert_eq!(&window, &walked);
        // No slot is ever lost to a cut.
        prop_assert_eq!(slots(&schedule, &zone, after, until, 2), window.into_iter().take(2).collect::<Vec<_>>());
    }
}
