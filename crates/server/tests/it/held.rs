//! Held deletions that are dismissed: they are not reported again until they change.

use crate::world::{World, me};
use octo_api::digest::Light;
use octo_job::Policy;
use octo_server::RunOverrides;
use octo_server::notify::Recipient;
use octo_server::run::Ended;

/// One file of the source is gone, and no deletion is let through.
fn holding() -> World {
    let world = World::at("2026-08-01 20:00");
    for name in ["b", "c"] {
        std::fs::write(world.path("src").join(name), name).unwrap();
    }
    let policy = Policy { max_delete: Some("0".into()), retries: Some(0), ..Policy::default() };
    world.add("demo", "", policy);
    world.run("20:01");
    let ops = Recipient { name: "ops".into(), mail: Some(vec!["a@example.com".into()]), ..Recipient::default() };
    world.service.set_recipient(&me(), &ops).unwrap();
    std::fs::remove_file(world.path("src/a")).unwrap();
    world
}

impl World {
    /// Runs the job; returns its outcome.
    fn run(&self, time: &str) -> Ended {
        self.service.start_run(&me(), "demo", &RunOverrides::default()).unwrap();
        self.look_at(&format!("2026-08-01 {time}"));
        self.runs()[0].outcome.unwrap()
    }

    fn messages(&self) -> usize {
        self.service.outbox(None, 500).unwrap().len()
    }

    fn held_plan(&self) -> Option<String> {
        self.service.report(self.runs()[0].id).unwrap().held_plan
    }

    fn light(&self) -> Light {
        self.service.digest_of_last(24).unwrap().jobs[0].light
    }

    fn dismissed(&self) -> Option<String> {
        self.service.job("demo").unwrap().job.dismissed_plan
    }
}

#[test]
fn a_dismissed_set_stays_held_without_a_new_alarm_and_another_set_alarms() {
    let world = holding();
    assert_eq!((world.run("20:02"), world.messages(), world.light()), (Ended::Held, 1, Light::Attention));
    let plan = world.held_plan().unwrap();
    world.service.dismiss(&me(), "demo", &plan).unwrap();
    assert_eq!(world.light(), Light::Good);
    let audit = &world.service.audit(None, 1).unwrap()[0];
    assert_eq!((audit.what.as_str(), audit.detail.as_str()), ("job.dismiss", plan.as_str()));
    // The same set: held, and no word of it.
    assert_eq!((world.run("20:03"), world.messages(), world.light()), (Ended::Held, 1, Light::Good));
    assert_eq!(world.held_plan().as_ref(), Some(&plan));
    assert!(world.path("mirror-demo/a").exists());
    // A server that was restarted still knows.
    let world = world.restarted_at("2026-08-01 20:04");
    assert_eq!((world.run("20:04"), world.messages()), (Ended::Held, 1));
    std::fs::remove_file(world.path("src/b")).unwrap();
    assert_eq!((world.run("20:05"), world.messages(), world.light()), (Ended::Held, 2, Light::Attention));
    assert_eq!(world.dismissed(), None);
    // What was dismissed once is news again after something else was held.
    std::fs::write(world.path("src/b"), "b").unwrap();
    assert_eq!((world.run("20:06"), world.messages()), (Ended::Held, 3));
    assert_eq!(world.held_plan(), Some(plan));
}

#[test]
fn a_dismissed_set_can_be_approved_and_then_there_is_nothing_to_dismiss() {
    let world = holding();
    world.run("20:02");
    let plan = world.held_plan().unwrap();
    world.service.dismiss(&me(), "demo", &plan).unwrap();
    let once = RunOverrides { approve: Some(plan.clone()), ..RunOverrides::default() };
    world.service.start_run(&me(), "demo", &once).unwrap();
    world.look_at("2026-08-01 20:03");
    assert_eq!(world.runs()[0].outcome, Some(Ended::Succeeded));
    assert!(!world.path("mirror-demo/a").exists());
    assert_eq!(world.dismissed(), None);
    let error = world.service.dismiss(&me(), "demo", &plan).unwrap_err();
    assert!(error.detail.contains("no deletions of demo wait"), "{error}");
}

#[test]
fn only_the_set_that_waits_can_be_dismissed_and_problems_are_told_all_the_same() {
    let world = holding();
    world.run("20:02");
    let plan = world.held_plan().unwrap();
    let error = world.service.dismiss(&me(), "demo", "0123456789ab").unwrap_err();
    assert_eq!(error.field.as_deref(), Some("plan"));
    assert!(error.detail.contains(&plan), "{error}");
    assert_eq!(world.dismissed(), None);
    world.service.dismiss(&me(), "demo", &plan).unwrap();
    // A mirror that is not there is a failure, whatever was dismissed; the set is still the one that waits.
    std::fs::rename(world.path("mirror-demo"), world.path("unmounted")).unwrap();
    assert_eq!((world.run("20:03"), world.messages()), (Ended::Failed, 2));
    std::fs::rename(world.path("unmounted"), world.path("mirror-demo")).unwrap();
    assert_eq!((world.run("20:04"), world.messages()), (Ended::Held, 2));
    assert_eq!(world.dismissed(), Some(plan));
}
