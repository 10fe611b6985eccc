//! A folder that is only read: what a local source is made of.

use crate::windows::fault::{self, Fault};
use crate::windows::listing::{self, End};
use crate::windows::nt::How;
use crate::windows::privilege::{self, Raised};
use crate::windows::root::Root;
use crate::windows::stat::{self, Side};
use crate::windows::{Handle, filesystem, metadata, positioned, sparse, tree};
use octo_core::{LinkTarget, ListSink, Meta, Piece, Ranges, RelPath, Stop};
use std::path::{Path, PathBuf};
use windows_sys::Wdk::Storage::FileSystem::FILE_NON_DIRECTORY_FILE;
use windows_sys::Win32::Storage::FileSystem as fs;

/// A folder, and what is below it, to be read.
#[derive(Debug)]
pub(crate) struct Reading {
    root: Root,
    filesystem: String,
    volume: u64,
    /// The right to read everything, as long as this lives.
    backup: Raised,
}

impl Reading {
    /// Everything below a root, which is opened with the rights that reading it has.
    pub(crate) fn open(root: impl FnOnce() -> Result<Root, Fault>) -> Result<Reading, Fault> {
        let backup = Raised::new(privilege::BACKUP);
        let root = root()?;
        let volume = filesystem::number(root.handle()?)?;
        let filesystem = filesystem::name(root.handle()?);
        Ok(Reading { root, filesystem, volume, backup })
    }

    /// Where the root is at this moment.
    pub(crate) fn path(&self) -> Result<PathBuf, Fault> {
        self.root.path()
    }

    /// A folder in it as a root of its own.
    pub(crate) fn root_below(&self, folder: &RelPath) -> Result<Root, Fault> {
        self.root.open_below(folder)
    }

    /// Whether upper and lower case are the same there: for every program that does not insist.
    pub(crate) fn folds_case(&self) -> Result<bool, Fault> {
        Ok(true)
    }

    /// Whether ids stay with their files.
    pub(crate) fn has_stable_ids(&self) -> bool {
        filesystem::has_stable_ids(&self.filesystem)
    }

    /// What the kernel calls the open folder and each one above it.
    pub(crate) fn ancestor_ids(&self) -> Result<Vec<(u64, u64)>, Fault> {
        self.root.handle().and_then(filesystem::ancestor_ids)
    }

    /// The volume's identity as text.
    pub(crate) fn volume_identity(&self) -> String {
        format!("{:08x}", self.volume)
    }

    /// Once, if what the account has no rights to could not be read.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.backup.missing().into_iter().collect()
    }

    /// Opens a folder to be listed.
    pub(crate) fn open_folder(&self, folder: &RelPath) -> Result<Handle, Fault> {
        tree::open_folder(&self.root, folder, fs::FILE_LIST_DIRECTORY)
    }

    /// Streams the entries of an open folder into `sink`.
    pub(crate) fn list(&self, folder: &Handle, sink: &mut dyn ListSink) -> Result<End, Fault> {
        listing::entries(folder, Side::Source, self.volume, sink)
    }

    /// Opens a file to be read; a link is opened as itself.
    pub(crate) fn open_file(&self, path: &RelPath) -> Result<Handle, Fault> {
        self.root.open(path, How::open(fs::FILE_GENERIC_READ).with(FILE_NON_DIRECTORY_FILE))
    }

    /// What the handle says.
    pub(crate) fn meta(&self, handle: &Handle) -> Result<Meta, Fault> {
        Ok(stat::meta(&stat::of_handle(handle)?, Side::Source, Some(self.volume)))
    }

    /// Hands over what is at `path` besides its data, attributes and times. Streams are opened by name.
    pub(crate) fn metadata(
        &self,
        _: &Handle,
        path: &RelPath,
        sink: &mut dyn FnMut(Piece<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        metadata::hand_over(&self.root, path, sink)
    }

    /// Windows finds out by itself.
    pub(crate) fn expect_sequential(&self, _handle: &Handle) {}

    /// The holes of an open file, as far as they are certain.
    pub(crate) fn holes(&self, handle: &Handle) -> Ranges {
        sparse::holes(handle)
    }

    /// Reads up to `buffer.len()` bytes; 0 at the end.
    pub(crate) fn read_at(&self, handle: &Handle, buffer: &mut [u8], offset_bytes: u64) -> Result<usize, Fault> {
        positioned::read_at(handle, buffer, offset_bytes)
    }

    /// Where a link points to.
    pub(crate) fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Fault> {
        tree::read_link(&self.root, path)?.ok_or(fault::MISSING)
    }
}

/// The bytes of a path, for the pin: without what only lifts its limits.
pub(crate) fn path_bytes(path: &Path) -> Vec<u8> {
    let bytes = octo_core::path::os_bytes(path);
    match (bytes.strip_prefix(br"\\?\UNC\"), bytes.strip_prefix(br"\\?\")) {
        (Some(share), _) => [br"\\".as_slice(), share].concat(),
        (_, Some(plain)) => plain.to_vec(),
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_people_write_it() {
        assert_eq!(path_bytes(Path::new(r"\\?\C:\data")), br"C:\data");
        assert_eq!(path_bytes(Path::new(r"\\?\UNC\server\share\x")), br"\\server\share\x");
        assert_eq!(path_bytes(Path::new(r"D:\")), br"D:\");
    }
}
