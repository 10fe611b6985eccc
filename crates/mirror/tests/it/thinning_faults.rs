//! Faults while states are removed: deaths, damage, clocks, disks that refuse. No state that is kept may be less than it was.

use crate::pair::Pair;
use crate::thinning::{all, assert_states, copy, nothing, open, options, pin_states, run, seen, seven_states};
use octo_core::retention::KeepFree;
use octo_core::{Cancel, Code, Outcome, Timestamp};
use octo_disk::LocalSource;
use octo_mirror::history::{History, When};
use octo_mirror::retention::unpin;
use octo_mirror::{RunOptions, RunResult};
use octo_testkit::clock::TestClock;
use octo_testkit::effects::{Count, Effects, FailAt, Trap};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

/// The records of states that go are in one folder, their contents in several: each that is still there is what it was.
#[test]
fn a_removal_of_merged_oldest_states_that_dies_at_any_effect_leaves_none_half_there() {
    let original = Pair::new();
    let mut states = seven_states(&original, true);
    pin_states(&original, &[1, 4]);
    for number in 8..10 {
        original.write("big", &[number; 5000], 2_000_000 + u64::from(number));
        run(&original, &options(nothing()), Count, true);
        states.insert(number.into(), seen(&original));
    }
    let (before, after) = ([1, 4, 6, 7, 8, 9], [6, 7, 8, 9]);
    assert_states(&original, &states, &before, "before");
    assert!(unpin(&open(&original), 1).unwrap() && unpin(&open(&original), 4).unwrap());
    let options = RunOptions { metadata: octo_core::metadata::Keep::Basic, ..options(nothing()) };
    let mut number = u64::MAX;
    loop {
        let pair = Pair { source: original.source.clone(), ..Pair::new() };
        copy(&original.target, &pair.target);
        let trap = FailAt { number, code: Code::TargetFailed, and_all_after: true };
        let (report, effects) = run(&pair, &options, trap, true);
        if number == u64::MAX {
            let is_first = |effect: &String| effect.contains("pruned-") || effect.contains("changes-6");
            number = effects.iter().position(is_first).unwrap() as u64;
            assert_states(&pair, &states, &after, "nothing fails");
            continue;
        }
        let effect = effects.get((number as usize).saturating_sub(1));
        let context = format!("{effect:?} ({number}) fails, and all after it");
        let left: Vec<u64> =
            History::open(&open(&pair)).unwrap().states().unwrap().iter().map(|state| state.number).collect();
        assert!(left == before || left == after, "{context}: {left:?} {report:#?}");
        assert_states(&pair, &states, &left, &context);
        let (next, _) = run(&pair, &options, Count, true);
        assert_eq!(next.outcome, Outcome::Succeeded, "{context}: {next:#?}");
        assert_states(&pair, &states, &after, &context);
        if effect.is_none() {
            return;
        }
        number += 1;
    }
}

/// A run that only set metadata has records and no contents: what it kept of the metadata outlives it.
#[test]
fn metadata_that_a_run_without_contents_kept_outlives_its_state() {
    let pair = Pair::new();
    pair.write("stays", b"the same", 1_500_000);
    pair.write("a/b", b"the same", 1_500_000);
    let mut states = BTreeMap::new();
    for (number, mode) in (1..=6).zip([0o700, 0o711, 0o722, 0o733, 0o744, 0o755]) {
        pair.chmod("stays", mode);
        pair.chmod("a", mode | 0o700);
        let (report, _) = run(&pair, &options(all()), Count, true);
        assert_eq!((report.outcome, report.run), (Outcome::Succeeded, number), "{report:#?}");
        states.insert(number, seen(&pair));
    }
    assert!(!pair.target.join(".octobackup/versions/2/tree").exists());
    assert_states(&pair, &states, &[1, 2, 3, 4, 5, 6], "before");
    pin_states(&pair, &[1]);
    run(&pair, &options(nothing()), Count, true);
    assert_states(&pair, &states, &[1, 3, 4, 5, 6], "state 2 is gone");
    for round in 0..3 {
        pair.write("new", &[round; 10], 1_600_000 + u64::from(round));
        run(&pair, &options(nothing()), Count, true);
    }
    assert_states(&pair, &states, &[1, 6, 8, 9, 10], "more are gone");
    unpin(&open(&pair), 1).unwrap();
    run(&pair, &options(nothing()), Count, true);
    assert_states(&pair, &states, &[6, 8, 9, 10], "the oldest is gone");
    assert!(!pair.target.join(".octobackup/versions/2").exists());
}

