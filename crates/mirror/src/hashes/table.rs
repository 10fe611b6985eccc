//! The sorted table: finds the records of a place by halving, so that memory does not grow with it.

use super::record::{HashRecord, RECORD_BYTES};
use crate::layout;
use octo_core::{Error, Target, TargetFile};

/// So many damaged records beside each other are passed over to find a whole one.
const DAMAGED_MAX: u64 = 64;

/// The table, as it was when it was opened.
#[derive(Default)]
pub struct HashTable {
    file: Option<Box<dyn TargetFile>>,
    count: u64,
}

impl HashTable {
    /// The table of a mirror; empty if there is none.
    pub fn open(target: &dyn Target) -> Result<HashTable, Error> {
        let Some(file) = target.open_file(&layout::hash_table())? else { return Ok(HashTable::default()) };
        let count = file.meta()?.size_bytes / RECORD_BYTES as u64;
        Ok(HashTable { file: Some(file), count })
    }

    /// All records of one place, by run.
    pub fn find(&self, key: u64) -> Result<Vec<HashRecord>, Error> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            // The first whole record from the middle on speaks for all between.
            let mut at = middle;
            let mut found = self.record(at)?;
            while found.is_none() && at + 1 < high && at - middle < DAMAGED_MAX {
                at += 1;
                found = self.record(at)?;
            }
            match found {
                Some(record) if record.key < key => low = at + 1,
                _ => high = middle,
            }
        }
        let mut records = Vec::new();
        let mut damaged = 0;
        while low < self.count {
            match self.record(low)? {
                Some(record) if record.key == key => records.push(record),
                Some(record) if record.key > key => break,
                Some(_) => {}
                None if damaged > DAMAGED_MAX => break,
                None => damaged += 1,
            }
            low += 1;
        }
        Ok(records)
    }

    fn record(&self, n: u64) -> Result<Option<HashRecord>, Error> {
        let Some(file) = &self.file else { return Ok(None) };
        let mut bytes = [0; RECORD_BYTES];
        let mut have = 0;
        while have < bytes.len() {
            match file.read_at(n * RECORD_BYTES as u64 + have as u64, &mut bytes[have..]) {
                // What the disk cannot read is lost, as what it damaged is.
                Ok(0) | Err(_) => return Ok(None),
                Ok(n) => have += n,
            }
        }
        Ok(HashRecord::decode(&bytes))
    }
}
