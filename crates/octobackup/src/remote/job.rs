//! `octobackup job` and `octobackup schedule`.

use super::answer::{CommandResult, as_json, client, every, plain, said, show, text, text_or_none, time};
use super::table::table;
use crate::args::server::{AddArgs, CopyArgs, EditArgs, JobCommand, NamedArgs, ScheduleArgs, WhatArgs};
use crate::listeners::print;
use octo_api::ApiError;
use octo_api::job::{Dismiss, From, JobChange, JobSpec, JobView, Slot, Upcoming};
use octo_api::run::Run;
use octo_client::escaped;
use octo_core::numbers;
use octo_job::Policy;
use serde_json::{Map, Value, json};

/// What may be unset besides the settings.
const CREDENTIAL: &str = "credential";
/// The word for a job that only a person starts.
const NEVER: &str = "never";

/// Everything about jobs.
pub fn job(command: &JobCommand) -> CommandResult {
    match command {
        JobCommand::Add(args) => add(args),
        JobCommand::Edit(args) => edit(args),
        JobCommand::Copy(args) => copy(args),
        JobCommand::List(server) => show(server, every(&client(server)?, "/jobs")?.as_slice(), list),
        JobCommand::Show(args) => show(&args.server, &look(&client(&args.server)?, &args.name)?, details),
        JobCommand::Pause(args) => change(args, "/pause"),
        JobCommand::Resume(args) => change(args, "/resume"),
        JobCommand::Dismiss(args) => {
            let dismiss = Dismiss { plan: args.plan.clone() };
            let answer: JobView = client(&args.server)?.post(&path(&args.name, "/dismiss"), &dismiss)?;
            show(&args.server, &answer, |_| {
                print(&format!(
                    "The deletions of plan {} stay held; there will be no more reminders of them.",
                    args.plan
                ));
            })
        }
        JobCommand::Remove(args) => {
            client(&args.server)?.delete(&path(&args.name, ""))?;
            said(&args.server, &format!("Job {} removed; its mirror and its history stay.", args.name))
        }
        JobCommand::Slots(args) => {
            let answer: Vec<Slot> = client(&args.server)?.get(&path(&args.name, "/slots"))?;
            show(&args.server, answer.as_slice(), slots)
        }
    }
}

fn path(name: &str, rest: &str) -> String {
    format!("/jobs/{}{rest}", escaped(name))
}

fn look(client: &octo_client::Client, name: &str) -> Result<JobView, ApiError> {
    client.get(&path(name, ""))
}

/// Where the mirror of a job of this machine's server is.
#[cfg(unix)]
pub fn target_of_job(name: &str) -> Result<std::path::PathBuf, ApiError> {
    let socket = std::env::var_os("OCTOBACKUP_SOCKET").unwrap_or_else(|| octo_server::config::SOCKET.into());
    let client = octo_client::Client::local(std::path::Path::new(&socket))?;
    look(&client, name).map(|view| view.job.spec.target.into())
}

fn change(args: &NamedArgs, what: &str) -> CommandResult {
    let answer: JobView = client(&args.server)?.post_nothing(&path(&args.name, what))?;
    let done = if what == "/pause" { "paused" } else { "resumed" };
    show(&args.server, &answer, |_| print(&format!("Job {} {done}.", args.name)))
}

fn add(args: &AddArgs) -> CommandResult {
    let mut spec = JobSpec {
        name: args.name.clone(),
        source: args.source.clone(),
        target: args.target.clone(),
        ..JobSpec::default()
    };
    say(&mut spec, &args.what)?;
    let answer: JobView = client(&args.server)?.post("/jobs", &spec)?;
    show(&args.server, &answer, details)
}

/// A new job with another job's settings. A copy of a paused job is paused.
fn copy(args: &CopyArgs) -> CommandResult {
    let client = client(&args.server)?;
    let mut spec = look(&client, &args.name)?.job.spec;
    spec.name = args.new.clone();
    spec.target = args.target.clone();
    if let Some(source) = &args.source {
        spec.source = source.clone();
    }
    say(&mut spec, &args.what)?;
    let answer: JobView = client.post("/jobs", &spec)?;
    show(&args.server, &answer, details)
}

