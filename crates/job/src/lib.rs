//! Jobs: what a person says of one, how it is run, and when it is due. Words, checks and decisions.
//!
//! - `spec` is a job as the API and a jobs file give it, `file` a set of jobs in a file, [`settings`] the table of a job's settings,
//!   from which come [`Policy`] (what one layer changes) and [`EffectivePolicy`] (every setting with its value).
//! - [`options`]: the settings as options of a command line, from the same table.
//! - [`mirror_spec`]: what a mirror is made from, the part of a job that `octobackup sync` has too.
//! - [`schedule`]: when jobs are due, and what becomes of each slot; the policy in words is in docs/manual/schedule.md.
//! - [`units`]: sizes, durations and limits as people write them.
//!
//! Never: opens a file or a connection, knows SQL or HTTP, reads a clock, holds a secret (a job names a credential). One exception:
//! [`schedule::machine_zone`] asks the machine for its time zone, once.

mod file;
pub mod keep;
mod keep_forms;
mod kept;
pub mod mirror_spec;
pub mod options;
mod policy;
pub mod schedule;
pub mod settings;
mod spec;
pub mod units;

pub use file::{FileJob, JobsFile};
pub use policy::{MaxAge, MaxIdle};
pub use settings::{EffectivePolicy, Policy};
pub use spec::{Job, JobSpec, Pause, check_name};
