//! Takes one step: asks the server as a person would, or does to it what happens to servers.

use super::calendar::{BLACKOUTS, SCHEDULES, ZONES};
use super::fate::At;
use super::seen::Seen;
use super::server::{World, me};
use super::step::{Draft, How, Step};
use octo_core::report::{Cause, Problem};
use octo_core::{Code, Event, Monitor, Outcome, RelPath, RunReport};
use octo_job::schedule::{CatchUp, Overlap};
use octo_job::{JobSpec, Policy};
use octo_server::RunOverrides;
use octo_server::launch::blank_report;
use octo_server::live::Stop;
use octo_server::notify::{Recipient, When};
use octo_server::run::State;
use octo_server::runner::Task;
use octo_server::service_error::ServiceError;

const CATCH_UP: [CatchUp; 3] = [CatchUp::InWindow, CatchUp::AtOnce, CatchUp::Skip];
const WHEN: [When; 3] = [When::Problems, When::Always, When::Digest];
pub const DIGESTS: [&str; 3] = ["daily 07:00", "never", "every 12h"];

pub fn job_name(job: u8) -> String {
    format!("job-{job}")
}

pub fn recipient_name(name: u8) -> String {
    format!("somebody-{name}")
}

/// The plan of held deletions of a job.
pub fn plan(job: i64, which: u8) -> String {
    format!("{:012x}", job * 16 + i64::from(which))
}

/// What a person writes.
pub fn spec(world: &World, draft: &Draft) -> JobSpec {
    let some = |place: u8, all: &[&str]| {
        place.checked_sub(1).and_then(|place| all.get(usize::from(place))).map(|text| (*text).to_owned())
    };
    let schedules = SCHEDULES.map(|(text, _)| text);
    let name = job_name(draft.job);
    let source = match draft.host {
        0 => world.folder().join("source").display().to_string(),
        host => format!("agent://host-{host}/data"),
    };
    let target = match draft.disk {
        0 => world.folder().join("mirrors").join(&name),
        // On another disk, where nothing is ever made.
        _ => std::path::Path::new("/var/lib/octobackup-simulated").join(&name),
    };
    JobSpec {
        name,
        source,
        target: target.display().to_string(),
        schedule: some(draft.schedule, &schedules),
        policy: Policy {
            // Otherwise the zone of this machine.
            time_zone: some(draft.zone, &ZONES),
            catch_up: Some(CATCH_UP[usize::from(draft.catch_up) % 3]),
            overlap: Some(if draft.queues { Overlap::Queue } else { Overlap::Skip }),
            blackouts: some(draft.blackout, &BLACKOUTS).map(|text| vec![text]),
            random_delay: draft.delays.then(|| "30m".to_owned()),
            retries: Some(u32::from(draft.retries)),
            retry_wait: Some("5m".into()),
            max_duration: draft.is_limited.then(|| "2h".to_owned()),
            ..Policy::default()
        },
        ..JobSpec::default()
    }
}

pub fn recipient(name: u8, way: u8, when: u8) -> Recipient {
    let mut them = Recipient { name: recipient_name(name), when: WHEN[usize::from(when) % 3], ..Recipient::default() };
    match way % 3 {
        0 => them.mail = Some(vec![format!("{}@example.com", them.name)]),
        1 => them.webhook = Some(format!("https://hooks.example.com/{}", them.name)),
        _ => (them.heartbeat, them.when) = (Some("https://alive.example.com/{job}".into()), When::Problems),
    }
    them
}

pub fn defaults(zone: u8, catch_up: u8) -> Policy {
    Policy {
        time_zone: Some(ZONES[usize::from(zone) % ZONES.len()].to_owned()),
        catch_up: Some(CATCH_UP[usize::from(catch_up) % 3]),
        ..Policy::default()
    }
}

/// What a person asks for; `None` if the step is of another kind.
pub fn ask(world: &World, seen: &Seen, step: &Step) -> Option<Result<(), ServiceError>> {
    let (service, me) = (&world.life().service, &me());
    let change = |name: &str, spec: JobSpec| {
        let revision = service.job(name)?.job.revision;
        service.change_job(me, name, revision, &spec).map(drop)
    };
    Some(match step {
        Step::Add(draft) => service.add_job(me, &spec(world, draft)).map(drop),
        Step::Edit(draft) => change(&job_name(draft.job), spec(world, draft)),
        Step::Rename { job, to } => {
            let name = job_name(*job);
            service.job(&name).and_then(|view| change(&name, JobSpec { name: job_name(*to), ..view.job.spec }))
        }
        Step::Pause { job, paused } => service.pause_job(me, &job_name(*job), *paused).map(drop),
        Step::Remove { job } => service.remove_job(me, &job_name(*job)),
        Step::Start { job, dry, approve } => {
            let held = seen.job(&job_name(*job)).and_then(|job| newest_plan(seen, job.id));
            let once = RunOverrides { dry_run: *dry, approve: held.filter(|_| *approve), ..RunOverrides::default() };
            service.start_run(me, &job_name(*job), &once).map(drop)
        }
        Step::Cancel { nth } => {
            let run = seen.runs.values().filter(|run| run.state != State::Finished).nth(usize::from(*nth));
            service.cancel_run(me, run.map_or(0, |run| run.id)).map(drop)
        }
        Step::Dismiss { job } => {
            let held = seen.job(&job_name(*job)).and_then(|job| newest_plan(seen, job.id));
            service.dismiss(me, &job_name(*job), &held.unwrap_or_default()).map(drop)
        }
        Step::Defaults { zone, catch_up } => service.set_defaults(me, &defaults(*zone, *catch_up)),
        Step::Recipient { name, way, when } => service.set_recipient(me, &recipient(*name, *way, *when)).map(drop),
        Step::Forget { name } => service.remove_recipient(me, &recipient_name(*name)),
        Step::Test { name } => service.test_recipient(me, &recipient_name(*name)).map(drop),
        Step::Digest { schedule } => service.set_digest_schedule(me, DIGESTS[usize::from(*schedule) % 3]),
        _ => return None,
    })
}

