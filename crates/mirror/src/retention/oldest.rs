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

/// Removes the states before `oldest`, the oldest first. Each is first renamed away, so that none is ever half there. Returns how many
/// bytes that freed.
pub fn remove(ops: &MirrorOps<'_>, runs: &[VersionedRun], oldest: u64) -> Result<u64, Error> {
    let target = ops.target;
    let mut freed = 0;
    // Without a run of the next number the state would be taken for a later one: a record of its own stays.
    let next = runs.iter().find(|run| run.run > oldest).filter(|next| next.since != oldest + 1);
    let of_oldest = next.and_then(|_| runs.iter().find(|run| run.run == oldest));
    for run in folders(target, runs.first().map_or(0, |run| run.since), oldest)? {
        if let Some(of_oldest) = of_oldest.filter(|it| it.run == run) {
            note_oldest(ops, of_oldest)?;
            freed += files::remove_tree(target, &layout::version_tree(run))?;
            continue;
        }
        let away = layout::pruned(ops.run, run);
        ops.rename_new(&layout::versions_of(run), &away)?;
        freed += files::remove_tree(target, &away)?;
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
