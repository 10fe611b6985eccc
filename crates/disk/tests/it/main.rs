//! Everything here runs on real filesystems, as root; nothing is skipped.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod confinement;
mod ground;
mod locking;
mod model;
mod mounts;
mod place;
mod primitives;
mod probes;
mod recorded;
mod source;
