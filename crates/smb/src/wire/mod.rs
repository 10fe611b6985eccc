//! The bytes of the protocol: pure functions from bytes to values and back, with no I/O.
//!
//! Everything parsed here is hostile. A parser refuses what does not fit the specification ([MS-SMB2], [MS-FSCC]),
//! never panics, and never allocates what a length field asks for: it hands out slices of what has arrived.

pub(crate) mod change;
mod cursor;
pub(crate) mod details;
pub(crate) mod listing;
pub(crate) mod name;
pub(crate) mod ranges;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod shares;
pub(crate) mod snapshots;
pub(crate) mod volume;

pub(crate) use cursor::{Bytes, Malformed};

/// MS-FSCC 2.6.
pub(crate) mod attribute {
    pub const READ_ONLY: u32 = 0x1;
    pub const HIDDEN: u32 = 0x2;
    pub const DIRECTORY: u32 = 0x10;
    pub const ARCHIVE: u32 = 0x20;
    /// None of the others.
    pub const NORMAL: u32 = 0x80;
    pub const SPARSE_FILE: u32 = 0x200;
    pub const REPARSE_POINT: u32 = 0x400;
    /// What a client may set of them with FileBasicInformation: read-only, hidden, system, archive, temporary, offline, not indexed.
    pub const SETTABLE: u32 = 0x3127;
    /// The data would have to be fetched from elsewhere: OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS.
    pub const NOT_LOCAL: u32 = 0x1000 | 0x4_0000 | 0x40_0000;
}

#[cfg(test)]
mod tests;
