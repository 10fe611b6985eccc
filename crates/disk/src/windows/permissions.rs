//! The permissions of what is in a mirror already: on Windows nobody sets them one by one. They are access lists, which
//! entries inherit from the mirror's folder.

use crate::options::Modes;
use crate::windows::root::Root;

/// Nothing to repair.
#[derive(Debug)]
pub(crate) struct Permissions;

impl Permissions {
    pub(crate) fn new(_modes: Modes, _repair: bool) -> Permissions {
        Permissions
    }

    /// The mirror is locked.
    pub(crate) fn begin(&self, _root: &Root) {}

    pub(crate) fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}
