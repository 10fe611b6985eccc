//! `octobackup run`, `runs`, `report`, `log` and `cancel`.

use super::answer::{CommandResult, as_json, client, plain, show, time, time_secs, zone_named};
use super::table::table;
use crate::args::server::{LogArgs, ReportArgs, RunArgs, RunIdArgs, RunsArgs};
use crate::exit;
use crate::listeners::print;
use crate::progress::Progress;
use octo_api::error::Kind;
use octo_api::log::{Level, LogPart};
use octo_api::run::{Reason, Run, RunEvent, RunKind, RunView, State};
use octo_api::summary::RunSummary;
use octo_api::{ApiError, Moment, PAGE_MAX, RunOverrides};
use octo_client::{Client, escaped};
use octo_core::numbers;
use octo_report::{html, text as plain_text};
use octo_server::report::document;
use octo_server::{SystemClock, events};
use serde::Deserialize;
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// For more lines of a log.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Starts a run, and waits for its end. Stopping the wait does not stop the run.
pub fn run(args: &RunArgs) -> CommandResult {
    let client = client(&args.server)?;
    let (refresh_metadata, approve) = (args.metadata.is_some(), args.approve.clone());
    let once = RunOverrides { refresh_metadata, approve, ..args.once.read()? };
    let started: Run = client.post(&format!("/jobs/{}/runs", escaped(&args.name)), &once)?;
    if args.no_wait {
        return show(&args.server, &started, |run| print(&format!("run {} waits to begin", run.id)));
    }
    follow(&client, &started, args.server.json)?;
    if args.server.json {
        return show_report(&client, started.id, Form::Json, None);
    }
    let code = show_report(&client, started.id, Form::Text, None)?;
    let newest: Vec<Run> = client.get(&format!("/runs?limit=1&job={}", escaped(&args.name)))?;
    for again in newest.iter().filter(|run| run.state == State::Queued && run.reason == Reason::Retry) {
        let (id, at) = (again.id, time(again.not_before));
        print(&format!("\nRun {id} tries again at {at}. To cancel it: octobackup cancel {id}"));
    }
    Ok(code)
}

/// Shows a run as it happens, and its report; if `quiet`, only of one that is not complete.
pub(super) fn watch(client: &Client, run: &Run, as_json: bool, quiet: bool) -> CommandResult {
    follow(client, run, as_json)?;
    let ended: RunView = client.get(&format!("/runs/{}", run.id))?;
    if quiet && ended.run.outcome == Some(octo_api::run::Ended::Succeeded) {
        return Ok(exit::COMPLETE);
    }
    show_report(client, run.id, if as_json { Form::Json } else { Form::Text }, None)
}

