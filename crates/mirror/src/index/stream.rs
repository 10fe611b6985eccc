//! Reading the old generation and gathering the new one while the walk goes.

use super::{Generation, Placed, generation::Records};
use crate::order::NameOrder;
use crate::spill::{SpillLog, SpillWriter};
use octo_core::{Error, RelPath, Target};

/// Follows the old generation along the walk and gathers what the new one will hold besides the journal. As long as
/// nothing differs only the number of common records is kept, so an unchanged run writes nothing.
pub struct Cursor<'a> {
    order: NameOrder,
    records: Option<Records<'a>>,
    head: Option<(Vec<u8>, Placed)>,
    new: NewStream<'a>,
    /// A folder of the mirror whose source listing failed or was cut: what lies below and is not met keeps its records.
    protected: Option<RelPath>,
}

/// The records of the new generation that are not in the journal.
pub struct NewStream<'a> {
    common: u64,
    differs: bool,
    rest: SpillWriter<'a>,
}

impl<'a> Cursor<'a> {
    /// Before the first folder.
    pub fn new(target: &'a dyn Target, order: NameOrder, generation: Option<&'a Generation>) -> Cursor<'a> {
        Cursor {
            order,
            records: generation.map(Generation::records),
            head: None,
            new: NewStream { common: 0, differs: generation.is_none(), rest: SpillWriter::new(target) },
            protected: None,
        }
    }

    fn peek(&mut self) -> Option<&(Vec<u8>, Placed)> {
        if self.head.is_none() {
            let next = self.records.as_mut().and_then(Iterator::next);
            // A damaged index is not an error: what cannot be read is not known.
            self.head = match next {
                Some(Ok(placed)) => Some((self.order.entry_key(&placed.place), placed)),
                _ => {
                    self.records = None;
                    None
                }
            };
        }
        self.head.as_ref()
    }

    /// False if there is nothing (more) to find.
    pub fn may_know(&self) -> bool {
        self.head.is_some() || self.records.is_some()
    }

    /// The record of `place`. Called in walk order.
    pub fn find(&mut self, key: &[u8]) -> Result<Option<Placed>, Error> {
        self.skip_until(Some(key))?;
        match self.peek() {
            Some((at, placed)) if at.as_slice() == key => Ok(Some(placed.clone())),
            _ => Ok(None),
        }
    }

    /// Passes over the records before `key`, or all. Those below a protected folder are kept, the others dropped.
    fn skip_until(&mut self, key: Option<&[u8]>) -> Result<(), Error> {
        while let Some((at, placed)) = self.peek() {
            if key.is_some_and(|key| at.as_slice() >= key) {
                return Ok(());
            }
            let kept = placed.clone();
            self.head = None;
            if self.protected.as_ref().is_some_and(|p| kept.place.is_within(p)) {
                self.new.keep(&kept, true)?;
            } else {
                self.new.differs = true;
            }
        }
        Ok(())
    }

    /// The new generation holds `placed`; `found` is what [`Cursor::find`] gave for its place.
    pub fn keep(&mut self, placed: &Placed, found: Option<&Placed>) -> Result<(), Error> {
        if found.is_some() {
            self.head = None;
        }
        self.new.keep(placed, found == Some(placed))
    }

    /// What lies below `folder` and is not met in the walk keeps its records. Called in walk order.
    pub fn protect(&mut self, folder: &RelPath) -> Result<(), Error> {
        if self.protected.as_ref().is_none_or(|p| !folder.is_within(p)) {
            // What comes before is protected by another folder, or by none.
            self.skip_until(Some(&self.order.folder_key(folder)))?;
            self.protected = Some(folder.clone());
        }
        Ok(())
    }

    /// Ends the walk.
    pub fn finish(mut self) -> Result<NewStream<'a>, Error> {
        self.skip_until(None)?;
        Ok(self.new)
    }
}

impl NewStream<'_> {
    fn keep(&mut self, placed: &Placed, is_same: bool) -> Result<(), Error> {
        if is_same && !self.differs {
            self.common += 1;
            return Ok(());
        }
        self.differs = true;
        self.rest.push(&placed.encode())
    }

    /// Whether the new generation would differ from the old one.
    pub fn differs(&self) -> bool {
        self.differs
    }

    /// Ends gathering: how many records of the old generation come first, and those that follow.
    pub fn finish(self) -> (u64, SpillLog) {
        (self.common, self.rest.finish())
    }
}

/// The records of a new generation in walk order.
pub fn records<'a>(
    old: Option<&'a Generation>,
    common: u64,
    rest: &'a SpillLog,
) -> impl Iterator<Item = Result<Placed, Error>> + 'a {
    let common = usize::try_from(common).unwrap_or(usize::MAX);
    let first = old.into_iter().flat_map(move |g| g.records().take(common));
    first.chain(rest.forward().map(|record| record.and_then(|bytes| Placed::decode(&bytes))))
}
