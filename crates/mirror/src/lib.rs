//! octoBackup's engine: mirrors a [`Source`](octo_core::Source) to a [`Target`](octo_core::Target).
//!
//! It knows only core's ports. The order of everything that happens on the disk, and what a crash at any point leaves,
//! is DESIGN section 7; the modules below follow it: `prepare` and `recover`, then `walk` and `compare` with `copy`,
//! then `moves`, `deletion`, `settle`. [`run`] ties them together.

mod ballast;
mod changes;
mod checkpoint;
mod codec;
mod compare;
mod content_hash;
mod context;
mod copy;
mod deletion;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hashes;
mod held;
pub mod history;
mod holders;
mod index;
mod layout;
mod marker;
mod mirror_ops;
mod moves;
mod options;
mod order;
mod prepare;
mod queue;
mod recover;
mod remarks;
pub mod restore;
pub mod retention;
mod run;
mod settle;
mod small_files;
mod space;
mod spill;
mod stall;
mod suspects;
mod unread;
mod vanished;
mod verify;
mod versions;
mod walk;

pub use held::{HeldEntry, HeldPlan, held_plan};
pub use layout::NAMES as RESERVED_NAMES;
pub use options::{Bandwidth, LiveFiles, RunOptions};
pub use prepare::is_empty;
pub use run::run;
pub use verify::{VerifyCounts, VerifyOptions, VerifyReport, VerifyWatch, verify};

use octo_core::{Error, RunReport, Target};

/// What a run leaves behind for its caller.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// What happened.
    pub report: RunReport,
    /// The mirror's id, to be remembered for its path; `None` if the run did not get so far.
    pub target_id: Option<String>,
}

/// The job that was last run to this mirror, as [`RunOptions::job`] gave it.
pub fn saved_job(target: &dyn Target) -> Result<Option<String>, Error> {
    Ok(marker::Marker::read(target)?.and_then(|marker| marker.job))
}

/// The id of the mirror in this folder; `None` if there is none.
pub fn target_id(target: &dyn Target) -> Result<Option<String>, Error> {
    Ok(marker::Marker::read(target)?.map(|marker| marker.target_id))
}
