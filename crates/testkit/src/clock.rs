//! The real clock, and one that a test sets.

use octo_core::{Clock, Timestamp};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The real clock, or one whose wall time a test sets. Time that passes is real either way; a set clock never sleeps.
pub struct TestClock {
    begun: Instant,
    wall: Mutex<Option<Timestamp>>,
}

impl TestClock {
    /// The real clock.
    pub fn real() -> TestClock {
        TestClock { begun: Instant::now(), wall: Mutex::new(None) }
    }

    /// A clock that stands at `wall`.
    pub fn at(wall: Timestamp) -> TestClock {
        TestClock { begun: Instant::now(), wall: Mutex::new(Some(wall)) }
    }

    /// Jumps, forward or back.
    pub fn set(&self, wall: Timestamp) {
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner) = Some(wall);
    }

    fn wall(&self) -> Option<Timestamp> {
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.wall().unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_unix(i64::try_from(now.as_secs()).unwrap_or(i64::MAX), now.subsec_nanos())
        })
    }

    fn monotonic(&self) -> Duration {
        self.begun.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        if self.wall().is_none() {
            std::thread::sleep(duration);
        }
    }
}
