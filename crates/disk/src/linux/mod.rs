//! Linux: system calls through `rustix`, all relative to a root handle.

pub(crate) mod fault;
pub(crate) mod file;
pub(crate) mod filesystem;
pub(crate) mod listing;
pub(crate) mod lock;
pub(crate) mod open;
pub(crate) mod place;
pub(crate) mod probe;
pub(crate) mod root;
pub(crate) mod shelf;
pub(crate) mod source;
pub(crate) mod stat;
pub(crate) mod target;
pub(crate) mod tree;
