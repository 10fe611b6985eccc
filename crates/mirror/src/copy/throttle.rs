//! Keeps the bytes per second below a limit.

use octo_core::{Cancel, Clock};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A wish to stop is noticed within this time.
const SLICE: Duration = Duration::from_millis(100);

/// A bucket that fills with time. Shared by all threads that copy.
pub struct Throttle {
    bytes_per_sec: Option<u64>,
    /// The moment until which the limit is used up.
    used_until: Mutex<Duration>,
}

impl Throttle {
    /// No limit for `None`.
    pub fn new(bytes_per_sec: Option<u64>) -> Throttle {
        Throttle { bytes_per_sec, used_until: Mutex::default() }
    }

    /// Waits until so many bytes may have come, or nobody wants them any more.
    pub fn take(&self, bytes: u64, clock: &dyn Clock, cancel: &Cancel) {
        let Some(limit) = self.bytes_per_sec.filter(|limit| *limit > 0) else { return };
        let now = clock.monotonic();
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(limit);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut wait = {
            let mut used = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
            *used = (*used).max(now) + cost;
            used.saturating_sub(now)
        };
        while !wait.is_zero() && !cancel.is_cancelled() {
            let slice = wait.min(SLICE);
            clock.sleep(slice);
            wait -= slice;
        }
    }
}
