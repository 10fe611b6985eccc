//! An account, and work that one thread does with its rights: by the thread's effective ids, put back whatever happens.

use crate::linux::stat;
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::process::getegid;
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
use std::os::fd::OwnedFd;

/// An account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
}

/// Puts the thread's ids back, whatever happens.
struct Back(Gid);

impl Drop for Back {
    fn drop(&mut self) {
        // The saved id is still root's, so neither can fail; were it otherwise, this thread could do less, never more.
        let _ = set_thread_res_uid(None::<Uid>, Uid::ROOT, None::<Uid>);
        let _ = set_thread_res_gid(None::<Gid>, self.0, None::<Gid>);
    }
}

impl Account {
    /// Whose this is.
    pub(crate) fn of(handle: &OwnedFd) -> Result<Account, Errno> {
        let stat = stat::of_handle(handle)?;
        Ok(Account { uid: Uid::from_raw(stat.stx_uid), gid: Gid::from_raw(stat.stx_gid) })
    }

    /// Does something in this thread with the rights of this account, and with nobody else's.
    pub(crate) fn act<T>(&self, work: impl FnOnce() -> T) -> Result<T, Errno> {
        let _back = Back(getegid());
        set_thread_res_gid(None::<Gid>, self.gid, None::<Gid>)?;
        set_thread_res_uid(None::<Uid>, self.uid, None::<Uid>)?;
        Ok(work())
    }
}
