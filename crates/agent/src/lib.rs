//! The agent of octoBackup: a program on the machine whose folders are backed up, and what the server needs to talk to it.
//!
//! The agent dials and the server asks, over HTTP/2 within TLS 1.3 (`docs/agent-protocol.md`). Nothing asynchronous leaves
//! this crate.
//!
//! The rooms: `wire` is the protocol's bytes, without I/O, and `messages` its JSON; `carrier` what both ends agree on, `tls` and
//! `ca` whom they trust. The server's side: [`AgentListener`] with `agent_registry`, `connections` and `session`, and
//! [`AgentSource`] with `fetching`, `listing_reader` and `walk_reader`; `connection_limits` bounds what strangers take, and
//! `admission` reports who was let in. The agent's side: `agent` with `identity`, `serving` with `frames`, `walking` and
//! `prefetch`, and the [`AllowedRoots`] it serves from.

mod admission;
mod agent;
mod agent_registry;
mod allowed_roots;
mod ca;
mod carrier;
mod connection_limits;
mod connections;
#[cfg(test)]
mod fake;
mod fetching;
mod frames;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod hostile_runs_tests;
#[cfg(test)]
mod hostile_server_tests;
#[cfg(test)]
mod hostile_tests;
mod identity;
mod listener;
mod listing;
mod listing_reader;
mod messages;
mod pairing;
mod prefetch;
mod reactor;
mod serving;
mod session;
mod source;
mod state;
mod tls;
mod token;
mod walk_reader;
mod walking;
mod wire;

pub use admission::{Admission, OnAdmission};
pub use agent::{Event, enroll, run};
pub use agent_registry::{Host, State, TOKEN_SECS, check_name};
pub use allowed_roots::AllowedRoots;
pub use carrier::DEFAULT_PORT;
pub use connection_limits::{AtWork, ConnectionLimits, ConnectionPlace, network};
pub use listener::AgentListener;
pub use messages::Introduction;
pub use serving::Roots;
pub use source::AgentSource;
pub use token::Token;

use octo_core::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock: for certificates, tokens and what people are told; nothing else.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// What this machine calls itself.
fn host_name() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.or_else(|| std::env::var("COMPUTERNAME").ok());
    told.map(|name| name.trim().to_owned()).unwrap_or_default()
}
