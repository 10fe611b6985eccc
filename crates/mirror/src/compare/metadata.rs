//! Whose metadata is read again, and what the index keeps of it.

use super::{At, Comparer, Step};
use crate::copy::Task;
use crate::index::{IndexRecord, Placed};
use crate::queue::Queue;
use octo_core::Error;
use octo_core::plan::wants_metadata;

impl<'a> Comparer<'a> {
    /// A folder that both sides have: its metadata is fresh, or is read again.
    pub(super) fn keep_folder(&mut self, queue: &mut Queue<'_>, at: &At, found: Option<&Placed>) -> Result<(), Error> {
        let Some(old) = &at.old else { return Ok(()) };
        let indexed = found.map(|placed| placed.record.indexed_file());
        if !wants_metadata(&at.meta, old, indexed.as_ref(), &self.rules) {
            return if self.rules.metadata { self.keep_record(at, found) } else { Ok(()) };
        }
        found.map_or(Ok(()), |placed| self.cursor.keep(placed, found))?;
        queue.push(Task { refresh: true, ..at.task(false) })
    }

    /// A folder that was made a moment ago.
    pub(super) fn enter_new(&mut self, queue: &mut Queue<'_>, step: &mut Step<'_, 'a>, at: &At) -> Result<(), Error> {
        if self.rules.metadata {
            queue.push(Task { refresh: true, old: None, ..at.task(false) })?;
        }
        step.children.push(&at.frame(None))
    }

    /// A file whose data is equal.
    pub(super) fn refresh(&mut self, queue: &mut Queue<'_>, at: &At, found: Option<&Placed>) -> Result<(), Error> {
        self.context.count(|c| c.unchanged += 1);
        // Until it is done, the old record stays.
        found.map_or(Ok(()), |placed| self.cursor.keep(placed, found))?;
        queue.push(Task { refresh: true, ..at.task(false) })
    }

    /// A file whose content is to be compared. It is open then: its metadata need not be asked for another time.
    pub(super) fn comparison(&self, at: &At, found: Option<&Placed>) -> Task {
        let indexed = found.map(|placed| placed.record.indexed_file());
        let is_stale = at.old.is_some_and(|old| wants_metadata(&at.meta, &old, indexed.as_ref(), &self.rules));
        Task { is_stale, ..at.task(true) }
    }

    /// The index knows the file as it is now.
    pub(super) fn keep_record(&mut self, at: &At, found: Option<&Placed>) -> Result<(), Error> {
        let Some(old) = &at.old else { return Ok(()) };
        let is_fresh = |placed: &Placed| {
            let indexed = placed.record.indexed_file();
            indexed.holds_for(old) && indexed.metadata_is_fresh(&at.meta)
        };
        let Some(record) = IndexRecord::new(&at.meta, old, found.is_some_and(is_fresh)) else { return Ok(()) };
        let record = found.map_or(record.clone(), |found| record.knowing(&found.record));
        self.cursor.keep(&Placed { place: at.place.clone(), record }, found)
    }
}
