//! One run, from settings to exit code: asks for the password, runs the engine, says what happened.

use crate::known::Known;
use crate::listeners::{self, Listeners};
use crate::progress::Progress;
use crate::report_file::ReportFile;
use crate::settings::Settings;
use crate::{exit, password, stop, text};
use octo_core::{Error, Outcome, RunReport};
use octo_mirror::RunResult;
use octo_server::SystemClock;
use octo_server::launch::{self, Launch};

/// Makes the mirror. `Err` only for what makes no sense and was never begun; everything else is in the report.
pub fn run(settings: &Settings) -> Result<u8, Error> {
    let password = password::ask_for(&settings.recipe, &settings.password)?;
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
    let mut result = match known_target(settings, &mut remarks) {
        Ok(known_target) => {
            let remember = |id: &str| {
                if let Some(known) = Known::of_user() {
                    // If that fails, the end of the run says so.
                    let _ = known.remember(&settings.target, id);
                }
            };
            let Settings { recipe, target, once, .. } = settings;
            let launch = Launch {
                recipe,
                target,
                once,
                password,
                hub: None,
                known_target,
                pace: None,
                clock_is_proven: false,
                remember: &remember,
            };
            launch.run(&listeners, &clock, &cancel)?
        }
        Err(error) => {
            launch::never_begun(&settings.recipe, &settings.target, &settings.once, error, &listeners, &clock)
        }
    };
    remember(settings, &result, &mut remarks);
    result.report.remarks.append(&mut remarks);
    if let Some(progress) = listeners.progress.take() {
        progress.end();
    }
    Ok(tell(settings, &result.report, listeners))
}

fn known_target(settings: &Settings, remarks: &mut Vec<String>) -> Result<Option<String>, Error> {
    let Some(known) = Known::of_user() else {
        remarks.push("there is no home folder, so a disk that is not mounted would not be noticed".to_owned());
        return Ok(None);
    };
    known.id(&settings.target)
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
        let keeps_versions = settings.recipe.keep_versions_secs.is_some();
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
