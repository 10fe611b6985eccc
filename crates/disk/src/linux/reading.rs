//! A folder that is only read: what a local source is made of.

use crate::linux::listing::{self, End};
use crate::linux::root::Root;
use crate::linux::stat::Side;
use crate::linux::{filesystem, metadata, sparse, stat};
use octo_core::{LinkTarget, LinkType, ListSink, Meta, Piece, Ranges, RelPath, Stop};
use rustix::fs::{Advice, Mode, OFlags};
use rustix::io::{Errno, pread, retry_on_intr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder, and what is below it, to be read.
#[derive(Debug)]
pub(crate) struct Reading {
    root: Root,
    filesystem: String,
    device: (u32, u32),
    volume: u64,
    /// Reading without leaving an access time is a right of owners; given up once it was refused.
    may_hide_access: AtomicBool,
}

impl Reading {
    /// Everything below a root, which is opened with the rights that reading it has.
    pub(crate) fn open(root: impl FnOnce() -> Result<Root, Errno>) -> Result<Reading, Errno> {
        let root = root()?;
        let device = stat::device(&stat::of_handle(root.handle()?)?);
        let volume = filesystem::number(root.handle()?)?;
        let filesystem = filesystem::name(root.handle()?);
        Ok(Reading { root, filesystem, device, volume, may_hide_access: AtomicBool::new(true) })
    }

    /// Where the root is at this moment.
    pub(crate) fn path(&self) -> Result<PathBuf, Errno> {
        self.root.path()
    }

    /// A folder in it as a root of its own.
    pub(crate) fn root_below(&self, folder: &RelPath) -> Result<Root, Errno> {
        self.root.open_below(folder)
    }

    /// Whether upper and lower case are the same there.
    pub(crate) fn folds_case(&self) -> Result<bool, Errno> {
        filesystem::folds_case(&self.root)
    }

    /// Whether ids stay with their files.
    pub(crate) fn has_stable_ids(&self) -> bool {
        filesystem::has_stable_ids(&self.filesystem)
    }

    /// What the kernel calls the open folder and each one above it.
    pub(crate) fn ancestor_ids(&self) -> Result<Vec<(u64, u64)>, Errno> {
        self.root.handle().and_then(filesystem::ancestor_ids)
    }

    /// The filesystem's identity as text.
    pub(crate) fn volume_identity(&self) -> String {
        filesystem::identity(&self.filesystem, self.volume, self.device)
    }

    /// What concerns no single entry: nothing here.
    pub(crate) fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Opens a folder to be listed.
    pub(crate) fn open_folder(&self, folder: &RelPath) -> Result<OwnedFd, Errno> {
        self.open_quietly(folder, OFlags::DIRECTORY)
    }

    /// Streams the entries of an open folder into `sink`.
    pub(crate) fn list(&self, folder: &OwnedFd, sink: &mut dyn ListSink) -> Result<End, Errno> {
        let volume = self.volume_of(folder, stat::device(&stat::of_handle(folder)?))?;
        listing::entries(folder.as_fd(), Side::Source, volume, &mut |_, _| None, sink)
    }

    /// Opens whatever is there to be read; a link fails, a pipe is not waited for.
    pub(crate) fn open_file(&self, path: &RelPath) -> Result<OwnedFd, Errno> {
        self.open_quietly(path, OFlags::empty())
    }

    /// What the handle says.
    pub(crate) fn meta(&self, fd: &OwnedFd) -> Result<Meta, Errno> {
        let stat = stat::of_handle(fd)?;
        let volume = self.volume_of(fd, stat::device(&stat))?;
        Ok(stat::meta(&stat, Side::Source, Some(volume)))
    }

    /// Hands over what an open file or folder has besides its data, attributes and times.
    pub(crate) fn metadata(
        &self,
        fd: &OwnedFd,
        _: &RelPath,
        sink: &mut dyn FnMut(Piece<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        metadata::hand_over(fd, sink)
    }

    /// Only advice: the kernel reads ahead further.
    pub(crate) fn expect_sequential(&self, fd: &OwnedFd) {
        let _ = rustix::fs::fadvise(fd, 0, None, Advice::Sequential);
    }

    /// The holes of an open file, as far as they are certain.
    pub(crate) fn holes(&self, handle: &OwnedFd) -> Ranges {
        sparse::holes(handle)
    }

    /// Reads up to `buffer.len()` bytes; 0 at the end.
    pub(crate) fn read_at(&self, fd: &OwnedFd, buffer: &mut [u8], offset_bytes: u64) -> Result<usize, Errno> {
        retry_on_intr(|| pread(fd, &mut *buffer, offset_bytes))
    }

    /// Where a link points to.
    pub(crate) fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Errno> {
        let place = self.root.place(path)?;
        let text = rustix::fs::readlinkat(&place, place.name, Vec::new())?;
        Ok(LinkTarget { kind: LinkType::Posix, data: text.into_bytes() })
    }

    /// Opens for reading, if possible without leaving an access time.
    fn open_quietly(&self, path: &RelPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | flags;
        if self.may_hide_access.load(Ordering::Relaxed) {
            match self.root.open(path, flags | OFlags::NOATIME, Mode::empty()) {
                Err(Errno::PERM) => self.may_hide_access.store(false, Ordering::Relaxed),
                other => return other,
            }
        }
        self.root.open(path, flags, Mode::empty())
    }

    /// The number of the filesystem that an open file is on: a subvolume is a filesystem of its own.
    fn volume_of(&self, fd: &OwnedFd, device: (u32, u32)) -> Result<u64, Errno> {
        if device == self.device { Ok(self.volume) } else { filesystem::number(fd) }
    }
}

/// The bytes of a path, for the pin.
pub(crate) fn path_bytes(path: &Path) -> Vec<u8> {
    octo_core::path::os_bytes(path)
}
