//! What a person asks for: refused at the door if it can only fail, and not kept waiting by what the server does by itself.

use crate::world::{World, me};
use octo_job::Policy;
use octo_server::RunOverrides;
use octo_server::notify::Recipient;
use octo_server::run::{Ended, Reason, State};

#[test]
fn a_plan_that_does_not_wait_any_more_is_refused_and_nothing_is_recorded() {
    let world = World::at("2026-08-01 20:00");
    std::fs::write(world.path("src/b"), "b").unwrap();
    world.add("a", "", Policy { max_delete: Some("0".into()), retries: Some(0), ..Policy::default() });
    let ops = Recipient { name: "ops".into(), mail: Some(vec!["a@example.com".into()]), ..Recipient::default() };
    world.service.set_recipient(&me(), &ops).unwrap();
    let approve = |plan: &str| {
        world
            .service
            .start_run(&me(), "a", &RunOverrides { approve: Some(plan.into()), ..RunOverrides::default() })
            .map(|run| run.id)
    };
    let refused = |at: &str, plan: &str, word: &str| {
        let (runs, messages) = (world.runs().len(), world.service.outbox(None, 500).unwrap().len());
        let error = approve(plan).unwrap_err();
        assert!(error.field.as_deref() == Some("approve") && error.detail.contains(word), "{error}");
        world.look_at(at);
        assert_eq!((world.runs().len(), world.service.outbox(None, 500).unwrap().len()), (runs, messages));
    };
    refused("2026-08-01 20:00", "0123456789ab", "no deletions of a wait");
    let run = |time: &str| {
        world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
        world.look_at(time);
        world.service.report(world.runs()[0].id).unwrap().held_plan
    };
    assert_eq!(run("2026-08-01 20:01"), None);
    std::fs::remove_file(world.path("src/a")).unwrap();
    let stale = run("2026-08-01 20:02").unwrap();
    std::fs::remove_file(world.path("src/b")).unwrap();
    let waits = run("2026-08-01 20:03").unwrap();
    refused("2026-08-01 20:03", &stale, &waits);
    approve(&waits).unwrap();
    world.look_at("2026-08-01 20:40");
    assert!(!world.path("mirror-a/a").exists() && !world.path("mirror-a/b").exists());
    refused("2026-08-01 20:40", &waits, "no deletions of a wait");
}

#[test]
fn a_run_started_by_hand_takes_the_place_of_one_that_waits_by_itself() {
    let world = World::at("2026-08-01 20:00");
    world.add("a", "", Policy { retries: Some(3), retry_wait: Some("1h".into()), ..Policy::default() });
    world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-01 20:01");
    // A cause that may pass: the disk is not mounted.
    std::fs::rename(world.path("mirror-a"), world.path("away")).unwrap();
    world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-01 20:02");
    assert_eq!((world.runs()[0].reason, world.runs()[0].state), (Reason::Retry, State::Queued));
    std::fs::rename(world.path("away"), world.path("mirror-a")).unwrap();
    // A dry run makes no backup: the retry keeps its place beside it.
    world.service.start_run(&me(), "a", &RunOverrides { dry_run: true, ..RunOverrides::default() }).unwrap();
    world.look_at("2026-08-01 20:03");
    assert!(world.runs().iter().any(|run| run.reason == Reason::Retry && run.state == State::Queued));
    let by_hand = world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-01 20:04");
    let runs = world.runs();
    let retry = runs.iter().find(|run| run.reason == Reason::Retry).unwrap();
    assert_eq!((retry.outcome, retry.started_at), (Some(Ended::Cancelled), None));
    assert!(world.service.report(retry.id).unwrap().remarks[0].contains(&by_hand.id.to_string()));
    assert_eq!((runs[0].id, runs[0].outcome), (by_hand.id, Some(Ended::Succeeded)));
    // What never began says nothing of the job.
    assert_eq!(world.service.job("a").unwrap().last_run.unwrap().id, by_hand.id);
}

#[test]
fn a_run_that_waits_for_the_end_of_a_blackout_gives_way_and_its_slot_keeps_a_run() {
    let world = World::at("2026-08-03 22:00");
    let blackouts = Some(vec!["08:00-18:00".to_owned()]);
    world.add("a", "daily 21:00", Policy { blackouts, ..Policy::default() });
    let world = world.restarted_at("2026-08-05 09:00");
    world.look_at("2026-08-05 09:00");
    assert_eq!(world.runs()[0].state, State::Queued);
    let run = world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-05 09:01");
    assert_eq!(world.service.run(run.id).unwrap().run.outcome, Some(Ended::Succeeded));
    assert!(world.service.slots("a", None, 9).unwrap().iter().any(|slot| slot.run == Some(run.id)));
    // What a person asked for is kept.
    let waits = world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    let error = world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap_err();
    assert!(error.detail.contains(&format!("octobackup cancel {}", waits.id)), "{error}");
}
