//! For tests only: a real Samba, trees of millions of entries, targets that die or fail at the k-th effect,
//! sources that fail and lie.

pub mod clock;
pub mod effects;
pub mod generated;
pub mod proxy;
pub mod samba;
pub mod source_faults;
pub mod source_suite;
