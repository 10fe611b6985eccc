//! For tests only: a real Samba, trees of millions of entries, targets that die or fail at the k-th effect.

pub mod effects;
pub mod generated;
pub mod proxy;
pub mod samba;
pub mod source_suite;
