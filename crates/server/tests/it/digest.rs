//! The digest: which light a job has, and when the page is sent.

use crate::world::{World, me};
use octo_api::digest::{Digest, Light};
use octo_core::Cancel;
use octo_job::Policy;
use octo_server::RunOverrides;
use octo_server::notify::delivery::Delivery;
use octo_server::notify::{Message, Recipient};

fn light(digest: &Digest, name: &str) -> Light {
    digest.jobs.iter().find(|job| job.name == name).expect(name).light
}

impl World {
    /// The delivery looks; there is nobody to take anything.
    fn digests(&self) -> Vec<(i64, i64)> {
        Delivery::new(self.shared.clone()).activate(&Cancel::new()).unwrap();
        let messages = self.service.outbox(None, 500).unwrap();
        let period = |message: &Message| match message {
            Message::Digest { since, until } => Some((until.0 - since.0, until.0)),
            _ => None,
        };
        messages.iter().rev().filter_map(|message| period(&message.message)).collect()
    }
}

fn quick() -> Policy {
    Policy { retries: Some(0), catch_up: Some(octo_job::schedule::CatchUp::Skip), ..Policy::default() }
}

#[test]
fn what_ran_what_did_not_and_what_is_overdue_is_on_one_page() {
    let world = World::at("2026-08-01 20:00");
    for name in ["good", "gone", "paused"] {
        world.add(name, "daily 21:00", quick());
    }
    world.add("by-hand", "", quick());
    world.look_at("2026-08-01 21:00");
    world.look_at("2026-08-01 22:00");
    let digest = world.service.digest_of_last(24).unwrap();
    assert_eq!(light(&digest, "good"), Light::Good);
    assert_eq!(light(&digest, "by-hand"), Light::Idle);
    assert_eq!(digest.bad(), 0);
    world.service.pause_job(&me(), "paused", true).unwrap();
    std::fs::rename(world.path("mirror-gone"), world.path("away")).unwrap();
    world.look_at("2026-08-02 21:00");
    world.look_at("2026-08-02 22:00");
    let digest = world.service.digest_of_last(24).unwrap();
    assert_eq!((light(&digest, "gone"), light(&digest, "paused")), (Light::Failed, Light::Paused));
    let worst = &digest.jobs[0];
    assert_eq!(worst.name, "gone", "the worst comes first");
    assert!(!worst.cause.is_empty() && worst.next_step.contains("octobackup report "), "{worst:?}");
    // Two days on, the server was down all the time.
    let world = world.restarted_at("2026-08-04 22:00");
    world.look_at("2026-08-04 22:00");
    let digest = world.service.digest_of_last(24).unwrap();
    for name in ["good", "gone", "paused"] {
        assert_eq!(light(&digest, name), Light::Overdue, "{name}: {digest:?}");
    }
    let good = digest.jobs.iter().find(|job| job.name == "good").unwrap();
    assert_eq!(good.last_good_at.unwrap().to_string(), "2026-08-02T21:00:00Z");
    assert!(good.not_run[0].why.contains("catch up"), "{good:?}");
    assert!(good.next_step.contains("octobackup run good"), "{good:?}");
    assert!(world.service.metrics().unwrap().contains("octobackup_job_overdue{job=\"good\"} 1"));
    world.service.start_run(&me(), "good", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-04 22:30");
    assert_eq!(light(&world.service.digest_of_last(24).unwrap(), "good"), Light::Good);
    assert!(world.service.digest_of_last(0).unwrap_err().to_string().contains("hours"));
}

#[test]
fn the_digest_is_sent_once_a_day_and_once_after_a_long_sleep() {
    let world = World::at("2026-08-01 20:00");
    let them = Recipient { name: "ops".into(), mail: Some(vec!["a@example.com".into()]), ..Recipient::default() };
    world.service.set_recipient(&me(), &them).unwrap();
    assert!(world.digests().is_empty());
    world.look_at("2026-08-02 06:59");
    assert!(world.digests().is_empty());
    world.look_at("2026-08-02 07:00");
    assert_eq!(world.digests().len(), 1);
    assert_eq!(world.digests().len(), 1);
    // Five days later.
    let world = world.restarted_at("2026-08-07 09:00");
    assert_eq!(world.digests().iter().map(|(secs, _)| *secs).collect::<Vec<_>>(), [11 * 3600, 5 * 86_400 + 7200]);
    // The clock is put back, and comes to the same hour again.
    let world = world.restarted_at("2026-08-07 06:00");
    assert_eq!(world.digests().len(), 2);
    world.service.set_digest_schedule(&me(), "never").unwrap();
    world.look_at("2026-08-09 09:00");
    assert_eq!(world.digests().len(), 2);
    world.service.set_digest_schedule(&me(), "daily 06:00").unwrap();
    assert_eq!(world.digests().len(), 2);
    world.look_at("2026-08-10 06:00");
    assert_eq!(world.digests().len(), 3);
    assert!(world.service.set_digest_schedule(&me(), "sometimes").unwrap_err().to_string().contains("schedule"));
}

#[test]
fn what_failed_or_is_held_stays_so_until_a_run_ends_better_and_dry_runs_say_nothing() {
    let world = World::at("2026-08-01 20:00");
    let by_hand = Policy { max_delete: Some("0".into()), ..quick() };
    for name in ["failed", "held", "paused"] {
        world.add(name, "", by_hand.clone());
        world.service.start_run(&me(), name, &RunOverrides::default()).unwrap();
    }
    world.look_at("2026-08-01 20:01");
    std::fs::remove_file(world.path("src/a")).unwrap();
    for name in ["failed", "paused"] {
        std::fs::rename(world.path(&format!("mirror-{name}")), world.path(&format!("away-{name}"))).unwrap();
    }
    for name in ["failed", "held", "paused"] {
        world.service.start_run(&me(), name, &RunOverrides::default()).unwrap();
    }
    world.look_at("2026-08-01 20:02");
    world.service.pause_job(&me(), "paused", true).unwrap();
    // Nothing happens for a week, but for dry runs that go well.
    std::fs::rename(world.path("away-failed"), world.path("mirror-failed")).unwrap();
    world.service.start_run(&me(), "failed", &RunOverrides { dry_run: true, ..RunOverrides::default() }).unwrap();
    world.look_at("2026-08-08 20:00");
    let digest = world.service.digest_of_last(24).unwrap();
    let lights = ["failed", "held", "paused"].map(|name| light(&digest, name));
    assert_eq!(lights, [Light::Failed, Light::Attention, Light::Failed], "{digest:?}");
    assert_eq!(digest.bad(), 3);
    let job = world.service.job("failed").unwrap();
    assert_eq!(job.last_run.unwrap().outcome.unwrap().to_string(), "failed");
    let page = world.service.metrics().unwrap();
    assert!(page.contains("octobackup_job_last_run_outcome{job=\"failed\",outcome=\"failed\"} 1"), "{page}");
    // A run that is taken out of the queue never was one.
    let queued = world.service.start_run(&me(), "held", &RunOverrides::default()).unwrap();
    world.service.cancel_run(&me(), queued.id).unwrap();
    assert_eq!(light(&world.service.digest_of_last(24).unwrap(), "held"), Light::Attention);
    world.service.start_run(&me(), "failed", &RunOverrides { release_brake: true, ..RunOverrides::default() }).unwrap();
    world.look_at("2026-08-08 20:01");
    assert_ne!(light(&world.service.digest_of_last(24).unwrap(), "failed"), Light::Failed);
}

#[test]
fn a_dry_run_under_way_costs_no_slot_and_a_slot_missed_after_a_good_run_is_told() {
    let world = World::at("2026-08-01 20:00");
    world.add("a", "daily 21:00", Policy { max_age: Some("unlimited".into()), ..quick() });
    world.claimed("a", &RunOverrides { dry_run: true, ..RunOverrides::default() });
    world.tries_at("2026-08-01 21:00");
    assert_eq!(world.slots("a"), ["08-01T21:00 run"]);
    let world = world.restarted_at("2026-08-01 21:01");
    world.look_at("2026-08-01 21:01");
    assert_eq!(light(&world.service.digest_of_last(24).unwrap(), "a"), Light::Good);
    let world = world.restarted_at("2026-08-03 07:00");
    world.look_at("2026-08-03 07:00");
    assert_eq!(light(&world.service.digest_of_last(240).unwrap(), "a"), Light::NotRun);
}
