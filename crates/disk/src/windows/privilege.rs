//! Privileges of the process, raised for as long as a run needs them.
//!
//! SeBackupPrivilege opens what the account may not read, SeRestorePrivilege what it may not write; both count only where a
//! file is opened with backup intent, as everything here is. They are the process's, so anyone who raises one shares it
//! with all who have raised it; the last one to go puts it back as it was found.

use crate::windows::fault::Fault;
use std::collections::BTreeMap;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use std::sync::{Mutex, PoisonError};
use windows_sys::Win32::Foundation::{ERROR_NOT_ALL_ASSIGNED, HANDLE, LUID};
use windows_sys::Win32::Security as sec;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// A privilege, by the name that administrators know.
pub(crate) type Privilege = &'static str;

/// Reads everything.
pub(crate) const BACKUP: Privilege = "SeBackupPrivilege";
/// Writes everything.
pub(crate) const RESTORE: Privilege = "SeRestorePrivilege";

/// How many hold it, and whether it was on before the first of them.
static HELD: Mutex<BTreeMap<Privilege, (usize, bool)>> = Mutex::new(BTreeMap::new());

/// A privilege that is on while this lives, if the process has it at all.
#[derive(Debug)]
pub(crate) struct Raised {
    privilege: Privilege,
    /// Why it could not be raised.
    fault: Option<Fault>,
}

impl Raised {
    /// Turns it on.
    pub(crate) fn new(privilege: Privilege) -> Raised {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((holders, _)) = held.get_mut(privilege) {
            *holders += 1;
            return Raised { privilege, fault: None };
        }
        match set(privilege, true) {
            Ok(was_on) => {
                held.insert(privilege, (1, was_on));
                Raised { privilege, fault: None }
            }
            Err(fault) => Raised { privilege, fault: Some(fault) },
        }
    }

    /// What an administrator should know and do, if the process does not have it.
    pub(crate) fn missing(&self) -> Option<String> {
        self.fault.map(|_| {
            let so = if self.privilege == RESTORE {
                "so what the account itself may not change in the mirror stays as it is"
            } else {
                "so files that the account itself has no rights to were not reached"
            };
            format!(
                "{} is missing, {so}: run octoBackup as a member of Backup Operators or Administrators, in an elevated \
                 window or as a service",
                self.privilege
            )
        })
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if self.fault.is_some() {
            return;
        }
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((holders, was_on)) = held.get_mut(self.privilege) else { return };
        *holders -= 1;
        if *holders == 0 {
            if !*was_on {
                // If it cannot be put back the process keeps a right that it had all the time.
                let _ = set(self.privilege, false);
            }
            held.remove(self.privilege);
        }
    }
}

/// Whether somebody holds it.
pub(crate) fn is_raised(privilege: Privilege) -> bool {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).contains_key(privilege)
}

/// Turns a privilege of the process on or off; returns how it was before.
fn set(privilege: Privilege, on: bool) -> Result<bool, Fault> {
    let wanted = wanted(privilege, on)?;
    let mut before = sec::TOKEN_PRIVILEGES::default();
    let mut len = 0;
    let token = token(sec::TOKEN_ADJUST_PRIVILEGES | sec::TOKEN_QUERY)?;
    #[expect(unsafe_code, reason = "the token is open, and both structures hold the one privilege they say they hold")]
    let adjusted = unsafe {
        sec::AdjustTokenPrivileges(
            token.as_raw_handle(),
            0,
            &raw const wanted,
            size_of_val(&before) as u32,
            &raw mut before,
            &raw mut len,
        )
    };
    // It succeeds also when the process does not have the privilege, and says so in the last error only.
    let said = Fault::from(std::io::Error::last_os_error());
    if adjusted == 0 || said == Fault(ERROR_NOT_ALL_ASSIGNED) {
        return Err(said);
    }
    // What changed nothing tells of nothing.
    let is_on = |held: &sec::LUID_AND_ATTRIBUTES| held.Attributes & sec::SE_PRIVILEGE_ENABLED != 0;
    Ok(if before.PrivilegeCount == 0 { on } else { is_on(&before.Privileges[0]) })
}

fn wanted(privilege: Privilege, on: bool) -> Result<sec::TOKEN_PRIVILEGES, Fault> {
    let name: Vec<u16> = privilege.encode_utf16().chain([0]).collect();
    let mut luid = LUID::default();
    #[expect(unsafe_code, reason = "the name ends with NUL; the number goes to a local")]
    let found = unsafe { sec::LookupPrivilegeValueW(null(), name.as_ptr(), &raw mut luid) };
    if found == 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let attributes = if on { sec::SE_PRIVILEGE_ENABLED } else { 0 };
    Ok(sec::TOKEN_PRIVILEGES {
        PrivilegeCount: 1,
        Privileges: [sec::LUID_AND_ATTRIBUTES { Luid: luid, Attributes: attributes }],
    })
}

