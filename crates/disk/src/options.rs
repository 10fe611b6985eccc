//! How a target is opened.

/// Permissions of what is made in a mirror. Private unless told otherwise (DESIGN rule 9). Windows has no such bits: there
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
        Modes { file: 0o600, folder: 0o700 }
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
}
