//! What was answered holds: what the server said it did is there, and what it refused is not.

use super::act::{self, newest_plan};
use super::model::{Holds, must};
use super::seen::Seen;
use super::server::World;
use super::step::Step;
use octo_job::JobSpec;
use octo_server::notify::Message;
use octo_server::run::{Ended, Reason, State};
use std::collections::BTreeMap;

/// How the server answered a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Done,
    Refused,
    /// The server died over it.
    None,
}

pub fn check(world: &World, step: &Step, answer: Answer, before: &Seen, after: &Seen, cancelled: &[i64]) -> Holds {
    let done = || effect(world, step, before, after, cancelled);
    match answer {
        Answer::Done => done(),
        Answer::Refused => same(before, after, cancelled),
        Answer::None => same(before, after, &[]).or_else(|changed| {
            done().map_err(|not_done| format!("the server died, and half of it is done: {changed}; {not_done}"))
        }),
    }
}

/// Nothing that a person can see is another.
fn same(before: &Seen, after: &Seen, cancelled: &[i64]) -> Holds {
    must!(before.jobs == after.jobs, "it was refused, and jobs are others");
    must!(before.runs == after.runs, "it was refused, and runs are others");
    must!(before.recipients == after.recipients && before.settings == after.settings, "it was refused, and done");
    must!(before.messages.keys().eq(after.messages.keys()), "it was refused, and messages are others");
    must!(before.audited == after.audited, "it was refused, and the audit log says that it was done");
    must!(cancelled.is_empty(), "it was refused, and runs {cancelled:?} were stopped");
    Ok(())
}

/// Things that only a person changes stay as they are.
pub fn untouched(before: &Seen, after: &Seen) -> Holds {
    must!(specs(before) == specs(after), "jobs are others, and nobody changed them");
    must!(before.recipients == after.recipients && before.settings == after.settings, "settings are others");
    must!(before.audited == after.audited, "the audit log says what nobody did");
    Ok(())
}

fn specs(seen: &Seen) -> BTreeMap<String, JobSpec> {
    seen.jobs.values().map(|job| (job.spec.name.clone(), job.spec.clone())).collect()
}

/// The jobs as they are after a step.
fn wanted(world: &World, step: &Step, before: &Seen) -> BTreeMap<String, JobSpec> {
    let mut wanted = specs(before);
    match step {
        Step::Add(draft) | Step::Edit(draft) => {
            let spec = act::spec(world, draft);
            wanted.insert(spec.name.clone(), spec);
        }
        Step::Rename { job, to } => {
            if let Some(spec) = wanted.remove(&act::job_name(*job)) {
                let name = act::job_name(*to);
                wanted.insert(name.clone(), JobSpec { name, ..spec });
            }
        }
        Step::Pause { job, paused } => {
            wanted.entry(act::job_name(*job)).and_modify(|spec| spec.paused = *paused);
        }
        Step::Remove { job } => drop(wanted.remove(&act::job_name(*job))),
        _ => {}
    }
    wanted
}

fn effect(world: &World, step: &Step, before: &Seen, after: &Seen, cancelled: &[i64]) -> Holds {
    let wanted = wanted(world, step, before);
    must!(specs(after) == wanted, "jobs are {:?}, not {:?}", specs(after).keys(), wanted.keys());
    let is_noted = after.audited > before.audited;
    must!(
        is_noted
            || before.jobs == after.jobs && matches!(step, Step::Edit(_) | Step::Rename { .. } | Step::Pause { .. }),
        "the audit log does not say it"
    );
    let may_end_runs = matches!(step, Step::Start { .. } | Step::Cancel { .. } | Step::Remove { .. });
    must!(may_end_runs || before.runs == after.runs, "runs are others");
    match step {
        Step::Start { job, dry, .. } => started(before, after, &act::job_name(*job), *dry)?,
        Step::Cancel { nth } => {
            let run = before.runs.values().filter(|run| run.state != State::Finished).nth(usize::from(*nth));
            let Some(run) = run else { return Err("no run was cancelled".into()) };
            let is = &after.runs[&run.id];
            let stops = is.state == State::Running && (cancelled.contains(&run.id) || !world_has(world, run.id));
            must!(
                is.outcome == Some(Ended::Cancelled) || stops || was_stopped(world, run.id),
                "run {} was not cancelled: {is:?}",
                run.id
            );
        }
        Step::Remove { job } => {
            let id = before.job(&act::job_name(*job)).map_or(0, |job| job.id);
            must!(after.of_job(id).all(|run| run.state == State::Finished), "a run of a job that is gone waits");
        }
        Step::Dismiss { job } => {
            let is = after.job(&act::job_name(*job));
            let plan = is.and_then(|job| newest_plan(before, job.id));
            must!(is.is_some_and(|job| job.dismissed_plan == plan && plan.is_some()), "nothing was dismissed");
        }
        Step::Defaults { zone, catch_up } => {
            let text = serde_json::to_string(&act::defaults(*zone, *catch_up)).unwrap_or_default();
            must!(after.settings[0].as_ref() == Some(&text), "the defaults are {:?}", after.settings[0]);
        }
        Step::Digest { schedule } => {
            let text = act::DIGESTS[usize::from(*schedule) % 3];
            must!(after.settings[2].as_deref() == Some(text), "the digest's schedule is {:?}", after.settings[2]);
        }
        Step::Recipient { name, way, when } => {
            let them = act::recipient(*name, *way, *when);
            must!(after.recipients.get(&them.name) == Some(&them), "{} is not there", them.name);
        }
        Step::Forget { name } => {
            must!(!after.recipients.contains_key(&act::recipient_name(*name)), "a recipient is there still");
        }
        Step::Test { .. } => {
            let mut new = after.messages.values().filter(|message| !before.messages.contains_key(&message.id));
            must!(new.any(|message| message.message == Message::Test), "there is no test");
        }
        _ => {}
    }
    Ok(())
}

fn world_has(world: &World, run: i64) -> bool {
    world.life().shared.live.has(run)
}

fn was_stopped(world: &World, run: i64) -> bool {
    world.life().shared.live.why_stopped(run).is_some()
}

/// One run waits, and what waited by itself gave it its place.
fn started(before: &Seen, after: &Seen, name: &str, dry: bool) -> Holds {
    let job = before.job(name).map_or(0, |job| job.id);
    let new: Vec<_> = after.runs.values().filter(|run| !before.runs.contains_key(&run.id)).collect();
    must!(new.len() == 1 && new[0].job_id == job && new[0].reason == Reason::Manual, "started was {new:?}");
    must!(new[0].once.dry_run == dry && new[0].state == State::Queued, "started was {new:?}");
    for was in before.of_job(job).filter(|run| run.state == State::Queued) {
        let is = &after.runs[&was.id];
        must!(dry && is == was || !dry && is.outcome == Some(Ended::Cancelled), "beside it waits {is:?}");
    }
    Ok(())
}
