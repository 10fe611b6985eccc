//! `octobackup run`, `runs`, `report`, `log` and `cancel`.

use super::answer::{Ended, client, rows, show, text, time, time_secs, zone_named};
use super::table::table;
use crate::args::server::{LogArgs, ReportArgs, RunArgs, RunIdArgs, RunsArgs};
use crate::exit;
use crate::listeners::print;
use crate::progress::Progress;
use octo_core::numbers;
use octo_report::{html, text as plain_text};
use octo_server::api::{Client, escaped};
use octo_server::moment::Moment;
use octo_server::report::RunSummary;
use octo_server::service::PAGE_MAX;
use octo_server::service_error::Kind;
use octo_server::{RunOverrides, ServiceError, SystemClock, events, units};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// For more lines of a log.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Starts a run, and waits for its end. Stopping the wait does not stop the run.
pub fn run(args: &RunArgs) -> Ended {
    let restamp_shift_secs = args.restamp_shift.as_deref().map(units::shift_secs).transpose();
    let restamp_shift_secs = restamp_shift_secs.map_err(|why| ServiceError::field("--restamp-shift", why))?;
    let client = client(&args.server)?;
    let once = RunOverrides {
        dry_run: args.dry_run,
        adopt: args.adopt,
        new_target: args.new_target,
        accept_source: args.accept_source,
        release_brake: args.release_brake,
        restamp_shift_secs,
        refresh_metadata: args.metadata.is_some(),
        approve: args.approve.clone(),
    };
    let started = client.post(&format!("/jobs/{}/runs", escaped(&args.name)), &json!(once))?;
    let id = &started["id"];
    if args.no_wait {
        return show(&args.server, &started, |run| print(&format!("run {} waits to begin", text(&run["id"]))));
    }
    follow(&client, &started, args.server.json)?;
    if args.server.json {
        return show_report(&client, &id.to_string(), Form::Json, None);
    }
    let code = show_report(&client, &id.to_string(), Form::Text, None)?;
    let newest = client.get(&format!("/runs?limit=1&job={}", escaped(&args.name)))?;
    for again in rows(&newest).iter().filter(|run| run["state"] == "queued" && run["reason"] == "retry") {
        let (id, at) = (text(&again["id"]), time(&again["not_before"]));
        print(&format!("\nRun {id} tries again at {at}. To cancel it: octobackup cancel {id}"));
    }
    Ok(code)
}

