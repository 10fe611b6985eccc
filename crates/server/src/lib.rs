//! octoBackup's server: jobs, their schedule, their runs, and what is told of them.

pub mod clock;
pub mod launch;
pub mod recipe;
pub mod units;

pub use clock::SystemClock;
pub use launch::{Launch, Once};
