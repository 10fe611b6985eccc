//! Who made a run, and so which commands are recommended to whoever reads about it.
//!
//! A command of another side could run as another user, on the same mirror: it must never be recommended.

use crate::document::Step;
use octo_core::advice::{Place, advice};
use octo_core::guard::{HoldKind, Way};
use octo_core::path::bytes_to_text;
use octo_core::{Code, RelPath};

/// Who made a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy<'a> {
    /// `octobackup sync`.
    Sync {
        /// Whether what was replaced is still there.
        keeps_versions: bool,
    },
    /// A job of the server.
    Job {
        /// The job's name.
        job: &'a str,
        /// The server's number of the run.
        run: i64,
    },
}

impl MadeBy<'_> {
    fn place(&self) -> Place<'_> {
        match self {
            MadeBy::Job { job, .. } => Place::Job(job),
            MadeBy::Sync { .. } => Place::Sync,
        }
    }
}

/// What to do about a cause of problems, met at the source that the report calls `source`. `first` is its first entry.
pub fn steps(code: Code, first: Option<&RelPath>, source: &str, target: &str, by: MadeBy<'_>) -> Vec<Step> {
    let mut steps = vec![Step::what_to_do(advice(code, source, by.place()))];
    // The advice for a job names the command already.
    if code == Code::ReplacementsHeld && matches!(by, MadeBy::Sync { .. }) {
        steps.extend(command(Way::ReleaseBrake, target, by).map(|it| Step::command("To release the brake", it)));
    }
    steps.extend(first.and_then(|first| acknowledge(code, first, by)));
    steps
}

/// What to do about deletions that are held for this kind of reason, with the command if it is another one than to approve
/// them: that one is given once, for all reasons.
pub fn remedy(kind: HoldKind, target: &str, by: MadeBy<'_>) -> Step {
    match command(kind.way(), target, by) {
        Some(command) => Step { command: command.into(), ..Step::what_to_do(format!("{}:", kind.remedy())) },
        None => Step::what_to_do(format!("{}.", kind.remedy())),
    }
}

/// What can be done about a plan of held deletions.
pub(crate) fn approval(plan: &str, target: &str, by: MadeBy<'_>) -> Vec<Step> {
    let plan = quoted(plan);
    match by {
        MadeBy::Sync { .. } => {
            let target = quoted(target);
            vec![
                Step::command("To see them", format!("octobackup held {target}")),
                Step::command("To delete them", format!("octobackup held {target} --approve {plan}")),
            ]
        }
        MadeBy::Job { job, .. } => vec![
            Step::command("To delete them", format!("octobackup run {job} --approve {plan}")),
            Step::command("To keep them and get no more reminders", format!("octobackup job dismiss {job} {plan}")),
        ],
    }
}

/// A remark, in which the engine names options: with the command of the side that has them.
pub fn remark(text: &str, target: &str, by: MadeBy<'_>) -> String {
    let release = command(Way::ReleaseBrake, target, by).unwrap_or_default();
    let restamp = match by {
        MadeBy::Sync { .. } => "octobackup sync ... --restamp-shift".to_owned(),
        MadeBy::Job { job, .. } => format!("octobackup run {job} --restamp-shift"),
    };
    let text = text.replace(": --release-brake", &format!(": {release}"));
    text.replace(": --restamp-shift", &format!(": {restamp}"))
}

/// The command of the side that made the run; approving is said elsewhere, with the plan.
fn command(way: Way, target: &str, by: MadeBy<'_>) -> Option<String> {
    match (way, by) {
        (Way::Approve, _) => None,
        (Way::ReleaseBrake, MadeBy::Sync { .. }) => Some(format!("octobackup held {} --release-brake", quoted(target))),
        (Way::ReleaseBrake, MadeBy::Job { job, .. }) => Some(format!("octobackup run {job} --release-brake")),
        (Way::TrustListings, MadeBy::Sync { .. }) => Some("octobackup sync ... --trust-listings".to_owned()),
        (Way::TrustListings, MadeBy::Job { job, .. }) => {
            Some(format!("octobackup job edit {job} --set trust_listings=true"))
        }
    }
}

/// How a problem that lasts is acknowledged, for the first entry of its cause.
fn acknowledge(code: Code, first: &RelPath, by: MadeBy<'_>) -> Option<Step> {
    if !code.may_be_acknowledged() || first.is_root() {
        return None;
    }
    let path = quoted(&bytes_to_text(first.as_bytes()));
    let command = match by {
        MadeBy::Sync { .. } => format!("octobackup sync ... --acknowledge {path}"),
        MadeBy::Job { job, .. } => format!("octobackup job edit {job} --acknowledge {path}"),
    };
    Some(Step::command("If it is to stay like this, accept it", command))
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &str) -> String {
    let tame = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=".contains(c);
    if !path.is_empty() && path.chars().all(tame) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
