//! Whose a mirror is: on Windows nothing hangs on it. What is made in a mirror inherits the access list of its folder,
//! whatever account makes it, so the account that made the mirror reads and writes it as before.

use crate::windows::fault::Fault;
use crate::windows::root::Root;
use octo_core::Error;
use std::path::Path;

/// The root as it is.
pub(crate) fn keep(root: Root) -> Root {
    root
}

/// Anyone who may write may work on the mirror.
pub(crate) fn demand(_root: &Root) -> Result<(), Error> {
    Ok(())
}

/// Anyone who may write may begin a mirror.
pub(crate) fn claim(_root: &Root) -> Result<(), Error> {
    Ok(())
}

/// What there is to say when a target could not be opened: nothing that the fault does not say.
pub(crate) fn denied(_fault: Fault, _path: &Path) -> Option<Error> {
    None
}
