//! Whether and when a run that failed is tried again.

use octo_core::error::Retry;
use octo_core::{Outcome, RunReport};

/// However often a job failed, it is tried again within this time: networks come back.
const WAIT_SECS_MAX: u64 = 6 * 3600;

/// The wait until the next try; `None` if trying again would not help, or it was tried often enough. `attempt` counts
/// from 0. Each wait is twice as long as the one before.
pub fn retry_after_secs(report: &RunReport, attempt: u32, retries: u32, wait_secs: u64) -> Option<u64> {
    let stopped_by = report.causes.iter().find(|cause| cause.code.stops_run());
    let may_pass = stopped_by.is_some_and(|cause| cause.code.retry() == Retry::NextRun);
    if report.outcome != Outcome::Failed || report.dry_run || !may_pass || attempt >= retries {
        return None;
    }
    let factor = 1u64.checked_shl(attempt).unwrap_or(u64::MAX);
    Some(wait_secs.saturating_mul(factor).min(WAIT_SECS_MAX.max(wait_secs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Code;
    use octo_core::report::{Cause, Counts, REPORT_FORMAT};

    fn failed(code: Code) -> RunReport {
        RunReport {
            format: REPORT_FORMAT,
            run: 1,
            outcome: Outcome::Failed,
            dry_run: false,
            source: String::new(),
            target: String::new(),
            started: octo_core::Timestamp(0),
            duration_ms: 0,
            counts: Counts::default(),
            held_because: Vec::new(),
            held_kinds: Vec::new(),
            held_examples: Vec::new(),
            held_plan: None,
            remarks: Vec::new(),
            causes: vec![Cause { code, count: 1, examples: Vec::new() }],
            free_bytes: None,
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_ever_later() {
        let waits: Vec<_> = (0..4).map(|n| retry_after_secs(&failed(Code::Unreachable), n, 3, 300)).collect();
        assert_eq!(waits, [Some(300), Some(600), Some(1200), None]);
        for code in [Code::LogonFailed, Code::SourceChanged, Code::NoSpace, Code::ShareNotFound] {
            assert_eq!(retry_after_secs(&failed(code), 0, 3, 300), None, "{code}");
        }
        assert_eq!(retry_after_secs(&failed(Code::ConnectionLost), 15, 20, 300), Some(6 * 3600));
        assert_eq!(retry_after_secs(&failed(Code::ConnectionLost), 200, 300, u64::MAX), Some(u64::MAX));
        // A wait that is longer than the limit by choice is kept.
        assert_eq!(retry_after_secs(&failed(Code::ConnectionLost), 3, 20, 86_400), Some(86_400));
    }

    #[test]
    fn a_run_that_did_not_fail_is_not_repeated() {
        for outcome in [Outcome::Succeeded, Outcome::Warnings, Outcome::Held, Outcome::Cancelled] {
            let report = RunReport { outcome, ..failed(Code::Unreachable) };
            assert_eq!(retry_after_secs(&report, 0, 3, 300), None, "{outcome}");
        }
        assert_eq!(retry_after_secs(&RunReport { dry_run: true, ..failed(Code::Unreachable) }, 0, 3, 300), None);
    }
}
