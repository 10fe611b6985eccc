//! One run, from settings to exit code: asks for the password, runs the engine, says what happened.

use crate::known_mirrors::KnownMirrors;
use crate::listeners::{self, Listeners};
use crate::progress::Progress;
use crate::report_file::ReportFile;
use crate::settings::Settings;
use crate::stop::SignsOfLife;
use crate::{exit, password, stop, zone};
use octo_core::{Code, Error, Outcome, RunReport};
use octo_disk::Protected;
use octo_mirror::RunResult;
use octo_report::{MadeBy, RunFacts, text};
use octo_server::SystemClock;
use octo_server::launch::{self, Launch};
use std::sync::Arc;

/// Makes the mirror. `Err` only for what makes no sense and was never begun; everything else is in the report.
pub fn run(settings: &Settings) -> Result<u8, Error> {
    let password = password::ask_for(&settings.mirror_spec, &settings.password)?;
    let alive = Arc::new(SignsOfLife::default());
    let cancel = stop::on_signals_of(&alive)?;
    let output = &settings.output;
    let mut listeners = Listeners {
        report_file: output.report.as_deref().map(|path| ReportFile::create(path, &settings.target)).transpose()?,
        progress: if output.quiet { None } else { Progress::on_terminal() },
        lists_changes: settings.once.dry_run && !output.quiet,
        json: output.json,
        alive,
    };
    let clock = SystemClock::new();
    let mut remarks = Vec::new();
    let mut result = match known_target(settings) {
        Ok(known_target) => {
            let remember = |id: &str| {
                // If that fails, the end of the run says so.
                let _ = KnownMirrors::of_user().remember(&settings.target, id);
            };
            let Settings { mirror_spec, target, once, .. } = settings;
            let launch = Launch {
                mirror_spec,
                target,
                once,
                password,
                agents: None,
                known_target,
                pace: None,
                clock_is_proven: false,
                protected: &Protected::default(),
                remember: &remember,
            };
            launch.run(&listeners, &clock, &cancel)?
        }
        Err(error) => {
            launch::never_begun(&settings.mirror_spec, &settings.target, &settings.once, error, &listeners, &clock)
        }
    };
    remember(settings, &result, &mut remarks);
    result.report.remarks.append(&mut remarks);
    if let Some(progress) = listeners.progress.take() {
        progress.end();
    }
    Ok(tell(settings, &result.report, listeners))
}

/// The mirror that was here before. Where nothing can be remembered, a disk that is not mounted would look like a new,
/// empty target for ever: such a one is begun only if that cannot be, or a person says so.
fn known_target(settings: &Settings) -> Result<Option<String>, Error> {
    let known = KnownMirrors::of_user();
    let id = known.id(&settings.target)?;
    if id.is_none()
        && !settings.once.new_target
        && !settings.once.dry_run
        && octo_disk::may_be_unmounted(&settings.target)
    {
        known.prepare().map_err(|why| {
            let target = settings.target.display();
            let why = format!(
                "DST {target} is empty and no mount point, and it could not be remembered ({}), so a disk that is not \
                 mounted would not be noticed. If a mirror is to begin there, use --new-target",
                why.detail
            );
            Error::new(Code::Usage, why)
        })?;
    }
    Ok(id)
}

fn remember(settings: &Settings, result: &RunResult, remarks: &mut Vec<String>) {
    if let Some(id) = &result.target_id
        && let Err(error) = KnownMirrors::of_user().remember(&settings.target, id)
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
        let keeps_versions = settings.mirror_spec.keep_versions_secs.is_some();
        let facts = RunFacts { report, made_by: MadeBy::Sync { keeps_versions }, history: None };
        let document = octo_report::run::document(&facts, &zone::shown());
        listeners::print(text::render(&document).trim_end());
    }
    if let (Some(file), Some(path)) = (listeners.report_file, &output.report)
        && let Err(error) = file.finish(report)
    {
        exit::complain(&format!("the report {} could not be written: {error}", path.display()));
        code = code.max(exit::PROBLEMS);
    }
    code
}