/// Shows a run as it happens, up to its end. Ctrl-C ends the showing only, and says so.
fn follow(client: &Client, run: &Run, as_json: bool) -> Result<(), ApiError> {
    let id = run.id;
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
    .map_err(|e| ApiError::new(Kind::Internal, format!("signals cannot be handled: {e}")))?;
    if let Some(progress) = &progress {
        progress.of_run(id);
        progress.waits(waits(client, run));
    }
    // A script is shown an event as it came: a newer server may say more in it than is known here.
    client.events(&format!("/runs/{id}/events"), |said: Value| {
        if as_json {
            print(&said.to_string());
        }
        let Ok(event) = RunEvent::deserialize(&said) else { return ControlFlow::Continue(()) };
        progress.iter().for_each(|progress| progress.server_event(&event));
        if matches!(event, RunEvent::End { .. }) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    progress.iter().for_each(|progress| progress.end());
    Ok(())
}

/// How people call a run.
fn named(run: &Run) -> String {
    format!("run {} of {}", run.id, plain(&run.job))
}

/// What a run that has not begun waits for.
fn waits(client: &Client, run: &Run) -> String {
    if run.state == State::Running {
        return "begins".to_owned();
    }
    if run.not_before > Moment::now(&SystemClock::new()) {
        let why = if run.attempt > 0 { "tried again at" } else { "queued until" };
        return format!("{why} {}", time(run.not_before));
    }
    let others: Vec<Run> = client.get(&format!("/runs?limit={PAGE_MAX}")).unwrap_or_default();
    let busy = others.iter().filter(|other| other.state == State::Running && other.id != run.id);
    let busy: Vec<_> = busy.map(named).collect();
    match busy.as_slice() {
        [] if !run.ignores_blackouts => {
            "queued; if it does not begin at once, it waits for the end of a blackout or of the job's pause".to_owned()
        }
        [] => "begins".to_owned(),
        _ => format!("queued; under way: {}", busy.join(", ")),
    }
}

/// The report of a run.
pub fn report(args: &ReportArgs) -> CommandResult {
    let form = match (args.html, args.server.json) {
        (true, _) => Form::Html,
        (_, true) => Form::Json,
        _ => Form::Text,
    };
    show_report(&client(&args.server)?, args.run, form, args.time_zone.as_deref())
}

/// How a report is shown.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
    Html,
}

fn show_report(client: &Client, id: i64, form: Form, zone: Option<&str>) -> CommandResult {
    let zone = zone_named(zone)?;
    let summary: RunSummary = client.get(&format!("/runs/{id}/summary"))?;
    match form {
        // Scripts see the run's number too.
        Form::Json => {
            let mut report = events::tagged("report", serde_json::to_value(&summary.report));
            report["run"] = summary.run.id.into();
            print(&report.to_string());
        }
        Form::Html => print(html::render(&document(&summary, &zone)).trim_end()),
        Form::Text => print(plain_text::render(&document(&summary, &zone)).trim_end()),
    }
    let was_interrupted = summary.run.outcome == Some(octo_api::run::Ended::Interrupted);
    Ok(if was_interrupted { exit::FAILED } else { exit::of_report(&summary.report) })
}

/// The newest runs, with the progress of those under way.
pub fn runs(args: &RunsArgs) -> CommandResult {
    let job = args.job.as_deref().map(|job| format!("&job={}", escaped(job))).unwrap_or_default();
    let client = client(&args.server)?;
    let runs: Vec<Run> = client.get(&format!("/runs?limit={}{job}", args.limit))?;
    let look = |run: Run| match run.state {
        State::Running => client.get(&format!("/runs/{}", run.id)),
        State::Queued | State::Finished => Ok(RunView { run, progress: None }),
    };
    let views = runs.into_iter().map(look).collect::<Result<Vec<_>, _>>()?;
    show(&args.server, views.as_slice(), |views| {
        let headings = ["RUN", "JOB", "OUTCOME", "@STARTED", "TOOK", "FILES", "COPIED", "PROBLEMS", "WHY"];
        table(&headings, &views.iter().map(line).collect::<Vec<_>>());
    })
}

fn line(view: &RunView) -> Vec<String> {
    let run = &view.run;
    let is_finished = run.state == State::Finished;
    let standing = match run.outcome {
        Some(outcome) if is_finished => outcome.to_string(),
        _ => run.state.to_string(),
    };
    let dry = match (run.kind, run.once.dry_run) {
        (RunKind::Restore, false) => " (restore)",
        (RunKind::Restore, true) => " (restore, dry run)",
        (_, true) => " (dry run)",
        (_, false) => "",
    };
    let started = match run.started_at {
        Some(at) => time(at),
        None if is_finished => "never".to_owned(),
        None => time(run.not_before),
    };
    let (files, bytes) = copied(view);
    vec![
        run.id.to_string(),
        plain(&run.job),
        format!("{standing}{dry}"),
        started,
        if is_finished { numbers::duration(unsigned(run.duration_ms)) } else { String::new() },
        files,
        bytes,
        numbers::thousands(unsigned(run.problems)),
        run.reason.to_string(),
    ]
}

/// Files and bytes that were copied; of a run under way, out of how many.
fn copied(view: &RunView) -> (String, String) {
    let Some(RunEvent::Progress(progress)) = &view.progress else {
        return (numbers::thousands(unsigned(view.run.copied_files)), numbers::size(unsigned(view.run.copied_bytes)));
    };
    let more = if progress.listed_all { "" } else { "+" };
    let so_far = |done: String, planned: String| format!("{done} of {planned}{more}");
    let files = progress.counts.created + progress.counts.replaced;
    (
        so_far(numbers::thousands(files), numbers::thousands(progress.planned_files)),
        so_far(numbers::size(progress.counts.copied_bytes), numbers::size(progress.planned_bytes)),
    )
}

fn unsigned(number: i64) -> u64 {
    number.max(0).cast_unsigned()
}

/// The log of a run, up to now or up to its end.
pub fn log(args: &LogArgs) -> CommandResult {
    let client = client(&args.server)?;
    let progress = if args.follow && !args.server.json { Progress::on_terminal() } else { None };
    let aside = |line: &str| match &progress {
        Some(progress) => progress.aside(|| print(line)),
        None => print(line),
    };
    let mut after = 0;
    loop {
        let part: LogPart = client.get(&format!("/runs/{}/log?after={after}&limit={PAGE_MAX}", args.run))?;
        for line in &part.lines {
            let level = if line.level == Level::Info { String::new() } else { format!("{}: ", line.level) };
            let words = || format!("{}  {level}{}", time_secs(line.at), plain(&line.text));
            aside(&if args.server.json { as_json(line)?.to_string() } else { words() });
        }
        after = part.next;
        if part.lines.is_empty() {
            if let Some(progress) = progress.as_ref().filter(|_| !part.is_over) {
                let view: RunView = client.get(&format!("/runs/{}", args.run))?;
                progress.of_run(view.run.id);
                if view.run.state == State::Queued {
                    progress.waits(waits(&client, &view.run));
                }
                view.progress.iter().for_each(|event| progress.server_event(event));
            }
            if part.is_over || !args.follow {
                progress.iter().for_each(Progress::end);
                return Ok(exit::COMPLETE);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Stops a run, or takes it out of the queue.
pub fn cancel(args: &RunIdArgs) -> CommandResult {
    let answer: Run = client(&args.server)?.post_nothing(&format!("/runs/{}/cancel", args.run))?;
    let words = if answer.state == State::Finished { "is out of the queue" } else { "is asked to stop" };
    show(&args.server, &answer, |_| print(&format!("Run {} {words}.", args.run)))
}
