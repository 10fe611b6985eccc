//! The end of a run: folder times, checkpoint, index, versions, report. A run that says `succeeded` is on the disk.

use crate::changes::Record;
use crate::codec::Reader;
use crate::context::Context;
use crate::mirror_ops::MirrorOps;
use crate::spill::SpillLog;
use crate::{ballast, files, held, layout, small_files};
use octo_core::clock_trust::Doubt;
use octo_core::printable::counted;
use octo_core::retention::{KeepVersions, VersionedRun, to_prune};
use octo_core::{Code, Error, Kind, RelPath, RunReport, Target, Timestamp};
use std::sync::{Mutex, PoisonError};

/// Sets the times of folders, deepest first, now that nothing in them will change any more. Whether any had to be set.
pub fn folder_times(context: &Context<'_>, ops: &MirrorOps<'_>, log: &SpillLog) -> Result<bool, Error> {
    let mut any = false;
    for record in log.backward() {
        let record = record?;
        let mut reader = Reader(&record);
        let (place, meta, old) = (reader.path()?, reader.meta()?, reader.optional_time()?);
        let wanted = ops.abilities.times.represent(meta.write_time);
        match context.target.look(&place) {
            Ok(Some(now)) if now.kind == Kind::Folder && now.write_time != wanted => {
                if let (Some(changes), Some(old)) = (&ops.changes, old.filter(|old| *old != wanted)) {
                    changes.record(&Record::Restamped { path: place.clone(), kind: Kind::Folder, write_time: old })?;
                }
                any = true;
                if let Err(error) = context.target.set_times(&place, meta.write_time, meta.creation_time) {
                    context.problem(&place, error);
                }
            }
            Ok(_) => {}
            Err(error) => context.problem(&place, error),
        }
    }
    Ok(any)
}

/// When the run began, if its clock was believed then. What the clock shows later was not checked: it may have jumped since.
pub type Moment<'a> = Result<Timestamp, &'a Doubt>;

/// Removes the versions that are old enough, and says so. Each is first renamed away, so that none is ever half there. With a
/// clock that is not believed none is. Whether there were any.
pub fn prune(context: &Context<'_>, ops: &MirrorOps<'_>, now: Moment<'_>) -> Result<bool, Error> {
    let KeepVersions::Secs(keep_secs) = context.options.keep_versions else { return Ok(false) };
    let now = match now {
        Ok(now) => now,
        Err(doubt) => {
            context.remark(format!("no older version was removed for its age: {doubt}"));
            return Ok(false);
        }
    };
    let target = context.target;
    let runs = versioned_runs(target)?;
    files::ensure_folder(target, &layout::staging(ops.run))?;
    let old = to_prune(&runs, context.options.keep_versions, now.min(context.clock.now()));
    let mut freed_bytes = 0;
    for run in &old {
        let away = layout::pruned(ops.run, *run);
        ops.rename_new(&layout::versions_of(*run), &away)?;
        freed_bytes += files::remove_tree(target, &away)?;
    }
    if let Some(oldest) = runs.iter().find(|run| old.first() == Some(&run.run)) {
        context.remark(format!(
            "the older versions of {} were removed, {freed_bytes} bytes: they are kept for {} days, and the oldest were of {} UTC",
            counted(old.len() as u64, "run", "runs"),
            keep_secs / 86_400,
            oldest.written
        ));
    }
    Ok(!old.is_empty())
}

/// The versions that are old enough to go. On a full disk they go before the end: a run that fails for want of space would
/// never get to it, and so neither would any later one.
pub struct Overdue<'a> {
    context: &'a Context<'a>,
    ops: &'a MirrorOps<'a>,
    now: Moment<'a>,
    /// Nothing is removed until a person has looked.
    is_braked: bool,
    /// What became of it, once somebody needed room.
    removed: Mutex<Option<bool>>,
}

