//! Restores by the server: runs that are no backups, to folders that the configuration allows, and nowhere else.

use crate::history::with_states;
use crate::world::{World, me};
use octo_api::restore::{Existing, RestoreTo, StartRestore};
use octo_job::{JobSpec, JobsFile, Policy};
use octo_server::RunOverrides;
use octo_server::access::Role;
use octo_server::run::{Ended, RunKind, State};
use octo_server::runner::{RunLimits, Runner, Task, Workers};
use octo_server::service::{ApplyRequest, Service};
use octo_server::service_error::Kind;
use std::os::unix::fs::symlink;
use std::path::Path;

fn asked(to: &Path, paths: &[&str]) -> StartRestore {
    StartRestore {
        state: "1".into(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        to: RestoreTo::folder(to.display().to_string()),
        existing: Existing::KeepBoth,
        dry_run: false,
    }
}

/// A world with three states, and a folder that may be restored to.
fn allowed() -> World {
    let world = with_states();
    std::fs::create_dir(world.path("restore")).unwrap();
    world.shared.restore_folders.set(vec![world.path("restore")]).unwrap();
    world
}

#[test]
fn a_restore_is_a_run_with_a_report_and_never_counts_as_a_backup() {
    let world = allowed();
    let to = world.path("restore/deep/er");
    let before = world.service.job("a").unwrap();
    let preview = StartRestore { dry_run: true, ..asked(&to, &["many"]) };
    let run = world.service.start_restore((&me(), Role::Operator), "a", &preview).unwrap();
    world.look_at("2026-08-01 20:10");
    let report = world.service.report(run.id).unwrap();
    assert_eq!((report.outcome, report.counts.created), (octo_core::Outcome::Succeeded, 41));
    assert!(!world.path("restore/deep").exists(), "a preview makes nothing");

    let run = world.service.start_restore((&me(), Role::Operator), "a", &asked(&to, &["many"])).unwrap();
    assert_eq!((run.kind, run.restore.as_ref().map(|it| it.state)), (RunKind::Restore, Some(1)));
    let again = world.service.start_restore((&me(), Role::Operator), "a", &asked(&to, &[])).unwrap_err();
    assert!(again.kind == Kind::Conflict && again.detail.contains("restores already"), "{again}");
    // A backup may be asked for meanwhile, and comes after it.
    let backup = world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
    world.look_at("2026-08-01 20:11");
    world.look_at("2026-08-01 20:12");
    let ended = world.service.run(run.id).unwrap().run;
    assert_eq!((ended.state, ended.outcome, ended.copied_files), (State::Finished, Some(Ended::Succeeded), 41));
    assert_eq!(world.service.run(backup.id).unwrap().run.outcome, Some(Ended::Succeeded));
    assert_eq!(std::fs::read_to_string(to.join("many/0%\u{1f419}")).unwrap(), "0", "as it was in state 1");
    let page = world.service.summary(run.id).unwrap();
    let text = octo_report::text::render(&octo_server::report::document(&page, &octo_report::TimeZone::UTC));
    assert!(text.contains("a: restored") && text.contains("state 1 of a to "), "{text}");
    assert!(
        world.service.run_log(run.id, 0, 500).unwrap().lines.iter().any(|line| line.text.contains("restores state 1"))
    );

    // Whatever becomes of restores, the job stands as its backups say.
    let standing = || {
        let digest = serde_json::to_value(world.service.digest_of_last(24).unwrap().jobs).unwrap();
        (digest, world.service.metrics().unwrap())
    };
    world.clock.set(octo_core::Timestamp::from_unix(1_785_614_700, 0));
    let stood = standing();
    world.service.start_restore((&me(), Role::Operator), "a", &asked(&to, &["many"])).unwrap();
    std::fs::rename(world.path("mirror-a"), world.path("away")).unwrap();
    world.look_at("2026-08-01 20:13");
    let failed = &world.runs()[0];
    assert_eq!((failed.kind, failed.outcome), (RunKind::Restore, Some(Ended::Failed)));
    let after = world.service.job("a").unwrap();
    assert_eq!(after.last_run.map(|run| run.id), Some(backup.id));
    assert!(before.last_run.is_some() && !after.job.spec.paused);
    world.clock.set(octo_core::Timestamp::from_unix(1_785_614_700, 0));
    assert_eq!(standing(), stood);
    assert!(world.service.outbox(None, 500).unwrap().is_empty());
    assert!(world.runs().iter().all(|run| run.state == State::Finished), "no retry of a restore");
}

#[test]
fn a_restore_goes_only_where_the_configuration_allows_and_through_no_link() {
    let world = allowed();
    let outside = world.path("outside");
    std::fs::create_dir(&outside).unwrap();
    symlink(&outside, world.path("restore/link")).unwrap();
    let start =
        |to: &Path, paths: &[&str]| world.service.start_restore((&me(), Role::Operator), "a", &asked(to, paths));
    for (to, kind, word) in [
        (outside.as_path(), Kind::Forbidden, "configuration"),
        (world.path("restored").as_path(), Kind::Forbidden, "configuration"),
        (world.path("restore/../outside").as_path(), Kind::Invalid, "without .."),
        (Path::new("restore"), Kind::Invalid, "absolute"),
    ] {
        let error = start(to, &[]).unwrap_err();
        assert!(error.kind == kind && error.field.as_deref() == Some("to"), "{error:?}");
        assert!(error.detail.contains(word), "{error}");
    }
    let error = start(&world.path("restore"), &["mnay"]).unwrap_err();
    assert!(error.field.as_deref() == Some("paths") && error.detail.contains("did you mean many?"), "{error}");
    assert!(world.runs().iter().all(|run| run.kind == RunKind::Backup), "what is refused is not queued");

    for below in ["link", "link/deep"] {
        let run = start(&world.path("restore").join(below), &["a"]).unwrap();
        world.look_at("2026-08-01 20:20");
        let report = world.service.report(run.id).unwrap();
        assert_eq!(report.outcome, octo_core::Outcome::Failed, "{below}");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{below}: no link is followed");
    }
    // Mirrors in an allowed folder are no place to restore to.
    let inside = octo_job::JobSpec {
        target: world.path("restore/mirror").display().to_string(),
        ..world.spec("b", "", octo_job::Policy::default())
    };
    world.service.add_job(&me(), &inside).unwrap();
    for below in ["restore", "restore/mirror", "restore/mirror/x"] {
        let error = start(&world.path(below), &[]).unwrap_err();
        assert!(error.field.as_deref() == Some("to") && error.detail.contains("the target of job b"), "{error}");
    }
}

#[test]
fn a_restore_to_a_source_pauses_its_job_until_a_person_resumes_it() {
    let world = with_states();
    world.shared.restore_folders.set(vec![world.path("src")]).unwrap();
    let is_paused = || world.service.job("a").unwrap().job.spec.paused;
    let preview = StartRestore { dry_run: true, ..asked(&world.path("src"), &["many"]) };
    world.service.start_restore((&me(), Role::Operator), "a", &preview).unwrap();
    world.look_at("2026-08-01 20:20");
    assert!(!is_paused());
    let run = world.service.start_restore((&me(), Role::Operator), "a", &asked(&world.path("src"), &["many"])).unwrap();
    assert!(is_paused());
    let job = world.service.job("a").unwrap().job;
    let going = JobSpec { paused: false, ..job.spec.clone() };
    let mut file = JobsFile { defaults: None, jobs: vec![going.clone().into()] };
    file.jobs[0].paused = Some(false);
    for error in [
        world.service.pause_job(&me(), "a", false).unwrap_err(),
        world.service.change_job(&me(), "a", job.revision, &going).unwrap_err(),
        world.service.apply(&me(), &ApplyRequest { file, ..ApplyRequest::default() }).unwrap_err(),
        world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap_err(),
    ] {
        assert!(error.kind == Kind::Conflict && error.detail.contains("restores to the source of a"), "{error}");
    }
    // By another name it has the same source.
    let renamed = JobSpec { name: "b".into(), ..job.spec.clone() };
    let renamed = world.service.change_job(&me(), "a", job.revision, &renamed).unwrap().job;
    for error in [
        world.service.pause_job(&me(), "b", false).unwrap_err(),
        world.service.start_run(&me(), "b", &RunOverrides::default()).unwrap_err(),
        world.service.add_job(&me(), &world.spec("c", "", Policy::default())).unwrap_err(),
    ] {
        assert!(error.kind == Kind::Conflict && error.detail.contains("restores to the source of"), "{error}");
    }
    world.service.change_job(&me(), "b", renamed.revision, &job.spec).unwrap();
    world.look_at("2026-08-01 20:21");
    let report = world.service.report(run.id).unwrap();
    assert!(report.remarks.iter().any(|remark| remark.contains("octobackup job resume a")), "{:?}", report.remarks);
    assert!(is_paused(), "until a person says go on");
    assert_eq!(std::fs::read_to_string(world.path("src/many/3%\u{1f419}")).unwrap(), "3");
    world.service.pause_job(&me(), "a", false).unwrap();
    world.service.start_run(&me(), "a", &RunOverrides::default()).unwrap();
}

/// Pauses the job `b` as soon as a run of another is claimed.
struct Pauses(Service);

impl Workers for Pauses {
    fn take(&self, task: Task) {
        assert_eq!(task.job().spec.name, "a");
        self.0.pause_job(&me(), "b", true).unwrap();
    }

    fn join(&self) {}
}

#[test]
fn a_run_whose_job_is_paused_between_the_look_and_the_claim_does_not_begin() {
    let world = World::at("2026-08-01 20:00");
    for name in ["a", "b"] {
        world.add(name, "daily 21:00", Policy::default());
    }
    let workers = Box::new(Pauses(world.service.clone()));
    let runner = Runner::with_workers(world.shared.clone(), RunLimits::default(), workers);
    world.clock.set(octo_core::Timestamp::from_unix(1_785_618_000, 0));
    runner.activate().unwrap();
    let states: Vec<_> = world.runs().into_iter().map(|run| (run.job, run.state)).collect();
    assert_eq!(states, [("b".to_owned(), State::Queued), ("a".to_owned(), State::Running)]);
}

#[test]
fn a_restore_that_never_begins_says_which_jobs_it_leaves_paused() {
    let world = with_states();
    world.shared.restore_folders.set(vec![world.path("src")]).unwrap();
    let start =
        || world.service.start_restore((&me(), Role::Operator), "a", &asked(&world.path("src"), &["many"])).unwrap().id;
    let says = |run| {
        let remarks = world.service.report(run).unwrap().remarks;
        let said = remarks.iter().filter(|remark| remark.contains("octobackup job resume a")).count();
        assert_eq!(said, 1, "{remarks:?}");
    };
    let cancelled = start();
    world.service.cancel_run(&me(), cancelled).unwrap();
    says(cancelled);

    // Its target is no path any more: it fails before it begins.
    let failed = start();
    let job = world.service.job("a").unwrap().job;
    let broken = JobSpec { target: String::new(), ..job.spec.clone() };
    world.shared.store.change(|db| octo_server::store::jobs::change(db, &job, &broken, job.changed_at)).unwrap();
    world.look_at("2026-08-01 20:21");
    assert_eq!(world.service.run(failed).unwrap().run.outcome, Some(Ended::Failed));
    says(failed);
}

#[test]
fn a_server_that_dies_leaves_an_interrupted_restore_that_says_what_to_do() {
    let world = allowed();
    let run =
        world.service.start_restore((&me(), Role::Operator), "a", &asked(&world.path("restore"), &["many"])).unwrap();
    let now = world.shared.now();
    assert!(world.shared.store.change(|db| octo_server::store::runs::claim(db, run.id, now)).unwrap());
    let world = world.restarted_at("2026-08-01 21:00");
    world.look_at("2026-08-01 21:01");
    let ended = world.service.run(run.id).unwrap().run;
    assert_eq!((ended.outcome, ended.restore), (Some(Ended::Interrupted), run.restore));
    let page = world.service.summary(run.id).unwrap();
    let text = octo_report::text::render(&octo_server::report::document(&page, &octo_report::TimeZone::UTC));
    assert!(text.contains("a: restore interrupted") && text.contains("Start the same restore again"), "{text}");
    assert!(world.runs().iter().all(|run| run.state == State::Finished), "nobody starts it again by itself");
    assert_eq!(world.service.job("a").unwrap().last_run.map(|run| run.outcome), Some(Some(Ended::Succeeded)));
}

#[test]
fn an_operator_restores_with_the_accounts_of_a_job_to_its_source_and_nowhere_else() {
    let world = with_states();
    for name in ["own", "other"] {
        world.service.set_credential(&me(), name, name, "secret").unwrap();
    }
    // Its states are known; where it copies from now is a share.
    let job = world.service.job("a").unwrap().job;
    let spec = JobSpec { source: "//fs1/data/Projects".into(), credential: Some("own".into()), ..job.spec };
    world.service.change_job(&me(), "a", job.revision, &spec).unwrap();
    let start = |role, to: RestoreTo| {
        let preview = StartRestore { to, dry_run: true, ..asked(Path::new("/"), &[]) };
        world.service.start_restore((&me(), role), "a", &preview).map(|run| {
            world.service.cancel_run(&me(), run.id).unwrap();
            run.restore.unwrap().to
        })
    };
    let own = |share: &str| RestoreTo::share(share, Some("own".into()));
    for (to, resolved) in [
        (RestoreTo::source(), own("//fs1/data/Projects")),
        (RestoreTo::share("//FS1/DATA/projects/2026", None), own("//FS1/DATA/projects/2026")),
        (own("smb://fs1/data/Projects"), own("//fs1/data/Projects")),
    ] {
        assert_eq!(start(Role::Operator, to).unwrap(), resolved);
    }
    for share in ["//fs1/data", "//fs1/data/Projects2", "//fs1/c$/Projects", "//fs1:4450/data/Projects"] {
        let error = start(Role::Operator, own(share)).unwrap_err();
        assert!(error.kind == Kind::Forbidden && error.detail.contains("administrator"), "{share}: {error}");
        assert_eq!(start(Role::Administrator, own(share)).unwrap(), own(share));
        let error = start(Role::Administrator, RestoreTo::share(share, None)).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("credential"), "{share}: {error}");
    }
    let other = RestoreTo::share("//fs1/data/Projects", Some("other".into()));
    assert_eq!(start(Role::Operator, other).unwrap_err().kind, Kind::Forbidden, "another account");
    // A password stays where it may be used.
    let error = start(Role::Administrator, own("//fs2/data")).unwrap_err();
    assert!(error.kind == Kind::Conflict && error.detail.contains("credential allow"), "{error}");
    let both = RestoreTo { source: true, ..own("//fs1/data/Projects") };
    for to in [both, RestoreTo::default(), RestoreTo::share("//fs1", None), RestoreTo::share("/srv", None)] {
        assert_eq!(start(Role::Administrator, to).unwrap_err().kind, Kind::Invalid);
    }
}
