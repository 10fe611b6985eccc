//! `octobackup restore`: brings a state, or parts of it, into a folder of this machine or of a share; or the server that has the job
//! brings it into a folder of its own.

use super::{Failed, Place, job, path, place, when};
use crate::args::history::RestoreArgs;
use crate::listeners::{Listeners, print};
use crate::progress::Progress;
use crate::remote::history::state;
use crate::stop::{self, SignsOfLife};
use crate::{exit, password, settings};
use octo_api::restore::{RestoreTo, StartRestore};
use octo_core::address::is_share_address;
use octo_core::numbers::{count, size};
use octo_core::printable::printable;
use octo_core::{Cancel, Code, Error, Phase, RelPath, SmbAddress};
use octo_disk::Protected;
use octo_mirror::restore::RestoreReport;
use octo_server::restore::{RestoreLaunch, Restored, ShareToRestoreTo, To};
use octo_server::share_access::share_access;
use octo_smb::SmbOptions;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Where the job copies from, as `--to` says it. A folder of this name is `./source`.
const SOURCE: &str = "source";

/// Restores.
pub fn run(args: &RestoreArgs) -> Result<u8, Failed> {
    let paths: Vec<_> = args.paths.iter().map(|typed| path(typed)).collect::<Result<_, _>>()?;
    // What only the server has: where a job copies from, and its passwords.
    let is_for_server = args.to.as_os_str() == SOURCE || args.credential.is_some();
    let placed = if is_for_server { job(&args.mirror, &args.server)? } else { place(&args.mirror, &args.server)? };
    let job = match placed {
        Place::Folder(mirror) => return Ok(here(args, &mirror, paths)?),
        Place::Job(job) => job,
    };
    let to = RestoreTo { credential: args.credential.clone(), ..at_server(args)? };
    let asked = StartRestore {
        state: state(when(args.at.at.as_deref())?),
        paths: paths.iter().map(RelPath::to_text).collect(),
        to,
        existing: args.existing.word(),
        dry_run: args.dry_run,
    };
    Ok(job.restore(&asked, args.server.json, args.quiet)?)
}

/// Where the job copies from, a folder of the server's machine, or one of a share that the server logs on to with an account that
/// it has stored.
fn at_server(args: &RestoreArgs) -> Result<RestoreTo, Error> {
    let text = args.to.to_string_lossy();
    let is_source = text == SOURCE;
    if !is_source && !is_share_address(&text) {
        settings::share_to_restore_to(args.to.as_os_str(), &args.account)?;
        return Ok(RestoreTo::folder(args.to.display().to_string()));
    }
    let has_stored = || {
        let what = "--to: a server logs on as it has stored: leave USER@, --user, --password-file, --password-stdin, --kerberos, --kdc, \
                    --guest, --encrypt and --min-dialect out, and give --credential NAME if it is not the job's own account";
        Error::new(Code::Usage, what)
    };
    if args.account.is_given() {
        return Err(has_stored());
    }
    if is_source {
        return Ok(RestoreTo::source());
    }
    match SmbAddress::parse(&text).map_err(|error| error.within("--to"))? {
        (address, None) => Ok(RestoreTo::share(address.to_string(), None)),
        (_, Some(_)) => Err(has_stored()),
    }
}

/// From a mirror of this machine.
fn here(args: &RestoreArgs, mirror: &Path, paths: Vec<RelPath>) -> Result<u8, Error> {
    let alive = Arc::new(SignsOfLife::default());
    let cancel = stop::on_signals_of(&alive)?;
    let json = args.server.json;
    let (to, name) = place_of(args, &cancel)?;
    let mut listeners = Listeners {
        progress: if args.quiet { None } else { Progress::on_terminal() },
        json,
        alive,
        ..Listeners::default()
    };
    let launch = RestoreLaunch {
        mirror,
        state: when(args.at.at.as_deref())?,
        paths,
        to,
        existing: args.existing.existing(),
        dry_run: args.dry_run,
        protected: &Protected::default(),
    };
    octo_core::Monitor::event(&listeners, &octo_core::Event::Phase(Phase::Copy));
    let restored = launch.run(&listeners, &cancel);
    if let Some(progress) = listeners.progress.take() {
        progress.end();
    }
    let Restored { state, report, .. } = restored?;
    if json {
        print(&as_json(state, &name, &report, args.dry_run));
    } else if !args.quiet || report.counts.problems > 0 {
        print(as_text(state, &name, &report, args.dry_run).trim_end());
    }
    Ok(match () {
        () if report.cancelled => exit::CANCELLED,
        () if report.counts.problems > 0 => exit::PROBLEMS,
        () => exit::COMPLETE,
    })
}

/// Where it goes, and its name.
fn place_of(args: &RestoreArgs, cancel: &Cancel) -> Result<(To, String), Error> {
    let Some(share) = settings::share_to_restore_to(args.to.as_os_str(), &args.account)? else {
        let to = settings::target(&args.to)?;
        let name = to.display().to_string();
        return Ok((To::Folder(to), name));
    };
    let secret = password::ask_for(&share, &settings::password(&args.account))?;
    let (address, credentials, options) = share_access(&share, secret)?;
    let name = address.to_string();
    let options = SmbOptions { cancel: cancel.clone(), ..options };
    Ok((To::Share(Box::new(ShareToRestoreTo { address, credentials, options })), name))
}

fn as_text(state: u64, to: &str, report: &RestoreReport, dry_run: bool) -> String {
    let counts = &report.counts;
    let mut out =
        format!("{} state {} to {}\n", if dry_run { "A restore of" } else { "Restored" }, state, printable(to));
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

fn as_json(state: u64, to: &str, report: &RestoreReport, dry_run: bool) -> String {
    json!({
        "event": "report", "kind": "restore", "state": state, "to": to, "dry_run": dry_run,
        "counts": report.counts, "beside": report.beside, "left": report.left, "newer": report.newer,
        "problems": report.problems, "cancelled": report.cancelled,
    })
    .to_string()
}
