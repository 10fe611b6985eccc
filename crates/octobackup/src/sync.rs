//! One run, from settings to exit code: opens both sides, runs the engine, says what happened.

use crate::args::Intent;
use crate::clock::SystemClock;
use crate::connection::{Secret, share_access};
use crate::job::Job;
use crate::known::Known;
use crate::listeners::{self, Listeners};
use crate::progress::Progress;
use crate::report_file::ReportFile;
use crate::settings::Settings;
use crate::{exit, stop, text};
use octo_core::report::{Cause, Counts, Problem, REPORT_FORMAT};
use octo_core::{Clock, Code, Error, Event, Monitor, Outcome, Phase, RelPath, RunReport, Source};
use octo_disk::{DiskOptions, DiskTarget, LocalSource, Modes};
use octo_mirror::{RunOptions, RunResult};
use octo_smb::SmbSource;

/// Makes the mirror. `Err` only for what makes no sense and was never begun; everything else is in the report.
pub fn run(settings: &Settings) -> Result<u8, Error> {
    let password = Secret::ask(&settings.job, &settings.password)?;
    let cancel = stop::on_signals()?;
    let output = &settings.output;
    let mut listeners = Listeners {
        report_file: output.report.as_deref().map(|path| ReportFile::create(path, &settings.target)).transpose()?,
        progress: if output.quiet { None } else { Progress::on_terminal() },
        lists_changes: settings.once.dry_run && !output.quiet,
        json: output.json,
    };
    let clock = SystemClock::new(cancel.clone());
    let mut remarks = Vec::new();
    let result = begin(settings, password, &mut remarks).map(|begun| {
        let monitor = RememberEarly { settings, target: &begun.target, listeners: &listeners };
        octo_mirror::run(&*begun.source, &begun.target, &begun.options, &monitor, &clock, &cancel)
    });
    let mut result = match result {
        Ok(result) => result,
        Err(error) if error.code == Code::Usage => return Err(error),
        Err(error) => never_begun(settings, error, &listeners, &clock),
    };
    remember(settings, &result, &mut remarks);
    result.report.remarks.append(&mut remarks);
    if let Some(progress) = listeners.progress.take() {
        progress.end();
    }
    Ok(tell(settings, &result.report, listeners))
}

/// What a run needs.
struct Begun {
    source: Box<dyn Source>,
    target: DiskTarget,
    options: RunOptions,
}

fn begin(settings: &Settings, password: Secret, remarks: &mut Vec<String>) -> Result<Begun, Error> {
    let Settings { job, target, once, .. } = settings;
    if let Some(local) = job.origin.local_path() {
        octo_disk::overlap(&local, target)?;
    }
    octo_disk::marker_above(target)?;
    let known = match Known::of_user() {
        Some(known) => known.id(target)?,
        None => {
            remarks.push("there is no home folder, so a disk that is not mounted would not be noticed".to_owned());
            None
        }
    };
    let options = run_options(settings, known)?;
    let source = open_source(job, password)?;
    // A mirror that was here before and is gone must not come into being again as an empty folder.
    let create = !once.dry_run && (options.known_target.is_none() || once.new_target);
    let modes = Modes { file: job.file_mode, folder: job.folder_mode };
    let target = DiskTarget::open(target, DiskOptions { create, modes })?;
    Ok(Begun { source, target, options })
}

fn run_options(settings: &Settings, known_target: Option<String>) -> Result<RunOptions, Error> {
    let Settings { job, target, once, .. } = settings;
    Ok(RunOptions {
        dry_run: once.dry_run,
        filter: job.filter()?,
        no_delete: job.no_delete,
        max_delete: job.max_delete,
        adopt: once.adopt,
        new_target: once.new_target,
        accept_source: once.accept_source,
        keep_versions: job.keep_versions(),
        compare: job.compare(),
        restamp_shift_secs: once.restamp_shift_secs,
        bandwidth_bytes_per_sec: job.bandwidth_bytes_per_sec,
        require_privilege: job.backup_intent == Intent::Require,
        trust_listings: job.trust_listings,
        approve: once.approve.clone(),
        release_brake: once.release_brake,
        known_target,
        source_label: job.origin.label(),
        target_label: target.display().to_string(),
        job: Some(job.to_text()?),
        workers: None,
    })
}

/// Opens the source of a job.
pub fn open_source(job: &Job, password: Secret) -> Result<Box<dyn Source>, Error> {
    if let Some(path) = job.origin.local_path() {
        return Ok(Box::new(LocalSource::open(&path)?));
    }
    let (address, credentials, options) = share_access(job, password)?;
    Ok(Box::new(SmbSource::connect(address, credentials, options)?))
}

/// The report of a run that failed before the engine could begin: silence is never success.
fn never_begun(settings: &Settings, error: Error, monitor: &dyn Monitor, clock: &dyn Clock) -> RunResult {
    let problem = Problem { code: error.code, path: RelPath::root(), detail: error.detail };
    monitor.event(&Event::Problem(&problem));
    let took = clock.monotonic();
    let report = RunReport {
        format: REPORT_FORMAT,
        run: 0,
        outcome: Outcome::Failed,
        dry_run: settings.once.dry_run,
        source: settings.job.origin.label(),
        target: settings.target.display().to_string(),
        started: clock.now().plus_secs(-i64::try_from(took.as_secs()).unwrap_or(0)),
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        counts: Counts { problems: 1, ..Counts::default() },
        held_because: Vec::new(),
        held_plan: None,
        remarks: Vec::new(),
        causes: vec![Cause { code: problem.code, count: 1, examples: vec![problem] }],
        free_bytes: None,
    };
    RunResult { report, target_id: None }
}

/// Remembers the mirror as soon as it has its marker, so that even a first run that is killed leaves a path that is
/// known. If that fails, the end of the run says so.
struct RememberEarly<'a> {
    settings: &'a Settings,
    target: &'a DiskTarget,
    listeners: &'a Listeners,
}

impl Monitor for RememberEarly<'_> {
    fn event(&self, event: &Event<'_>) {
        if let Event::Phase(Phase::Copy) = event
            && !self.settings.once.dry_run
            && let (Ok(Some(id)), Some(known)) = (octo_mirror::target_id(self.target), Known::of_user())
        {
            let _ = known.remember(&self.settings.target, &id);
        }
        self.listeners.event(event);
    }
}

fn remember(settings: &Settings, result: &RunResult, remarks: &mut Vec<String>) {
    if let (Some(id), Some(known)) = (&result.target_id, Known::of_user())
        && let Err(error) = known.remember(&settings.target, id)
    {
        remarks.push(format!(
            "this mirror could not be remembered, so a disk that is not mounted would not be noticed: {error}"
        ));
    }
}

/// Says what happened, everywhere it was asked for.
fn tell(settings: &Settings, report: &RunReport, listeners: Listeners) -> u8 {
    let output = &settings.output;
    let mut code = exit::of_report(report);
    if output.json {
        listeners::print(&listeners::report_as_json(report));
    } else if !output.quiet || report.outcome != Outcome::Succeeded {
        let keeps_versions = settings.job.keep_versions_secs.is_some();
        listeners::print(text::report(report, keeps_versions).trim_end());
    }
    if let (Some(file), Some(path)) = (listeners.report_file, &output.report)
        && let Err(error) = file.finish(report)
    {
        exit::complain(&format!("the report {} could not be written: {error}", path.display()));
        code = code.max(exit::PROBLEMS);
    }
    code
}
