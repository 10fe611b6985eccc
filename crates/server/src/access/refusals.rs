//! What strangers were refused: one row of the audit log for each kind, name and address in an hour, however many tries there
//! were. Strangers decide how often they try; they must not decide how much is written.
//!
//! The first try is written at once, then each time their number has doubled, and when somebody reads the audit log. What a
//! server that dies had not written yet makes a count less exact, and loses no row.

use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_agent::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Tries within this time share one row.
const ROW_SECS: i64 = 3600;
/// Rows in that time; tries from yet other addresses are one row together.
const ROWS_MAX: usize = 200;
/// Stands for all of those.
const ELSEWHERE: &str = "other addresses";

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    what: &'static str,
    who: String,
    origin: String,
}

#[derive(Debug)]
struct Tally {
    count: u64,
    written: u64,
    first: Moment,
    last: Moment,
    row: Option<i64>,
}

/// A row to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// The row that becomes this one; `None` for a new one.
    pub id: Option<i64>,
    /// When it first happened.
    pub at: Moment,
    /// Who it was said to be.
    pub who: &'a str,
    /// What was refused.
    pub what: &'static str,
    /// Where from, and how often.
    pub detail: String,
}

/// What was refused in the last hour.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<Key, Tally>>);

impl Refusals {
    /// Counts one. `write` inserts or updates a row, and says which.
    pub fn add(
        &self,
        (what, who, from): (&'static str, &str, Option<IpAddr>),
        now: Moment,
        mut write: impl FnMut(&Row<'_>) -> Result<i64, ServiceError>,
    ) -> Result<(), ServiceError> {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_past = |it: &Tally| (now.0 - it.first.0).abs() >= ROW_SECS;
        for (key, tally) in tallies.iter_mut().filter(|(_, tally)| is_past(tally)) {
            tally.write(key, &mut write)?;
        }
        tallies.retain(|_, tally| !is_past(tally));
        let origin = from.map(|address| network(address).to_string()).unwrap_or_default();
        let mut key = Key { what, who: who.to_owned(), origin };
        if tallies.len() >= ROWS_MAX && !tallies.contains_key(&key) {
            key.origin = ELSEWHERE.to_owned();
        }
        let none = Tally { count: 0, written: 0, first: now, last: now, row: None };
        let tally = tallies.entry(key.clone()).or_insert(none);
        tally.count += 1;
        tally.last = now;
        if tally.count >= tally.written * 2 { tally.write(&key, &mut write) } else { Ok(()) }
    }

    /// Writes every count that is not written yet.
    pub fn write_out(&self, mut write: impl FnMut(&Row<'_>) -> Result<i64, ServiceError>) -> Result<(), ServiceError> {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter_mut().try_for_each(|(key, tally)| tally.write(key, &mut write))
    }
}

impl Tally {
    fn write(
        &mut self,
        key: &Key,
        write: &mut impl FnMut(&Row<'_>) -> Result<i64, ServiceError>,
    ) -> Result<(), ServiceError> {
        if self.written == self.count {
            return Ok(());
        }
        let often = if self.count > 1 { format!("{} times until {}", self.count, self.last) } else { String::new() };
        let said: Vec<&str> = [key.origin.as_str(), &often].into_iter().filter(|word| !word.is_empty()).collect();
        let row = Row { id: self.row, at: self.first, who: &key.who, what: key.what, detail: said.join(", ") };
        self.row = Some(write(&row)?);
        self.written = self.count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_tries_of_one_address_are_one_row_that_is_seldom_written_and_exact_when_read() {
        let refusals = Refusals::default();
        let (mut rows, mut writes) = (HashMap::<i64, String>::new(), 0);
        let mut write = |row: &Row<'_>| {
            writes += 1;
            let id = row.id.unwrap_or_else(|| i64::try_from(rows.len()).unwrap());
            rows.insert(id, row.detail.clone());
            Ok(id)
        };
        let from = Some(IpAddr::from([10, 0, 0, 7]));
        for n in 0..10_000 {
            refusals.add(("session.refused", "unknown", from), Moment(1_000_000 + n / 10), &mut write).unwrap();
        }
        refusals.write_out(&mut write).unwrap();
        assert_eq!(rows.len(), 1);
        assert!(rows[&0].starts_with("10.0.0.7, 10000 times until "), "{rows:?}");
        assert!(writes < 20, "{writes}");
    }

    #[test]
    fn as_many_addresses_as_there_are_cannot_fill_the_disk() {
        let refusals = Refusals::default();
        let mut rows = 0;
        let mut write = |row: &Row<'_>| {
            rows += i64::from(row.id.is_none());
            Ok(row.id.unwrap_or(rows))
        };
        for n in 0..100_000_u32 {
            let from = Some(IpAddr::from((n << 4).to_be_bytes()));
            refusals.add(("token.refused", "unknown", from), Moment(1_000_000), &mut write).unwrap();
        }
        assert_eq!(rows, i64::try_from(ROWS_MAX).unwrap() + 1);
    }
}
