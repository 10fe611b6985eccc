//! testkit: see ARCHITECTURE.md.

pub mod samba;
