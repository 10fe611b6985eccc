//! What the tests of the engine share.

use octo_core::{Cancel, Monitor, Source, Target};
use octo_mirror::{RunOptions, RunResult, run};
use octo_testkit::clock::TestClock;

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
