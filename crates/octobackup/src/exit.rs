//! What the program ends with. Scripts rely on these numbers: they never change.

use octo_core::advice::{Place, advice};
use octo_core::{Code, Error, Outcome, RunReport};
use std::io::Write;

/// Complete.
pub const COMPLETE: u8 = 0;
/// Complete, except for entries that the report names.
pub const PROBLEMS: u8 = 1;
/// Invalid command or options.
pub const USAGE: u8 = 2;
/// Failed.
pub const FAILED: u8 = 3;
/// Deletions wait for approval.
pub const HELD: u8 = 4;
/// Not found.
pub const NOT_FOUND: u8 = 5;
/// Conflict: it runs already, the name exists, or somebody else changed it first.
pub const CONFLICT: u8 = 6;
/// Not allowed, or not authenticated.
pub const NOT_ALLOWED: u8 = 7;
/// Stopped by a person: what shells say of a program that Ctrl-C ended.
pub const CANCELLED: u8 = 130;

/// For a run.
pub fn of_report(report: &RunReport) -> u8 {
    match report.outcome {
        Outcome::Succeeded => COMPLETE,
        Outcome::Warnings => PROBLEMS,
        Outcome::Held => HELD,
        Outcome::Failed if report.causes.iter().any(|cause| cause.code == Code::Usage) => USAGE,
        Outcome::Failed => FAILED,
        Outcome::Cancelled => CANCELLED,
    }
}

/// For an error before any run, with the source that was named. Says it.
pub fn of_error(error: &Error, source: &str) -> u8 {
    if error.code == Code::Usage {
        complain(&error.detail);
        return USAGE;
    }
    complain(&format!("{error}\n{}", advice(error.code, source, Place::Sync)));
    FAILED
}

/// One message on standard error.
pub fn complain(message: &str) {
    // What a server or a name on a disk says may be in it.
    let lines: Vec<String> = message.lines().map(octo_core::printable::printable).collect();
    let _ = writeln!(std::io::stderr().lock(), "octobackup: {}", lines.join("\n"));
}

/// What a person should know, beside an answer that a program may read.
pub fn remark(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}
