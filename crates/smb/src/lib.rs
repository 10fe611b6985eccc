//! A [`Source`](octo_core::Source) over SMB 2 and 3, and, in `write` alone, a [`RestoreTarget`](octo_core::RestoreTarget).
//!
//! Reads a folder of a share, administrative shares included, with backup intent, so that an account with
//! SeBackupPrivilege sees everything. Only `write` changes anything on a share, and only a restore uses it: no request that the
//! source can make writes. Never follows links, never goes below the demanded
//! protocol version, never takes an unsigned answer. Names are UTF-16 on the wire and WTF-8 in our paths, translated by
//! ourselves. The client library underneath is hidden: no type of it appears here.
//!
//! The rooms: `options` is what a person says; `wire` is bytes and no I/O; `transport`, `logon`
//! with `admission`, `keys`, `kerberos` and `ccache`, and `pool` make connections, `attempts` and `window` decide who is
//! to blame for a lost one and how much may be on its way; `open`, `list`, `fetch` and `snapshots` use them; `driver` is the threads behind; `source` is
//! the port, `write` the other one; `inspect` and `shares` answer questions before there is a job.

mod attempts;
mod ccache;
mod connection_pool;
mod driver;
mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod inspect;
mod kerberos;
mod keys;
mod list;
mod liveness;
mod logon;
mod metadata;
mod open;
mod options;
mod session_setup;
mod shares;
mod snapshots;
mod source;
mod status;
mod transport;
mod window;
mod wire;
mod write;

pub use inspect::{Access, Encryption, Inspector, PreviousVersions, Security};
pub use options::{
    BackupIntent, Credentials, Dialect, Encrypt, Kerberos, Logon, Password, RECONNECT_DEFAULT, SmbOptions, Timeouts,
};
pub use shares::{Share, ShareKind, shares};
pub use source::SmbSource;
pub use write::SmbRestore;
