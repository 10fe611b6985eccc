//! Who listens to a run: progress for the eye, a list for a dry run, JSON lines for scripts, the report file.
//!
//! Output that nobody takes (a closed pipe) never ends a run: the mirror matters more.

use crate::progress::Progress;
use crate::report_file::ReportFile;
use crate::stop::SignsOfLife;
use octo_core::{Event, Monitor, RunReport};
use octo_server::events;
use std::io::Write;
use std::sync::Arc;

/// Everybody who listens.
#[derive(Default)]
pub struct Listeners {
    /// `--report`.
    pub report_file: Option<ReportFile>,
    /// On a terminal.
    pub progress: Option<Progress>,
    /// `--dry-run`.
    pub lists_changes: bool,
    /// `--json`.
    pub json: bool,
    /// Whether anything happens, for who waits for the end.
    pub alive: Arc<SignsOfLife>,
}

impl Monitor for Listeners {
    fn event(&self, event: &Event<'_>) {
        self.alive.event(event);
        if let (Event::Problem(problem), Some(file)) = (event, &self.report_file) {
            file.problem(problem);
        }
        if let Some(progress) = &self.progress {
            progress.event(event);
        }
        if self.json {
            print(&events::as_json(event).to_string());
        } else if let (Event::Change(change), true) = (event, self.lists_changes) {
            match &self.progress {
                Some(progress) => progress.aside(|| print(&events::as_item(change))),
                None => print(&events::as_item(change)),
            }
        }
    }
}

/// One line on standard output.
pub fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// The last line of `--json`.
pub fn report_as_json(report: &RunReport) -> String {
    events::tagged("report", serde_json::to_value(report)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::report::{Counts, Problem};
    use octo_core::{Change, Code, Kind, Phase, RelPath};

    #[test]
    fn events_are_objects_with_a_name() {
        let path = RelPath::parse(b"a/b\n").unwrap();
        let change = Change::Deleted { path: path.clone(), kind: Kind::Folder, size_bytes: 0 };
        let problem = Problem { code: Code::Locked, path: path.clone(), detail: String::new() };
        let progress = Event::Progress {
            counts: &Counts::default(),
            planned_files: 1,
            planned_bytes: 2,
            listed_all: true,
            current: Some(&path),
        };
        for (event, name) in [
            (Event::Phase(Phase::Copy), "phase"),
            (Event::Change(&change), "change"),
            (Event::Problem(&problem), "problem"),
            (progress, "progress"),
        ] {
            let line = events::as_json(&event).to_string();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["event"], name);
        }
        assert_eq!(events::as_json(&Event::Change(&change))["change"], "deleted");
        assert_eq!(events::as_item(&change), "- a/b\\u{a}/");
    }
}
