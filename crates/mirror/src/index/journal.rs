//! Records of files finished since the last generation, appended as they are finished and synced at checkpoints, so
//! that an interrupted run keeps its work. A torn end is cut off when it is read: each record carries a check.

use super::Placed;
use super::buffered::Buffered;
use crate::order::NameOrder;
use crate::spill::{Pool, Sorted, Sorter};
use crate::{files, layout};
use octo_core::{Error, Target, TargetFile};
use std::sync::{Arc, Mutex, PoisonError};

/// Length u32 and check u32 before each record.
const HEAD_BYTES: usize = 8;
const RECORD_BYTES_MAX: usize = 128 << 10;
/// Records are gathered to this size before they are written.
const BUFFER_BYTES: usize = 16 << 10;

/// Appends records; shared by all threads that copy.
pub struct Journal<'a> {
    target: &'a dyn Target,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<Box<dyn TargetFile>>,
    at: u64,
    count: u64,
    buffer: Vec<u8>,
}

fn check(bytes: &[u8]) -> [u8; 4] {
    let hash = blake3::hash(bytes);
    let b = hash.as_bytes();
    [b[0], b[1], b[2], b[3]]
}

impl<'a> Journal<'a> {
    /// A new journal; the file appears with its first record.
    pub fn new(target: &'a dyn Target) -> Journal<'a> {
        Journal { target, state: Mutex::default() }
    }

    /// Adds a record.
    pub fn push(&self, placed: &Placed) -> Result<(), Error> {
        let record = placed.encode();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.buffer.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
        state.buffer.extend_from_slice(&check(&record));
        state.buffer.extend_from_slice(&record);
        state.count += 1;
        if state.buffer.len() >= BUFFER_BYTES { self.flush(&mut state) } else { Ok(()) }
    }

    fn flush(&self, state: &mut State) -> Result<(), Error> {
        if state.buffer.is_empty() {
            return Ok(());
        }
        if state.file.is_none() {
            files::ensure_folder(self.target, &layout::index_folder())?;
            self.target.remove_file(&layout::journal())?;
            state.file = Some(self.target.create_file(&layout::journal())?);
        }
        if let Some(file) = &state.file {
            file.write_at(state.at, &state.buffer)?;
        }
        state.at += state.buffer.len() as u64;
        state.buffer.clear();
        Ok(())
    }

    /// Makes all records durable.
    pub fn sync(&self) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.flush(&mut state)?;
        state.file.as_ref().map_or(Ok(()), |file| file.sync())
    }

    /// How many records there are.
    pub fn count(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}

/// The records of the journal on disk in walk order, the last of each place; empty if there is none.
pub fn sorted(target: &dyn Target, pool: &Arc<Pool>, order: NameOrder) -> Result<Sorted, Error> {
    let mut sorter = Sorter::new(target, pool);
    if let Some(file) = target.open_file(&layout::journal())? {
        let mut bytes = Buffered::new(&*file, file.meta()?.size_bytes);
        let mut at = 0u64;
        let mut number = 0u64;
        while let Some(record) = read(&mut bytes, at)? {
            at += (HEAD_BYTES + record.len()) as u64;
            if let Ok(placed) = Placed::decode(record) {
                let mut key = order.entry_key(&placed.place);
                // The newest of several records of one place sorts first, behind a border that no name contains.
                key.push(0);
                key.extend_from_slice(&(u64::MAX - number).to_be_bytes());
                sorter.push(&key, record)?;
            }
            number += 1;
        }
    }
    sorter.finish()
}

/// What [`sorted`] gave, as records.
pub fn placed(sorted: &Sorted) -> Result<impl Iterator<Item = Result<Placed, Error>> + '_, Error> {
    let mut last = None;
    Ok(sorted.iter()?.filter_map(move |record| {
        let placed = match record.and_then(|r| Placed::decode(r.value())) {
            Ok(placed) => placed,
            Err(error) => return Some(Err(error)),
        };
        if last.as_ref() == Some(&placed.place) {
            return None;
        }
        last = Some(placed.place.clone());
        Some(Ok(placed))
    }))
}

/// The record at `at`; `None` where no whole record is.
fn read<'b>(bytes: &'b mut Buffered<'_>, at: u64) -> Result<Option<&'b [u8]>, Error> {
    let mut head = [0u8; HEAD_BYTES];
    match bytes.bytes(at, HEAD_BYTES)? {
        Some(bytes) => head.copy_from_slice(bytes),
        None => return Ok(None),
    }
    let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if len > RECORD_BYTES_MAX {
        return Ok(None);
    }
    let record = bytes.bytes(at + HEAD_BYTES as u64, len)?;
    Ok(record.filter(|record| check(record) == head[4..]))
}
