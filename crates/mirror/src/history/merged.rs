//! What all runs recorded of the entries of one folder.

use super::decide::{Fact, Moment};
use super::table::{Row, Rows, Table};
use crate::order::NameOrder;
use octo_core::{Error, Name, RelPath};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// The facts of one name, in whatever spelling.
#[derive(Default)]
pub struct Facts {
    /// The name as the first of them spells it: where case is folded, they may differ in it.
    pub name: Option<Name>,
    /// Oldest first.
    pub list: Vec<(Moment, Fact)>,
}

impl Facts {
    /// Adds one.
    pub fn push(&mut self, name: &[u8], moment: Moment, fact: Fact) {
        if self.name.is_none() {
            self.name = Name::new(name.to_vec()).ok();
        }
        self.list.push((moment, fact));
    }
}

/// The facts of a folder's entries in all tables, by name, the oldest run first.
pub struct Merged<'t> {
    order: NameOrder,
    rows: Vec<Rows<'t>>,
    heads: BinaryHeap<Reverse<Head>>,
}

/// The next fact of a table: the identity of its name, table, run and number of the record.
type Head = (Vec<u8>, usize, Moment, HeapFact);

/// Rides along in the heap; name, table and number alone decide the order.
struct HeapFact(Vec<u8>, Fact);

impl PartialEq for HeapFact {
    fn eq(&self, _: &HeapFact) -> bool {
        true
    }
}
impl Eq for HeapFact {}
impl PartialOrd for HeapFact {
    fn partial_cmp(&self, other: &HeapFact) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for HeapFact {
    fn cmp(&self, _: &HeapFact) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl<'t> Merged<'t> {
    /// Begins with the first name.
    pub fn new(tables: &'t [Arc<Table>], folder: &RelPath, order: NameOrder) -> Result<Merged<'t>, Error> {
        let rows = tables.iter().map(|table| table.of_folder(folder)).collect();
        let mut merged = Merged { order, rows, heads: BinaryHeap::new() };
        (0..merged.rows.len()).try_for_each(|table| merged.advance(table))?;
        Ok(merged)
    }

    fn advance(&mut self, table: usize) -> Result<(), Error> {
        if let Some(Row { key, run, number, fact }) = self.rows[table].next().transpose()? {
            let identity = self.order.identity(&key).to_vec();
            self.heads.push(Reverse((identity, table, (run, number), HeapFact(key, fact))));
        }
        Ok(())
    }

    /// The identity of the next name.
    pub fn identity(&self) -> Option<&[u8]> {
        self.heads.peek().map(|Reverse((identity, ..))| &identity[..])
    }

    /// All facts of this name.
    pub fn take(&mut self, identity: &[u8]) -> Result<Facts, Error> {
        let mut found = Vec::new();
        while self.identity() == Some(identity) {
            if let Some(Reverse((_, table, moment, HeapFact(key, fact)))) = self.heads.pop() {
                found.push((moment, key, fact));
                self.advance(table)?;
            }
        }
        // Those of one run come by spelling.
        found.sort_by_key(|(moment, ..)| *moment);
        let mut facts = Facts::default();
        for (moment, key, fact) in found {
            facts.push(self.order.name_of(&key), moment, fact);
        }
        Ok(facts)
    }
}
