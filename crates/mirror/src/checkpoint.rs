//! Makes work durable from time to time, and remembers up to when everything is.

use crate::context::Context;
use crate::index::Journal;
use crate::marker::RunOpen;
use crate::mirror_ops::MirrorOps;
use octo_core::{Error, Meta, Timestamp, plan};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A checkpoint is made when so much was copied since the last one,
const EVERY_BYTES: u64 = 1 << 30;
/// or so much time has passed.
const EVERY: Duration = Duration::from_secs(10);

/// Decides when, and does it.
pub struct Checkpoints<'a> {
    context: &'a Context<'a>,
    ops: &'a MirrorOps<'a>,
    journal: &'a Journal<'a>,
    suspect_since: Option<Timestamp>,
    state: Mutex<State>,
}

struct State {
    bytes: u64,
    last: Duration,
}

impl<'a> Checkpoints<'a> {
    /// At the start of a run, just after `run.open` was written.
    pub fn new(
        context: &'a Context<'a>,
        ops: &'a MirrorOps<'a>,
        journal: &'a Journal<'a>,
        suspect_since: Option<Timestamp>,
    ) -> Checkpoints<'a> {
        let state = Mutex::new(State { bytes: 0, last: context.clock.monotonic() });
        Checkpoints { context, ops, journal, suspect_since, state }
    }

    /// Whether this copy, made before the machine crashed, may not be whole.
    pub fn is_suspect(&self, copy: &Meta) -> bool {
        plan::is_suspect(self.suspect_since, copy)
    }

    /// So much was copied; makes a checkpoint if it is time. Other threads go on meanwhile.
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

    /// Makes a checkpoint now. The moment is taken before: what is written meanwhile may not be covered.
    pub fn make(&self) -> Result<(), Error> {
        let moment = self.context.clock.now();
        self.ops.changes.as_ref().map_or(Ok(()), |changes| changes.sync())?;
        self.journal.sync()?;
        self.context.target.checkpoint()?;
        let open = RunOpen {
            run: self.ops.run,
            boot_id: self.context.target.boot_id(),
            last_checkpoint: moment,
            suspect_since: self.suspect_since,
        };
        open.write(self.context.target)
    }
}
