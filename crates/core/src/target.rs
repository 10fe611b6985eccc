//! The Target port: a confined file store, in primitives of one effect each.
//!
//! The engine composes these primitives into its own ("replace", "delete", "move"; DESIGN section 7), so their order,
//! what a crash between two of them leaves, and what recovery does can be read and tested in one place. Paths are
//! below the mirror's root and already in stored form ([`naming`](crate::naming)); the reserved folder is addressed
//! by the same paths. No call ever follows a link, leaves the root, or crosses into another filesystem: a path whose
//! parent is a link fails with [`Code::TargetMoved`](crate::Code::TargetMoved), one on another device with
//! [`Code::OtherDevice`](crate::Code::OtherDevice).
//!
//! Calls block and may come from several threads. None is retried by the target. Every method that takes effect says so
//! with "Effect."; those are what the crash tests count.

use crate::abilities::Abilities;
use crate::entry::{LinkTarget, Meta};
use crate::error::Error;
use crate::listing::{ListSink, Listed};
use crate::metadata::{Kept, Metadata};
use crate::path::{Name, RelPath};
use crate::target_file::TargetFile;
use crate::time::Timestamp;

/// Permissions of a mirror's files, if nobody sets them.
pub const FILE_MODE: u32 = 0o600;
/// Permissions of a mirror's folders, if nobody sets them.
pub const FOLDER_MODE: u32 = 0o700;

/// Free space on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that we may still write.
    pub free_bytes: u64,
    /// Size of the filesystem.
    pub total_bytes: u64,
    /// How many files and folders can still be made; `None` where there is no such limit.
    pub files: Option<FilesLeft>,
}

/// How many files and folders a filesystem can hold (inodes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilesLeft {
    /// So many can still be made.
    pub free: u64,
    /// So many can be there at all.
    pub total: u64,
}

impl Space {
    /// What stays free: copying ends below 1 GiB or 1% of the filesystem, on small ones below a tenth (DESIGN section 7).
    pub fn reserve_bytes(&self) -> u64 {
        const RESERVE_BYTES: u64 = 1 << 30;
        RESERVE_BYTES.max(self.total_bytes / 100).min(self.total_bytes / 10)
    }

    /// So many files stay possible, where they are limited: 1,000, on small filesystems a tenth.
    pub fn reserve_files(&self) -> u64 {
        self.files.map_or(0, |files| (files.total / 10).min(1000))
    }
}

/// The result of an operation that may find its place taken or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It took effect.
    Yes,
    /// Something is there already (`EEXIST`); nothing was changed.
    Exists,
    /// What it works on, or the folder it goes into, is not there (`ENOENT`); nothing was changed.
    Missing,
    /// The folder is not empty (`ENOTEMPTY`); nothing was changed.
    NotEmpty,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Done::Yes => "done",
            Done::Exists => "something else has that name",
            Done::Missing => "it or its folder is missing",
            Done::NotEmpty => "the folder is not empty",
        })
    }
}

/// The mirror's store.
pub trait Target: Send + Sync {
    /// What it can do. Probed once when the target was opened.
    fn abilities(&self) -> Abilities;

    /// Takes the OS lock on the reserved folder's lock file, making both if needed; held until the value is dropped.
    /// [`Code::TargetBusy`](crate::Code::TargetBusy) if another process has it. Effect.
    fn lock(&self) -> Result<Box<dyn Send>, Error>;

    /// Free space.
    fn space(&self) -> Result<Space, Error>;

    /// An identifier of this start of the machine: after a crash of the machine it is another one.
    fn boot_id(&self) -> String;

    /// Lists one folder into `sink`, links that are only recorded included. `Meta::id` is the inode.
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed;

    /// Whether this entry of the root is the filesystem's own (`lost+found` of ext4): never listed, changed or removed by
    /// the engine, which stores a source's entry of that name escaped.
    fn keeps_for_itself(&self, name: &Name) -> bool {
        let _ = name;
        false
    }

    /// What is at `path` itself (a link is a link); `None` if nothing is.
    fn look(&self, path: &RelPath) -> Result<Option<Meta>, Error>;

    /// Makes one folder, private to the service user. `Done::Exists` if anything is there. Effect.
    fn make_folder(&self, path: &RelPath) -> Result<Done, Error>;

    /// Makes a new, empty, private file; fails if anything is there. Missing parents are an error. Effect.
    fn create_file(&self, path: &RelPath) -> Result<Box<dyn TargetFile>, Error>;