impl<'a> Overdue<'a> {
    /// Of a run that has just begun.
    pub fn new(context: &'a Context<'a>, ops: &'a MirrorOps<'a>, now: Moment<'a>, is_braked: bool) -> Overdue<'a> {
        Overdue { context, ops, now, is_braked, removed: Mutex::default() }
    }

    /// Removes them, once in a run. Whether there were any.
    pub fn remove(&self) -> Result<bool, Error> {
        let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(removed) = *removed {
            return Ok(removed);
        }
        let target = self.context.target;
        let may = !self.is_braked && !self.context.options.dry_run && held::held_plan(target, 0)?.is_none();
        let done = may && ballast::with_help(target, || prune(self.context, self.ops, self.now))?;
        *removed = Some(done);
        Ok(done)
    }
}

/// The runs that have versions, by their numbers.
pub fn versioned_runs(target: &dyn Target) -> Result<Vec<VersionedRun>, Error> {
    let mut runs = Vec::new();
    for entry in files::list_small(target, &layout::versions())? {
        let number = std::str::from_utf8(entry.name.as_bytes()).ok().and_then(|n| n.parse().ok());
        let Some(number) = number.filter(|_| entry.meta.kind == Kind::Folder) else { continue };
        let written = target.look(&layout::changes(number))?.map_or(entry.meta.write_time, |m| m.write_time);
        runs.push(VersionedRun { run: number, written });
    }
    runs.sort_unstable_by_key(|reader| reader.run);
    Ok(runs)
}

/// A run that keeps no versions says so beside those of earlier runs, durably, before it changes anything: with its changes, what
/// they say is no longer true.
pub fn note_not_kept(target: &dyn Target, run: u64) -> Result<(), Error> {
    if versioned_runs(target)?.is_empty() {
        return Ok(());
    }
    let mut line = serde_json::to_vec(&Record::NotKept).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))?;
    line.push(b'\n');
    let folder = layout::versions_of(run);
    files::ensure_folder(target, &folder)?;
    small_files::write_new(target, &layout::changes(run), &line)?;
    target.sync_folder(&folder)?;
    target.sync_folder(&layout::versions())
}

/// Takes that back: the run has changed nothing.
pub fn unnote_not_kept(target: &dyn Target, run: u64) -> Result<(), Error> {
    files::remove_tree(target, &layout::versions_of(run)).map(drop)
}

/// The oldest run whose versions are kept. Without any it is the next one after `run`.
pub fn oldest_kept(target: &dyn Target, run: u64) -> Result<u64, Error> {
    Ok(versioned_runs(target)?.first().map_or(run + 1, |oldest| oldest.run))
}

/// Writes the report with all problems beside the mirror: whole, or not at all. On a full disk without the list of problems,
/// of which it then has only the examples.
pub fn write_report(target: &dyn Target, report: &RunReport, problems: &SpillLog) -> Result<(), Error> {
    let path = layout::report(report.run);
    let folder = path.parent().unwrap_or_default();
    files::ensure_folder(target, &folder)?;
    let new = layout::new_report(report.run);
    match write_problems(target, &new, report, problems) {
        Err(error) if error.code == Code::NoSpace => {
            let mut report = report.clone();
            report.remarks.push("there was no space for the list of all problems: only examples are kept".to_owned());
            let mut out = head(&report)?;
            out.extend_from_slice(b"]}\n");
            small_files::write_new(target, &new, &out)?;
        }
        done => done?,
    }
    small_files::put_in_place(target, &new, &path)
}

/// The report up to where its problems follow.
fn head(report: &RunReport) -> Result<Vec<u8>, Error> {
    let mut out = serde_json::to_vec(report).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))?;
    out.pop();
    out.extend_from_slice(b",\"problems\":[");
    Ok(out)
}

fn write_problems(target: &dyn Target, new: &RelPath, report: &RunReport, problems: &SpillLog) -> Result<(), Error> {
    target.remove_file(new)?;
    let file = target.create_file(new)?;
    let mut out = head(report)?;
    let mut at = 0;
    for (i, problem) in problems.forward().enumerate() {
        out.extend_from_slice(if i == 0 { b"\n" } else { b",\n" });
        out.extend_from_slice(&problem?);
        if out.len() > 64 << 10 {
            file.write_at(at, &out)?;
            at += out.len() as u64;
            out.clear();
        }
    }
    out.extend_from_slice(b"]}\n");
    file.write_at(at, &out)?;
    file.sync()
}
