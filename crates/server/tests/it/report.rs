//! What a report says beside its numbers: what is new, what still fails since when, what is mended.

use crate::world::{World, me};
use octo_api::summary::RunSummary;
use octo_core::Code;
use octo_job::Policy;
use octo_server::RunOverrides;
use octo_server::run::Ended;
use std::process::Command;

impl World {
    /// A pipe: no mirror can hold it, so each run has a problem with it.
    fn pipe(&self, name: &str) {
        let path = self.path("src").join(name);
        assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo (Debian package coreutils)").success());
    }

    fn run_at(&self, now: &str) -> RunSummary {
        self.look_at(now);
        self.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
        self.look_at(now);
        self.service.summary(self.runs()[0].id).unwrap()
    }
}

/// New, as before, mended.
fn news(summary: &RunSummary) -> (u64, u64, i64) {
    let cause = summary.causes.iter().find(|cause| cause.code == Code::NotMirrored);
    cause.map_or((0, 0, summary.mended), |cause| (cause.new, cause.still, summary.mended))
}

fn world() -> World {
    let world = World::at("2026-08-01 20:00");
    world.add("a", "", Policy { retries: Some(0), ..Policy::default() });
    world
}

#[test]
fn problems_are_new_then_as_before_then_gone() {
    let world = world();
    assert_eq!(news(&world.run_at("2026-08-01 21:00")), (0, 0, 0));
    world.pipe("one");
    let summary = world.run_at("2026-08-02 21:00");
    assert_eq!(news(&summary), (1, 0, 0));
    assert_eq!(summary.causes[0].examples[0].last_good_at.unwrap().to_string(), "2026-08-01T21:00:00Z");
    world.pipe("two");
    let summary = world.run_at("2026-08-03 21:00");
    assert_eq!(news(&summary), (1, 1, 0));
    let examples = &summary.causes[0].examples;
    assert_eq!((examples[0].path.as_str(), examples[0].is_new), ("two", true), "the new one comes first");
    assert_eq!(examples[1].since_at.unwrap().to_string(), "2026-08-02T21:00:00Z");
    assert_eq!(examples[1].last_good_at.unwrap().to_string(), "2026-08-01T21:00:00Z", "and stays what it was");
    std::fs::remove_file(world.path("src/one")).unwrap();
    assert_eq!(news(&world.run_at("2026-08-04 21:00")), (0, 1, 1));
    world.pipe("one");
    assert_eq!(news(&world.run_at("2026-08-05 21:00")), (1, 1, 0), "what comes back is new");
}

#[test]
fn a_run_that_failed_mends_nothing() {
    let world = world();
    world.pipe("one");
    assert_eq!(news(&world.run_at("2026-08-01 21:00")), (1, 0, 0));
    std::fs::rename(world.path("mirror-a"), world.path("away")).unwrap();
    let summary = world.run_at("2026-08-02 21:00");
    assert_eq!((summary.run.outcome, summary.mended), (Some(Ended::Failed), 0));
    assert_eq!(summary.last_good_at.unwrap().to_string(), "2026-08-01T21:00:00Z");
    std::fs::rename(world.path("away"), world.path("mirror-a")).unwrap();
    assert_eq!(news(&world.run_at("2026-08-03 21:00")), (0, 1, 0));
}

#[test]
fn a_dry_run_leaves_the_history_of_problems_alone() {
    let world = world();
    assert_eq!(news(&world.run_at("2026-08-01 21:00")), (0, 0, 0));
    world.pipe("one");
    world.service.start_run(&me(), "a", &RunOverrides { dry_run: true, ..RunOverrides::default() }).unwrap();
    world.look_at("2026-08-02 20:00");
    assert_eq!(news(&world.run_at("2026-08-02 21:00")), (1, 0, 0), "the real run is the first that met it");
}

#[test]
fn a_report_of_a_run_that_has_none_says_so() {
    let world = world();
    let run = world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    assert!(world.service.summary(run.id).unwrap_err().detail.contains("waiting"));
    assert!(world.service.summary(99).unwrap_err().detail.contains("no run 99"));
}
