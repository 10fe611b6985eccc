//! Time and cancellation as parameters: nothing below the program's entry reads a clock by itself.

use crate::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The wall clock. May jump; never used to measure a duration or to make an identifier.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Waits, whether or not somebody wishes to stop: a long wait is made of short ones.
    fn sleep(&self, duration: Duration);
}

/// What is under way when somebody wishes to stop may come to its end within this time: long enough for a file that is
/// not large, short enough for the one who waits.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// A wish to stop, shared by everything that works on one run. Once set it stays set.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Not cancelled.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Asks everything to stop soon.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
