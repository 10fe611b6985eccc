//! The agent of octoBackup: a program on the machine whose folders are backed up, and what the server needs to talk to it.
//!
//! The agent dials and the server asks, over HTTP/2 within TLS 1.3 (`docs/agent-protocol.md`). Nothing asynchronous leaves
//! this crate.
//!
//! The rooms say which side runs them: `wire` is the protocol's bytes and its JSON, without I/O; `agent` the program on the
//! other machine; `server` what the backup server runs. Both use what lies here: `carrier` (limits of the connection), `tls`,
//! `token` and `pairing` (whom they trust), `state` (small secret files), `reactor` (their threads).

mod agent;
mod carrier;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod pairing;
mod reactor;
mod server;
mod state;
mod tls;
mod token;
mod wire;

pub use agent::{AllowedRoots, Event, Roots, enroll, run};
pub use carrier::with_port;
pub use server::{
    Admission, AgentListener, AgentSource, BusyConnection, ConnectionLimits, ConnectionPlace, Host, HostFile,
    HostStore, OnAdmission, State, TOKEN_SECS, network, revoke,
};
pub use token::Token;
pub use wire::messages::Introduction;

use octo_core::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock: for certificates, tokens and messages for people; nothing else.
#[expect(clippy::disallowed_methods, reason = "the one place of the crate that reads it")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// What this machine calls itself.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("COMPUTERNAME").ok());
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}