/// Shows a run as it happens, up to its end. Ctrl-C ends the showing only, and says so.
fn follow(client: &Client, run: &Value, as_json: bool) -> Result<(), ServiceError> {
    let id = text(&run["id"]);
    let left = format!(
        "run {id} goes on at the server. To stop it: octobackup cancel {id}; to see it: octobackup log -f {id}"
    );
    let progress = if as_json { None } else { Progress::on_terminal() };
    let progress = progress.map(Arc::new);
    let shown = progress.clone();
    ctrlc::set_handler(move || {
        shown.iter().for_each(|progress| progress.end());
        exit::complain(&left);
        std::process::exit(exit::CANCELLED.into());
    })
    .map_err(|e| ServiceError::new(Kind::Internal, format!("signals cannot be handled: {e}")))?;
    if let Some(progress) = &progress {
        progress.of_run(run["id"].as_i64().unwrap_or(0));
        progress.waits(waits(client, run));
    }
    client.events(&format!("/runs/{id}/events"), |event| {
        if as_json {
            print(&event.to_string());
        }
        progress.iter().for_each(|progress| progress.told(&event));
        if event["event"] == "end" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    progress.iter().for_each(|progress| progress.end());
    Ok(())
}

/// How people call a run.
fn named(run: &Value) -> String {
    format!("run {} of {}", text(&run["id"]), text(&run["job"]))
}

/// What a run that has not begun waits for.
fn waits(client: &Client, run: &Value) -> String {
    if run["state"] == "running" {
        return "begins".to_owned();
    }
    let not_before: Option<Moment> = serde_json::from_value(run["not_before"].clone()).ok();
    if not_before.is_some_and(|at| at > Moment::now(&SystemClock::new())) {
        let why = if run["attempt"].as_u64().unwrap_or(0) > 0 { "tried again at" } else { "queued until" };
        return format!("{why} {}", time(&run["not_before"]));
    }
    let others = client.get(&format!("/runs?limit={PAGE_MAX}")).unwrap_or_default();
    let busy = rows(&others).iter().filter(|other| other["state"] == "running" && other["id"] != run["id"]);
    let busy: Vec<_> = busy.map(named).collect();
    match busy.as_slice() {
        [] if run["ignores_blackouts"] == false => {
            "queued; if it does not begin at once, it waits for the end of a blackout or of the job's pause".to_owned()
        }
        [] => "begins".to_owned(),
        _ => format!("queued; under way: {}", busy.join(", ")),
    }
}

/// The report of a run.
pub fn report(args: &ReportArgs) -> Ended {
    let form = match (args.html, args.server.json) {
        (true, _) => Form::Html,
        (_, true) => Form::Json,
        _ => Form::Text,
    };
    show_report(&client(&args.server)?, &args.run.to_string(), form, args.time_zone.as_deref())
}

/// How a report is shown.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
    Html,
}

fn show_report(client: &Client, id: &str, form: Form, zone: Option<&str>) -> Ended {
    let zone = zone_named(zone)?;
    let summary = client.get(&format!("/runs/{id}/summary"))?;
    let summary: RunSummary = serde_json::from_value(summary).map_err(ServiceError::from)?;
    match form {
        // Scripts see the run's number too.
        Form::Json => {
            let mut report = events::tagged("report", serde_json::to_value(&summary.report));
            report["run"] = summary.run.id.into();
            print(&report.to_string());
        }
        Form::Html => print(html::render(&summary.document(&zone)).trim_end()),
        Form::Text => print(plain_text::render(&summary.document(&zone)).trim_end()),
    }
    let was_interrupted = summary.run.outcome == Some(octo_server::run::Ended::Interrupted);
    Ok(if was_interrupted { exit::FAILED } else { exit::of_report(&summary.report) })
}

/// The newest runs.
pub fn runs(args: &RunsArgs) -> Ended {
    let job = args.job.as_deref().map(|job| format!("&job={}", escaped(job))).unwrap_or_default();
    let client = client(&args.server)?;
    let mut answer = client.get(&format!("/runs?limit={}{job}", args.limit))?;
    for run in answer.as_array_mut().into_iter().flatten().filter(|run| run["state"] == "running") {
        run["progress"] = client.get(&format!("/runs/{}", run["id"]))?["progress"].take();
    }
    show(&args.server, &answer, |answer| {
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let cells = rows(answer).iter().map(|run| {
            let is_finished = run["state"] == "finished";
            let progress = &run["progress"];
            let counts = &progress["counts"];
            let so_far = |done: String, planned: String| {
                let more = if progress["listed_all"] == true { "" } else { "+" };
                format!("{done} of {planned}{more}")
            };
            let (files, bytes) = if counts.is_object() {
                let files = number(&counts["created"]) + number(&counts["replaced"]);
                (
                    so_far(numbers::thousands(files), numbers::thousands(number(&progress["planned_files"]))),
                    so_far(
                        numbers::size(number(&counts["copied_bytes"])),
                        numbers::size(number(&progress["planned_bytes"])),
                    ),
                )
            } else {
                (numbers::thousands(number(&run["copied_files"])), numbers::size(number(&run["copied_bytes"])))
            };
            vec![
                text(&run["id"]),
                text(&run["job"]),
                format!("{}{}", text(if is_finished { &run["outcome"] } else { &run["state"] }), dry(run)),
                match (run["started_at"].is_null(), is_finished) {
                    (false, _) => time(&run["started_at"]),
                    (true, false) => time(&run["not_before"]),
                    (true, true) => "never".to_owned(),
                },
                if is_finished { numbers::duration(number(&run["duration_ms"])) } else { String::new() },
                files,
                bytes,
                numbers::thousands(number(&run["problems"])),
                text(&run["reason"]),
            ]
        });
        let headings = ["RUN", "JOB", "OUTCOME", "@STARTED", "TOOK", "FILES", "COPIED", "PROBLEMS", "WHY"];
        table(&headings, &cells.collect::<Vec<_>>());
    })
}

/// Dry runs are told from others.
fn dry(run: &Value) -> &'static str {
    if run["once"]["dry_run"] == true { " (dry run)" } else { "" }
}

/// What a run told, up to now or up to its end.
pub fn log(args: &LogArgs) -> Ended {
    let client = client(&args.server)?;
    let progress = if args.follow && !args.server.json { Progress::on_terminal() } else { None };
    let aside = |line: &str| match &progress {
        Some(progress) => progress.aside(|| print(line)),
        None => print(line),
    };
    let mut after = 0;
    loop {
        let part = client.get(&format!("/runs/{}/log?after={after}&limit={PAGE_MAX}", args.run))?;
        let lines = rows(&part["lines"]);
        for line in lines {
            let level = if line["level"] == "info" { String::new() } else { format!("{}: ", text(&line["level"])) };
            let plain = || format!("{}  {level}{}", time_secs(&line["at"]), text(&line["text"]));
            aside(&if args.server.json { line.to_string() } else { plain() });
        }
        after = part["next"].as_u64().unwrap_or(after);
        if lines.is_empty() {
            if let Some(progress) = progress.as_ref().filter(|_| part["is_over"] != true) {
                let run = client.get(&format!("/runs/{}", args.run))?;
                progress.of_run(run["id"].as_i64().unwrap_or(0));
                if run["state"] == "queued" {
                    progress.waits(waits(&client, &run));
                }
                progress.told(&run["progress"]);
            }
            if part["is_over"] == true || !args.follow {
                progress.iter().for_each(Progress::end);
                return Ok(exit::COMPLETE);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Stops a run, or takes it out of the queue.
pub fn cancel(args: &RunIdArgs) -> Ended {
    let answer = client(&args.server)?.post(&format!("/runs/{}/cancel", args.run), &json!({}))?;
    let words = if answer["state"] == "finished" { "is out of the queue" } else { "is asked to stop" };
    show(&args.server, &answer, |_| print(&format!("Run {} {words}.", args.run)))
}
