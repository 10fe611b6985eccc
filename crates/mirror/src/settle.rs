//! The end of a run: folder times, checkpoint, index, versions, report. A run that says `succeeded` is on the disk.

use crate::changes::Record;
use crate::codec::Reader;
use crate::context::Context;
use crate::mirror_ops::MirrorOps;
use crate::spill::SpillLog;
use crate::versions::versioned_runs;
use crate::{files, layout, small_files};
use octo_core::{Code, Error, Kind, RelPath, RunReport, Target};

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
