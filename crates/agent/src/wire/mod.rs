//! The bytes of the agent protocol, and no I/O. The specification is `docs/agent-protocol.md`.
//!
//! Everything decoded here comes from a stranger: nothing panics, nothing is allocated because a length field says so, and
//! whatever does not fit exactly is [`Code::Protocol`](octo_core::Code::Protocol).

mod cursor;
mod frame;
pub(crate) mod messages;
mod meta;
mod piece;
mod request;
#[cfg(test)]
mod tests;
mod walk_order;

pub(crate) use frame::{Answer, Decoder, EntryBatch, Frame, FrameCompression, HASH_BYTES};
pub(crate) use piece::extent;
pub(crate) use request::{FetchOrder, Order, REQUEST_BYTES_MAX};
pub(crate) use walk_order::walk_order;

use octo_core::{Code, Error};

/// The most that a frame may hold after its length: a piece or batch of 1 MiB, and what goes with it.
pub(crate) const FRAME_BYTES_MAX: usize = (1 << 20) + (64 << 10);
/// The most that a batch of entries or a piece holds when unpacked.
pub(crate) const PLAIN_BYTES_MAX: usize = 1 << 20;
/// The longest detail of an error that is believed.
const DETAIL_BYTES_MAX: usize = 1024;

/// The other side broke the protocol.
pub(crate) fn fault(what: impl Into<String>) -> Error {
    Error::new(Code::Protocol, what)
}
