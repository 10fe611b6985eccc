//! The engine's promises, kept on a real disk and on fakes. On Windows, and under Wine: that dying loses nothing.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[cfg(target_os = "linux")]
mod ballast;
#[cfg(unix)]
mod beside;
mod crash;
#[cfg(unix)]
mod disk;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod kills;
#[cfg(unix)]
mod live;
#[cfg(unix)]
mod loopfs;
#[cfg(unix)]
mod memory;
#[cfg(unix)]
mod names;
mod pair;
#[cfg(unix)]
mod permissions;
#[cfg(unix)]
mod promises;
#[cfg(unix)]
mod repair;
#[cfg(unix)]
mod restore;
#[cfg(unix)]
mod review;
#[cfg(unix)]
mod snapshots;
#[cfg(target_os = "linux")]
mod space;
mod support;
mod suspects;
#[cfg(unix)]
mod thinning;
#[cfg(unix)]
mod thinning_faults;
#[cfg(unix)]
mod unread;
#[cfg(unix)]
mod verify;
#[cfg(unix)]
mod watched;
