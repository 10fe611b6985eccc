//! The real program, end to end: on local folders and on a real Samba.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![allow(clippy::unwrap_used, reason = "a test fails in no other way")]

mod access;
mod admin;
mod agent;
mod backup;
mod calls;
mod clock;
mod connection;
mod doctor;
mod download;
mod endless;
mod fair;
mod generate;
mod held;
mod history;
mod hung;
mod jobs;
mod lasting;
mod live;
mod local;
mod log;
mod metadata;
mod metrics;
mod night;
mod notify;
mod openapi;
mod outage;
mod owner;
mod posix;
#[cfg(target_os = "linux")]
mod powercut;
mod reparse;
mod restore;
mod restore_share;
mod retention;
mod run_log;
mod secrets;
mod server;
mod share;
mod shown;
mod stop;
mod tampered;
mod terminal;
mod unmounted;
mod unread;
mod verify;
mod wine;
mod world;

/// A run that a schedule starts while a test looks would be in its way, at that time of the day only.
#[test]
fn no_test_waits_for_a_fixed_time_of_the_day() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for option in ["\"--schedule\", \"", "\"digest\", \""] {
            for (at, _) in text.match_indices(option) {
                let schedule = text[at + option.len()..].split('"').next().unwrap();
                // "* * * * *" is for tests that wait for a run; "never" and nonsense start none.
                let is_fixed = schedule != "* * * * *" && octo_job::schedule::Schedule::parse(schedule).is_ok();
                let name = entry.file_name();
                assert!(!is_fixed, "{}: {schedule}: write octo_testkit::clock::far_from_now()", name.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "this test finds no schedules any more");
}
