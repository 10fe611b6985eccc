//! Time in a world: it goes on with what happens, and jumps on command.

use octo_core::{Clock, Timestamp};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

const HOUR_SECS: i64 = 3600;

/// A clock that only moves when something happens.
pub(super) struct SimClock {
    wall: AtomicI64,
    passed_ms: AtomicU64,
}

impl SimClock {
    pub(super) fn new() -> SimClock {
        SimClock { wall: AtomicI64::new(Timestamp::from_unix(1_750_000_000, 0).0), passed_ms: AtomicU64::new(0) }
    }

    /// The wall clock jumps. No time passes.
    pub(super) fn jump(&self, hours: i64) {
        self.wall.fetch_add(Timestamp(0).plus_secs(hours * HOUR_SECS).0, Ordering::SeqCst);
    }

    /// Time passes.
    pub(super) fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.passed_ms.fetch_add(ms, Ordering::SeqCst);
        self.wall.fetch_add(i64::try_from(time.as_nanos() / 100).unwrap_or(0), Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.passed_ms.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) {
        self.pass(duration);
    }
}
