//! The local entrance: a Unix socket that knows its peer.
//!
//! Who may connect is decided by the kernel, by the permissions of the socket: its owner, root, and the group `octobackup`
//! where there is one. The peer's user id goes to the audit log.
//!
//! A socket at which somebody answers is never taken over, and only the socket that we made is removed at the end. A lock beside
//! it, held while we listen, decides between servers that start at once; one without a lock is noticed by connecting.

use crate::service_error::{Kind, ServiceError};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// Who may use the socket besides its owner and root.
const GROUP: &str = "octobackup";

/// Our socket, until it is dropped or removed.
pub(super) struct Socket {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    _lock: File,
}

/// Listens from now on; refuses a socket that another server uses.
pub(super) async fn listen(path: &Path) -> Result<(UnixListener, Socket), ServiceError> {
    let failed =
        |why: std::io::Error| ServiceError::new(Kind::Internal, format!("the socket {}: {why}", path.display()));
    let lock = lock(path)?;
    clear(path).await?;
    let listener = UnixListener::bind(path).map_err(failed)?;
    admit(path).map_err(failed)?;
    let identity = identity(path).map_err(failed)?;
    Ok((listener, Socket { path: path.to_owned(), identity, _lock: lock }))
}

impl Socket {
    /// Removes the socket. What another program has put in its place stays.
    #[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
    pub(super) fn remove(&self) {
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

fn in_use(path: &Path) -> ServiceError {
    let what = "another server answers there; stop it, or give this one another socket in octobackup.toml";
    ServiceError::new(Kind::Conflict, format!("the socket {}: {what}", path.display()))
}

/// Between servers that know of it. The file stays: who removed it could remove that of another.
fn lock(path: &Path) -> Result<File, ServiceError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let failed = |e: std::io::Error| {
        ServiceError::new(Kind::Internal, format!("the lock {}: {e}", Path::new(&beside).display()))
    };
    // Two users may take turns with one socket: reading it is enough to lock it.
    let file = match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&beside) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => File::open(&beside),
        made => made,
    };
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(in_use(path)),
        Err(TryLockError::Error(e)) => Err(failed(e)),
    }
}

/// Removes a socket at which no server listens. It never removes anything but a socket: the path may be mistyped.
#[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
async fn clear(path: &Path) -> Result<(), ServiceError> {
    let failed =
        |why: std::io::Error| ServiceError::new(Kind::Internal, format!("the socket {}: {why}", path.display()));
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
        Ok(meta) if !meta.file_type().is_socket() => {
            let what = std::io::Error::new(ErrorKind::AlreadyExists, "there is something else at that path");
            return Err(failed(what));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(failed),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        // Somebody answers, or is too busy to answer, or does not answer us.
        _ => Err(in_use(path)),
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
