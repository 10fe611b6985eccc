//! Has the metadata that was gathered kept: on a staged file, or on an entry that is there.
//!
//! It must never make the copy of the data fail: what cannot be kept is counted and said once.

use super::copier::Copier;
use super::gathering::{Gathered, Gathering, as_listed, is_alike};
use super::task::Task;
use crate::context::Context;
use crate::index::{IndexRecord, Placed};
use octo_core::{Code, Error, Kind, Meta, Part, RelPath, Retry};

/// Has it kept at `path`. Whether the next run need not read it again. Fails only with what ends the run.
pub(super) fn keep(
    context: &Context<'_>,
    source: &RelPath,
    path: &RelPath,
    (metadata, mut lost): Gathered,
) -> Result<bool, Error> {
    match context.target.set_metadata(path, &metadata) {
        Ok(kept) => context.count(|c| {
            c.metadata_kept += 1;
            c.metadata_recorded += u64::from(kept.in_records);
        }),
        Err(error) if error.code.stops_run() => return Err(error),
        Err(error) => lost.push((Part::Attributes, error)),
    }
    Ok(tell_lost(context, source, lost))
}

/// Tells what was lost. Whether all of it would be lost again: what may be there the next time is read again then. A disk that
/// denies access is mended by somebody, and what it cannot hold is no error.
fn tell_lost(context: &Context<'_>, source: &RelPath, lost: Vec<(Part, Error)>) -> bool {
    let lasts = lost.iter().all(|(_, error)| error.code.retry() == Retry::Never && error.code != Code::TargetDenied);
    if !lost.is_empty() {
        context.lost_metadata(source, lost);
    }
    lasts
}

impl Copier<'_> {
    /// Gives a staged file its metadata, before it gets its place. Whether the next run need not read it again.
    pub(super) fn keep_metadata(
        &self,
        task: &Task,
        stage: &RelPath,
        gathered: Option<Gathering>,
        opened: &Meta,
    ) -> Result<bool, Error> {
        gathered.map_or(Ok(false), |gathered| keep(self.context, &task.source, stage, gathered.finish(opened)))
    }

    /// Gives something that is there the metadata that the source has now. The old one is left as that of a version.
    pub(super) fn refresh(&self, task: &Task, gathered: Gathering, opened: &Meta) -> Result<(), Error> {
        let target = self.context.target;
        let there = target.look(&task.place)?;
        let is_other = |now: &Meta| now.kind != task.meta.kind || task.old.is_some_and(|old| old.id != now.id);
        let Some(there) = there.filter(|now| !is_other(now)) else {
            let error = Error::new(Code::TargetMoved, format!("{}: it is another entry now", task.place));
            self.context.problem(&task.source, error);
            return Ok(());
        };
        let (metadata, lost) = gathered.finish(opened);
        // What is read because a person wants all of it, because some of it was lost, or because it came along, is mostly what is
        // there already.
        let is_kept = (self.context.rereads_metadata() || task.verify || !lost.is_empty())
            && target.metadata(&task.place)?.is_some_and(|kept| is_alike(&kept, &metadata));
        let is_fresh = if is_kept {
            tell_lost(self.context, &task.source, lost)
        } else {
            if let Some(old) = &task.old {
                self.ops.leave_metadata(&task.place, old)?;
                self.context.count(|c| c.metadata_refreshed += 1);
            }
            keep(self.context, &task.source, &task.place, (metadata, lost))?
        };
        if let Some(record) = IndexRecord::new(&as_listed(task, opened), &there, is_fresh) {
            self.journal.push(&Placed { place: task.place.clone(), record })?;
        }
        if task.meta.kind == Kind::File { self.checkpoints.copied(0) } else { Ok(()) }
    }
}
