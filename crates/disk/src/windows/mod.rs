//! Windows: calls of the NT kernel, all relative to a root handle.
//!
//! Win32 takes whole paths, and follows junctions in them; NT takes a handle and one name. That is what confinement needs
//! (DESIGN rule 2), so everything below the root goes through `nt`, the only place here where Rust's guarantees are ours
//! to keep, besides `descriptor` and `privilege`.

pub(crate) mod database;
mod descriptor;
pub(crate) mod fault;
pub(crate) mod file;
pub(crate) mod filesystem;
pub(crate) mod listing;
pub(crate) mod lock;
pub(crate) mod metadata;
mod nt;
pub(crate) mod open;
mod opened;
pub(crate) mod owner;
pub(crate) mod permissions;
pub(crate) mod positioned;
mod privilege;
mod probe;
pub(crate) mod reading;
pub(crate) mod root;
mod security;
pub(crate) mod sparse;
pub(crate) mod stat;
mod streams;
pub(crate) mod tree;

pub(crate) use fault::Fault;

/// Something that is open.
pub(crate) type Handle = std::fs::File;
