//! Records since the last table, in the order in which they came. Each is written before its file gets its place, so that a
//! killed process loses none; a checkpoint makes them durable.

use super::record::{HashRecord, RECORD_BYTES};
use crate::{files, layout};
use octo_core::{Error, Target, TargetFile};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Appends records; shared by all threads of a run. The file appears with the first one.
pub struct HashLog<'a> {
    target: &'a dyn Target,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<Box<dyn TargetFile>>,
    at: u64,
}

impl<'a> HashLog<'a> {
    /// One that goes on behind what is there.
    pub fn new(target: &'a dyn Target) -> HashLog<'a> {
        HashLog { target, state: Mutex::default() }
    }

    /// Adds records.
    pub fn append(&self, records: &[HashRecord]) -> Result<(), Error> {
        let mut state = self.state();
        if state.file.is_none() {
            *state = self.open()?;
        }
        let bytes: Vec<u8> = records.iter().flat_map(HashRecord::encode).collect();
        if let Some(file) = &state.file {
            file.write_at(state.at, &bytes)?;
        }
        state.at += bytes.len() as u64;
        Ok(())
    }

    fn open(&self) -> Result<State, Error> {
        let path = layout::hash_log();
        if let Some(file) = self.target.open_file(&path)? {
            // A record that is cut off at the end is written over.
            let there = file.meta()?.size_bytes;
            return Ok(State { file: Some(file), at: there - there % RECORD_BYTES as u64 });
        }
        files::ensure_folder(self.target, &layout::hashes())?;
        Ok(State { file: Some(self.target.create_file(&path)?), at: 0 })
    }

    /// Makes all records durable.
    pub fn sync(&self) -> Result<(), Error> {
        self.state().file.as_ref().map_or(Ok(()), |file| file.sync())
    }

    /// Lets go of the file: what is appended next begins where it then ends.
    pub fn close(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
