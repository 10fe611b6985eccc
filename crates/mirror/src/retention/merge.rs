//! Takes a state out of the middle: the records of its run go to those of the next run that is kept, and what only it needed
//! goes. Contents stay where they are, in the `tree` of the run that kept them.
//!
//! Every other state stays what it was (DESIGN section 7): of each name the records that decide what it was before stay, in their
//! order. The new records get their place by one rename; from then on the state is gone. What is to be removed is removed after
//! that, and the old records last: as long as they are there, the next run does the rest.

use super::sweep::Sweep;
use crate::changes::{self, OfRun, Record};
use crate::history::decide::Fact;
use crate::history::table::{Table, facts};
use crate::marker::Marker;
use crate::mirror_ops::MirrorOps;
use crate::order::NameOrder;
use crate::spill::{Pool, Sorted, Sorter};
use crate::versions::{self, VersionedRun};
use crate::{layout, small_files};
use octo_core::{Code, Error, Kind, RelPath, Target};

/// What is sorted in memory.
const SORT_BYTES: usize = 8 << 20;
/// Written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// What becomes of the records of some runs.
pub struct Merge {
    /// The runs, oldest first. The last one is to have all records.
    members: Vec<VersionedRun>,
    /// The records that stay, each with its run, in their order.
    lines: Sorted,
    /// The same by name.
    needed: Table,
}

/// A record of one name: the run, its number among all, and what it says.
type Numbered = (u64, u64, Record);

impl Merge {
    /// Decides which records stay. `None` if some are damaged: nothing is removed then.
    pub fn plan(target: &dyn Target, order: NameOrder, members: &[VersionedRun]) -> Result<Option<Merge>, Error> {
        let Some(last) = members.last() else { return Ok(None) };
        let pool = Pool::new(SORT_BYTES);
        let Some(sorted) = by_name(target, &pool, order, members)? else { return Ok(None) };
        let (mut lines, mut rows) = (Sorter::new(target, &pool), Sorter::new(target, &pool));
        let mut keep = |group: &mut Vec<Numbered>| -> Result<(), Error> {
            for (run, number, record) in reduce(std::mem::take(group), |run, place| {
                target.look(&layout::version(run, place)).map(|there| there.is_some())
            })? {
                for (path, fact) in facts(&record).into_iter().flatten() {
                    let (key, value) = Table::row(order, path, run, number, fact);
                    rows.push(&key, &value)?;
                }
                lines.push(&number.to_be_bytes(), &encode(run, &record)?)?;
            }
            Ok(())
        };
        let (mut group, mut of) = (Vec::new(), Vec::new());
        for record in sorted.iter()? {
            let record = record?;
            let (name, number) = record.key().split_at(record.key().len().saturating_sub(8));
            if name != of {
                keep(&mut group)?;
                of = name.to_vec();
            }
            let number = number.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
            let Some((run, it)) = decode(record.value()) else { return Ok(None) };
            group.push((run, number, it));
        }
        keep(&mut group)?;
        let lines = lines.finish()?;
        let since = members.first().map_or(last.since, |first| first.since);
        let needed = Table::of_sorted(target, (last.run, since, order), None, 0, &rows.finish()?)?;
        Ok(Some(Merge { members: members.to_vec(), lines, needed }))
    }

    /// How many bytes it would free.
    pub fn would_free(&self, target: &dyn Target) -> Result<u64, Error> {
        let mut freed = 0;
        for run in self.to_sweep(target)? {
            freed += Sweep { target, run, needed: Some(&self.needed), is_for_show: true }.all()?;
        }
        Ok(freed)
    }

    /// Does it. Returns how many bytes it freed.
    pub fn make(&self, target: &dyn Target, ops: &MirrorOps<'_>) -> Result<u64, Error> {
        let Some(last) = self.members.last() else { return Ok(0) };
        let new = layout::merged_changes(ops.run, last.run);
        self.write(target, &new)?;
        target.set_times(&new, last.written, None)?;
        Marker::refuse_older_programs(target)?;
        small_files::put_in_place(target, &new, &layout::changes(last.run))?;
        let mut freed = 0;
        for run in self.to_sweep(target)? {
            freed += Sweep { target, run, needed: Some(&self.needed), is_for_show: false }.all()?;
        }
        let others = self.members.iter().map(|member| member.run).filter(|run| *run != last.run);
        end(target, others, &self.needed)?;
        Ok(freed)
    }

    /// The runs whose contents may not be needed any more. Those of the oldest are, but for what it made itself.
    fn to_sweep(&self, target: &dyn Target) -> Result<Vec<u64>, Error> {
        let [first, .., last] = &self.members[..] else { return Ok(Vec::new()) };
        let is_merged = first.since < first.run;
        let from = if is_merged { first.run + 1 } else { first.run };
        Ok(versions::folders(target)?.into_iter().filter(|run| (from..=last.run).contains(run)).collect())
    }

    fn write(&self, target: &dyn Target, new: &RelPath) -> Result<(), Error> {
        let (Some(first), Some(last)) = (self.members.first(), self.members.last()) else { return Ok(()) };
        target.remove_file(new)?;
        let file = target.create_file(new)?;
        let (mut at, mut out) = (0, Vec::with_capacity(BUFFER_BYTES));
        let mut of = first.since;
        out.extend_from_slice(&line(&Record::Run(OfRun { run: of, written: first.since_written }))?);
        for record in self.lines.iter()? {
            let record = record?;
            let Some((run, json)) = record.value().split_first_chunk() else { continue };
            let run = u64::from_be_bytes(*run);
            if run != of {
                let member = self.members.iter().find(|member| member.run == run);
                let written = member.unwrap_or(last).written;
                out.extend_from_slice(&line(&Record::Run(OfRun { run, written }))?);
                of = run;
            }
            out.extend_from_slice(json);
            if out.len() >= BUFFER_BYTES {
                file.write_at(at, &out)?;
                at += out.len() as u64;
                out.clear();
            }
        }
        file.write_at(at, &out)?;
        file.sync()
    }
}

