//! What is told of a run: grouped by cause, with what is new, what still fails since when, and what is unusual.
//!
//! [`RunSummary`] is data; [`text`] and [`html`] are how it looks. Nothing here asks the clock or the store: the service gathers
//! it. Everything that came from a network is escaped by whoever renders it.

pub mod digest;
pub mod html;
pub mod metrics;
mod news;
#[cfg(unix)]
pub(crate) mod notification;
pub mod text;
mod unusual;

pub use news::news;
pub use unusual::{Past, unusual};

use crate::moment::Moment;
use crate::run::Run;
use octo_core::{Code, RunReport};
use serde::{Deserialize, Serialize};

/// Examples of each cause.
pub const EXAMPLES_MAX: u32 = 10;

/// A finished run, as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub run: Run,
    /// What the engine counted.
    pub report: RunReport,
    /// Problems of entries, grouped; the causes with new ones first.
    pub causes: Vec<SummaryCause>,
    /// Problems of the run before that are gone.
    pub mended: i64,
    /// When the job last ran to its end before this run.
    pub last_good_at: Option<Moment>,
    /// What differs from the usual, in words.
    pub unusual: Vec<String>,
    /// Earlier runs to their end, the oldest first: for the plots.
    pub past: Vec<Past>,
}

/// All problems of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryCause {
    /// The cause.
    pub code: Code,
    /// In plain words.
    pub title: String,
    /// What to do.
    pub advice: String,
    /// How many in all, as the engine counted.
    pub count: u64,
    /// Of those kept one by one: new in this run.
    pub new: u64,
    /// Of those kept one by one: there before.
    pub still: u64,
    /// The new ones first.
    pub examples: Vec<SummaryExample>,
}

/// One entry that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryExample {
    /// The entry, in the reversible text form of paths.
    pub path: String,
    /// What happened.
    pub detail: String,
    /// Not met by the run before.
    pub is_new: bool,
    /// Since when it fails.
    pub since_at: Option<Moment>,
    /// When the job last ran to its end without this problem.
    pub last_good_at: Option<Moment>,
}
