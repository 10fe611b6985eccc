//! The real clock: the only place of the program that reads it.

use octo_core::{Cancel, Clock, Timestamp};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A wait ends at most so long after the wish to stop.
const NOTICE: Duration = Duration::from_millis(50);

/// The machine's clocks. Its waits end early when somebody wishes to stop: a bandwidth limit can make them minutes long.
#[derive(Debug)]
pub struct SystemClock {
    begun: Instant,
    cancel: Cancel,
}

impl SystemClock {
    /// Its monotonic time begins now.
    pub fn new(cancel: Cancel) -> SystemClock {
        SystemClock { begun: Instant::now(), cancel }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
    }

    fn monotonic(&self) -> Duration {
        self.begun.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        let until = self.begun.elapsed().saturating_add(duration);
        while !self.cancel.is_cancelled() {
            let left = until.saturating_sub(self.begun.elapsed());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(NOTICE));
        }
    }
}
