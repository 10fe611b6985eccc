//! The bytes of the protocol: pure functions from bytes to values and back, with no I/O.
//!
//! Everything parsed here is hostile. A parser refuses what does not fit the specification ([MS-SMB2], [MS-FSCC]),
//! never panics, and never allocates what a length field asks for: it hands out slices of what has arrived.

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
    pub const DIRECTORY: u32 = 0x10;
    pub const SPARSE_FILE: u32 = 0x200;
    pub const REPARSE_POINT: u32 = 0x400;
    /// The data would have to be fetched from elsewhere: OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS.
    pub const NOT_LOCAL: u32 = 0x1000 | 0x4_0000 | 0x40_0000;
}

#[cfg(test)]
mod tests;
