//! A folder's listing as a source or a target gives it: how entries are handed over, and how it ended.
//!
//! A listing that did not end as [`Listed::Complete`] permits no deletion.

use crate::entry::Entry;
use crate::error::Error;
use std::ops::ControlFlow;

/// How a listing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// The source said that this was all of it. Only this permits deletions in the folder.
    Complete,
    /// It ended early, or was never begun. What was listed may be copied; nothing may be deleted.
    Incomplete(Error),
}

/// Takes a listing as it arrives.
pub trait ListSink {
    /// One more entry, in any order. `Break` when no more is wanted; the call then returns at once.
    fn entry(&mut self, entry: Entry) -> ControlFlow<()>;
    /// One entry of the folder that cannot be handed over, with a printable form of its name. The engine counts the
    /// listing as incomplete from then on if the code is [`Code::BadName`].
    fn problem(&mut self, name: &[u8], error: Error);
    /// Everything that came so far is void: the listing begins again. An adapter says so when a connection was lost in
    /// the middle and it lists the folder anew.
    fn restart(&mut self);
}
