//! The end of a run: folder times, checkpoint, index, versions, report. A run that says `succeeded` is on the disk.

use crate::changes::Record;
use crate::codec::Reader;
use crate::context::Context;
use crate::place::Placer;
use crate::spill::Log;
use crate::{files, layout};
use octo_core::retention::{VersionedRun, to_prune};
use octo_core::{Code, Done, Error, Kind, RunReport, Target};

/// Sets the times of folders, deepest first, now that nothing in them will change any more.
pub fn folder_times(context: &Context<'_>, placer: &Placer<'_>, log: &Log) -> Result<(), Error> {
    for record in log.backward() {
        let record = record?;
        let mut r = Reader(&record);
        let (place, meta, old) = (r.path()?, r.meta()?, r.maybe_time()?);
        let wanted = placer.abilities.times.represent(meta.write_time);
        match context.target.look(&place) {
            Ok(Some(now)) if now.kind == Kind::Folder && now.write_time != wanted => {
                if let (Some(changes), Some(old)) = (&placer.changes, old.filter(|old| *old != wanted)) {
                    changes.record(&Record::Restamped { path: place.clone(), kind: Kind::Folder, write_time: old })?;
                }
                if let Err(error) = context.target.set_times(&place, meta.write_time, meta.creation_time) {
                    context.problem(&place, error);
                }
            }
            Ok(_) => {}
            Err(error) => context.problem(&place, error),
        }
    }
    Ok(())
}

/// Removes the versions that are old enough. Each is first renamed away, so that none is ever half there.
pub fn prune(context: &Context<'_>, placer: &Placer<'_>) -> Result<(), Error> {
    let target = context.target;
    let mut runs = Vec::new();
    for entry in files::list_small(target, &layout::versions())? {
        let number = std::str::from_utf8(entry.name.as_bytes()).ok().and_then(|n| n.parse().ok());
        let Some(number) = number.filter(|_| entry.meta.kind == Kind::Folder) else { continue };
        let written = target.look(&layout::changes(number))?.map_or(entry.meta.write_time, |m| m.write_time);
        runs.push(VersionedRun { run: number, written });
    }
    runs.sort_unstable_by_key(|r| r.run);
    files::ensure_folder(target, &layout::staging(placer.run))?;
    for old in to_prune(&runs, context.options.keep_versions, context.clock.now()) {
        let away = layout::pruned(placer.run, old);
        placer.rename_new(&layout::versions_of(old), &away)?;
        files::remove_tree(target, &away)?;
    }
    Ok(())
}

/// Writes the report with all problems beside the mirror: whole, or not at all.
pub fn write_report(target: &dyn Target, report: &RunReport, problems: &Log) -> Result<(), Error> {
    let failed = |e: serde_json::Error| Error::new(Code::TargetFailed, e.to_string());
    let path = layout::report(report.run);
    let folder = path.parent().unwrap_or_default();
    files::ensure_folder(target, &folder)?;
    let new = layout::new_report(report.run);
    target.remove_file(&new)?;
    let file = target.create_file(&new)?;
    let mut out = serde_json::to_vec(report).map_err(failed)?;
    out.pop();
    out.extend_from_slice(b",\"problems\":[");
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
    file.sync()?;
    drop(file);
    match target.rename_over(&new, &path)? {
        Done::Yes => target.sync_folder(&folder),
        other => Err(Error::new(Code::TargetFailed, format!("{path} could not be put in place ({other:?})"))),
    }
}
