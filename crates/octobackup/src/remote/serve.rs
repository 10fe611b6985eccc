//! `octobackup serve`: the server's log on standard output, and a word to systemd where it started us.

use super::answer::CommandResult;
use crate::args::server::ServeArgs;
use crate::{exit, stop};
use octo_server::config::{Config, LogForm};
use octo_server::event_log::{EventLog, LogEvent};
use octo_server::{Moment, SystemClock, serve};
use sd_notify::NotifyState;
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// Serves until it is asked to stop.
pub fn serve(args: &ServeArgs) -> CommandResult {
    let config = Config::read(&args.config)?;
    let stop = stop::on_signals()?;
    let clock = SystemClock::new();
    let log = ConsoleLog { form: config.log, is_for_journald: is_for_journald(), clock };
    serve::serve(&config, &stop, Arc::new(log))?;
    Ok(exit::COMPLETE)
}

/// Writes notes to standard output.
struct ConsoleLog {
    form: LogForm,
    is_for_journald: bool,
    clock: SystemClock,
}

impl EventLog for ConsoleLog {
    fn record(&self, event: &LogEvent) {
        let line = log_line(event, Moment::now(&self.clock), self.form, self.is_for_journald);
        // A log that nobody takes must not stop backups.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
        if event.event == serve::READY {
            let _ = sd_notify::notify(&[NotifyState::Ready]);
        }
    }
}

/// journald takes the priority, and knows the time by itself.
fn log_line(event: &LogEvent, at: Moment, form: LogForm, is_for_journald: bool) -> String {
    let text = match form {
        LogForm::Json => {
            let mut all = event.fields.clone();
            for (name, value) in [
                ("at", json!(at)),
                ("level", event.level.to_string().into()),
                ("event", event.event.into()),
                ("message", event.message.as_str().into()),
            ] {
                all.insert(name.to_owned(), value);
            }
            Value::from(all).to_string()
        }
        LogForm::Text if is_for_journald => octo_core::printable::printable(&event.message),
        LogForm::Text => format!("{at} {} {}", event.level, octo_core::printable::printable(&event.message)),
    };
    if is_for_journald { format!("<{}>{text}", event.level.priority()) } else { text }
}

/// Whether standard output goes to journald, as sd-daemon(3) says to find out.
fn is_for_journald() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let output = std::fs::metadata("/proc/self/fd/1");
    output.is_ok_and(|output| stream == format!("{}:{}", output.dev(), output.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_in_each_form() {
        let event = LogEvent::info("run-ends", "run 7 of fs\n1 ended").with("run", 7);
        let at = Moment(1_785_844_800);
        let text = log_line(&event, at, LogForm::Text, false);
        assert_eq!(text, "2026-08-04T12:00:00Z info run 7 of fs\\n1 ended");
        assert!(log_line(&event, at, LogForm::Text, true).starts_with("<6>run 7"));
        let json: Value = serde_json::from_str(&log_line(&event, at, LogForm::Json, false)).unwrap();
        assert_eq!((&json["run"], &json["event"], &json["level"]), (&json!(7), &json!("run-ends"), &json!("info")));
        assert!(log_line(&event, at, LogForm::Json, true).starts_with("<6>{"));
    }
}
