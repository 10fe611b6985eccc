//! Finds files that were renamed on the source, and renames them in the mirror instead of copying them.
//!
//! Only if everything agrees (DESIGN section 7, "Moves"): it is the same file ([`Evidence::is_same_file`]); the id unique on
//! both sides; the old place provably absent on the source; the old copy still as the index describes it; the new name
//! free. Otherwise the file is copied.

use crate::changes::Record;
use crate::codec::{Reader, Writer};
use crate::context::Context;
use crate::copy::Task;
use crate::index::{Generation, IndexRecord, Journal, Placed};
use crate::mirror_ops::MirrorOps;
use crate::order::NameOrder;
use crate::spill::{Pool, Sorted, Sorter, SpillLog, SpillWriter};
use crate::vanished::Vanished;
use octo_core::merge::{Pair, merge};
use octo_core::{Change, Error, FileId, Meta};
use std::sync::Arc;

/// How many renames are recorded together.
const MOVES_AT_ONCE: usize = 256;

/// What is needed to match moves.
pub struct Moves<'a> {
    /// The run.
    pub context: &'a Context<'a>,
    /// The mirror's operations.
    pub ops: &'a MirrorOps<'a>,
    /// Where moved files are recorded.
    pub journal: &'a Journal<'a>,
    /// The order of the walk.
    pub order: NameOrder,
    /// Memory for sorting.
    pub pool: Arc<Pool>,
}

/// A new file that is one that vanished.
struct Match {
    vanished: Vanished,
    old: Placed,
    task: Task,
}

/// What matching leaves: entries that are to be deleted, files that are to be copied.
pub struct Unmatched {
    /// Vanished entries that were not moved, in walk order.
    pub vanished: SpillLog,
    /// Files that were not moved.
    pub copies: SpillLog,
}