/// Reads, changes, writes; the revision sees to it that nobody else's change is lost.
fn edit(args: &EditArgs) -> CommandResult {
    let client = client(&args.server)?;
    let before = look(&client, &args.name)?.job;
    let mut spec = before.spec.clone();
    for (field, value) in [(&mut spec.source, &args.source), (&mut spec.target, &args.target)] {
        if let Some(value) = value {
            field.clone_from(value);
        }
    }
    for name in &args.unset {
        if name == CREDENTIAL {
            spec.credential = None;
        } else if spec.policy.remove(name).is_none() {
            return Err(ApiError::field("--unset", format!("{name} is not set for this job")));
        }
    }
    say(&mut spec, &args.what)?;
    change_rules(&mut spec, args)?;
    acknowledge(&mut spec, &args.acknowledge);
    let answer: JobView = client.put(&path(&args.name, ""), &JobChange { revision: before.revision, spec })?;
    let (from, to) = (as_json(&before.spec)?, as_json(&answer.job.spec)?);
    show(&args.server, &answer, |answer| {
        changed(&from, &to);
        details(answer);
    })
}

/// Adds patterns to the rules that there are, and takes some out.
fn change_rules(spec: &mut JobSpec, args: &EditArgs) -> Result<(), ApiError> {
    if args.add_exclude.is_empty() && args.remove_exclude.is_empty() {
        return Ok(());
    }
    let mut rules = listed(spec, "rules");
    for pattern in &args.remove_exclude {
        let before = rules.len();
        rules.retain(|rule| *rule != json!({"exclude": pattern}));
        if rules.len() == before {
            return Err(ApiError::field(
                "--remove-exclude",
                format!("{pattern:?} is not an exclude pattern of {}", args.name),
            ));
        }
    }
    let new = args.add_exclude.iter().map(|pattern| json!({"exclude": pattern}));
    for rule in new {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    spec.policy.insert("rules".to_owned(), rules.into());
    Ok(())
}

/// What a setting that is a list says now. Its rows are kept as they came: a newer server may have kinds that are not known here.
fn listed(spec: &JobSpec, name: &str) -> Vec<Value> {
    spec.policy.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Adds paths to those that were acknowledged before.
fn acknowledge(spec: &mut JobSpec, paths: &[String]) {
    let mut known = listed(spec, "acknowledged");
    for path in paths {
        let path = json!(path.trim_matches('/'));
        if !known.contains(&path) {
            known.push(path);
        }
    }
    if !paths.is_empty() {
        spec.policy.insert("acknowledged".to_owned(), known.into());
    }
}

/// What an edit changed, from what to what.
fn changed(before: &Value, after: &Value) {
    let fields = |spec: &Value| -> Map<String, Value> {
        let mut fields = spec.as_object().cloned().unwrap_or_default();
        if let Some(Value::Object(policy)) = fields.remove("policy") {
            fields.extend(policy);
        }
        fields
    };
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let words = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "(nothing)".to_owned(),
        Some(Value::Array(rules)) if rules.is_empty() => "(nothing)".to_owned(),
        Some(value) => text(value),
    };
    let lines = names.iter().map(|name| (name, words(before.get(*name)), words(after.get(*name))));
    let lines: Vec<_> = lines.filter(|(_, from, to)| from != to).collect();
    print(if lines.is_empty() { "No changes." } else { "Changed:" });
    lines.iter().for_each(|(name, from, to)| print(&format!("  {name}: {from} -> {to}")));
    print("");
}

/// Puts what was typed into a job.
fn say(spec: &mut JobSpec, what: &WhatArgs) -> Result<(), ApiError> {
    if let Some(credential) = &what.credential {
        spec.credential = Some(credential.clone());
    }
    if let Some(schedule) = &what.schedule {
        spec.schedule = Some(schedule.clone()).filter(|schedule| schedule != NEVER);
    }
    if !what.exclude.is_empty() {
        let rules = what.exclude.iter().map(|pattern| json!({"exclude": pattern}));
        spec.policy.insert("rules".to_owned(), rules.collect());
    }
    set(&mut spec.policy, &what.set)
}

/// Puts `NAME=VALUE` into a policy.
pub(super) fn set(policy: &mut Map<String, Value>, settings: &[String]) -> Result<(), ApiError> {
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| ApiError::field("--set", format!("{setting:?}: allowed is NAME=VALUE")))?;
        policy.insert(name.to_owned(), typed(name, value)?);
    }
    Ok(())
}

