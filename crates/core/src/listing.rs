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
    /// the middle and it lists the folder again.
    fn restart(&mut self);
}

/// The most that one folder may list before it is taken for one without end, which would fill the disk on which it is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderLimits {
    /// Entries, those that are left out and those with problems too.
    pub entries: u64,
    /// What they take while they are sorted.
    pub scratch_bytes: u64,
}

/// Far above the largest folders that there are.
impl Default for FolderLimits {
    fn default() -> FolderLimits {
        FolderLimits { entries: 100_000_000, scratch_bytes: 32 << 30 }
    }
}
