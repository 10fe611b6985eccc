//! Progress on a terminal: files, bytes, speed, what is being copied, and the time left once the totals are known.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use octo_api::run::RunEvent;
use octo_core::numbers::{count, duration, size, thousands};
use octo_core::{Event, Monitor, Phase};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The speed is that of the last moments, so that the time left follows what happens.
const SPEED_OVER: Duration = Duration::from_secs(10);

/// A line that is drawn again and again on standard error.
pub struct Progress {
    bar: ProgressBar,
    pace: Mutex<Pace>,
}

/// Bytes at a moment some time ago, to measure the speed from.
struct Pace {
    phase: Phase,
    from: (Instant, u64),
    next: (Instant, u64),
}

impl Progress {
    /// `None` if standard error is no terminal.
    pub fn on_terminal() -> Option<Progress> {
        std::io::stderr().is_terminal().then(Progress::start)
    }

    fn start() -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}{wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let now = (Instant::now(), 0);
        Progress { bar, pace: Mutex::new(Pace { phase: Phase::Check, from: now, next: now }) }
    }

    /// The same from what a server tells of a run.
    pub fn server_event(&self, event: &RunEvent) {
        match event {
            RunEvent::Phase { phase } => self.event(&Event::Phase(*phase)),
            RunEvent::Progress(progress) => self.event(&Event::Progress {
                counts: &progress.counts,
                planned_files: progress.planned_files,
                planned_bytes: progress.planned_bytes,
                listed_all: progress.listed_all,
                current: progress.current.as_ref(),
            }),
            _ => {}
        }
    }

    /// Says a server's number of the run before all that is said of it. Short, so that the time left is seen on 80 columns.
    pub fn of_run(&self, run: i64) {
        self.bar.set_prefix(format!("run {run}, "));
    }

    /// What is waited for, before there is progress.
    pub fn waits(&self, words: String) {
        self.bar.set_message(words);
    }

    /// Prints something while the line is out of the way.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Monitor for Progress {
    fn event(&self, event: &Event<'_>) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Phase(phase) => {
                pace.phase = *phase;
                self.bar.set_message(phase.words());
            }
            Event::Progress { counts, planned_files, planned_bytes, listed_all, current } => {
                let speed = pace.bytes_per_sec(counts.copied_bytes);
                let seen = Seen {
                    phase: pace.phase.words(),
                    files: (counts.created + counts.replaced, *planned_files),
                    bytes: (counts.copied_bytes, *planned_bytes),
                    unchanged: counts.unchanged,
                    problems: counts.problems,
                    speed,
                    listed_all: *listed_all,
                    current: current.map(ToString::to_string),
                };
                self.bar.set_message(seen.words());
            }
            Event::Change(_) | Event::Problem(_) => {}
        }
    }
}

impl Pace {
    fn bytes_per_sec(&mut self, bytes: u64) -> u64 {
        let now = Instant::now();
        if now.duration_since(self.next.0) > SPEED_OVER {
            self.from = std::mem::replace(&mut self.next, (now, bytes));
        }
        let millis = now.duration_since(self.from.0).as_millis().max(1);
        u64::try_from(u128::from(bytes.saturating_sub(self.from.1)) * 1000 / millis).unwrap_or(u64::MAX)
    }
}

/// What the line tells.
struct Seen {
    phase: &'static str,
    files: (u64, u64),
    bytes: (u64, u64),
    unchanged: u64,
    problems: u64,
    speed: u64,
    listed_all: bool,
    current: Option<String>,
}

impl Seen {
    fn words(&self) -> String {
        let so_far = if self.listed_all { "" } else { "+" };
        let mut parts = vec![
            format!("{}: {} of {}{so_far} files", self.phase, thousands(self.files.0), thousands(self.files.1)),
            format!("{} of {}{so_far}", size(self.bytes.0), size(self.bytes.1)),
        ];
        if self.speed > 0 {
            parts.push(format!("{}/s", size(self.speed)));
        }
        let left = self.bytes.1.saturating_sub(self.bytes.0);
        if self.listed_all
            && left > 0
            && let Some(secs) = left.checked_div(self.speed)
        {
            parts.push(format!("{} left", duration(secs.saturating_mul(1000))));
        }
        if self.unchanged > 0 {
            parts.push(format!("{} unchanged", thousands(self.unchanged)));
        }
        if self.problems > 0 {
            parts.push(count(self.problems, "problem"));
        }
        parts.extend(self.current.clone());
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_only_once_the_totals_are_known() {
        let mut seen = Seen {
            phase: "copying",
            files: (1, 1200),
            bytes: (1 << 20, 61 << 20),
            unchanged: 0,
            problems: 2,
            speed: 1 << 20,
            listed_all: false,
            current: Some("a/b".into()),
        };
        assert_eq!(seen.words(), "copying: 1 of 1,200+ files, 1.0 MiB of 61.0 MiB+, 1.0 MiB/s, 2 problems, a/b");
        seen.listed_all = true;
        assert_eq!(
            seen.words(),
            "copying: 1 of 1,200 files, 1.0 MiB of 61.0 MiB, 1.0 MiB/s, 1 min 0 s left, 2 problems, a/b"
        );
        seen.speed = 0;
        assert!(!seen.words().contains("left"), "no speed, no guess");
    }
}
