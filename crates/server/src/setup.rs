//! The link with which the first administrator is made: in a file that only the service's user can read, until there is one.

use crate::access::Secret;
use crate::service_error::{Kind, ServiceError};
use std::fs::{OpenOptions, remove_file, rename};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes the link if there are no users and somebody could follow it; whether it did. A link of before works no longer.
pub fn offer(
    code: impl FnOnce() -> Result<Option<Secret>, ServiceError>,
    file: &Path,
    url: Option<&str>,
) -> Result<bool, ServiceError> {
    let failed = |e: std::io::Error| ServiceError::new(Kind::Internal, format!("{}: {e}", file.display()));
    let Some(url) = url else { return withdraw(file).map(|()| false).map_err(failed) };
    let Some(code) = code()? else { return withdraw(file).map(|()| false).map_err(failed) };
    let new = file.with_extension("new");
    withdraw(&new).map_err(failed)?;
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
    // After the #, so that it is in no log: browsers do not send it.
    writeln!(opened, "{url}/setup#{}", code.reveal()).and_then(|()| rename(&new, file)).map_err(failed)?;
    Ok(true)
}

/// There is an administrator: the link is not needed any more.
#[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
pub fn withdraw(file: &Path) -> std::io::Result<()> {
    match remove_file(file) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
