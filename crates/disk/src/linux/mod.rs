//! Linux: system calls through `rustix`, all relative to a root handle.

pub(crate) mod account;
pub(crate) mod database;
pub(crate) mod fault;
pub(crate) mod file;
pub(crate) mod filesystem;
pub(crate) mod listing;
pub(crate) mod lock;
pub(crate) mod metadata;
mod nameless;
pub(crate) mod open;
pub(crate) mod owner;
pub(crate) mod permissions;
pub(crate) mod probe;
pub(crate) mod reading;
pub(crate) mod root;
mod safe_path;
pub(crate) mod sparse;
pub(crate) mod stat;
pub(crate) mod tree;

/// What the operating system says went wrong.
pub(crate) type Fault = rustix::io::Errno;
/// Something that is open.
pub(crate) type Handle = std::os::fd::OwnedFd;
