//! What a server finds that another one left behind, and what it makes of causes that may pass.

use crate::world::{World, me};
use octo_job::Policy;
use octo_server::RunOverrides;
use octo_server::run::{Ended, Reason, State};

#[test]
fn a_run_without_a_thread_becomes_interrupted_and_is_picked_up() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "", Policy::default());
    let id = world.claimed("a", &RunOverrides { accept_source: true, new_target: true, ..RunOverrides::default() });
    let world = world.restarted_at("2026-08-04 20:10");
    world.look_at("2026-08-04 20:10");
    let runs = world.runs();
    assert_eq!((runs[1].id, runs[1].outcome, runs[1].duration_ms), (id, Some(Ended::Interrupted), 600_000));
    assert_eq!((runs[0].reason, runs[0].outcome), (Reason::Recovery, Some(Ended::Succeeded)));
    // What is for one run only and may have been done already is not done again.
    assert!(runs[0].once.accept_source && !runs[0].once.new_target);
    assert!(world.service.report(id).unwrap().remarks[0].contains("died"));
}

#[test]
fn a_dry_run_is_not_picked_up() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "", Policy::default());
    world.claimed("a", &RunOverrides { dry_run: true, ..RunOverrides::default() });
    let world = world.restarted_at("2026-08-04 20:10");
    world.look_at("2026-08-04 20:10");
    assert_eq!(world.runs().len(), 1);
    assert_eq!(world.runs()[0].outcome, Some(Ended::Interrupted));
}

#[test]
fn a_job_that_kills_the_server_again_and_again_is_not_started_for_ever() {
    let mut world = World::at("2026-08-04 20:00");
    world.add("a", "", Policy::default());
    world.claimed("a", &RunOverrides::default());
    for minute in 1..10 {
        let now = format!("2026-08-04 20:{minute:02}");
        world = world.restarted_at(&now);
        // The server dies the moment it begins the run that was queued.
        let shared = &world.shared;
        octo_server::runner::reap(shared).unwrap();
        let queued = world.runs().into_iter().find(|run| run.state == State::Queued);
        let Some(run) = queued else { break };
        shared.store.change(|db| octo_server::store::runs::claim(db, run.id, shared.now())).unwrap();
    }
    assert_eq!(world.runs().len(), 4, "the first, and three more");
    assert!(world.runs().iter().all(|run| run.outcome == Some(Ended::Interrupted)));
    // A person may start it all the same.
    world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-04 21:00");
    assert_eq!(world.runs()[0].outcome, Some(Ended::Succeeded));
}

#[test]
fn a_cause_that_may_pass_is_tried_again_ever_later_and_then_no_more() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "", Policy { retries: Some(2), retry_wait: Some("5m".into()), ..Policy::default() });
    world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-04 20:00");
    // The mirror's disk is not mounted.
    std::fs::rename(world.path("mirror-a"), world.path("away")).unwrap();
    world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-04 20:10");
    assert_eq!((world.runs()[0].attempt, world.runs()[0].state), (1, State::Queued));
    world.look_at("2026-08-04 20:14");
    assert_eq!(world.runs()[0].state, State::Queued, "too early");
    world.look_at("2026-08-04 20:15");
    assert_eq!((world.runs()[0].attempt, world.runs()[1].outcome), (2, Some(Ended::Failed)));
    world.look_at("2026-08-04 20:25");
    assert_eq!((world.runs().len(), world.runs()[0].outcome), (4, Some(Ended::Failed)), "no more after two");
    // Mounted again, a run goes on as if nothing had been.
    std::fs::rename(world.path("away"), world.path("mirror-a")).unwrap();
    world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-04 20:30");
    assert_eq!(world.runs()[0].outcome, Some(Ended::Succeeded));
}

#[test]
fn a_queued_run_survives_a_restart_and_one_of_a_removed_job_ends() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "", Policy::default());
    world.add("b", "", Policy::default());
    world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.service.start_run(&me(), "b", &RunOverrides::default()).unwrap();
    world.service.remove_job(&me(), "b").unwrap();
    let world = world.restarted_at("2026-08-04 20:10");
    world.look_at("2026-08-04 20:10");
    let outcome = |job: &str| world.runs().into_iter().find(|run| run.job == job).unwrap().outcome;
    assert_eq!((outcome("a"), outcome("b")), (Some(Ended::Succeeded), Some(Ended::Cancelled)));
}

#[test]
fn two_editors_cannot_overwrite_each_other_unseen() {
    let world = World::at("2026-08-04 20:00");
    world.add("a", "", Policy::default());
    let seen = world.service.job("a").unwrap().job.revision;
    let mine = world.spec("a", "hourly", Policy::default());
    let theirs = world.spec("a", "daily 01:00", Policy::default());
    world.service.change_job(&me(), "a", seen, &mine).unwrap();
    let error = world.service.change_job(&me(), "a", seen, &theirs).unwrap_err();
    assert!(error.detail.contains("somebody else"), "{error}");
    assert_eq!(world.service.job("a").unwrap().job.spec.schedule.as_deref(), Some("hourly"));
    let changes: Vec<String> = world.service.audit(None, 10).unwrap().into_iter().map(|entry| entry.what).collect();
    assert_eq!(changes, ["job.change", "job.add"]);
}
