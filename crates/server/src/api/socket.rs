//! The local entrance: a Unix socket that knows its peer.
//!
//! Who may connect is decided by the kernel, by the permissions of the socket: its owner, root, and the group `octobackup`
//! where there is one. The peer's user id goes to the audit log.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use tokio::net::UnixListener;

/// Who may use the socket besides its owner and root.
const GROUP: &str = "octobackup";

/// Listens from now on. The caller holds the lock on the data directory, so a socket that is there is of a server that died.
pub(super) fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    clear(socket)?;
    let listener = UnixListener::bind(socket)?;
    admit(socket)?;
    Ok(listener)
}

/// Only ever removes a socket: a path that was mistyped is not a reason to lose a file.
fn clear(socket: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(socket) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(socket),
        Ok(_) => Err(std::io::Error::new(ErrorKind::AlreadyExists, "there is something else at that path")),
        Err(e) => Err(e),
    }
}

/// Lets the group in, where there is one.
fn admit(socket: &Path) -> std::io::Result<()> {
    let mode = match group_id(GROUP) {
        Some(group) if std::os::unix::fs::chown(socket, None, Some(group)).is_ok() => 0o660,
        _ => 0o600,
    };
    std::fs::set_permissions(socket, PermissionsExt::from_mode(mode))
}

fn group_id(name: &str) -> Option<u32> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}