pub(crate) fn token(access: u32) -> Result<OwnedHandle, Fault> {
    let mut token: HANDLE = null_mut();
    #[expect(unsafe_code, reason = "the process's own pseudo handle; the token goes to a local")]
    let opened = unsafe { OpenProcessToken(GetCurrentProcess(), access, &raw mut token) };
    if opened == 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    #[expect(unsafe_code, reason = "the token was just opened for us alone")]
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

/// Whether a privilege of the process is on.
#[cfg(test)]
fn is_on(privilege: Privilege) -> bool {
    let mut required = sec::PRIVILEGE_SET { PrivilegeCount: 1, ..Default::default() };
    required.Privilege[0].Luid = wanted(privilege, true).unwrap().Privileges[0].Luid;
    let mut on = 0;
    let token = token(sec::TOKEN_QUERY).unwrap();
    #[expect(unsafe_code, reason = "the token is open, and the set holds the one privilege it says it holds")]
    let asked = unsafe { sec::PrivilegeCheck(token.as_raw_handle(), &raw mut required, &raw mut on) };
    assert_ne!(asked, 0);
    on != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiskOptions, DiskTarget, LocalSource};
    use octo_core::{Source, Target as _};

    fn target(path: &std::path::Path) -> DiskTarget {
        DiskTarget::open(path, DiskOptions { create: true, ..DiskOptions::default() }).unwrap()
    }

    /// One test for all of it: privileges belong to the whole process.
    #[test]
    fn a_privilege_is_on_from_the_first_holder_to_the_last_and_then_as_it_was() {
        for privilege in [BACKUP, RESTORE] {
            assert!(!is_on(privilege), "{privilege} is on before anybody asked for it");
            let first = Raised::new(privilege);
            assert_eq!(first.missing(), None);
            assert!(is_on(privilege));
            let second = Raised::new(privilege);
            drop(first);
            assert!(is_on(privilege), "{privilege} was put back under somebody's feet");
            drop(second);
            assert!(!is_on(privilege), "{privilege} was not put back");
        }
        let temp = tempfile::tempdir().unwrap();
        let source = LocalSource::open(temp.path()).unwrap();
        assert!(is_on(BACKUP) && !is_on(RESTORE), "a source writes nothing");
        let target = target(&temp.path().join("mirror"));
        assert!(is_on(BACKUP) && is_on(RESTORE));
        assert_eq!((source.remarks(), target.remarks()), (Vec::new(), Vec::new()));
        drop(source);
        assert!(is_on(BACKUP), "the target reads its mirror");
        drop(target);
        assert!(!is_on(BACKUP) && !is_on(RESTORE));
        assert!(set("SeNoSuchPrivilege", true).is_err());
    }

    /// In a process of its own, because what a process has given up does not come back.
    #[test]
    fn without_the_privileges_work_goes_on_and_says_so_once_with_the_cure() {
        let mut child = octo_testkit::child::test("windows::privilege::tests::child_that_gave_up_its_privileges");
        let said = child.output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success() && text.contains("worked without"), "{text}");
    }

    /// Not a promise of its own: what the child process of the test above does.
    #[test]
    #[ignore = "started by another test, in a process of its own"]
    fn child_that_gave_up_its_privileges() {
        [BACKUP, RESTORE].into_iter().for_each(give_up);
        let temp = tempfile::tempdir().unwrap();
        let (source, target) = (LocalSource::open(temp.path()).unwrap(), target(&temp.path().join("mirror")));
        let (read, written) = (source.remarks(), target.remarks());
        assert!(read.len() == 1 && read[0].contains(BACKUP) && read[0].contains("Backup Operators"), "{read:?}");
        assert!(written.len() == 1 && written[0].contains(RESTORE) && written[0].contains("elevated"), "{written:?}");
        assert_eq!(target.make_folder(&octo_core::RelPath::parse(b"x").unwrap()), Ok(octo_core::Done::Yes));
        std::io::Write::write_all(&mut std::io::stdout(), b"worked without\n").unwrap();
    }

    fn give_up(privilege: Privilege) {
        let mut wanted = wanted(privilege, true).unwrap();
        wanted.Privileges[0].Attributes = sec::SE_PRIVILEGE_REMOVED;
        let token = token(sec::TOKEN_ADJUST_PRIVILEGES).unwrap();
        #[expect(unsafe_code, reason = "the token is open, and the structure holds the one privilege it says it holds")]
        let adjusted = unsafe {
            sec::AdjustTokenPrivileges(token.as_raw_handle(), 0, &raw const wanted, 0, null_mut(), null_mut())
        };
        assert_ne!(adjusted, 0);
        assert!(set(privilege, true).is_err(), "{privilege} is still there");
    }
}
