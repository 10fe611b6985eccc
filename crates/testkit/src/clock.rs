//! The real clock, one that a test sets, and one that is wrong for a whole program.

#![cfg_attr(unix, expect(clippy::panic, reason = "a fixture fails its test in no other way"))]

use octo_core::{Clock, Timestamp};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A library for LD_PRELOAD, in C: the wall clock of a program is ahead by what [`AHEAD_SECS`] says.
#[cfg(unix)]
pub const SHIM: &str = include_str!("clock_shim.c");
/// The variable that says by how much.
#[cfg(unix)]
pub const AHEAD_SECS: &str = "OCTO_CLOCK_AHEAD_SECS";

/// Compiles that library into a folder, and names it.
#[cfg(unix)]
pub fn shim(folder: &std::path::Path) -> std::path::PathBuf {
    let (text, library) = (folder.join("clock_shim.c"), folder.join("clock_shim.so"));
    std::fs::write(&text, SHIM).expect("the shim's source");
    let cc = std::process::Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&text).status();
    match cc {
        Ok(status) if status.success() => library,
        failed => panic!("the clock's shim was not compiled (apt-get install gcc libc6-dev): {failed:?}"),
    }
}

/// A schedule whose next time is 12 hours away by UTC, and hours away in every zone of Europe: a run of it, which a test does not
/// expect, cannot start meanwhile. Tests with a real clock take this one, or `never`.
pub fn far_from_now() -> String {
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    format!("daily {:02}:30", (secs / 3600 + 12) % 24)
}

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
