//! A file for SQLite, which opens files by their path: the way there is a handle that we hold.
//!
//! `/proc/self/fd/N/name` leads through the open folder, wherever it is by now, and never through a path that somebody
//! may have swapped meanwhile. SQLite by itself resolves every link of a path into text first and would lose that; a VFS
//! that takes such paths as they are is its way of saying otherwise (<https://sqlite.org/vfs.html>).

use crate::linux::root::Root;
use crate::linux::stat;
use octo_core::{Kind, RelPath};
use rusqlite::{Connection, OpenFlags, ffi};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const BY_HANDLE: &CStr = c"octobackup-by-handle";
const BY_HANDLE_WITHOUT_LOCKS: &CStr = c"octobackup-by-handle-none";
const HANDLES: &[u8] = b"/proc/self/fd/";

/// Where a file is, as long as this lives.
#[derive(Debug)]
pub(crate) struct DatabasePlace {
    /// Through the handle.
    pub(crate) path: PathBuf,
    _folder: OwnedFd,
}

/// Where a file is, for a library that opens it by its path. It is opened here first, confined to the root, and made if it
/// may be; `None` if it is not there. SQLite follows no link in the last step either (it opens with `O_NOFOLLOW`).
pub(crate) fn place_of_file(root: &Root, path: &RelPath, create: bool) -> Result<Option<DatabasePlace>, Errno> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | if create { OFlags::CREATE } else { OFlags::empty() };
    let mode = if create { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
    let handle = match root.open(path, flags, mode) {
        Err(Errno::NOENT) if !create => return Ok(None),
        // On a medium that cannot be written it can be read.
        Err(Errno::ROFS) if !create => root.open(path, OFlags::RDONLY | OFlags::NONBLOCK, mode)?,
        other => other?,
    };
    if stat::kind(&stat::of_handle(&handle)?) != Kind::File {
        return Err(Errno::ISDIR);
    }
    // Closing a handle of a file drops the POSIX locks this process has on it: close ours before others take theirs.
    drop(handle);
    let (Some(above), Some(name)) = (path.parent(), path.name()) else { return Err(Errno::INVAL) };
    let folder = root.open(&above, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    let followed = Path::new(OsStr::from_bytes(HANDLES)).join(folder.as_raw_fd().to_string());
    Ok(Some(DatabasePlace { path: followed.join(OsStr::from_bytes(name.as_bytes())), _folder: folder }))
}

/// Opens a database at the path of a [`DatabasePlace`].
pub(crate) fn connect(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    connect_by(path.as_ref(), flags, BY_HANDLE)
}

/// The same without locks: a reader blocks no writer.
pub(crate) fn connect_without_locks(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    connect_by(path.as_ref(), flags, BY_HANDLE_WITHOUT_LOCKS)
}

fn connect_by(path: &Path, flags: OpenFlags, vfs: &CStr) -> rusqlite::Result<Connection> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    let register_both = || match register(c"unix", BY_HANDLE) {
        ffi::SQLITE_OK => register(c"unix-none", BY_HANDLE_WITHOUT_LOCKS),
        failed => failed,
    };
    match *REGISTERED.get_or_init(register_both) {
        ffi::SQLITE_OK => Connection::open_with_flags_and_vfs(path, flags, vfs),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// One of SQLite's own, but for how it makes a path whole.
fn register(theirs: &CStr, name: &'static CStr) -> c_int {
    #[expect(
        unsafe_code,
        reason = "SQLite's own VFS lives for ever and is copied whole; so does the copy, which is leaked"
    )]
    unsafe {
        let Some(theirs) = ffi::sqlite3_vfs_find(theirs.as_ptr()).as_ref() else { return ffi::SQLITE_ERROR };
        let mut ours = *theirs;
        ours.zName = name.as_ptr();
        ours.pNext = std::ptr::null_mut();
        ours.xFullPathname = Some(as_it_is);
        ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 0)
    }
}

/// A path through a handle is whole already, and no other one is opened this way.
#[expect(unsafe_code, reason = "SQLite gives a string that ends with NUL and a buffer of `len` bytes")]
unsafe extern "C" fn as_it_is(_: *mut ffi::sqlite3_vfs, path: *const c_char, len: c_int, out: *mut c_char) -> c_int {
    let path = unsafe { CStr::from_ptr(path) }.to_bytes_with_nul();
    if !path.starts_with(HANDLES) || usize::try_from(len).is_ok_and(|len| path.len() > len) {
        return ffi::SQLITE_CANTOPEN;
    }
    unsafe { std::ptr::copy_nonoverlapping(path.as_ptr().cast(), out, path.len()) };
    ffi::SQLITE_OK
}
