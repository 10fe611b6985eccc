//! Makes work durable from time to time, and remembers up to which record everything is.

use crate::context::Context;
use crate::index::Journal;
use crate::marker::{Durable, RunOpen};
use crate::mirror_ops::MirrorOps;
use octo_core::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A checkpoint is made when this much was copied since the last one,
const EVERY_BYTES: u64 = 1 << 30;
/// or this much time has passed.
const EVERY: Duration = Duration::from_secs(10);

/// Decides when, and does it.
pub struct Checkpoints<'a> {
    context: &'a Context<'a>,
    ops: &'a MirrorOps<'a>,
    journal: &'a Journal<'a>,
    state: Mutex<State>,
}

struct State {
    bytes: u64,
    last: Duration,
}

impl<'a> Checkpoints<'a> {
    /// At the start of a run, just after `run.open` was written.
    pub fn new(context: &'a Context<'a>, ops: &'a MirrorOps<'a>, journal: &'a Journal<'a>) -> Checkpoints<'a> {
        let state = Mutex::new(State { bytes: 0, last: context.clock.monotonic() });
        Checkpoints { context, ops, journal, state }
    }

    /// Counts what was copied; makes a checkpoint if it is time. Other threads go on meanwhile.
    pub fn copied(&self, bytes: u64) -> Result<(), Error> {
        let now = self.context.clock.monotonic();
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.bytes += bytes;
            if state.bytes < EVERY_BYTES && now.saturating_sub(state.last) < EVERY {
                return Ok(());
            }
            *state = State { bytes: 0, last: now };
        }
        self.make()
    }

    /// Makes a checkpoint now. What is recorded is looked at before: a file's data is written before its record, and so is durable
    /// with it; what is written meanwhile may not be.
    pub fn make(&self) -> Result<(), Error> {
        let changes = self.ops.changes.as_ref();
        let durable = Durable {
            changes_bytes: changes.map_or(0, |changes| changes.len_bytes()),
            placed_bytes: self.ops.placed.len_bytes(),
        };
        changes.map_or(Ok(()), |changes| changes.sync())?;
        self.ops.hashes.sync()?;
        self.journal.sync()?;
        self.context.target.checkpoint()?;
        let open = RunOpen { run: self.ops.run, boot_id: self.context.target.boot_id(), durable: Some(durable) };
        open.write(self.context.target)
    }
}
