//! What all runs recorded of the entries of one folder.

use super::decide::{Fact, Moment};
use super::table::{Row, Rows, Table};
use octo_core::{Error, RelPath};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// The facts of one name that concern a state.
pub type Facts = Vec<(Moment, Fact)>;

/// The facts of a folder's entries in all tables, by name, the oldest run first.
pub struct Merged<'t> {
    rows: Vec<(u64, Rows<'t>)>,
    heads: BinaryHeap<Reverse<Head>>,
}

/// The next fact of a table: name, table, number of the record.
type Head = (Vec<u8>, usize, u64, HeapFact);

/// Rides along in the heap; the name and the table alone decide the order.
struct HeapFact(Fact);

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
    pub fn new(tables: &'t [Arc<Table>], folder: &RelPath) -> Result<Merged<'t>, Error> {
        let rows = tables.iter().map(|table| (table.run, table.of_folder(folder))).collect();
        let mut merged = Merged { rows, heads: BinaryHeap::new() };
        (0..merged.rows.len()).try_for_each(|table| merged.advance(table))?;
        Ok(merged)
    }

    fn advance(&mut self, table: usize) -> Result<(), Error> {
        if let Some(Row { name, number, fact }) = self.rows[table].1.next().transpose()? {
            self.heads.push(Reverse((name, table, number, HeapFact(fact))));
        }
        Ok(())
    }

    /// The next name.
    pub fn name(&self) -> Option<&[u8]> {
        self.heads.peek().map(|Reverse((name, ..))| &name[..])
    }

    /// All facts of this name.
    pub fn take(&mut self, name: &[u8]) -> Result<Facts, Error> {
        let mut facts = Facts::new();
        while self.name() == Some(name) {
            if let Some(Reverse((_, table, number, HeapFact(fact)))) = self.heads.pop() {
                facts.push(((self.rows[table].0, number), fact));
                self.advance(table)?;
            }
        }
        Ok(facts)
    }
}
