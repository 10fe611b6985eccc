//! An entry whose metadata is wanted, opened again with the rights that each part of it needs.

use super::Handle;
use super::fault::Fault;
use super::nt::{self, How};
use super::stat::{self, Stat};
use windows_sys::Win32::Storage::FileSystem as fs;

/// Something whose metadata is wanted: the folder it is in, and its name there; no name for the root itself.
pub(crate) struct Opened {
    pub(crate) folder: Handle,
    pub(crate) name: Vec<u16>,
}

impl Opened {
    /// Opens it with these rights.
    pub(crate) fn with(&self, access: u32) -> Result<Handle, Fault> {
        nt::open(&self.folder, &self.name, How::open(access))
    }

    /// What it is now.
    pub(crate) fn stat(&self) -> Result<Stat, Fault> {
        stat::of_handle(&self.with(fs::FILE_READ_ATTRIBUTES)?)
    }
}
