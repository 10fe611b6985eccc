//! All jobs on one page: `/digest`.

use crate::moment::Moment;
use crate::run::Run;
use crate::words::words;
use serde::{Deserialize, Serialize};

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// What happened after this moment,
    pub since: Moment,
    /// up to this one.
    pub until: Moment,
    /// All jobs, the worst first.
    pub jobs: Vec<DigestJob>,
}

/// One job in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestJob {
    /// Its name.
    pub name: String,
    /// In one word.
    pub light: Light,
    /// In a sentence, where there is something to say.
    pub why: String,
    /// Why it is not as it should be, from its newest run; empty if all is well, or there is no run.
    #[serde(default)]
    pub cause: String,
    /// What to do about it; empty if nothing.
    #[serde(default)]
    pub next_step: String,
    /// Its newest run that has ended, however long ago.
    pub last: Option<Run>,
    /// Runs in this time.
    pub runs: u32,
    /// When the last run began that left a complete mirror, with warnings or held deletions at worst.
    pub last_good_at: Option<Moment>,
    /// Slots in this time that did not run.
    pub not_run: Vec<NotRun>,
}

/// A slot without a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRun {
    /// When the job was due.
    pub due_at: Moment,
    /// Why it did not run.
    pub why: String,
}

words! {
    /// How a job stands, the worst first.
    Light {
        /// No good backup for longer than it may.
        Overdue = "overdue",
        /// The last run failed.
        Failed = "failed",
        /// It was due and did not run.
        NotRun = "not-run",
        /// Complete, except for something that a person has to look at.
        Attention = "attention",
        /// A person paused it.
        Paused = "paused",
        /// Nothing was due.
        Idle = "idle",
        /// Complete.
        Good = "good",
    }
}

impl Digest {
    /// How many jobs are not as they should be.
    pub fn bad(&self) -> usize {
        self.jobs.iter().filter(|job| job.light <= Light::Attention).count()
    }
}
