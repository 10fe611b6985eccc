//! Records in memory, close together: no allocation for each, none ever moved, so that memory is what it says it is.
//!
//! They lie in pages, each sorted by itself and merged when they are read. Large pages belong to a [`Pool`] for as long as
//! it lives: freed and asked for again, they would lie scattered, and the process would hold far more than it uses.

use super::record::Record;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::{Arc, Mutex, PoisonError};

/// The first page is small, because most folders are; each further one is twice as large, until the pool's follow.
const OWN_BYTES_MIN: usize = 2 << 10;
/// The largest page that is not the pool's. An arena may always have pages up to this one, so that many of them at once
/// make progress when the pool is empty.
const OWN_BYTES_MAX: usize = 64 << 10;
/// What a page of the pool takes.
const POOLED_BYTES: usize = 256 << 10;
/// One place in a page for this many bytes: fewer than any record of a listing has.
const BYTES_PER_PLACE: usize = 32;
/// Length of the record and of its key, before each.
const HEAD_BYTES: usize = 8;

/// Records in the order they came, and their places in the order of their keys once sorted.
#[derive(Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    places: Vec<u32>,
    is_pooled: bool,
}

impl Page {
    /// An empty page that takes `bytes` of memory.
    fn new(bytes: usize, is_pooled: bool) -> Page {
        let places = bytes / (BYTES_PER_PLACE + size_of::<u32>());
        let bytes = bytes - places * size_of::<u32>();
        Page { bytes: Vec::with_capacity(bytes), places: Vec::with_capacity(places), is_pooled }
    }

    /// Adds a record if there is room for it.
    fn push(&mut self, key: &[u8], value: &[u8]) -> bool {
        let (len, at) = (key.len() + value.len(), self.bytes.len());
        let (Ok(len_u32), Ok(key_len), Ok(place)) = (u32::try_from(len), u32::try_from(key.len()), u32::try_from(at))
        else {
            return false;
        };
        if self.bytes.capacity() - at < HEAD_BYTES + len || self.places.len() == self.places.capacity() {
            return false;
        }
        self.bytes.extend_from_slice(&len_u32.to_le_bytes());
        self.bytes.extend_from_slice(&key_len.to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.places.push(place);
        true
    }

    /// The record at that place, and the length of its key.
    fn record(bytes: &[u8], place: u32) -> (&[u8], usize) {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
        let at = place as usize;
        (&bytes[at + HEAD_BYTES..at + HEAD_BYTES + number(at)], number(at + 4))
    }

    fn key(bytes: &[u8], place: u32) -> &[u8] {
        let (record, key_len) = Page::record(bytes, place);
        &record[..key_len]
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places.sort_unstable_by(|a, b| Page::key(bytes, *a).cmp(Page::key(bytes, *b)));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }
}

/// Memory shared by all sorters of a run of the engine.
#[derive(Debug)]
pub struct Pool(Mutex<Pages>);

#[derive(Debug)]
struct Pages {
    free: Vec<Page>,
    /// How many more may be made.
    unmade: usize,
}

impl Pool {
    /// A pool of this many bytes.
    pub fn new(bytes: usize) -> Arc<Pool> {
        Arc::new(Pool(Mutex::new(Pages { free: Vec::new(), unmade: bytes / POOLED_BYTES })))
    }

    fn take(&self) -> Option<Page> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.free.is_empty() && pages.unmade > 0 {
            pages.unmade -= 1;
            return Some(Page::new(POOLED_BYTES, true));
        }
        pages.free.pop()
    }

    fn give(&self, mut page: Page) {
        page.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).free.push(page);
    }

    /// Whether nothing is taken from a pool of this size.
    #[cfg(test)]
    pub fn is_full(&self, bytes: usize) -> bool {
        let pages = self.0.lock().unwrap();
        pages.free.len() + pages.unmade == bytes / POOLED_BYTES
    }
}

/// Records in memory.
pub struct Arena {
    pool: Arc<Pool>,
    pages: Vec<Page>,
    /// The page being filled; those behind it are left from before the last [`Arena::clear`].
    current: usize,
}

impl Arena {
    /// An empty one, which takes what it needs beyond a little from `pool`.
    pub fn new(pool: &Arc<Pool>) -> Arena {
        Arena { pool: Arc::clone(pool), pages: Vec::new(), current: 0 }
    }

    /// Adds a record; false if there is no memory left for it. An empty arena takes any record.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> bool {
        while let Some(page) = self.pages.get_mut(self.current) {
            if page.push(key, value) {
                return true;
            }
            self.current += 1;
        }
        let Some(page) = self.next_page(key.len() + value.len()) else {
            self.current = self.pages.len().saturating_sub(1);
            return false;
        };
        self.pages.push(page);
        self.pages.last_mut().is_some_and(|page| page.push(key, value))
    }

    /// A further page with room for a record of this size.
    fn next_page(&self, record_bytes: usize) -> Option<Page> {
        let needed = 2 * (HEAD_BYTES + BYTES_PER_PLACE + record_bytes);
        let own_bytes = (OWN_BYTES_MIN << self.pages.len().min(16)).max(needed);
        if own_bytes <= OWN_BYTES_MAX {
            return Some(Page::new(own_bytes, false));
        }
        if needed <= POOLED_BYTES { self.pool.take() } else { None }
            // A record that nothing has room for has a page of its own, if it is the only one.
            .or_else(|| self.is_empty().then(|| Page::new(needed, false)))
    }

    /// Forgets all records and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.pages.retain(|page| page.is_pooled || page.bytes.capacity() <= OWN_BYTES_MAX);
        self.pages.iter_mut().for_each(Page::clear);
        self.current = 0;
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.pages.iter().all(|page| page.places.is_empty())
    }

    /// Sorts by key. Until then [`Arena::iter`] has no order.
    pub fn sort(&mut self) {
        self.pages.iter_mut().for_each(Page::sort);
    }

    /// All records with the length of their keys, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let first = |(i, page): (usize, &'_ Page)| page.places.first().map(|place| (i, *place));
        let heads = self.pages.iter().enumerate().filter_map(first);
        let heads = heads.map(|(i, place)| Reverse((Page::key(&self.pages[i].bytes, place), i, 0))).collect();
        InOrder { pages: &self.pages, heads }
    }

    /// All records, as their own.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.iter().map(|(bytes, key_len)| Record::new(bytes.to_vec(), key_len))
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.pages.drain(..).filter(|page| page.is_pooled).for_each(|page| self.pool.give(page));
    }
}

/// Sorted pages, merged.
struct InOrder<'a> {
    pages: &'a [Page],
    /// The next key of each page, the page, and which of its places that is.
    heads: BinaryHeap<Reverse<(&'a [u8], usize, usize)>>,
}

impl<'a> Iterator for InOrder<'a> {
    type Item = (&'a [u8], usize);

    fn next(&mut self) -> Option<Self::Item> {
        let mut head = self.heads.peek_mut()?;
        let Reverse((_, i, at)) = *head;
        let page = &self.pages[i];
        let record = Page::record(&page.bytes, page.places[at]);
        match page.places.get(at + 1) {
            Some(next) => *head = Reverse((Page::key(&page.bytes, *next), i, at + 1)),
            None => drop(PeekMut::pop(head)),
        }
        Some(record)
    }
}