/// One bit of the number of the first run whose records are with those of another one.
#[test]
fn where_the_range_of_merged_records_is_damaged_nothing_goes() {
    let pair = Pair::new();
    let states = seven_states(&pair, true);
    pin_states(&pair, &[1, 2, 3]);
    for number in 8..11 {
        pair.write("big", &[number; 5000], 2_000_000 + u64::from(number));
        run(&pair, &options(nothing()), Count, true);
    }
    let kept = [1, 2, 3, 7, 8, 9, 10];
    assert_states(&pair, &states, &kept, "before");
    let changes = pair.target.join(".octobackup/versions/7/changes");
    let whole = fs::read(&changes).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    assert!(text.starts_with("{\"do\":\"run\",\"run\":4,"), "{text}");
    let times = fs::metadata(&changes).unwrap().modified().unwrap();
    let put = |bytes: &[u8]| {
        fs::write(&changes, bytes).unwrap();
        fs::File::options().write(true).open(&changes).unwrap().set_modified(times).unwrap();
    };
    put(text.replacen(":4,", ":0,", 1).as_bytes());
    {
        let target = open(&pair);
        let history = History::open(&target).unwrap();
        let error = history.state(When::Number(3)).err().unwrap();
        assert_eq!(error.code, Code::RecordsDamaged);
        assert!(history.state(When::Number(7)).is_ok());
    }
    pair.write("big", &[11; 5000], 3_000_000);
    let wanted = RunOptions { keep_free: Some(KeepFree::Bytes(u64::MAX)), ..options(nothing()) };
    let (report, _) = run(&pair, &wanted, Count, true);
    assert!(report.remarks.iter().any(|remark| remark.contains("versions/7/changes")), "{report:#?}");
    put(&whole);
    assert_states(&pair, &states, &[1, 2, 3, 7, 8, 9, 10, 11], "nothing went");
}

/// What cannot be removed is still there the next time: nobody may try for ever, or say that it went.
#[test]
fn where_less_is_free_than_wanted_and_the_oldest_cannot_go_the_run_ends_and_says_why() {
    let pair = Pair::new();
    let states = seven_states(&pair, true);
    pin_states(&pair, &[1]);
    let changes = pair.target.join(".octobackup/versions/3/changes");
    let whole = fs::read(&changes).unwrap();
    fs::write(&changes, [&whole[..], b"no record\n"].concat()).unwrap();
    let wanted = RunOptions { keep_free: Some(KeepFree::Bytes(u64::MAX)), ..options(all()) };
    let (report, _) = run(&pair, &wanted, Count, true);
    let says = |words: &str| report.remarks.iter().any(|remark| remark.contains(words));
    assert!(says("could not be removed") && !says("were removed"), "{report:#?}");
    let (report, _) = run(&pair, &options(nothing()), Count, true);
    let says = |words: &str| report.remarks.iter().any(|remark| remark.contains(words));
    assert!(says("could be removed: ") && !says("were removed"), "{report:#?}");
    fs::write(&changes, &whole).unwrap();
    assert_states(&pair, &states, &[1, 2, 3, 4, 5, 6, 7], "nothing went");
}

/// The clock goes back once the run sets the time of a file.
struct Back(Arc<TestClock>, Timestamp);

impl Trap for Back {
    fn before(&self, _: u64, what: &str) -> Result<(), octo_core::Error> {
        if what == "set_times" {
            self.0.set(self.1);
        }
        Ok(())
    }
}

#[test]
fn where_the_clock_went_back_during_the_run_nothing_goes_for_its_age() {
    let pair = Pair::new();
    let states = seven_states(&pair, true);
    pair.write("big", &[8; 5000], 2_000_000);
    let clock = Arc::new(TestClock::real());
    let earlier = octo_core::Clock::now(&*clock).plus_secs(-2 * 86_400);
    let source = LocalSource::open(&pair.source).unwrap();
    let target = Effects::new(open(&pair), Back(Arc::clone(&clock), earlier));
    let RunResult { report, .. } =
        octo_mirror::run(&source, &target, &options(nothing()), &octo_core::monitor::Silent, &*clock, &Cancel::new());
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
    assert!(report.remarks.iter().any(|remark| remark.contains("the clock shows a time before")), "{report:#?}");
    drop(target);
    assert_states(&pair, &states, &[1, 2, 3, 4, 5, 6, 7, 8], "nothing went");
}

/// A program that knows neither pins nor merged records must not remove versions of a mirror that has them.
#[test]
fn a_mirror_with_a_pin_or_without_a_state_of_the_middle_is_of_a_format_that_older_programs_refuse() {
    let format = |pair: &Pair| {
        let text = fs::read_to_string(pair.target.join(".octobackup/marker.toml")).unwrap();
        text.lines().next().unwrap().to_owned()
    };
    let pair = Pair::new();
    seven_states(&pair, true);
    assert_eq!(format(&pair), "format = 1");
    pin_states(&pair, &[3]);
    assert_eq!(format(&pair), "format = 2");
    unpin(&open(&pair), 3).unwrap();
    run(&pair, &options(all()), Count, true);
    assert_eq!(format(&pair), "format = 2");
    let pair = Pair::new();
    seven_states(&pair, true);
    run(&pair, &options(nothing()), Count, true);
    assert_eq!(format(&pair), "format = 1", "only the oldest went");
}
