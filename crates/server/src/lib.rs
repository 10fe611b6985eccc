//! octoBackup's server: the store of jobs, the runs, their reports, and the REST API. What a job is and when it is due is in `octo_job`.
//!
//! The rooms, and what goes where:
//!
//! - [`launch`]: the one place where a run's source, target and engine meet; the command line's `sync` starts its run here too.
//!   [`share_access`]: what a mirror spec says of a share, as the adapter for SMB takes it.
//! - [`store`]: SQLite; one module a table, no decisions. [`vault`]: secrets at rest.
//! - [`runner`]: compares the store with what is and does what is missing (slots, starts, ends). Every background chore is
//!   of this form: an `activate` without input that may be called at any time. [`live`] is what goes on at this moment.
//! - [`download`]: a file or a folder of a state as a stream.
//! - [`restore`]: one restore; the command line starts its restores here too. [`history`]: what the past of a mirror has.
//! - [`service`]: everything that may be done with a server, with its checks and its line in the audit log. A new ability
//!   begins here.
//! - [`notify`]: recipients, messages, and their delivery.
//! - [`access`]: roles, passwords, secrets that prove who asks, and how often one may try. Never decides what a route needs.
//! - [`report`]: what REST answers about finished runs and all jobs, and the documents made from it, which `octo_report` renders.
//! - [`api`]: REST over the service; the only asynchronous room. Its client is the crate `octo-client`.
//! - [`health`]: whether the server can do its work.
//! - `agent_hosts`: the machines with an agent, from the database, as their listener sees them.
//! - [`event_log`]: the server's log. [`run_log`]: the log of one run, kept as long as the run.
//! - [`serve`]: puts it all together. [`setup`]: the way in for the first administrator. [`config`]: what must be known before the database is open.
//!
//! Serving needs a Unix so far (its entrance is a socket that knows its peer); the rest is on Windows too.
//!
//! Never: decide about files (that is the engine's), remember work only in memory, let a secret out, print.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made"))]

#[cfg(unix)]
pub mod access;
#[cfg(unix)]
mod agent_hosts;
#[cfg(unix)]
pub mod api;
#[cfg(unix)]
pub mod app_state;
pub mod clock;
#[cfg(unix)]
pub mod config;
#[cfg(unix)]
pub mod download;
pub mod event_log;
pub mod events;
#[cfg(all(unix, any(test, feature = "fuzzing")))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(unix)]
pub mod health;
pub mod history;
pub mod launch;
pub mod live;
pub mod notify;
pub mod report;
pub mod restore;
#[cfg(unix)]
pub mod run_log;
#[cfg(unix)]
pub mod runner;
#[cfg(unix)]
pub mod serve;
#[cfg(unix)]
pub mod service;
pub mod service_error;
#[cfg(unix)]
pub mod setup;
pub mod share_access;
pub mod store;
#[cfg(unix)]
pub mod vault;

pub use clock::SystemClock;
pub use launch::Launch;
pub use moment::Moment;
pub use octo_api::{moment, run, run_overrides};
pub use run_overrides::RunOverrides;
pub use service_error::ServiceError;
