//! Opening a target: its root, its nearest folder that exists, and what its filesystem can do. And what a target needs
//! from outside of itself.

use crate::reserved;
use crate::windows::descriptor::Descriptor;
use crate::windows::fault::{self, Fault};
use crate::windows::nt::{self, How};
use crate::windows::privilege::{self, Raised};
use crate::windows::root::Root;
use crate::windows::{Handle, probe, tree};
use octo_core::{Abilities, Code, Error, RelPath};
use std::os::windows::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_DWORD, RegGetValueW};
use windows_sys::w;

/// What a run may do beyond the rights of its account, as long as this lives: read and write everything in the mirror, if
/// the process has the privileges.
#[derive(Debug)]
pub(crate) struct Rights {
    _backup: Raised,
    restore: Raised,
}

impl Rights {
    /// Takes them. Without them the account's own rights count, and what these forbid is reported entry by entry.
    pub(crate) fn take() -> Rights {
        Rights { _backup: Raised::new(privilege::BACKUP), restore: Raised::new(privilege::RESTORE) }
    }

    /// Once, if they are missing.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.restore.missing().into_iter().collect()
    }
}

/// What an error means while a target is opened.
pub(crate) fn open_code(fault: Fault) -> Code {
    if fault::is_full(fault) { Code::NoSpace } else { Code::TargetFailed }
}

/// Makes the target's folder, private, and those above it, as Windows makes them.
pub(crate) fn make_root(path: &Path) -> Result<(), Error> {
    let make = || -> Result<(), Fault> {
        let path = std::path::absolute(path)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(fault::MISSING) };
        std::fs::create_dir_all(parent)?;
        let name: Vec<u16> = name.encode_wide().collect();
        let how = How::create(fs::FILE_LIST_DIRECTORY, wdk::FILE_DIRECTORY_FILE);
        nt::open_as(Root::open_at(parent)?.handle()?, &name, how, Some(&Descriptor::private()?)).map(drop)
    };
    make().map_err(|fault| Error::new(open_code(fault), format!("making {}: {fault}", path.display())))
}

/// The folder at `path`, or the nearest one above it that exists.
pub(crate) fn nearest_folder(path: &Path) -> Result<Handle, Fault> {
    let mut last = fault::MISSING;
    for ancestor in path.ancestors() {
        let ancestor = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
        match Root::open_at(ancestor).and_then(|root| Ok(root.handle()?.try_clone()?)) {
            Err(fault) => last = fault,
            opened => return opened,
        }
    }
    Err(last)
}

/// In our own temporary area if there is one, else directly below the root.
pub(crate) fn find_abilities(root: &Root) -> Result<Abilities, Fault> {
    match tree::open_folder(root, &reserved("tmp"), fs::FILE_LIST_DIRECTORY) {
        Ok(tmp) => probe::probe(&tmp),
        Err(fault) if fault::is_missing(fault) => probe::probe(root.handle()?),
        Err(fault) => Err(fault),
    }
}

/// A file that is gone when it is closed: in our own temporary area, else in the system's.
pub(crate) fn scratch(root: &Root, tmp: &RelPath) -> Result<Handle, Fault> {
    let name = probe::private_name("octobackup-");
    let ours = tree::open_folder(root, tmp, fs::FILE_LIST_DIRECTORY).and_then(|folder| tree::passing(&folder, &name));
    ours.or_else(|_| tree::passing(Root::open_at(&std::env::temp_dir())?.handle()?, &name))
}

/// An identifier of this start of the machine: the number of starts that Windows counts.
pub(crate) fn boot_id() -> Option<String> {
    let (mut count, mut len) = (0u32, size_of::<u32>() as u32);
    #[expect(
        unsafe_code,
        reason = "constant strings that end with NUL, and two locals; only a number of 32 bits is accepted"
    )]
    let failed = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            w!(r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"),
            w!("BootId"),
            RRF_RT_REG_DWORD,
            null_mut(),
            (&raw mut count).cast(),
            &raw mut len,
        )
    };
    (failed == 0).then(|| count.to_string())
}
