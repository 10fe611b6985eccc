//! Removes the oldest states: all that is only there to take the mirror back to them.

use super::sweep::Sweep;
use crate::changes::Record;
use crate::mirror_ops::MirrorOps;
use crate::versions::{self, VersionedRun};
use crate::{files, layout, small_files};
use octo_core::{Code, Error, Target};

/// The folders of versions that go when `oldest` is the oldest state that is kept: those of the runs up to it.
fn folders(target: &dyn Target, from: u64, oldest: u64) -> Result<Vec<u64>, Error> {
    Ok(versions::folders(target)?.into_iter().filter(|run| (from..=oldest).contains(run)).collect())
}

/// How many bytes it would free.
pub fn would_free(target: &dyn Target, runs: &[VersionedRun], oldest: u64) -> Result<u64, Error> {
    let mut freed = 0;
    for run in folders(target, runs.first().map_or(0, |run| run.since), oldest)? {
        freed += Sweep { target, run, needed: None, is_for_show: true }.all()?;
    }
    Ok(freed)
}

/// Removes the states before `oldest`. Returns how many bytes that freed.
///
/// Of each state the records go first, by one rename, and it is gone with them; so none is ever half there, and who reads one
/// sees that it went. The contents of merged runs lie in several folders: that all these states are gone is durable before, as a
/// folder without records would be taken for a run that changed nothing.
pub fn remove(ops: &MirrorOps<'_>, runs: &[VersionedRun], oldest: u64) -> Result<u64, Error> {
    let target = ops.target;
    let mut freed = 0;
    // Without a run of the next number the state would be taken for a later one: a record of its own stays.
    let keeps_number = runs.iter().find(|run| run.run > oldest).is_some_and(|next| next.since != oldest + 1);
    let going = || runs.iter().filter(|run| run.run <= oldest);
    // What was before runs that nobody can take back is gone already.
    let is_reachable = runs.iter().any(|run| run.run > oldest);
    let is_merged = going().any(|run| run.since < run.run);
    if let Some(of_oldest) = going().next_back().filter(|it| it.run == oldest && !it.is_first)
        && is_reachable
        && (keeps_number || is_merged)
    {
        note_oldest(ops, of_oldest)?;
    }
    let mut away = |run: u64| -> Result<(), Error> {
        let away = layout::pruned(ops.run, run);
        ops.rename_new(&layout::versions_of(run), &away)?;
        freed += files::remove_tree(target, &away)?;
        Ok(())
    };
    for run in going().filter(|run| run.run != oldest) {
        away(run.run)?;
    }
    let left = folders(target, runs.first().map_or(0, |run| run.since), oldest)?;
    for run in left.into_iter().filter(|run| *run != oldest) {
        away(run)?;
    }
    if keeps_number {
        freed += files::remove_tree(target, &layout::version_tree(oldest))?;
    } else {
        away(oldest)?;
    }
    Ok(freed)
}

/// The records of a run make room for one that says that nothing before it can be had.
fn note_oldest(ops: &MirrorOps<'_>, run: &VersionedRun) -> Result<(), Error> {
    let target = ops.target;
    let (new, place) = (layout::merged_changes(ops.run, run.run), layout::changes(run.run));
    let mut line = serde_json::to_vec(&Record::NotKept).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))?;
    line.push(b'\n');
    small_files::write_new(target, &new, &line)?;
    target.set_times(&new, run.written, None)?;
    small_files::put_in_place(target, &new, &place)
}
