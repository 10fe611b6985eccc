//! octoBackup's server: jobs, their schedule, their runs, and their reports.
//!
//! The rooms, and what goes where:
//!
//! - [`mirror_spec`] and [`launch`]: what a run is made from, and the one place where source, target and engine meet. The command
//!   line's `sync` uses these two and nothing else of this crate.
//! - [`job`]: what a person says of a job, and the layers of policy. Words and checks; no effects.
//! - [`schedule`]: when jobs are due. Pure functions; the policy in words is in docs/manual/schedule.md.
//! - [`store`]: SQLite; one module a table, no decisions. [`vault`]: secrets at rest.
//! - [`runner`]: compares the store with what is and does what is missing (slots, starts, ends). Every background chore is
//!   of this form: an `activate` without input that may be called at any time. [`live`] is what goes on at this moment.
//! - [`service`]: everything that may be done with a server, with its checks and its line in the audit log. A new ability
//!   begins here.
//! - [`notify`]: who is told what, and the delivery who takes it to them.
//! - [`access`]: roles, passwords, secrets that prove who asks, and how often one may try. Never decides what a route needs.
//! - [`report`]: what REST answers about finished runs and all jobs, and the documents made from it, which `octo_report` renders.
//! - [`api`]: REST over the service, and its client; the only asynchronous room.
//! - [`health`]: whether the server can do its work, for whoever asks.
//! - `agent_hosts`: the machines with an agent, from the database, as their listener sees them.
//! - [`event_log`]: the server's log. [`run_log`]: what is told of one run, kept as long as the run.
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
pub mod event_log;
pub mod events;
pub mod finding;
#[cfg(all(unix, any(test, feature = "fuzzing")))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(unix)]
pub mod health;
pub mod job;
pub mod launch;
pub mod live;
pub mod mirror_spec;
pub mod notify;
pub mod report;
#[cfg(unix)]
pub mod run_log;
#[cfg(unix)]
pub mod runner;
pub mod schedule;
#[cfg(unix)]
pub mod serve;
#[cfg(unix)]
pub mod service;
pub mod service_error;
#[cfg(unix)]
pub mod setup;
pub mod store;
pub mod units;
#[cfg(unix)]
pub mod vault;

pub use clock::SystemClock;
pub use launch::Launch;
pub use moment::Moment;
pub use octo_api::{moment, run, run_overrides};
pub use run_overrides::RunOverrides;
pub use service_error::ServiceError;
