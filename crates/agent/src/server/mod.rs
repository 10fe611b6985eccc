//! What the backup server runs: it listens for agents, knows who may come, and reads their folders as sources.
//!
//! Everything that an agent says is hostile input. Nothing here reads a folder of its own; it imports nothing of `agent`.

mod admission;
pub(crate) mod agent_registry;
pub(crate) mod ca;
mod connection_limits;
mod connections;
#[cfg(test)]
mod fake;
mod fetching;
pub(crate) mod host_file;
#[cfg(test)]
mod hostile_runs_tests;
#[cfg(test)]
mod hostile_tests;
mod listener;
mod listing_reader;
pub(crate) mod session;
mod source;
mod walk_reader;

pub use admission::{Admission, OnAdmission};
pub use agent_registry::{Host, HostStore, State, TOKEN_SECS, revoke};
pub use connection_limits::{BusyConnection, ConnectionLimits, ConnectionPlace, network};
pub use host_file::HostFile;
pub use listener::AgentListener;
pub use source::AgentSource;
