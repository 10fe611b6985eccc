//! The root handle, and the only way from it to anything below.
//!
//! Windows has no call that takes a path and promises to follow no junction in it on every version, so each step is opened
//! by itself, relative to the step before, as what it is itself; a link on the way ends it. A mounted volume is such
//! a link too. There is no cache of folder handles: a handle kept from before a rename would lead to where the folder
//! is now, not to what has its name.

use crate::windows::Handle;
use crate::windows::fault::{self, Fault};
use crate::windows::nt::{self, How};
use crate::windows::stat;
use octo_core::{Kind, RelPath, wide};
use std::fs::OpenOptions;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use windows_sys::Wdk::Storage::FileSystem::FILE_DIRECTORY_FILE;
use windows_sys::Win32::Storage::FileSystem as fs;

/// A folder that nothing leaves.
#[derive(Debug)]
pub(crate) struct Root(Option<Handle>);

/// Where an entry is: the handle of its folder, and its name there.
pub(crate) struct Place<'a> {
    folder: Folder<'a>,
    /// The last name of the path, as UTF-16.
    pub(crate) name: Vec<u16>,
}

enum Folder<'a> {
    Root(&'a Handle),
    Below(Handle),
}

impl Place<'_> {
    /// The folder it is in.
    pub(crate) fn folder(&self) -> &Handle {
        match &self.folder {
            Folder::Root(handle) => handle,
            Folder::Below(handle) => handle,
        }
    }

    /// The folder, open, and the name.
    pub(crate) fn into_parts(self) -> Result<(Handle, Vec<u16>), Fault> {
        match self.folder {
            Folder::Root(handle) => Ok((handle.try_clone()?, self.name)),
            Folder::Below(handle) => Ok((handle, self.name)),
        }
    }

    /// Opens the entry itself.
    pub(crate) fn open(&self, how: How) -> Result<Handle, Fault> {
        nt::open(self.folder(), &self.name, how)
    }
}

impl Root {
    /// Opens the folder at `path`, links in `path` itself included: that is what a person wrote.
    pub(crate) fn open_at(path: &Path) -> Result<Root, Fault> {
        let access = fs::FILE_LIST_DIRECTORY | fs::FILE_TRAVERSE | fs::FILE_READ_ATTRIBUTES | fs::SYNCHRONIZE;
        let handle = OpenOptions::new()
            .access_mode(access)
            .share_mode(nt::SHARE_ALL)
            .custom_flags(fs::FILE_FLAG_BACKUP_SEMANTICS)
            .open(path)?;
        if stat::of_handle(&handle)?.kind() == Kind::Folder { Ok(Root(Some(handle))) } else { Err(fault::NO_FOLDER) }
    }

    /// A folder below this one as a root of its own, through no link.
    pub(crate) fn open_below(&self, path: &RelPath) -> Result<Root, Fault> {
        let access = fs::FILE_LIST_DIRECTORY | fs::FILE_TRAVERSE | fs::FILE_READ_ATTRIBUTES;
        let handle = self.open(path, How::open(access).with(FILE_DIRECTORY_FILE))?;
        if stat::of_handle(&handle)?.kind() == Kind::Folder { Ok(Root(Some(handle))) } else { Err(fault::LINK_IN_WAY) }
    }

    /// Where this folder is at this moment, by what its handle says: absolute and without links.
    pub(crate) fn path(&self) -> Result<PathBuf, Fault> {
        final_path(self.handle()?)
    }

    /// A root that does not exist: nothing is found below it, nothing can be made.
    pub(crate) fn absent() -> Root {
        Root(None)
    }

    /// Does what makes something. What is made inherits the access list of its folder, whatever account makes it.
    pub(crate) fn as_owner<T>(&self, make: impl FnOnce() -> T) -> Result<T, Fault> {
        Ok(make())
    }

    /// Whether the root exists.
    pub(crate) fn exists(&self) -> bool {
        self.0.is_some()
    }

    /// The handle of the root itself.
    pub(crate) fn handle(&self) -> Result<&Handle, Fault> {
        self.0.as_ref().ok_or(fault::MISSING)
    }

    /// Only the handle.
    pub(crate) fn into_handle(self) -> Result<Handle, Fault> {
        self.0.ok_or(fault::MISSING)
    }

    /// Never asked for: Windows makes a whole volume durable only for administrators, so every file is synced by itself.
    pub(crate) fn sync_whole(&self) -> Result<(), Fault> {
        nt::flush(self.handle()?)
    }

    /// Opens what is at `path` itself.
    pub(crate) fn open(&self, path: &RelPath, how: How) -> Result<Handle, Fault> {
        if path.is_root() { nt::open(self.handle()?, &[], how) } else { self.place(path)?.open(how) }
    }

    /// Opens the folder that `path` is in.
    pub(crate) fn place(&self, path: &RelPath) -> Result<Place<'_>, Fault> {
        let mut folder = Folder::Root(self.handle()?);
        let mut names = path.names().peekable();
        loop {
            // The root has no name that could be made, renamed or removed.
            let name = names.next().ok_or(fault::BAD_ARGUMENT)?;
            let name = wide::to_utf16(name.as_bytes()).ok_or(fault::BAD_NAME)?;
            let place = Place { folder, name };
            if names.peek().is_none() {
                return Ok(place);
            }
            folder = Folder::Below(step(&place)?);
        }
    }
}

fn step(place: &Place<'_>) -> Result<Handle, Fault> {
    let next = place.open(How::open(fs::FILE_TRAVERSE).with(FILE_DIRECTORY_FILE))?;
    if stat::of_handle(&next)?.kind() == Kind::Folder { Ok(next) } else { Err(fault::LINK_IN_WAY) }
}

/// The path that a handle has at this moment, in the form that has no limits (`\\?\`).
pub(crate) fn final_path(handle: &Handle) -> Result<PathBuf, Fault> {
    // The longest path that NT knows.
    let mut path = vec![0u16; 32 * 1024];
    #[expect(unsafe_code, reason = "the buffer is ours and as long as we say")]
    let len = unsafe { fs::GetFinalPathNameByHandleW(handle.as_raw_handle(), path.as_mut_ptr(), path.len() as u32, 0) };
    match path.get(..len as usize) {
        Some(path) if !path.is_empty() => Ok(std::ffi::OsString::from_wide(path).into()),
        Some(_) => Err(std::io::Error::last_os_error().into()),
        None => Err(fault::BAD_NAME),
    }
}
