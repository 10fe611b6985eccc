//! The server's own data is neither source nor target of a job, whatever leads there.

use crate::world::{World, me};
use octo_core::Code;
use octo_job::{JobSpec, Policy};
use octo_server::RunOverrides;
use octo_server::run::Ended;
use std::os::unix::fs::symlink;

fn quick() -> Policy {
    Policy { retries: Some(0), ..Policy::default() }
}

#[test]
fn a_job_with_the_servers_data_on_either_side_is_refused_however_it_is_written() {
    let world = World::at("2026-08-01 20:00");
    let at = |name: &str| world.path(name).display().to_string();
    std::fs::create_dir(world.path("data/agents")).unwrap();
    symlink(world.path("data"), world.path("way")).unwrap();
    // The folder of everything contains the data directory.
    for place in ["data", "data/agents", "data/agents/new", "way", "way/new", ""] {
        let as_source =
            JobSpec { source: at(place), target: "/nowhere-else/mirror".into(), ..world.spec("j", "", quick()) };
        let error = world.service.add_job(&me(), &as_source).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("source"), "{place}: {error}");
        let as_target = JobSpec { target: at(place), ..world.spec("j", "", quick()) };
        let error = world.service.add_job(&me(), &as_target).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("target"), "{place}: {error}");
    }
    world.add("j", "", quick());
    let job = world.service.job("j").unwrap().job;
    let changed = JobSpec { source: at("data"), ..job.spec };
    assert!(
        world.service.change_job(&me(), "j", job.revision, &changed).unwrap_err().detail.contains("data directory")
    );
}

#[test]
fn a_link_that_leads_to_the_servers_data_later_stops_the_run() {
    for side in ["source", "target"] {
        let world = World::at("2026-08-01 20:00");
        let (link, innocent) = (world.path("link"), world.path("innocent"));
        std::fs::create_dir(&innocent).unwrap();
        symlink(&innocent, &link).unwrap();
        let mut spec = world.spec("j", "", quick());
        *(if side == "source" { &mut spec.source } else { &mut spec.target }) = link.display().to_string();
        world.service.add_job(&me(), &spec).unwrap();
        std::fs::remove_file(&link).unwrap();
        symlink(world.path("data"), &link).unwrap();
        world.service.start_run(&me(), "j", &RunOverrides { adopt: true, ..RunOverrides::default() }).unwrap();
        world.look_at("2026-08-01 20:01");
        let run = world.runs().remove(0);
        assert_eq!(run.outcome, Some(Ended::Failed), "{side}");
        assert_eq!(world.service.report(run.id).unwrap().causes[0].code, Code::OwnData, "{side}");
        assert!(world.path("data/db").exists() && world.path("data/key").exists());
        assert!(!world.path("mirror-j/key").exists() && !world.path("data/.octobackup").exists());
    }
}

#[test]
fn two_jobs_never_share_a_mirror_whatever_leads_there_but_one_may_copy_anothers() {
    let world = World::at("2026-08-01 20:00");
    world.add("one", "", quick());
    std::fs::create_dir_all(world.path("mirror-one/sub")).unwrap();
    symlink(world.path("mirror-one"), world.path("way")).unwrap();
    for place in ["way", "way/sub", "mirror-one/new"] {
        let target = world.path(place).display().to_string();
        let error = world.service.add_job(&me(), &JobSpec { target, ..world.spec("two", "", quick()) }).unwrap_err();
        assert!(error.detail.contains("the target of job one"), "{place}: {error}");
    }
    let source = world.path("mirror-one").display().to_string();
    world.service.add_job(&me(), &JobSpec { source, ..world.spec("two", "", quick()) }).unwrap();
}
