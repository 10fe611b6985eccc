//! What verifying found, counted, and its causes with the first few examples of each.

use octo_core::report::Cause;
use octo_core::{Problem, RelPath, Timestamp};
use serde::Serialize;

/// Examples of each cause.
const EXAMPLES_MAX: usize = 20;

/// What was counted. Files of versions are counted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct VerifyCounts {
    /// Files that were met.
    pub files: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Files whose content is what was recorded.
    pub intact: u64,
    /// Files whose hash was recorded now.
    pub recorded: u64,
    /// Files whose hash is not known.
    pub unrecorded: u64,
    /// Damaged files in whose place a good copy is now.
    pub repaired: u64,
    /// Damaged files that the next run compares with the source.
    pub copied_next: u64,
    /// Files that were not to be read this time.
    pub passed_over: u64,
    /// Problems of all kinds.
    pub problems: u64,
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// What was counted.
    pub counts: VerifyCounts,
    /// The problems by cause.
    pub causes: Vec<Cause>,
    /// The first files whose hash is not known.
    pub unrecorded_examples: Vec<RelPath>,
    /// Of all files with a hash, the one that was not found right for longest was so then.
    pub oldest_checked: Option<Timestamp>,
    /// Records of hashes that were damaged, and are lost.
    pub damaged_records: u64,
    /// It was stopped before its end.
    pub cancelled: bool,
}

impl VerifyReport {
    /// Whether everything that was read is as it was copied, and nothing is without a hash.
    pub fn is_good(&self) -> bool {
        self.counts.problems == 0 && self.counts.unrecorded == 0 && self.damaged_records == 0
    }
}

#[derive(Default)]
pub(super) struct Summary {
    pub counts: VerifyCounts,
    causes: Vec<Cause>,
    unrecorded: Vec<RelPath>,
    oldest: Option<u32>,
}

impl Summary {
    pub fn problem(&mut self, problem: Problem) {
        self.counts.problems += 1;
        let code = problem.code;
        let at = self.causes.iter().position(|cause| cause.code == code).unwrap_or_else(|| {
            self.causes.push(Cause { code, count: 0, examples: Vec::new() });
            self.causes.len() - 1
        });
        let cause = &mut self.causes[at];
        cause.count += 1;
        if cause.examples.len() < EXAMPLES_MAX {
            cause.examples.push(problem);
        }
    }

    /// The hash of a file is not known.
    pub fn unrecorded(&mut self, path: &RelPath) {
        self.counts.unrecorded += 1;
        if self.unrecorded.len() < EXAMPLES_MAX {
            self.unrecorded.push(path.clone());
        }
    }

    /// A file was last found right at this moment.
    pub fn checked(&mut self, at: u32) {
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
    }

    pub fn finish(self, damaged_records: u64, cancelled: bool) -> VerifyReport {
        let oldest_checked = self.oldest.map(|at| Timestamp::from_unix(at.into(), 0));
        let Summary { counts, causes, unrecorded: unrecorded_examples, .. } = self;
        VerifyReport { counts, causes, unrecorded_examples, oldest_checked, damaged_records, cancelled }
    }
}
