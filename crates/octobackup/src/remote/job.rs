//! `octobackup job` and `octobackup schedule`.

use super::answer::{Ended, client, every, rows, said, show, text, time};
use super::table::table;
use crate::args::server::{AddArgs, CopyArgs, EditArgs, JobCommand, NamedArgs, ScheduleArgs, WhatArgs};
use crate::listeners::print;
use octo_core::numbers;
use octo_server::api::escaped;
use octo_server::job::Policy;
use octo_server::{Moment, ServiceError};
use serde_json::{Map, Value, json};

/// What may be unset besides the settings.
const CREDENTIAL: &str = "credential";
/// The word for a job that only a person starts.
const NEVER: &str = "never";

/// Everything about jobs.
pub fn job(command: &JobCommand) -> Ended {
    match command {
        JobCommand::Add(args) => add(args),
        JobCommand::Edit(args) => edit(args),
        JobCommand::Copy(args) => copy(args),
        JobCommand::List(server) => show(server, &every(&client(server)?, "/jobs")?, list),
        JobCommand::Show(args) => show(&args.server, &client(&args.server)?.get(&path(&args.name, ""))?, details),
        JobCommand::Pause(args) => change(args, "/pause"),
        JobCommand::Resume(args) => change(args, "/resume"),
        JobCommand::Dismiss(args) => {
            let answer = client(&args.server)?.post(&path(&args.name, "/dismiss"), &json!({"plan": args.plan}))?;
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
        JobCommand::Slots(args) => show(&args.server, &client(&args.server)?.get(&path(&args.name, "/slots"))?, slots),
    }
}

fn path(name: &str, rest: &str) -> String {
    format!("/jobs/{}{rest}", escaped(name))
}

fn change(args: &NamedArgs, what: &str) -> Ended {
    let answer = client(&args.server)?.post(&path(&args.name, what), &json!({}))?;
    let done = if what == "/pause" { "paused" } else { "resumed" };
    show(&args.server, &answer, |_| print(&format!("Job {} {done}.", args.name)))
}

fn add(args: &AddArgs) -> Ended {
    let mut spec = json!({"name": args.name, "source": args.source, "target": args.target, "policy": {}});
    say(&mut spec, &args.what)?;
    let answer = client(&args.server)?.post("/jobs", &spec)?;
    show(&args.server, &answer, details)
}

/// A new job with another job's settings. A copy of a paused job is paused.
fn copy(args: &CopyArgs) -> Ended {
    let client = client(&args.server)?;
    let mut spec = client.get(&path(&args.name, ""))?["spec"].take();
    spec["name"] = json!(args.new);
    spec["target"] = json!(args.target);
    if let Some(source) = &args.source {
        spec["source"] = json!(source);
    }
    say(&mut spec, &args.what)?;
    let answer = client.post("/jobs", &spec)?;
    show(&args.server, &answer, details)
}

/// Reads, changes, writes; the revision sees to it that nobody else's change is lost.
fn edit(args: &EditArgs) -> Ended {
    let client = client(&args.server)?;
    let job = client.get(&path(&args.name, ""))?;
    let mut spec = job["spec"].clone();
    for (field, value) in [("source", &args.source), ("target", &args.target)] {
        if let Some(value) = value {
            spec[field] = json!(value);
        }
    }
    for name in &args.unset {
        if name == CREDENTIAL {
            spec[CREDENTIAL] = Value::Null;
        } else if spec["policy"].as_object_mut().and_then(|policy| policy.remove(name)).is_none() {
            return Err(ServiceError::field("--unset", format!("{name} is not set for this job")));
        }
    }
    say(&mut spec, &args.what)?;
    change_rules(&mut spec, args)?;
    acknowledge(&mut spec, &args.acknowledge);
    let answer = client.put(&path(&args.name, ""), &json!({"revision": job["revision"], "spec": spec}))?;
    show(&args.server, &answer, |answer| {
        changed(&job["spec"], &answer["spec"]);
        details(answer);
    })
}

/// Adds patterns to the rules that there are, and takes some out.
fn change_rules(spec: &mut Value, args: &EditArgs) -> Result<(), ServiceError> {
    if args.add_exclude.is_empty() && args.remove_exclude.is_empty() {
        return Ok(());
    }
    let mut rules = rows(&spec["policy"]["rules"]).to_vec();
    for pattern in &args.remove_exclude {
        let before = rules.len();
        rules.retain(|rule| rule["exclude"] != json!(pattern));
        if rules.len() == before {
            return Err(ServiceError::field(
                "--remove-exclude",
                format!("{pattern:?} is no exclude pattern of {}", args.name),
            ));
        }
    }
    let new = args.add_exclude.iter().map(|pattern| json!({"exclude": pattern}));
    for rule in new {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    spec["policy"]["rules"] = rules.into();
    Ok(())
}

/// Adds paths to those that were acknowledged before.
fn acknowledge(spec: &mut Value, paths: &[String]) {
    let mut known = rows(&spec["policy"]["acknowledged"]).to_vec();
    for path in paths {
        let path = json!(path.trim_matches('/'));
        if !known.contains(&path) {
            known.push(path);
        }
    }
    if !paths.is_empty() {
        spec["policy"]["acknowledged"] = known.into();
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
fn say(spec: &mut Value, what: &WhatArgs) -> Result<(), ServiceError> {
    if let Some(credential) = &what.credential {
        spec["credential"] = json!(credential);
    }
    if let Some(schedule) = &what.schedule {
        spec["schedule"] = if schedule == NEVER { Value::Null } else { json!(schedule) };
    }
    if !what.exclude.is_empty() {
        spec["policy"]["rules"] = what.exclude.iter().map(|pattern| json!({"exclude": pattern})).collect();
    }
    set(&mut spec["policy"], &what.set)
}

/// Puts `NAME=VALUE` into a policy.
pub(super) fn set(policy: &mut Value, settings: &[String]) -> Result<(), ServiceError> {
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| ServiceError::field("--set", format!("{setting:?}: allowed is NAME=VALUE")))?;
        policy[name] = typed(name, value)?;
    }
    Ok(())
}

/// The value as the setting wants it: `true` and `3` as they are, everything else as text.
fn typed(name: &str, value: &str) -> Result<Value, ServiceError> {
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
        Err(why) => Err(ServiceError::field("--set", format!("{name}={value}: {why}"))),
    }
}

fn list(jobs: &Value) {
    let cells = rows(jobs).iter().map(|job| {
        let last = &job["last_run"];
        let next = if job["spec"]["paused"] == true { "paused".to_owned() } else { time(&job["next_slot"]) };
        let spec = &job["spec"];
        vec![
            text(&spec["name"]),
            text(&spec["schedule"]),
            standing(job),
            time(&last["started_at"]),
            next,
            text(&spec["source"]),
        ]
    });
    table(&["JOB", "SCHEDULE", "LAST RUN", "@STARTED", "@NEXT", "SOURCE"], &cells.collect::<Vec<_>>());
}

/// How the last run ended, and what goes on now. Dry runs do not count.
fn standing(job: &Value) -> String {
    let (last, current) = (text(&job["last_run"]["outcome"]), &job["current_run"]);
    let now = match text(&current["state"]) {
        state if state.is_empty() || current["once"]["dry_run"] == true => String::new(),
        state => format!("{state} (run {})", text(&current["id"])),
    };
    [last, now].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn details(job: &Value) {
    let spec = &job["spec"];
    for (name, value) in [
        ("Job", text(&spec["name"])),
        ("Source", text(&spec["source"])),
        ("Target", text(&spec["target"])),
        ("Credential", text(&spec["credential"])),
        ("Schedule", text(&spec["schedule"])),
        ("Next", if spec["paused"] == true { "paused".to_owned() } else { time(&job["next_slot"]) }),
        ("Last run", standing(job)),
        ("Dismissed", text(&job["dismissed_plan"])),
        ("Revision", text(&job["revision"])),
    ] {
        if !value.is_empty() {
            print(&format!("{name:<12}{value}"));
        }
    }
    print("");
    let none = Map::new();
    let settings = job["settings"].as_object().unwrap_or(&none);
    let cells = settings.iter().map(|(name, setting)| {
        let from = if setting["from"] == "built-in" { String::new() } else { text(&setting["from"]) };
        vec![name.clone(), text(&setting["value"]), from]
    });
    table(&["SETTING", "VALUE", "FROM"], &cells.collect::<Vec<_>>());
}

fn slots(slots: &Value) {
    let cells = rows(slots)
        .iter()
        .map(|slot| vec![time(&slot["due_at"]), text(&slot["fate"]), text(&slot["run"]), text(&slot["why"])]);
    table(&["@DUE", "FATE", "RUN", "WHY"], &cells.collect::<Vec<_>>());
}

/// The next slots of all jobs.
pub fn schedule(args: &ScheduleArgs) -> Ended {
    let answer = client(&args.server)?.get(&format!("/schedule?count={}", args.count))?;
    show(&args.server, &answer, |answer| {
        let cells = rows(answer).iter().map(|slot| {
            let expected = slot["expected_secs"].as_u64().map(|secs| numbers::duration(secs.saturating_mul(1000)));
            let paused = if slot["paused"] == true { "paused: will be skipped" } else { "" };
            let due: Option<Moment> = serde_json::from_value(slot["due_at"].clone()).ok();
            let end = due.zip(slot["expected_secs"].as_i64()).map(|(due, secs)| time(&json!(due.plus_secs(secs))));
            let (expected, end) = (expected.unwrap_or_default(), end.unwrap_or_default());
            vec![time(&slot["due_at"]), text(&slot["job"]), expected, end, paused.to_owned()]
        });
        table(&["@DUE", "JOB", "USUALLY TAKES", "@THEN ENDS", ""], &cells.collect::<Vec<_>>());
    })
}
