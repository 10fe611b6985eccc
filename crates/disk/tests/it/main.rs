//! Everything here runs on real filesystems, as root on Linux; nothing is skipped. On Windows, and under Wine, runs what is
//! not about Linux itself.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[cfg(target_os = "linux")]
mod beyond;
#[cfg(target_os = "linux")]
mod confinement;
mod fetch;
mod ground;
#[cfg(target_os = "linux")]
mod locking;
#[cfg(target_os = "linux")]
mod metadata;
mod model;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod overlap;
#[cfg(target_os = "linux")]
mod permissions;
mod primitives;
#[cfg(target_os = "linux")]
mod probes;
mod recorded;
#[cfg(target_os = "linux")]
mod source;
#[cfg(target_os = "linux")]
mod swapped;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
mod windows_metadata;
