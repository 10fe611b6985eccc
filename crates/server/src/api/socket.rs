//! The local entrance: a Unix socket that knows its peer.
//!
//! Who may connect is decided by the kernel, by the permissions of the socket: its owner, root, and the group `octobackup`
//! where there is one. The peer's user id goes to the audit log.

use super::router;
use crate::refusal::{Kind, Refusal};
use crate::service::Service;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::runtime::Runtime;

/// Who may use the socket besides its owner and root.
const GROUP: &str = "octobackup";
/// Answers under way get so long when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, by its user id.
    Local(Option<u32>),
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Peer {
        Peer::Local(stream.io().peer_cred().ok().map(|cred| cred.uid()))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Local(Some(0)) => f.write_str("root"),
            Peer::Local(Some(uid)) => write!(f, "uid {uid}"),
            Peer::Local(None) => f.write_str("unknown"),
        }
    }
}

/// The API, answering until it is dropped or stopped.
pub struct Http {
    runtime: Runtime,
    socket: PathBuf,
}

impl Http {
    /// Answers at `socket` from now on. The caller holds the lock on the data directory, so a socket that is there is of a
    /// server that died.
    pub fn start(service: Service, socket: &Path) -> Result<Http, Refusal> {
        let failed =
            |why: std::io::Error| Refusal::new(Kind::Internal, format!("the socket {}: {why}", socket.display()));
        clear(socket).map_err(failed)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(socket).map_err(failed)?
        };
        admit(socket).map_err(failed)?;
        let make = router(service).into_make_service_with_connect_info::<Peer>();
        runtime.spawn(async move { axum::serve(listener, make).await });
        Ok(Http { runtime, socket: socket.to_owned() })
    }

    /// Answers what is under way, and nothing more.
    pub fn stop(self) {
        let _ = std::fs::remove_file(&self.socket);
        self.runtime.shutdown_timeout(GRACE);
    }
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
