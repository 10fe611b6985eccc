//! Makes a scenario that fails as short as it can be.

use super::play::play;
use super::step::{Scenario, Step};

/// Worlds that are tried for that.
const TRIES_MAX: u32 = 1500;

/// A shorter scenario that fails as well, though perhaps otherwise.
pub fn shrink(scenario: &Scenario) -> Scenario {
    let mut tries = 0;
    let mut fails = |candidate: &Scenario| {
        tries += 1;
        tries <= TRIES_MAX && play(candidate).broken.is_some()
    };
    let mut best = scenario.clone();
    if let Some((at, _)) = play(&best).broken {
        best.steps.truncate(at + 1);
    }
    let mut size = best.steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let before = best.steps.len();
        while at < best.steps.len() {
            let mut shorter = best.clone();
            shorter.steps.drain(at..(at + size).min(best.steps.len()));
            if fails(&shorter) {
                best = shorter;
            } else {
                at += size;
            }
        }
        if size == 1 && best.steps.len() == before {
            break;
        }
        size = (size / 2).max(1);
    }
    for at in 0..best.steps.len() {
        while let Some(smaller) = smaller(&best.steps[at]) {
            let mut lower = best.clone();
            lower.steps[at] = smaller;
            if !fails(&lower) {
                break;
            }
            best = lower;
        }
    }
    best
}

/// The same with a lower number.
fn smaller(step: &Step) -> Option<Step> {
    Some(match *step {
        Step::Look { secs } if secs > 5 => Step::Look { secs: secs / 2 },
        Step::Sleep { secs } if secs > 5 => Step::Sleep { secs: secs / 2 },
        Step::Jump { secs } if secs.abs() > 5 => Step::Jump { secs: secs / 2 },
        Step::KillAt { nth, is_after } if nth > 0 => Step::KillAt { nth: nth - 1, is_after },
        Step::FailCommit { nth } if nth > 0 => Step::FailCommit { nth: nth - 1 },
        _ => return None,
    })
}
