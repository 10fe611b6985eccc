//! The OS lock that gives a mirror to one run at a time.

use crate::windows::nt::{How, SHARE_ALL};
use crate::windows::root::Root;
use crate::windows::{fault, tree};
use octo_core::{Code, Error, RESERVED, RelPath};
use std::fs::TryLockError;
use windows_sys::Wdk::Storage::FileSystem::{FILE_NON_DIRECTORY_FILE, FILE_OPEN_IF};
use windows_sys::Win32::Storage::FileSystem as fs;

/// Takes the lock (`LockFileEx`), making the reserved folder and the lock file if needed. Held until the value is dropped,
/// and not longer than the process lives.
pub(crate) fn take(root: &Root) -> Result<Box<dyn Send>, Error> {
    let path = crate::reserved("lock");
    let failed = |fault| fault::target(fault, "locking", &path);
    let folder = RelPath::parse(RESERVED.as_bytes()).unwrap_or_default();
    tree::make_folder(root, &folder, 0o700).map_err(failed)?;
    // Nobody may remove or rename it meanwhile: a lock on a file that was replaced would keep nobody out.
    let how = How {
        access: fs::FILE_GENERIC_READ | fs::FILE_GENERIC_WRITE,
        share: SHARE_ALL & !fs::FILE_SHARE_DELETE,
        disposition: FILE_OPEN_IF,
        options: FILE_NON_DIRECTORY_FILE,
    };
    let file = root.open(&path, how).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Box::new(file)),
        Err(TryLockError::WouldBlock) => Err(Error::new(Code::TargetBusy, "its lock is held")),
        Err(TryLockError::Error(error)) => Err(failed(error.into())),
    }
}
