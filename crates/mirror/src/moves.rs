//! Finds files that were renamed on the source, and renames them in the mirror instead of copying them.
//!
//! Only if everything agrees (DESIGN section 7, "Moves"): volume, id, size, last write and creation time equal the index;
//! the id unique on both sides; the old place provably absent on the source; the old copy still as the index describes
//! it; the new name free. Otherwise the file is copied.

use crate::codec::{Reader, Writer};
use crate::context::Context;
use crate::copy::Task;
use crate::index::{Generation, IndexRecord, Journal, Placed};
use crate::order::NameOrder;
use crate::place::Placer;
use crate::spill::{Log, LogWriter, Pool, Sorted, Sorter};
use crate::vanished::Vanished;
use octo_core::merge::{Pair, merge};
use octo_core::{Change, Error, FileId, Meta};
use std::sync::Arc;

/// What is needed to match moves.
pub struct Moves<'a> {
    /// The run.
    pub context: &'a Context<'a>,
    /// The mirror's operations.
    pub placer: &'a Placer<'a>,
    /// Where moved files are recorded.
    pub journal: &'a Journal<'a>,
    /// The order of the walk.
    pub order: NameOrder,
    /// Memory for sorting.
    pub pool: Arc<Pool>,
}

/// What matching leaves: entries that are to be deleted, files that are to be copied.
pub struct Left {
    /// Vanished entries that were not moved, in walk order.
    pub vanished: Log,
    /// Files that were not moved.
    pub copies: Log,
}

impl Moves<'_> {
    /// Matches candidates with vanished entries.
    pub fn settle(&self, candidates: &Log, vanished: Log, index: &Generation) -> Result<Left, Error> {
        let mut copies = LogWriter::new(self.context.target);
        let matches = self.by_old_place(candidates, index, &mut copies)?;
        if matches.count() == 0 {
            return Ok(Left { vanished, copies: copies.finish() });
        }
        let mut rest = LogWriter::new(self.context.target);
        let gone = vanished.forward().map(|record| {
            let vanished = Vanished::decode(&record?)?;
            Ok((self.order.entry_key(&vanished.place), vanished))
        });
        let wanted = matches.iter()?.map(|record| {
            let record = record?;
            let mut r = Reader(record.value());
            let old = Placed { place: r.path()?, record: IndexRecord::decode(&mut r)? };
            Ok((record.key().to_vec(), (old, Task::decode(r.0)?)))
        });
        type Gone = (Vec<u8>, Vanished);
        type Wanted = (Vec<u8>, (Placed, Task));
        for pair in merge(gone, wanted, |a: &Gone, b: &Wanted| a.0.cmp(&b.0)) {
            match pair? {
                Pair::Source((_, vanished)) => rest.push(&vanished.encode())?,
                Pair::Target((_, (_, task))) => copies.push(&task.encode())?,
                Pair::Both((_, vanished), (_, (old, task))) => {
                    if !self.move_file(&vanished, &old, &task) {
                        rest.push(&vanished.encode())?;
                        copies.push(&task.encode())?;
                    }
                }
            }
        }
        Ok(Left { vanished: rest.finish(), copies: copies.finish() })
    }

    /// Candidates whose id is unique on both sides and whose content did not change, sorted by where their copy is.
    fn by_old_place(&self, candidates: &Log, index: &Generation, copies: &mut LogWriter<'_>) -> Result<Sorted, Error> {
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
            let task = Task::decode(record.value())?;
            let old = match task.meta.id {
                Some(id) if is_unique && task.meta.links <= 1 => index.by_id(id),
                _ => None,
            };
            match old.filter(|old| is_same_content(&old.record.source, &task.meta)) {
                Some(old) => {
                    let mut w = Writer::default();
                    w.bytes(old.place.as_bytes());
                    old.record.encode(&mut w);
                    w.0.extend_from_slice(record.value());
                    by_place.push(&self.order.entry_key(&old.place), &w.0)?;
                }
                None => copies.push(record.value())?,
            }
        }
        by_place.finish()
    }

    /// Renames in the mirror; false if the file has to be copied after all.
    fn move_file(&self, vanished: &Vanished, old: &Placed, task: &Task) -> bool {
        if !old.record.known().holds_for(&vanished.meta) {
            return false;
        }
        if !self.context.options.dry_run {
            let look = self.context.target.look(&vanished.place);
            let is_still = matches!(look, Ok(Some(now)) if vanished.is_still(&now));
            if !is_still || !matches!(self.placer.rename(&vanished.place, &task.place, &vanished.meta), Ok(true)) {
                return false;
            }
            // Afterwards: the full name of the old place, if it had one, came along. The next run mends what fails.
            if task.is_cut
                && let Err(error) = self.placer.record_name(&task.source, &task.place)
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

fn is_same_content(then: &Meta, now: &Meta) -> bool {
    then.id == now.id
        && then.size_bytes == now.size_bytes
        && then.write_time == now.write_time
        && then.creation_time == now.creation_time
}
