//! The engine's promises, kept on a real disk and on fakes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod crash;
mod disk;
mod faults;
mod kills;
mod loopfs;
mod memory;
mod pair;
mod promises;
mod review;
mod snapshots;
mod support;
mod watched;