    /// Opens a regular file for reading and writing; `None` if nothing is there.
    fn open_file(&self, path: &RelPath) -> Result<Option<Box<dyn TargetFile>>, Error>;

    /// Makes a link, or records it if the target cannot make links of that kind. `Done::Exists` if anything is there.
    /// Effect.
    fn make_link(&self, path: &RelPath, link: &LinkTarget, write: Timestamp) -> Result<Done, Error>;

    /// Where a link points to, made or recorded; `None` if there is no link.
    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error>;

    /// A second name for a file or link. Effect.
    fn hard_link(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error>;

    /// Renames, replacing a file or link at `to`. `Done::Missing` if `from` or the folder of `to` is not there. Effect.
    fn rename_over(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error>;

    /// Renames, replacing nothing. Effect.
    fn rename_new(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error>;

    /// Removes one name of a file or link. Effect.
    fn remove_file(&self, path: &RelPath) -> Result<Done, Error>;

    /// Removes an empty folder. Effect.
    fn remove_folder(&self, path: &RelPath) -> Result<Done, Error>;

    /// Sets the last write time of a file, folder or link, and the creation time where the target has one. Effect.
    fn set_times(&self, path: &RelPath, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Error>;

    /// Keeps this metadata of a file or folder, instead of what was kept before; of parts that are not known nothing is
    /// removed. What the filesystem cannot hold is recorded. Follows the entry through every rename and hard link; where
    /// two names are one file in the filesystem, both show it. Effect.
    fn set_metadata(&self, path: &RelPath, metadata: &Metadata) -> Result<Kept, Error> {
        let _ = (path, metadata);
        Ok(Kept::default())
    }

    /// The metadata kept of a file or folder, or left by [`Target::leave_metadata`] at a path where nothing is; `None` if
    /// there is none.
    fn metadata(&self, path: &RelPath) -> Result<Option<Metadata>, Error> {
        let _ = path;
        Ok(None)
    }

    /// Records the metadata that `from` has now for the path `version`, where nothing need be; what was recorded there
    /// before stays. It is gone when a folder above `version` is removed. Effect.
    fn leave_metadata(&self, from: &RelPath, version: &RelPath) -> Result<(), Error> {
        let _ = (from, version);
        Ok(())
    }

    /// Things worth a line in the report that concern no single entry. Asked once, at the end.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes everything durable that was done so far (syncfs on a descriptor opened before the first write, errors
    /// checked), recorded names and links included. Effect.
    fn checkpoint(&self) -> Result<(), Error>;

    /// Makes the names in one folder durable. Effect.
    fn sync_folder(&self, path: &RelPath) -> Result<(), Error>;

    /// Remembers the full name of an entry stored under a name from which it cannot be read back. Durable with the next
    /// checkpoint. Effect.
    fn record_name(&self, stored: &RelPath, original: &[u8]) -> Result<(), Error>;

    /// The full name recorded for an entry; `None` if there is none.
    fn recorded_name(&self, stored: &RelPath) -> Result<Option<Vec<u8>>, Error>;

    /// A nameless temporary file that is gone when it is closed; not an effect on the mirror. For spilling.
    fn scratch(&self) -> Result<Box<dyn TargetFile>, Error>;
}

/// The reserved folder at the mirror's root; everything of ours, nothing of ours elsewhere.
pub const RESERVED: &str = ".octobackup";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_free_is_a_gibibyte_or_a_percent_and_never_more_than_a_tenth() {
        const GIB: u64 = 1 << 30;
        // Size of the filesystem and what stays free of it, by hand.
        let table =
            [(0, 0), (GIB, GIB / 10), (10 * GIB, GIB), (50 * GIB, GIB), (100 * GIB, GIB), (1000 * GIB, 10 * GIB)];
        for (total_bytes, reserve) in table {
            let space = Space { free_bytes: 0, total_bytes, files: None };
            assert_eq!((space.reserve_bytes(), space.reserve_files()), (reserve, 0), "{total_bytes}");
        }
        for (total, reserve) in [(0, 0), (9, 0), (100, 10), (10_000, 1000), (1_000_000, 1000)] {
            let space = Space { free_bytes: 0, total_bytes: 0, files: Some(FilesLeft { free: 0, total }) };
            assert_eq!(space.reserve_files(), reserve, "{total}");
        }
    }
}