impl Moves<'_> {
    /// Matches candidates with vanished entries.
    pub fn settle(&self, candidates: &SpillLog, vanished: SpillLog, index: &Generation) -> Result<Unmatched, Error> {
        let mut copies = SpillWriter::new(self.context.target);
        let matches = self.by_old_place(candidates, index, &mut copies)?;
        if matches.count() == 0 {
            return Ok(Unmatched { vanished, copies: copies.finish() });
        }
        let mut rest = SpillWriter::new(self.context.target);
        let gone = vanished.forward().map(|record| {
            let vanished = Vanished::decode(&record?)?;
            Ok((self.order.entry_key(&vanished.place), vanished))
        });
        let wanted = matches.iter()?.map(|record| {
            let record = record?;
            let mut reader = Reader(record.value());
            let old = Placed { place: reader.path()?, record: IndexRecord::decode(&mut reader)? };
            Ok((record.key().to_vec(), (old, Task::decode(reader.0)?)))
        });
        type Gone = (Vec<u8>, Vanished);
        type Wanted = (Vec<u8>, (Placed, Task));
        let mut matched = Vec::new();
        for pair in merge(gone, wanted, |a: &Gone, b: &Wanted| a.0.cmp(&b.0)) {
            match pair? {
                Pair::Source((_, vanished)) => {
                    // What vanished stays in its order.
                    self.move_all(&mut matched, &mut rest, &mut copies)?;
                    rest.push(&vanished.encode())?;
                }
                Pair::Target((_, (_, task))) => copies.push(&task.encode())?,
                Pair::Both((_, vanished), (_, (old, task))) => matched.push(Match { vanished, old, task }),
            }
            if matched.len() >= MOVES_AT_ONCE {
                self.move_all(&mut matched, &mut rest, &mut copies)?;
            }
        }
        self.move_all(&mut matched, &mut rest, &mut copies)?;
        Ok(Unmatched { vanished: rest.finish(), copies: copies.finish() })
    }

    /// Renames in the mirror, after that was recorded for all at once. What cannot be is left.
    fn move_all(
        &self,
        matched: &mut Vec<Match>,
        rest: &mut SpillWriter<'_>,
        copies: &mut SpillWriter<'_>,
    ) -> Result<(), Error> {
        let is_possible: Vec<bool> = matched.iter().map(|it| self.can_be_moved(it)).collect();
        if !self.context.options.dry_run {
            let possible = matched.iter().zip(&is_possible).filter(|(_, is_possible)| **is_possible);
            let record = |it: &Match| Record::of_move(&it.vanished.place, &it.task.place, &it.vanished.meta);
            self.ops.intend(&possible.map(|(it, _)| record(it)).collect::<Vec<_>>())?;
        }
        for (it, is_possible) in matched.drain(..).zip(is_possible) {
            if !is_possible || !self.move_file(&it) {
                rest.push(&it.vanished.encode())?;
                copies.push(&it.task.encode())?;
            }
        }
        Ok(())
    }

    /// Candidates whose id is unique on both sides and whose content did not change, sorted by where their copy is.
    fn by_old_place(
        &self,
        candidates: &SpillLog,
        index: &Generation,
        copies: &mut SpillWriter<'_>,
    ) -> Result<Sorted, Error> {
        let mut by_id = Sorter::new(self.context.target, &self.pool);
        for record in candidates.forward() {
            let record = record?;
            let id = Task::decode(&record)?.meta.id.unwrap_or(FileId { volume: 0, id: 0 });
            by_id.push(&[id.volume.to_be_bytes().as_slice(), &id.id.to_be_bytes()].concat(), &record)?;
        }
        let by_id = by_id.finish()?;
        let mut by_place = Sorter::new(self.context.target, &self.pool);
        let mut records = by_id.iter()?.peekable();
        while let Some(record) = records.next() {
            let record = record?;
            let mut is_unique = true;
            while let Some(Ok(twin)) = records.peek()
                && twin.key() == record.key()
            {
                is_unique = false;
                copies.push(twin.value())?;
                records.next();
            }
            let mut reader = Reader(record.value());
            let task = Task::read(&mut reader)?;
            let folder = if reader.u8()? != 0 { Some(reader.meta()?) } else { None };
            let old = match task.meta.id {
                Some(id) if is_unique && task.meta.links <= 1 => index.by_id(id),
                _ => None,
            };
            match old.filter(|old| self.is_same_file(old, &task, folder.as_ref(), index)) {
                Some(old) => {
                    let mut writer = Writer::default();
                    writer.bytes(old.place.as_bytes());
                    old.record.encode(&mut writer);
                    writer.0.extend_from_slice(record.value());
                    by_place.push(&self.order.entry_key(&old.place), &writer.0)?;
                }
                None => copies.push(record.value())?,
            }
        }
        by_place.finish()
    }

    fn is_same_file(&self, old: &Placed, task: &Task, folder: Option<&Meta>, index: &Generation) -> bool {
        let was_its_folder = |was: &Placed, now: &Meta| {
            let same = was.record.source.kind == now.kind && was.record.source.write_time == now.write_time;
            same && old.place.parent().as_ref() == Some(&was.place)
        };
        let evidence = Evidence {
            same_name: old.place.name_bytes() == task.place.name_bytes(),
            same_folder: &|| {
                let now = folder.filter(|now| now.id.is_some_and(|id| id.is_usable()));
                now.is_some_and(|now| {
                    now.id.and_then(|id| index.by_id(id)).is_some_and(|was| was_its_folder(&was, now))
                })
            },
            invents_creation_times: self.context.source.features().invents_creation_times,
        };
        evidence.is_same_file(&old.record.source, &task.meta)
    }

    /// Whether the copy is still as it was recorded.
    fn can_be_moved(&self, Match { vanished, old, .. }: &Match) -> bool {
        let look = || self.context.target.look(&vanished.place);
        // After a power loss a copy may not be whole, whatever its record says.
        !self.ops.suspects.has(&vanished.place)
            && old.record.indexed_file().holds_for(&vanished.meta)
            && (self.context.options.dry_run || matches!(look(), Ok(Some(now)) if vanished.is_still(&now)))
    }

    /// Renames in the mirror; false if the file has to be copied after all.
    fn move_file(&self, Match { vanished, old, task }: &Match) -> bool {
        if !self.context.options.dry_run {
            if !matches!(self.ops.rename(&vanished.place, &task.place), Ok(true)) {
                return false;
            }
            // Afterwards: the full name of the old place, if it had one, came along. The next run mends what fails.
            if task.is_cut
                && let Err(error) = self.ops.record_name(&task.source, &task.place)
            {
                self.context.problem(&task.source, error);
            }
            // What it inherits may be another now.
            let record = IndexRecord { source: task.meta, has_metadata: false, ..old.record.clone() };
            // The index is a cache: without the record the next run knows a little less.
            let _ = self.journal.push(&Placed { place: task.place.clone(), record });
        }
        self.context.changed(&Change::Moved { from: vanished.place.clone(), to: task.place.clone() });
        true
    }
}

