//! A whole set of jobs at once: the preview is what is done, or nothing.

use crate::world::{World, me};
use octo_api::apply::What;
use octo_job::{JobSpec, JobsFile, Policy};
use octo_server::service::{ApplyRequest, ByName};
use octo_server::service_error::Kind;

fn request(world: &World, names: &[&str]) -> ApplyRequest {
    let jobs = names.iter().map(|name| world.spec(name, "daily 21:00", Policy::default()).into()).collect();
    ApplyRequest { file: JobsFile { defaults: None, jobs }, remove: true, ..ApplyRequest::default() }
}

fn names(world: &World) -> Vec<String> {
    world.service.jobs(&ByName::default()).unwrap().into_iter().map(|view| view.job.spec.name).collect()
}

#[test]
fn a_rehearsal_tells_exactly_what_is_done_and_does_nothing() {
    let world = World::at("2026-08-04 12:00");
    world.add("old", "", Policy::default());
    let audited = world.service.audit(None, 500).unwrap().len();
    let request = ApplyRequest { dry_run: true, ..request(&world, &["a", "b"]) };
    let preview = world.service.apply(&me(), &request).unwrap();
    assert_eq!(preview.iter().map(|change| change.what).collect::<Vec<_>>(), [What::Remove, What::Add, What::Add]);
    assert_eq!((names(&world), world.service.audit(None, 500).unwrap().len()), (vec!["old".to_owned()], audited));
    let done =
        world.service.apply(&me(), &ApplyRequest { dry_run: false, expect: Some(preview.clone()), ..request }).unwrap();
    assert_eq!((done, names(&world)), (preview, vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn if_somebody_changed_something_meanwhile_nothing_is_changed() {
    let world = World::at("2026-08-04 12:00");
    let request = ApplyRequest { dry_run: true, ..request(&world, &["a"]) };
    let preview = world.service.apply(&me(), &request).unwrap();
    world.add("somebody-elses", "", Policy::default());
    let refused =
        world.service.apply(&me(), &ApplyRequest { dry_run: false, expect: Some(preview), ..request }).unwrap_err();
    assert_eq!((refused.kind, names(&world)), (Kind::Conflict, vec!["somebody-elses".to_owned()]));
}

#[test]
fn two_jobs_may_change_places() {
    let world = World::at("2026-08-04 12:00");
    let (a, b) = (world.spec("a", "", Policy::default()), world.spec("b", "", Policy::default()));
    world.add("a", "", Policy::default());
    world.add("b", "", Policy::default());
    let jobs = vec![
        JobSpec { target: b.target.clone(), ..a.clone() }.into(),
        JobSpec { target: a.target.clone(), ..b }.into(),
    ];
    let request = ApplyRequest { file: JobsFile { defaults: None, jobs }, ..ApplyRequest::default() };
    assert_eq!(world.service.apply(&me(), &request).unwrap().len(), 2);
    // One alone would have two jobs write to one folder.
    let back = ApplyRequest { file: JobsFile { defaults: None, jobs: vec![a.into()] }, ..ApplyRequest::default() };
    let refused = world.service.apply(&me(), &back).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("target"));
}

#[test]
fn a_change_of_a_job_that_somebody_else_changed_is_refused() {
    let world = World::at("2026-08-04 12:00");
    world.add("a", "", Policy::default());
    let seen = world.service.job("a").unwrap().job;
    world.service.change_job(&me(), "a", seen.revision, &JobSpec { paused: true, ..seen.spec.clone() }).unwrap();
    let refused = world.service.change_job(&me(), "a", seen.revision, &seen.spec).unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(world.service.job("a").unwrap().job.spec.paused);
}

#[test]
fn defaults_with_which_a_job_makes_no_sense_are_refused() {
    let world = World::at("2026-08-04 12:00");
    world.add("a", "", Policy::default());
    let bad = Policy { compare: serde_json::from_value("change-time".into()).ok(), ..Policy::default() };
    let text = |word: &str| Policy { time_zone: Some(word.into()), ..Policy::default() };
    world.service.set_defaults(&me(), &bad).unwrap();
    let refused = world.service.set_defaults(&me(), &text("Mars")).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("policy.time_zone"));
    assert_eq!(world.service.defaults().unwrap(), bad);
}

#[test]
fn a_file_that_says_nothing_of_a_pause_does_not_end_one() {
    let world = World::at("2026-08-04 12:00");
    let paused = || world.service.job("a").unwrap().job.spec.paused;
    let request = ApplyRequest {
        file: JobsFile { defaults: None, jobs: vec![world.spec("a", "", Policy::default()).into()] },
        ..ApplyRequest::default()
    };
    assert_eq!(request.file.jobs[0].paused, None);
    world.service.apply(&me(), &request).unwrap();
    assert!(!paused());
    world.service.pause_job(&me(), "a", true).unwrap();
    assert_eq!((world.service.apply(&me(), &request).unwrap(), paused()), (Vec::new(), true));
    // What is exported says so, and what is said is done.
    let exported = world.service.export().unwrap();
    assert_eq!(exported.jobs[0].paused, Some(true));
    let mut going_on = request;
    going_on.file.jobs[0].paused = Some(false);
    assert_eq!((world.service.apply(&me(), &going_on).unwrap().len(), paused()), (1, false));
}