/// The value as the setting wants it: `true` and `3` as they are, everything else as text.
fn typed(name: &str, value: &str) -> Result<Value, ApiError> {
    let fits = |value: &Value| {
        let layer = Map::from_iter([(name.to_owned(), value.clone())]);
        serde_json::from_value::<Policy>(Value::Object(layer))
    };
    let text = json!(value);
    if let Some(value) = serde_json::from_str(value).ok().filter(|value| fits(value).is_ok()) {
        return Ok(value);
    }
    match fits(&text) {
        Ok(_) => Ok(text),
        Err(why) => Err(ApiError::field("--set", format!("{name}={value}: {why}"))),
    }
}

fn list(jobs: &[JobView]) {
    let cells = jobs.iter().map(|view| {
        let JobView { job, last_run, next_slot, .. } = view;
        let JobSpec { name, schedule, source, paused, .. } = &job.spec;
        let started = time(last_run.as_ref().and_then(|run| run.started_at));
        let next = if *paused { "paused".to_owned() } else { time(*next_slot) };
        vec![plain(name), text_or_none(schedule.as_deref()), standing(view), started, next, plain(source)]
    });
    table(&["JOB", "SCHEDULE", "LAST RUN", "@STARTED", "@NEXT", "SOURCE"], &cells.collect::<Vec<_>>());
}

/// How the last run ended, and what goes on now. Dry runs do not count.
fn standing(job: &JobView) -> String {
    let last = job.last_run.as_ref().and_then(|run| run.outcome).map(|outcome| outcome.to_string());
    let now = job.current_run.as_ref().filter(|run| !run.once.dry_run);
    let now = now.map(|Run { state, id, .. }| format!("{state} (run {id})"));
    last.into_iter().chain(now).collect::<Vec<_>>().join(", ")
}

fn details(view: &JobView) {
    let job = &view.job;
    let spec = &job.spec;
    for (name, value) in [
        ("Job", plain(&spec.name)),
        ("Source", plain(&spec.source)),
        ("Target", plain(&spec.target)),
        ("Credential", text_or_none(spec.credential.as_deref())),
        ("Schedule", text_or_none(spec.schedule.as_deref())),
        ("Next", if spec.paused { "paused".to_owned() } else { time(view.next_slot) }),
        ("Last run", standing(view)),
        ("Dismissed", text_or_none(job.dismissed_plan.as_deref())),
        ("Revision", job.revision.to_string()),
    ] {
        if !value.is_empty() {
            print(&format!("{name:<12}{value}"));
        }
    }
    print("");
    let cells = view.settings.iter().map(|(name, setting)| {
        let from = match setting.from {
            From::BuiltIn => "",
            From::Defaults => "defaults",
            From::Job => "job",
        };
        vec![name.clone(), text(&setting.value), from.to_owned()]
    });
    table(&["SETTING", "VALUE", "FROM"], &cells.collect::<Vec<_>>());
}

fn slots(slots: &[Slot]) {
    let run = |slot: &Slot| slot.run.map(|run| run.to_string()).unwrap_or_default();
    let cells = slots.iter().map(|slot| vec![time(slot.due_at), plain(&slot.fate), run(slot), plain(&slot.why)]);
    table(&["@DUE", "FATE", "RUN", "WHY"], &cells.collect::<Vec<_>>());
}

/// The next slots of all jobs.
pub fn schedule(args: &ScheduleArgs) -> CommandResult {
    let answer: Vec<Upcoming> = client(&args.server)?.get(&format!("/schedule?count={}", args.count))?;
    show(&args.server, answer.as_slice(), |slots| {
        let cells = slots.iter().map(|Upcoming { job, due_at, expected_secs, paused }| {
            let expected = expected_secs.map(|secs| numbers::duration(secs.max(0).unsigned_abs().saturating_mul(1000)));
            let end = time(expected_secs.map(|secs| due_at.plus_secs(secs)));
            let paused = if *paused { "paused: will be skipped" } else { "" };
            vec![time(*due_at), plain(job), expected.unwrap_or_default(), end, paused.to_owned()]
        });
        table(&["@DUE", "JOB", "USUALLY TAKES", "@THEN ENDS", ""], &cells.collect::<Vec<_>>());
    })
}
