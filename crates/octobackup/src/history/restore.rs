//! `octobackup restore`: brings a state, or parts of it, into a folder.

use super::{folder, open, path, when};
use crate::args::history::RestoreArgs;
use crate::listeners::{Listeners, print};
use crate::progress::Progress;
use crate::stop::{self, SignsOfLife};
use crate::{exit, settings};
use octo_core::numbers::{count, size};
use octo_core::printable::printable;
use octo_core::{Code, Error, Phase, Target};
use octo_disk::{DiskOptions, DiskTarget, Modes};
use octo_mirror::history::{History, State};
use octo_mirror::restore::{FolderTarget, RestoreOptions, RestoreReport, restore};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Restores.
pub fn run(args: &RestoreArgs) -> Result<u8, Error> {
    let folder = folder(&args.mirror)?;
    let mirror = open(&folder)?;
    // Nobody changes the mirror meanwhile, and nobody else restores from it.
    let _lock = if args.dry_run { None } else { lock(&mirror)? };
    let history = History::open(&mirror)?;
    let state = history.state(when(args.at.at.as_deref())?)?;
    let paths: Vec<_> = args.paths.iter().map(|typed| path(typed)).collect::<Result<_, _>>()?;
    for path in &paths {
        if state.look(path)?.is_none() {
            return Err(history.missing(&state, path)?);
        }
    }
    let to = settings::target(&args.to)?;
    demand_elsewhere(&folder, &to)?;
    let modes = Modes::default();
    let target =
        DiskTarget::open(&to, DiskOptions { create: !args.dry_run, modes, plain: true, ..DiskOptions::default() })?;
    let beside = format!(" (state {})", state.number());
    let options = RestoreOptions { paths, existing: args.existing.existing(), beside, dry_run: args.dry_run };
    let alive = Arc::new(SignsOfLife::default());
    let cancel = stop::on_signals_of(&alive)?;
    let mut listeners = Listeners {
        progress: if args.quiet { None } else { Progress::on_terminal() },
        json: args.json,
        alive,
        ..Listeners::default()
    };
    octo_core::Monitor::event(&listeners, &octo_core::Event::Phase(Phase::Copy));
    let report = restore(&state, (&FolderTarget(&target), &target), &options, &listeners, &cancel);
    if let Some(progress) = listeners.progress.take() {
        progress.end();
    }
    let report = report?;
    if args.json {
        print(&as_json(&state, &to, &report, args.dry_run));
    } else if !args.quiet || report.counts.problems > 0 {
        print(as_text(&state, &to, &report, args.dry_run).trim_end());
    }
    Ok(match () {
        () if report.cancelled => exit::CANCELLED,
        () if report.counts.problems > 0 => exit::PROBLEMS,
        () => exit::COMPLETE,
    })
}

/// A mirror that this account, or nobody, can write is read without the lock.
fn lock(mirror: &DiskTarget) -> Result<Option<Box<dyn Send>>, Error> {
    match mirror.lock() {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.code == Code::TargetBusy => {
            let what = "a run, a verify or another restore works on this mirror: wait for its end, or cancel it (octobackup cancel JOB)";
            Err(Error::new(Code::TargetBusy, what))
        }
        Err(_) => Ok(None),
    }
}

/// A mirror is never restored into: the next run would take back what was restored.
fn demand_elsewhere(mirror: &Path, to: &Path) -> Result<(), Error> {
    let refused = |why: &str| {
        let what = format!("--to {}: {why}; restore to another folder", to.display());
        Err(Error::new(Code::Usage, what))
    };
    if octo_disk::overlap(mirror, to).is_err_and(|error| error.code == Code::Nested) {
        return refused("it is the mirror, or one contains the other");
    }
    if to.join(octo_core::RESERVED).join("marker.toml").exists() || octo_disk::marker_above(to).is_err() {
        return refused("it is a mirror, or lies in one, and its next run would take back what is restored");
    }
    Ok(())
}

fn as_text(state: &State<'_>, to: &Path, report: &RestoreReport, dry_run: bool) -> String {
    let counts = &report.counts;
    let mut out = format!(
        "{} state {} to {}\n",
        if dry_run { "A restore of" } else { "Restored" },
        state.number(),
        printable(&to.display().to_string())
    );
    let would = if dry_run { "to be " } else { "" };
    let mut say = |number: u64, words: String| {
        if number > 0 {
            out.push_str(&format!("  {words}\n"));
        }
    };
    let new = counts.created - report.beside;
    say(new, format!("{} {would}restored where nothing was", count(new, "file")));
    say(report.beside, format!("{} {would}restored beside others of the same name", count(report.beside, "file")));
    say(counts.replaced, format!("{} {would}replaced", count(counts.replaced, "file")));
    say(counts.folders_created, format!("{} {would}made", count(counts.folders_created, "folder")));
    say(counts.links, format!("{} {would}made", count(counts.links, "link")));
    say(counts.unchanged, format!("{} there already with the same size and time", count(counts.unchanged, "file")));
    say(report.left, format!("{} left as they are", count(report.left, "other entry")));
    say(report.newer, format!("{} there were written later than in this state", count(report.newer, "file")));
    say(counts.copied_bytes, format!("{} {would}copied", size(counts.copied_bytes)));
    if counts.problems > 0 {
        out.push_str(&format!("  {}:\n", count(counts.problems, "problem")));
        for problem in &report.problems {
            out.push_str(&format!("    {}: {}\n", problem.path, printable(&problem.detail)));
        }
    }
    if report.cancelled {
        out.push_str("  Stopped. The same command goes on where it ended.\n");
    }
    out
}

fn as_json(state: &State<'_>, to: &Path, report: &RestoreReport, dry_run: bool) -> String {
    json!({
        "event": "report", "kind": "restore", "state": state.number(), "to": to.display().to_string(), "dry_run": dry_run,
        "counts": report.counts, "beside": report.beside, "left": report.left, "newer": report.newer,
        "problems": report.problems, "cancelled": report.cancelled,
    })
    .to_string()
}
