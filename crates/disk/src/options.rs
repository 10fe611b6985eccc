//! How a target is opened.

use octo_core::target::{FILE_MODE, FOLDER_MODE};
use octo_core::{RESERVED, RelPath};

/// Permissions of what is in a mirror. Private by default (DESIGN rule 9). Windows has no such bits: there
/// a new mirror's folder is private by its access list, and what is made in it inherits that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    /// Of files. Only permission bits count; the owner can always read and write.
    pub file: u32,
    /// Of folders. Only permission bits count; the owner can always do everything.
    pub folder: u32,
}

impl Default for Modes {
    fn default() -> Modes {
        Modes { file: FILE_MODE, folder: FOLDER_MODE }
    }
}

impl Modes {
    pub(crate) fn of_file(self) -> u32 {
        (self.file & 0o777) | 0o600
    }

    /// Of the folder at this path, or one in it. What is ours is the owner's alone.
    pub(crate) fn of_folder(self, path: &RelPath) -> u32 {
        if Modes::is_reserved(path) { 0o700 } else { (self.folder & 0o777) | 0o700 }
    }

    /// Whether a path is the reserved folder or in it.
    pub(crate) fn is_reserved(path: &RelPath) -> bool {
        path.as_bytes().strip_prefix(RESERVED.as_bytes()).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

/// How to open a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskOptions {
    /// Make the folder, and those above it, if it does not exist. Without it a target that does not exist is empty and
    /// nothing can be made in it: for a dry run.
    pub create: bool,
    /// Permissions of what is made.
    pub modes: Modes,
    /// What is there gets them too, once the mirror is locked and listed: for a run. Unlocked, it is only counted.
    pub repair: bool,
    /// It is no mirror: nothing of ours is kept in it. What its filesystem cannot hold of metadata is lost, and links that it
    /// cannot have cannot be made.
    pub plain: bool,
}