/// The deletions that a job holds.
pub fn newest_plan(seen: &Seen, job: i64) -> Option<String> {
    let mut all: Vec<_> = seen.of_job(job).filter(|run| !run.once.dry_run).collect();
    all.retain(|run| {
        seen.reports
            .get(&run.id)
            .is_some_and(|report| matches!(report.outcome, Outcome::Succeeded | Outcome::Warnings | Outcome::Held))
    });
    all.last().and_then(|run| seen.reports.get(&run.id)?.held_plan.clone())
}

/// What happens to the server. What it says of it matters only for [`Step::Look`] and [`Step::Sleep`].
pub fn happen(world: &mut World, step: &Step) -> Result<(), String> {
    match step {
        Step::End { nth, how } => {
            let held = world.life().held.clone();
            let task = held.with(|tasks| (usize::from(*nth) < tasks.len()).then(|| tasks.remove(usize::from(*nth))));
            if let Some(task) = task {
                end(task, *how);
            }
        }
        Step::EndAll => world.life().held.with(std::mem::take).into_iter().for_each(|task| end(task, How::Well)),
        Step::Look { secs } => {
            world.clock.pass(i64::from(*secs));
            return world.look();
        }
        Step::Sleep { secs } => {
            world.clock.jump(i64::from(*secs));
            return world.look();
        }
        Step::Jump { secs } => world.clock.jump(*secs),
        Step::Ways(ways) => world.ways.set(*ways),
        Step::Full => world.fill(),
        Step::ReadOnly => world.make_read_only(),
        Step::Locked => world.lock(),
        Step::Mend => world.mend(),
        Step::FailCommit { nth } => world.fate.at_commit(*nth, At::Fails),
        Step::FailStatement { ops } => world.fate.at_operation(world.store(), *ops),
        Step::KillAt { nth, is_after } => {
            world.fate.at_commit(*nth, if *is_after { At::DiesAfter } else { At::DiesBefore });
        }
        Step::Kill => world.die_and_start(),
        Step::Stop => {
            world.life().shared.live.stop_all(Stop::Shutdown);
            world.life().held.with(std::mem::take).into_iter().for_each(|task| end(task, How::Well));
            if !world.fate.is_dead() {
                world.start_again();
            }
        }
        _ => {}
    }
    Ok(())
}

fn end(task: Task, how: How) {
    task.work_as(|task, monitor| {
        if how == How::Panics && !task.is_cancelled() {
            std::panic::resume_unwind(Box::new("a run that panics"));
        }
        Ok((report(task, how, monitor), None))
    });
}

fn report(task: &Task, how: How, monitor: &dyn Monitor) -> RunReport {
    let started = octo_core::Timestamp::from_unix(task.run().queued_at.0, 0);
    let mut report = blank_report("the source", "the target", task.run().once.dry_run, started);
    let mut cause = |code: Code, text: &str| {
        let problem = Problem { code, path: RelPath::root(), detail: text.to_owned() };
        monitor.event(&Event::Problem(&problem));
        report.counts.problems += 1;
        report.causes.push(Cause { code, count: 1, examples: vec![problem] });
    };
    if task.is_cancelled() {
        cause(Code::Cancelled, "");
        report.outcome = Outcome::Cancelled;
        return report;
    }
    match how {
        How::Problems => cause(Code::NotMirrored, "a pipe"),
        How::Failed => cause(Code::NoSpace, ""),
        How::MayPass => cause(Code::Unreachable, ""),
        _ => {}
    }
    report.outcome = match how {
        How::Well | How::Panics => Outcome::Succeeded,
        How::Problems => Outcome::Warnings,
        How::Held(_) => Outcome::Held,
        How::Failed | How::MayPass => Outcome::Failed,
    };
    if let How::Held(which) = how {
        let (mine, approved) = (plan(task.job().id, which), &task.run().once.approve);
        if approved.as_ref() == Some(&mine) {
            report.outcome = Outcome::Succeeded;
        } else {
            report.held_plan = Some(mine);
        }
    }
    report
}
