//! A file for SQLite, which opens files by their path. Windows renames no folder in which a file is open, so a path leads to
//! the same file as long as we hold that file open.

use crate::windows::fault::{self, Fault};
use crate::windows::nt::How;
use crate::windows::root::{Root, final_path};
use crate::windows::{Handle, stat};
use octo_core::{Kind, RelPath};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Storage::FileSystem as fs;

/// Where a file is, as long as this lives.
#[derive(Debug)]
pub(crate) struct DatabasePlace {
    /// By what its handle says.
    pub(crate) path: PathBuf,
    _file: Handle,
}

/// Where a file is, for a library that opens it by its path. It is opened here first, confined to the root, and made if it
/// may be; `None` if it is not there.
pub(crate) fn place_of_file(root: &Root, path: &RelPath, create: bool) -> Result<Option<DatabasePlace>, Fault> {
    let disposition = if create { wdk::FILE_OPEN_IF } else { wdk::FILE_OPEN };
    let how = How { disposition, ..How::open(fs::FILE_GENERIC_READ) };
    let file = match root.open(path, how.with(wdk::FILE_NON_DIRECTORY_FILE)) {
        Err(fault) if fault::is_missing(fault) && !create => return Ok(None),
        other => other?,
    };
    if stat::of_handle(&file)?.kind() != Kind::File {
        return Err(fault::IS_FOLDER);
    }
    Ok(Some(DatabasePlace { path: final_path(&file)?, _file: file }))
}

/// Opens a database at the path of a [`DatabasePlace`].
pub(crate) fn connect(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, flags)
}

/// The same without locks: a reader blocks no writer.
pub(crate) fn connect_without_locks(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags_and_vfs(path, flags, c"win32-none")
}
