//! For tests only: a real Samba, trees of millions of entries, sources and stores in memory, targets that die or fail
//! at the k-th effect, sources that fail and lie.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]

pub mod child;
pub mod clock;
pub mod corpus;
pub mod effects;
pub mod generated;
pub mod memory;
#[cfg(target_os = "linux")]
pub mod powercut;
pub mod proxy;
pub mod recording;
#[cfg(unix)]
pub mod samba;
pub mod simulate;
pub mod source_faults;
pub mod source_suite;
#[cfg(target_os = "linux")]
pub mod strace;
pub mod tree;
pub mod versions;
