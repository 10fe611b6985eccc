//! testkit: see ARCHITECTURE.md.

pub mod generated;
pub mod samba;
