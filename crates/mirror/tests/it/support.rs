//! What the tests of the engine share.

use octo_core::{Cancel, Clock, Monitor, Source, Target, Timestamp};
use octo_mirror::{RunOptions, RunResult, run};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The real clock.
pub struct RealClock(pub Instant);

impl RealClock {
    pub fn new() -> RealClock {
        RealClock(Instant::now())
    }
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_unix(now.as_secs() as i64, now.subsec_nanos())
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

pub fn mirror(source: &dyn Source, target: &dyn Target, options: &RunOptions) -> RunResult {
    mirror_watched(source, target, options, &octo_core::monitor::Silent)
}

pub fn mirror_watched(
    source: &dyn Source,
    target: &dyn Target,
    options: &RunOptions,
    monitor: &dyn Monitor,
) -> RunResult {
    run(source, target, options, monitor, &RealClock::new(), &Cancel::new())
}
