//! The OS lock that gives a mirror to one run at a time.

use crate::linux::root::Root;
use crate::linux::tree::{self, EntryAtPath};
use crate::linux::{fault, stat};
use octo_core::{Code, Error, RESERVED, RelPath};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// Takes the lock, making the reserved folder and the lock file if needed. Held until the value is dropped, and not
/// longer than the process lives.
pub(crate) fn take(root: &Root) -> Result<Box<dyn Send>, Error> {
    let path = crate::reserved("lock");
    let failed = |errno| fault::target(errno, "locking", &path);
    let folder = RelPath::parse(RESERVED.as_bytes()).unwrap_or_default();
    tree::make_folder(root, &folder, 0o700).map_err(failed)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
    let fd = root.open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(Error::new(Code::TargetBusy, "its lock is held")),
        Err(errno) => return Err(failed(errno)),
    }
    // A lock on a file that was removed meanwhile would keep nobody out.
    let held = stat::of_handle(&fd).map_err(failed)?;
    match tree::entry_at(root, &path).map_err(failed)? {
        EntryAtPath::Taken(now) if now.stx_ino == held.stx_ino => Ok(Box::new(fd)),
        _ => Err(Error::new(Code::TargetBusy, "its lock file was replaced")),
    }
}
