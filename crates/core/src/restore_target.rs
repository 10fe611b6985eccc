//! The port to the place that a restore writes to: a folder of this machine, a share, another machine.
//!
//! Far smaller than [`Target`](crate::Target), because nothing there is ours: no list of versions, no records, no lock. It is made
//! for batches, so that a place far away does not cost one round trip after the other. Paths are below the folder that is restored
//! to. No call ever follows a link: a path whose parent is a link fails. Nothing is ever removed but what a restore itself has
//! staged, and what [`Placing`] replaces.
//!
//! A file is created and written under a name in staging, finished (times, metadata, all of it durable after
//! [`RestoreTarget::checkpoint`]), and only then placed by a rename. A code of which [`is_lost`] says so means that the connection
//! was lost and nobody knows what took effect: the engine looks and does it again.

use crate::abilities::Abilities;
use crate::entry::{LinkTarget, Meta};
use crate::error::{Code, Error};
use crate::metadata::{Metadata, Part};
use crate::path::RelPath;
use crate::target::{Done, Space};

/// How much one batch may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Files that are written between two checkpoints.
    pub files: usize,
    /// The same in bytes.
    pub bytes: u64,
    /// Of these, the files that one [`RestoreBatch`] has at most.
    pub files_at_once: usize,
    /// How many batches are written at the same time.
    pub batches_at_once: usize,
}

/// What is to get its name.
#[derive(Debug, Clone)]
pub struct Placing {
    /// Where it was staged.
    pub stage: RelPath,
    /// The name that it gets.
    pub place: RelPath,
    /// What is replaced, as it was when that was decided; `None` if nothing may be there. If something else is there now, nothing
    /// is done, and the error is [`Code::TargetMoved`].
    pub replaces: Option<Meta>,
}

/// Parts of the metadata of one entry that could not be set, and why.
pub type LostParts = Vec<(Part, Error)>;

/// Whether an error says that the connection was lost while something was done, so that it may be done again.
pub fn is_lost(error: &Error) -> bool {
    matches!(error.code, Code::ConnectionLost | Code::TimedOut | Code::Protocol)
}

/// Files on their way, named by their numbers in the batch.
pub trait RestoreBatch: Send {
    /// Begins a new, empty file. `meta` says what it will be. What goes wrong may be said by any later call for this file.
    fn create(&mut self, file: usize, stage: &RelPath, meta: &Meta) -> Result<(), Error>;

    /// Extends a file with holes; comes before its first write.
    fn set_len(&mut self, file: usize, size_bytes: u64) -> Result<(), Error>;

    /// Writes all of `bytes` at `offset_bytes`.
    fn write_at(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error>;

    /// Ends these files: everything written, with their times and metadata. One result for each, in this order. An error means
    /// that the file is not whole; metadata that could not be set is none.
    fn finish(&mut self, files: Vec<(usize, Meta, Metadata)>) -> Vec<Result<LostParts, Error>>;

    /// Gives finished files their names, after a last look at what is there. One result for each, in this order; it says what the
    /// rename itself has spoiled.
    fn place(&mut self, files: &[(usize, Placing)]) -> Vec<Result<LostParts, Error>>;

    /// Removes what was staged of a file, as far as that is possible.
    fn discard(&mut self, file: usize);
}

/// A folder that is there, and what it is to have in the end.
pub struct FolderEnd {
    /// Where it is.
    pub place: RelPath,
    /// Its times.
    pub meta: Meta,
    /// Its metadata, if that is to be set.
    pub metadata: Option<Metadata>,
}

/// The place that a restore writes to.
pub trait RestoreTarget: Send + Sync {
    /// Which names and times it can hold.
    fn abilities(&self) -> Abilities;

    /// Free space.
    fn space(&self) -> Result<Space, Error>;

    /// How much serves best.
    fn limits(&self) -> BatchLimits;

    /// What is at each of these paths itself (a link is a link); `None` if nothing is.
    fn look(&self, paths: &[RelPath]) -> Vec<Result<Option<Meta>, Error>>;

    /// Where a link points to; `None` if there is no link.
    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error>;

    /// Makes one folder. `Done::Exists` if anything is there, `Done::Missing` if the folder above is not.
    fn make_folder(&self, path: &RelPath) -> Result<Done, Error>;

    /// Makes the folder in which everything is staged, if it is not there, and empties it.
    fn begin_staging(&self, staging: &RelPath) -> Result<(), Error>;

    /// Removes it with all that is in it.
    fn end_staging(&self, staging: &RelPath) -> Result<(), Error>;

    /// Makes a link under a name in staging, and gives it its name.
    fn place_link(&self, link: &LinkTarget, meta: &Meta, placing: &Placing) -> Result<(), Error>;

    /// Begins a batch.
    fn batch(&self) -> Box<dyn RestoreBatch + '_>;

    /// Sets times and metadata of folders, in this order where one is below another. One result for each.
    fn end_folders(&self, folders: Vec<FolderEnd>) -> Vec<Result<LostParts, Error>>;

    /// Makes everything durable that was finished.
    fn checkpoint(&self) -> Result<(), Error>;

    /// Things worth a line in the report that concern no single entry. Asked once, at the end.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Meta {
    /// Whether this is still what `seen` was, as far as a look can tell.
    pub fn is_still(&self, seen: &Meta) -> bool {
        let of_note = |meta: &Meta| (meta.kind, meta.size_bytes, meta.write_time, meta.id);
        of_note(self) == of_note(seen)
    }
}