/// A new file whose id the index knows, for the list of candidates. `folder`: what the source says of the folder it is in.
pub fn candidate(task: &Task, folder: Option<&Meta>) -> Vec<u8> {
    let mut writer = Writer(task.encode());
    writer.u8(u8::from(folder.is_some()));
    folder.iter().for_each(|meta| writer.meta(meta));
    writer.0
}

/// What distinguishes a file that was moved from a new one that got the id of a deleted one, besides equal size and time.
struct Evidence<'a> {
    /// It kept its name.
    same_name: bool,
    /// It is in the folder in which it was, which was itself moved and is otherwise as it was.
    same_folder: &'a dyn Fn() -> bool,
    invents_creation_times: bool,
}

impl Evidence<'_> {
    /// A creation time that was stored identifies a file. One that may be made up of the file's other times
    /// proves nothing if it is the last write time, and may have moved; then the name has to be the same, or, where it did
    /// move, name and folder: such a file is judged as one that stayed where it was.
    fn is_same_file(&self, then: &Meta, now: &Meta) -> bool {
        let same_kind_and_id = then.kind == now.kind && then.id == now.id;
        if !same_kind_and_id || then.size_bytes != now.size_bytes || then.write_time != now.write_time {
            return false;
        }
        let may_be_invented = self.invents_creation_times && now.creation_may_be_made_up();
        if then.creation_time == now.creation_time {
            return (now.creation_time.is_some() && !may_be_invented) || self.same_name;
        }
        // Renaming a file moves its change time, and Samba makes up a part of it from that.
        let both_say_nothing = then.creation_may_have_moved() && now.creation_may_have_moved();
        if self.invents_creation_times && both_say_nothing {
            return self.same_name;
        }
        self.invents_creation_times && self.same_name && (self.same_folder)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::time::TICKS_PER_SEC;
    use octo_core::{Kind, Timestamp};

    #[test]
    fn a_reused_id_is_no_move_and_an_invented_creation_time_prevents_none() {
        let file = |created| {
            let id = Some(FileId { volume: 1, id: 12 });
            Meta { id, creation_time: Some(Timestamp(created)), ..Meta::new(Kind::File, 5, Timestamp(90)) }
        };
        let is_same = |then, now, same_name, same_folder: bool, invents_creation_times| {
            let evidence = Evidence { same_name, same_folder: &|| same_folder, invents_creation_times };
            evidence.is_same_file(&file(then), &file(now))
        };
        assert!(is_same(3, 3, false, false, false) && is_same(3, 3, false, false, true), "renamed");
        assert!(is_same(90, 90, false, false, false), "the disk itself stores it");
        assert!(!is_same(3, 4, true, true, false), "another file with the same id, whatever else is alike");
        assert!(is_same(-3, 90, true, true, true), "the folder was moved, and reading moved what Samba makes up");
        assert!(is_same(90, 90, true, false, true), "moved to another folder");
        let (now, next) = (90 + TICKS_PER_SEC / 2, 90 + TICKS_PER_SEC / 3);
        assert!(is_same(90, now, true, false, true) && is_same(next, now, true, false, true), "mixed of two times");
        assert!(!is_same(next, now, false, false, true) && !is_same(next, now, true, true, false));
        assert!(!is_same(-3, 90, true, false, true) && !is_same(-3, 90, false, true, true), "in doubt");
        assert!(
            !is_same(90, 90, false, false, true) && !is_same(94, 94, false, false, true),
            "a new file may have the id and the time of a deleted one"
        );
        let evidence = Evidence { same_name: true, same_folder: &|| true, invents_creation_times: true };
        let other = Meta { write_time: Timestamp(80), ..file(3) };
        assert!(!evidence.is_same_file(&file(3), &other));
    }
}
