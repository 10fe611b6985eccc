//! What the tests of the engine share.

use octo_core::{Cancel, Monitor, Problem, RelPath, Source, Target};
use octo_mirror::{RunOptions, RunResult, VerifyCounts, VerifyOptions, VerifyReport, VerifyWatch, run};
use octo_testkit::clock::TestClock;
use std::sync::Mutex;

pub fn mirror(source: &dyn Source, target: &dyn Target, options: &RunOptions) -> RunResult {
    mirror_watched(source, target, options, &octo_core::monitor::Silent)
}

pub fn mirror_watched(
    source: &dyn Source,
    target: &dyn Target,
    options: &RunOptions,
    monitor: &dyn Monitor,
) -> RunResult {
    run(source, target, options, monitor, &TestClock::real(), &Cancel::new())
}

/// What a verify finds.
#[derive(Default)]
pub struct Problems(Mutex<Vec<Problem>>);

impl VerifyWatch for Problems {
    fn problem(&self, problem: &Problem) {
        self.0.lock().unwrap().push(problem.clone());
    }
    fn progress(&self, _: &VerifyCounts, _: &RelPath) {}
}

/// Verifies all of a mirror.
pub fn verify(target: &dyn Target, options: &VerifyOptions) -> (VerifyReport, Vec<Problem>) {
    let problems = Problems::default();
    let report = octo_mirror::verify(target, options, &problems, &TestClock::real(), &Cancel::new()).unwrap();
    (report, problems.0.into_inner().unwrap())
}

/// Every file of a mirror, and every version, has the hash of its content.
#[track_caller]
pub fn assert_verified(target: &dyn Target, context: &str) {
    let (report, problems) = verify(target, &VerifyOptions::default());
    assert!(report.is_good() && report.counts.intact == report.counts.files, "{context}: {report:#?} {problems:#?}");
}