/// Ends what a run that died left undone. Returns how many bytes it freed.
pub fn finish(target: &dyn Target, order: NameOrder, runs: &[VersionedRun]) -> Result<u64, Error> {
    let folders = versions::folders(target)?;
    let mut freed = 0;
    for merged in runs.iter().filter(|run| run.since < run.run) {
        let mut left = Vec::new();
        for run in folders.iter().filter(|run| (merged.since..merged.run).contains(*run)) {
            if target.look(&layout::changes(*run))?.is_some() {
                left.push(*run);
            }
        }
        if left.is_empty() {
            continue;
        }
        let needed = Table::read(target, merged.run, order)?;
        if needed.damaged_line.is_some() {
            continue;
        }
        for run in folders.iter().copied().filter(|run| (merged.since..=merged.run).contains(run)) {
            freed += Sweep { target, run, needed: Some(&needed), is_for_show: false }.all()?;
        }
        end(target, left.into_iter(), &needed)?;
    }
    Ok(freed)
}

/// Removes records that are with those of another run now. Metadata of a run that kept no content has its place below the run's
/// folder, in which nothing is then; it goes with that folder.
fn end(target: &dyn Target, runs: impl Iterator<Item = u64>, needed: &Table) -> Result<(), Error> {
    for run in runs {
        target.remove_file(&layout::changes(run))?;
        let needs_metadata = Sweep { target, run, needed: Some(needed), is_for_show: false }.needs_metadata()?;
        if !needs_metadata && target.look(&layout::version_tree(run))?.is_none() {
            target.remove_folder(&layout::versions_of(run))?;
        }
    }
    Ok(())
}

/// All records by name, those of one name in their order. `None` if some are damaged.
fn by_name(
    target: &dyn Target,
    pool: &std::sync::Arc<Pool>,
    order: NameOrder,
    members: &[VersionedRun],
) -> Result<Option<Sorted>, Error> {
    let mut sorter = Sorter::new(target, pool);
    let (mut number, mut is_whole) = (0u64, true);
    for member in members {
        let mut of = member.run;
        changes::lines(target, &layout::changes(member.run), 0, |line| {
            let Ok(record) = serde_json::from_slice::<Record>(line) else {
                is_whole = false;
                return Ok(());
            };
            if let Record::Run(OfRun { run, .. }) = record {
                of = run;
            }
            // What was before these can be had, so no other record of a whole run is among them.
            is_whole &= !matches!(record, Record::Began | Record::NotKept);
            for record in single(record) {
                let Some((path, _)) = facts(&record)[0] else { continue };
                let mut key = order.folder_key(&path.parent().unwrap_or_default());
                if let Some(name) = path.name() {
                    key.extend_from_slice(order.identity(&order.key(&name)));
                }
                key.push(0);
                key.extend_from_slice(&number.to_be_bytes());
                sorter.push(&key, &encode(of, &record)?)?;
                number += 1;
            }
            Ok(())
        })?;
    }
    Ok(if is_whole { Some(sorter.finish()?) } else { None })
}

/// The same as records that concern one name each.
fn single(record: Record) -> Vec<Record> {
    match record {
        Record::Moved { from, to, size_bytes, write_time } => vec![
            Record::Deleted { path: from, kind: Kind::File, size_bytes, write_time },
            Record::Created { path: to, kind: Kind::File },
        ],
        other => vec![other],
    }
}

/// Of the records of one name those that say what it was: the first of each sort, until one says that it was not there. A change
/// that did not happen says nothing but the time.
fn reduce(
    group: Vec<Numbered>,
    is_kept: impl Fn(u64, &RelPath) -> Result<bool, Error>,
) -> Result<Vec<Numbered>, Error> {
    let mut left = Vec::new();
    let (mut has_content, mut has_time, mut has_metadata) = (false, false, false);
    for (run, number, record) in group {
        let Some((path, fact)) = facts(&record)[0] else { continue };
        match fact {
            Fact::Made => {
                left.push((run, number, record));
                break;
            }
            _ if has_content => {}
            Fact::Kept(_) if is_kept(run, path)? => {
                has_content = true;
                left.push((run, number, record));
            }
            Fact::Kept(write_time) | Fact::Time(write_time) if !has_time => {
                has_time = true;
                let kind = if let Record::Restamped { kind, .. } = record { kind } else { Kind::File };
                left.push((run, number, Record::Restamped { path: path.clone(), kind, write_time }));
            }
            Fact::Metadata if !has_metadata => {
                has_metadata = true;
                left.push((run, number, record));
            }
            _ => {}
        }
    }
    Ok(left)
}

fn line(record: &Record) -> Result<Vec<u8>, Error> {
    let mut line = serde_json::to_vec(record).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))?;
    line.push(b'\n');
    Ok(line)
}

fn encode(run: u64, record: &Record) -> Result<Vec<u8>, Error> {
    Ok([&run.to_be_bytes()[..], &line(record)?].concat())
}

fn decode(value: &[u8]) -> Option<(u64, Record)> {
    let (run, json) = value.split_first_chunk()?;
    Some((u64::from_be_bytes(*run), serde_json::from_slice(json).ok()?))
}
