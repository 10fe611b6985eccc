//! Whether a run is like the ones before: a run that suddenly copies far more, or far less, deserves a look.

use crate::run::PastRun;
use octo_core::numbers::{duration, size};

/// Fewer runs than this are no habit.
const PAST_MIN: usize = 4;
/// How much more, or less, is far more or less.
const FACTOR: u64 = 10;
/// How much longer is far longer.
const FACTOR_DURATION: u64 = 3;
/// Below this, it does not matter how much more it is.
const BYTES_MIN: u64 = 1 << 30;
const DURATION_MS_MIN: u64 = 10 * 60_000;

/// What differs from the usual, in words. `past` are earlier runs to their end.
pub fn unusual(past: &[PastRun], this: PastRun) -> Vec<String> {
    if past.len() < PAST_MIN {
        return Vec::new();
    }
    let bytes = median(past.iter().map(|run| run.copied_bytes));
    let millis = median(past.iter().map(|run| run.duration_ms));
    let mut words = Vec::new();
    if this.copied_bytes >= BYTES_MIN && this.copied_bytes / FACTOR > bytes {
        words.push(format!("it copied {}, far more than the usual {}", size(this.copied_bytes), size(bytes)));
    }
    if bytes >= BYTES_MIN && this.copied_bytes < bytes / FACTOR {
        words.push(format!("it copied {}, far less than the usual {}", size(this.copied_bytes), size(bytes)));
    }
    if this.duration_ms >= DURATION_MS_MIN && this.duration_ms / FACTOR_DURATION > millis {
        words.push(format!("it took {}, far longer than the usual {}", duration(this.duration_ms), duration(millis)));
    }
    words
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Timestamp;

    fn run(gib: u64, minutes: u64) -> PastRun {
        PastRun { started: Timestamp(0), duration_ms: minutes * 60_000, copied_bytes: gib << 30 }
    }

    #[test]
    fn a_run_that_is_far_from_the_usual_is_flagged_and_others_are_not() {
        let usual = [run(2, 20), run(3, 30), run(2, 20), run(4, 25), run(2, 22)];
        for (this, words) in [
            (run(2, 20), &[][..]),
            (run(15, 60), &[]),
            (run(40, 60), &["far more"]),
            (run(0, 5), &["far less"]),
            (run(3, 90), &["far longer"]),
            (run(40, 300), &["far more", "far longer"]),
        ] {
            let found = unusual(&usual, this);
            assert_eq!(found.len(), words.len(), "{this:?}: {found:?}");
            assert!(found.iter().zip(words).all(|(found, word)| found.contains(word)), "{found:?}");
        }
        assert!(unusual(&usual[..3], run(400, 300)).is_empty(), "three runs are no habit");
        let idle = [PastRun { started: Timestamp(0), duration_ms: 2000, copied_bytes: 0 }; 9];
        assert!(
            unusual(&idle, PastRun { copied_bytes: 1 << 20, duration_ms: 9000, ..idle[0] }).is_empty(),
            "small is small"
        );
    }
}
