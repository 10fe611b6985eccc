//! Which of the names that are one name on the mirror's disk has it, where upper and lower case are the same there. The others
//! are stored under a name of their own (DESIGN rule 3).
//!
//! Decided once for a folder, from both its listings, before anything is compared. Who has a place keeps it, as long as the source has the
//! name: to give it another one would be to delete what is still there. Nobody gets the place of something that may still be wanted, or
//! that does not belong to the job.

use super::listing::{FLAG_CUT, FolderSide, Lister, decode, is_hidden};
use crate::codec::Writer;
use crate::spill::{Record, Sorted, Sorter};
use octo_core::listing::Listed;
use octo_core::merge::{Pair, merge};
use octo_core::naming::{Stored, store_twin};
use octo_core::{Error, RelPath};

/// The names of the source that are one name on the mirror's disk, and what has it there.
#[derive(Default)]
struct NameGroup {
    identity: Vec<u8>,
    /// The first that has no place yet, as long as none is known to have this one.
    first: Option<Record>,
    names: u64,
    /// One of them has the place.
    is_settled: bool,
    /// What has the place otherwise.
    holder: Option<Record>,
    /// It does not belong to the job.
    is_hidden: bool,
}

impl NameGroup {
    /// One more name of the source, which may have a place of its own. What comes twice is one name.
    fn name(&mut self, record: Record, is_apart: bool, away: &mut StoredElsewhere<'_>) -> Result<(), Error> {
        if away.last == record.key() {
            return Ok(());
        }
        away.last = record.key().to_vec();
        self.names += 1;
        if is_apart || self.is_settled || self.first.is_some() {
            return away.push(record.key());
        }
        self.first = Some(record);
        Ok(())
    }

    /// This name of the source has the place now.
    fn has_it(&mut self, record: Record, away: &mut StoredElsewhere<'_>) -> Result<(), Error> {
        away.last = record.key().to_vec();
        self.names += 1;
        if self.is_settled {
            return away.push(record.key());
        }
        self.is_settled = true;
        self.first.take().map_or(Ok(()), |first| away.push(first.key()))
    }

    /// Something is in the place that the source does not have, or that does not belong to the job.
    fn is_held_by(&mut self, entry: Record, is_hidden: bool) {
        self.is_hidden |= is_hidden;
        self.holder.get_or_insert(entry);
    }
}

/// Names that are not stored as they would be alone.
struct StoredElsewhere<'a> {
    keys: Sorter<'a>,
    count: u64,
    /// The name of the source looked at last.
    last: Vec<u8>,
}

impl StoredElsewhere<'_> {
    fn push(&mut self, key: &[u8]) -> Result<(), Error> {
        self.count += 1;
        self.keys.push(key, &[])
    }
}

impl Lister<'_> {
    /// Gives each entry of `source` its place in the mirror's folder `place`, of which `target` is the listing, if there is one.
    pub fn settle_places(
        &self,
        place: &RelPath,
        source: &mut FolderSide,
        target: Option<&FolderSide>,
    ) -> Result<(), Error> {
        if !self.order.folds_case {
            return Ok(());
        }
        let is_proven = source.end == Listed::Complete;
        let mut away = StoredElsewhere { keys: Sorter::new(self.target, &self.pool), count: 0, last: Vec::new() };
        let mut group = NameGroup::default();
        let in_mirror = target.map_or_else(|| Ok(Box::new(std::iter::empty()) as _), |side| side.main.iter())?;
        for pair in merge(source.main.iter()?, in_mirror, |a: &Record, b: &Record| a.key().cmp(b.key())) {
            let pair = pair?;
            let (Pair::Source(record) | Pair::Target(record) | Pair::Both(record, _)) = &pair;
            let identity = self.order.identity(record.key());
            if identity != group.identity {
                let identity = identity.to_vec();
                self.settle(std::mem::take(&mut group), is_proven, &mut away)?;
                group.identity = identity;
            }
            match pair {
                Pair::Source(name) => {
                    let is_apart = self.is_apart(&name, place, target)?;
                    group.name(name, is_apart, &mut away)?;
                }
                Pair::Target(entry) => {
                    let is_hidden = is_hidden(&entry);
                    group.is_held_by(entry, is_hidden);
                }
                Pair::Both(name, entry) if is_hidden(&entry) => {
                    group.is_held_by(entry, true);
                    group.name(name, true, &mut away)?;
                }
                Pair::Both(name, _) => group.has_it(name, &mut away)?,
            }
        }
        self.settle(group, is_proven, &mut away)?;
        if away.count > 0 {
            let away = away.keys.finish()?;
            source.main = self.stored_apart(&source.main, &away)?;
        }
        Ok(())
    }

    /// Whether a name of the source has a place of its own already.
    fn is_apart(&self, name: &Record, place: &RelPath, target: Option<&FolderSide>) -> Result<bool, Error> {
        if !target.is_some_and(|side| side.has_escapes) {
            return Ok(false);
        }
        let (Stored::Escaped(twin) | Stored::Cut(twin)) =
            store_twin(decode(self.order, name.clone())?.name(), &self.rules)
        else {
            return Ok(false);
        };
        Ok(!matches!(self.target.look(&place.join(&twin)), Ok(None)))
    }

    /// The end of a group: whether its first name gets the place.
    fn settle(&self, group: NameGroup, is_proven: bool, away: &mut StoredElsewhere<'_>) -> Result<(), Error> {
        let Some(first) = group.first.filter(|_| !group.is_settled) else { return Ok(()) };
        let kind = |record: &Record| decode(self.order, record.clone()).map(|entry| entry.meta.kind);
        let is_free = match group.holder {
            None => true,
            // Of a single name only the case is another.
            Some(holder) => is_proven && !group.is_hidden && group.names == 1 && kind(&first)? == kind(&holder)?,
        };
        if is_free { Ok(()) } else { away.push(first.key()) }
    }

    /// The same entries, those of `away` under names that no other entry has.
    fn stored_apart(&self, main: &Sorted, away: &Sorted) -> Result<Sorted, Error> {
        let mut apart = Sorter::new(self.target, &self.pool);
        let mut last: Vec<u8> = Vec::new();
        for pair in merge(main.iter()?, away.iter()?, |a: &Record, b: &Record| a.key().cmp(b.key())) {
            let (record, is_away) = match pair? {
                Pair::Source(record) => (record, false),
                Pair::Both(record, _) => (record, true),
                Pair::Target(_) => continue,
            };
            // What came twice has one place.
            if last == record.key() {
                continue;
            }
            last.clear();
            last.extend_from_slice(record.key());
            if is_away {
                self.push_apart(&mut apart, record)?;
            } else {
                apart.push(record.key(), record.value())?;
            }
        }
        apart.finish()
    }

    fn push_apart(&self, apart: &mut Sorter<'_>, record: Record) -> Result<(), Error> {
        let entry = decode(self.order, record)?;
        let twin = store_twin(entry.name(), &self.rules);
        let flags = if matches!(twin, Stored::Cut(_)) { FLAG_CUT } else { 0 };
        let (Stored::Escaped(stored) | Stored::Cut(stored)) = twin else { return Ok(()) };
        let mut value = Writer::default();
        value.u8(flags);
        value.meta(&entry.meta);
        value.bytes(entry.name().as_bytes());
        apart.push(&self.order.key(&stored), &value.0)
    }
}
