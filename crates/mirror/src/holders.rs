//! What holds the target's space, for the report of a run that did not have enough of it. Estimates from what is cheaply
//! known: the last report, the records of the older versions, the parts of large files. It must never fail a run.

use crate::changes::Record;
use crate::context::Context;
use crate::space::size;
use crate::versions::versioned_runs;
use crate::{changes, files, layout, small_files};
use octo_core::printable::counted;
use octo_core::report::Counts;
use octo_core::{Code, Error, Target};
use serde::Deserialize;

/// How many records of versions are read at most.
const RECORDS_MAX: u64 = 2_000_000;
/// The newest reports that are looked at for one that saw the whole source.
const REPORTS_MAX: u64 = 10;

/// The older versions: bytes, runs, and the moment of the oldest.
struct Versions {
    bytes: u64,
    words: String,
}

/// A line for the report, where something did not fit.
pub fn remark(context: &Context<'_>, run: u64) -> Option<String> {
    let is_full = [Code::NoSpace, Code::DoesNotFit].iter().any(|code| context.count_of(*code).is_some());
    if !is_full || context.options.dry_run {
        return None;
    }
    let target = context.target;
    let space = target.space().ok()?;
    let used = space.total_bytes.saturating_sub(space.free_bytes);
    let mut words = Vec::new();
    let mut known = 0;
    let mut say = |bytes: u64, what: String| {
        if bytes > 0 {
            known += bytes;
            words.push(format!("{what} about {}", size(bytes)));
        }
    };
    let mirror = mirror_bytes(target, run).unwrap_or_default().max(context.counts().copied_bytes);
    // What did not fit is of the source, too, and holes take nothing.
    say(mirror.min(used), "the mirror".to_owned());
    if let Some(versions) = versions(target) {
        say(versions.bytes, versions.words);
    }
    let parts = files::list_small(target, &layout::parts()).unwrap_or_default();
    say(parts.iter().map(|part| part.meta.size_bytes).sum(), "large files that are not whole yet".to_owned());
    let other = used.saturating_sub(known);
    if other > space.total_bytes / 20 {
        words.push(format!("data that is not of this mirror, and the filesystem itself, about {}", size(other)));
    }
    let files = space
        .files
        .map_or_else(String::new, |files| format!(", {} of {} files (inodes) are possible", files.free, files.total));
    let (free, total) = (size(space.free_bytes), size(space.total_bytes));
    Some(format!("of the {total} of the target's disk {free} are free{files}; {}", words.join(", ")))
}

/// What the mirror took when a run last saw the whole source.
fn mirror_bytes(target: &dyn Target, run: u64) -> Option<u64> {
    #[derive(Deserialize)]
    struct Seen {
        outcome: octo_core::Outcome,
        counts: Counts,
    }
    let ended = |seen: &Seen| !matches!(seen.outcome, octo_core::Outcome::Failed | octo_core::Outcome::Cancelled);
    (run.saturating_sub(REPORTS_MAX)..run).rev().find_map(|run| {
        let bytes = small_files::read_small(target, &layout::report(run)).ok()??;
        serde_json::from_slice(&bytes).ok().filter(ended).map(|seen: Seen| seen.counts.source_bytes)
    })
}

fn versions(target: &dyn Target) -> Option<Versions> {
    let runs = versioned_runs(target).ok()?;
    let oldest = runs.first()?.written;
    let (mut bytes, mut records) = (0u64, 0);
    for run in &runs {
        let read = changes::read(target, run.run, |record| {
            records += 1;
            if records > RECORDS_MAX {
                return Err(Error::new(Code::NoSpace, ""));
            }
            if let Record::Replaced { size_bytes, .. }
            | Record::Deleted { size_bytes, kind: octo_core::Kind::File, .. } = record
            {
                bytes = bytes.saturating_add(size_bytes);
            }
            Ok(())
        });
        if read.is_err() {
            break;
        }
    }
    let runs = counted(runs.len() as u64, "run", "runs");
    Some(Versions { bytes, words: format!("older versions of {runs} since {oldest} UTC") })
}
