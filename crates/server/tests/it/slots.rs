//! Slots, as the runner writes them down: whatever the clock does, each has exactly one record.

use crate::world::World;
use octo_job::Policy;
use octo_job::schedule::CatchUp;
use octo_server::run::{Ended, Reason, State};

#[test]
fn a_slot_that_comes_is_run_and_the_mirror_is_there() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "daily 21:00", Policy::default());
    world.look_at("2026-08-04 20:59");
    assert!(world.slots("a").is_empty() && world.runs().is_empty());
    world.look_at("2026-08-04 21:00");
    assert_eq!(world.slots("a"), ["08-04T21:00 run"]);
    let run = world.runs().remove(0);
    assert_eq!((run.reason, run.outcome), (Reason::Schedule, Some(Ended::Succeeded)));
    assert_eq!(std::fs::read(world.path("mirror-a/a")).unwrap(), b"one");
    // Looking again brings nothing twice.
    world.look_at("2026-08-04 21:01");
    assert_eq!((world.slots("a").len(), world.runs().len()), (1, 1));
}

#[test]
fn after_downtime_each_slot_has_its_record_and_one_run_makes_up_for_them() {
    for (catch_up, fates, runs) in [
        (CatchUp::AtOnce, ["missed", "missed", "late"], 1),
        (CatchUp::InWindow, ["missed", "missed", "late"], 1),
        (CatchUp::Skip, ["missed", "missed", "missed"], 0),
    ] {
        let world = World::at("2026-08-01 22:00");
        world.add("a", "daily 21:00", Policy { catch_up: Some(catch_up), ..Policy::default() });
        let world = world.restarted_at("2026-08-05 08:00");
        world.look_at("2026-08-05 08:00");
        let wanted = ["08-02T21:00", "08-03T21:00", "08-04T21:00"].iter().zip(fates);
        assert_eq!(world.slots("a"), wanted.map(|(day, fate)| format!("{day} {fate}")).collect::<Vec<_>>());
        assert_eq!(world.runs().len(), runs, "{catch_up:?}");
    }
}

#[test]
fn what_was_missed_waits_for_the_end_of_a_blackout_unless_it_is_to_run_at_once() {
    for (catch_up, begins_in_blackout) in [(CatchUp::InWindow, false), (CatchUp::AtOnce, true)] {
        let world = World::at("2026-08-03 22:00");
        let blackouts = Some(vec!["08:00-18:00".to_owned()]);
        world.add("a", "daily 21:00", Policy { catch_up: Some(catch_up), blackouts, ..Policy::default() });
        world.look_at("2026-08-05 09:00");
        assert_eq!(world.runs()[0].state == State::Finished, begins_in_blackout, "{catch_up:?}");
        world.look_at("2026-08-05 18:00");
        assert_eq!(world.runs()[0].state, State::Finished);
    }
}

#[test]
fn a_clock_that_is_put_back_brings_no_slot_twice_and_stops_no_schedule() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "hourly", Policy::default());
    world.look_at("2026-08-04 21:00");
    // Somebody sets the year wrong, and right again.
    world.look_at("2027-08-04 21:30");
    let in_2027 = world.runs().len();
    world.look_at("2026-08-04 21:30");
    assert_eq!(world.runs().len(), in_2027, "nothing is due at half past");
    world.look_at("2026-08-04 20:30");
    world.look_at("2026-08-04 21:00");
    assert_eq!(world.runs().len(), in_2027, "21:00 has its record");
    world.look_at("2026-08-04 22:00");
    assert_eq!(world.runs().len(), in_2027 + 1, "the schedule stands still");
}

#[test]
fn a_clock_that_jumps_to_the_end_of_time_does_not_fill_the_disk() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "hourly", Policy::default());
    world.look_at("2099-01-01 00:30");
    let mut count = 0;
    let mut before = None;
    loop {
        let page = world.service.slots("a", before, 500).unwrap();
        count += page.len();
        match page.last() {
            Some(slot) => before = Some(slot.due_at),
            None => break,
        }
    }
    assert_eq!(count, 90 * 24);
}

#[test]
fn a_paused_job_runs_nothing_and_says_so() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "hourly", Policy::default());
    world.service.pause_job(&crate::world::me(), "a", true).unwrap();
    world.look_at("2026-08-04 21:00");
    assert_eq!(world.slots("a"), ["08-04T21:00 skipped"]);
    assert!(world.service.slots("a", None, 1).unwrap()[0].why.contains("paused"));
    world.service.pause_job(&crate::world::me(), "a", false).unwrap();
    world.look_at("2026-08-04 22:00");
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn a_new_schedule_begins_when_it_is_made() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "", Policy::default());
    world.look_at("2026-08-20 20:30");
    let job = world.service.job("a").unwrap().job;
    let spec = world.spec("a", "hourly", Policy::default());
    world.service.change_job(&crate::world::me(), "a", job.revision, &spec).unwrap();
    world.look_at("2026-08-20 20:31");
    assert!(world.slots("a").is_empty(), "{:?}", world.slots("a"));
    world.look_at("2026-08-20 21:00");
    assert_eq!(world.slots("a"), ["08-20T21:00 run"]);
}

#[test]
fn a_random_delay_holds_a_run_back_and_not_for_ever() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "daily 21:00", Policy { random_delay: Some("30m".into()), ..Policy::default() });
    world.look_at("2026-08-04 21:00");
    let not_before = world.runs()[0].not_before;
    let slot = world.service.slots("a", None, 1).unwrap()[0].due_at;
    assert!((0..=1800).contains(&(not_before.0 - slot.0)));
    world.look_at("2026-08-04 21:31");
    assert_eq!(world.runs()[0].state, State::Finished);
}

#[test]
fn a_job_that_makes_no_sense_any_more_stops_no_other() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "hourly", Policy::default());
    world.add("b", "hourly", Policy::default());
    // As if this version did not know the zone any more.
    let spoil = "UPDATE job SET spec = json_set(spec, '$.policy.time_zone', 'Mars/Olympus') WHERE name = 'a'";
    world.shared.store.change(|db| Ok(db.execute(spoil, [])?)).unwrap();
    world.clock.set(octo_core::Timestamp::from_unix(1_785_877_200, 0));
    let error = world.runner.activate().unwrap_err();
    world.runner.join();
    assert!(error.detail.contains("the job a") && error.detail.contains("Mars"), "{error}");
    assert_eq!(world.slots("b"), ["08-04T21:00 run"]);
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn old_history_is_forgotten_but_not_the_last_good_run() {
    let world = World::at("2026-01-01 20:30");
    world.add("a", "daily 21:00", Policy::default());
    for day in 1..=3 {
        world.look_at(&format!("2026-01-0{day} 21:00"));
    }
    assert_eq!((world.runs().len(), world.slots("a").len()), (3, 3));
    world.service.pause_job(&crate::world::me(), "a", true).unwrap();
    let mut world = world.restarted_at("2026-06-01 12:00");
    world.look_at("2026-06-01 12:00");
    assert_eq!(world.runs().len(), 3, "a clock that jumped removes nothing");
    for later in ["2026-06-05 12:00", "2026-06-09 12:00"] {
        world = world.restarted_at(later);
        world.look_at(later);
    }
    let left = world.runs();
    assert_eq!((left.len(), left[0].outcome), (1, Some(Ended::Succeeded)));
    assert!(world.service.report(left[0].id).is_ok());
    assert!(world.slots("a").iter().all(|slot| slot.ends_with("skipped")), "{:?}", &world.slots("a")[..3]);
}
