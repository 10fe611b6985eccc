//! Ctrl-C and termination: the first asks to stop cleanly, the second ends the program at once. Both are safe: nothing in a
//! mirror is ever half written.

use crate::exit;
use octo_core::{Cancel, Code, Error, Event, Phase};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A run in which nothing happens for so long after it was asked to stop waits for a disk or mount that hangs: it is given up,
/// and nothing is lost by it.
const HAPPENS_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Whether anything happens in a run.
#[derive(Debug, Default)]
pub struct SignsOfLife {
    events: AtomicU64,
    /// It writes down how it ended, or puts right what another run left. That takes as long as it takes.
    is_at_its_own_work: AtomicBool,
}

impl SignsOfLife {
    /// Something happened.
    pub fn event(&self, event: &Event<'_>) {
        if let Event::Phase(phase) = event {
            self.is_at_its_own_work.store(matches!(phase, Phase::Check | Phase::Settle), Ordering::SeqCst);
        }
        self.events.fetch_add(1, Ordering::SeqCst);
    }

    /// Something else than an event of a run happened.
    pub fn happened(&self) {
        self.events.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns once nothing has happened for so long.
    fn wait_for_silence(&self, within: Duration) {
        let (mut seen, mut since) = (self.events.load(Ordering::SeqCst), Instant::now());
        while since.elapsed() < within {
            std::thread::sleep(LOOK_EVERY.min(within));
            let now = self.events.load(Ordering::SeqCst);
            if now != seen || self.is_at_its_own_work.load(Ordering::SeqCst) {
                (seen, since) = (now, Instant::now());
            }
        }
    }
}

/// From now on signals cancel what is returned. Who asked waits as long as it takes.
#[cfg(unix)]
pub fn on_signals() -> Result<Cancel, Error> {
    handle(|| ())
}

/// The same for a run, which is given up if it hangs.
pub fn on_signals_of(run: &Arc<SignsOfLife>) -> Result<Cancel, Error> {
    let run = Arc::clone(run);
    handle(move || {
        let run = Arc::clone(&run);
        // Nobody can take back what was asked of a disk or mount that hangs.
        let give_up = move || {
            run.wait_for_silence(HAPPENS_WITHIN);
            exit::complain(
                "something does not answer (does a disk or mount hang?); stopped all the same, the next run continues",
            );
            std::process::exit(exit::CANCELLED.into());
        };
        let _ = std::thread::Builder::new().spawn(give_up);
    })
}

fn handle(asked_to_stop: impl Fn() + Send + 'static) -> Result<Cancel, Error> {
    let cancel = Cancel::new();
    let asked = cancel.clone();
    ctrlc::set_handler(move || {
        if asked.is_cancelled() {
            std::process::exit(exit::CANCELLED.into());
        }
        asked.cancel();
        exit::complain("stopping; again to stop at once");
        asked_to_stop();
    })
    .map_err(|e| Error::new(Code::Usage, format!("signals cannot be handled: {e}")))?;
    Ok(cancel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::report::Counts;
    use std::sync::mpsc::{RecvTimeoutError, channel};

    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn a_run_in_which_something_happens_or_that_ends_is_not_given_up() {
        let run = Arc::new(SignsOfLife::default());
        let (tell, given_up) = channel();
        let watched = Arc::clone(&run);
        run.event(&Event::Phase(Phase::Settle));
        std::thread::spawn(move || {
            watched.wait_for_silence(SHORT);
            tell.send(()).unwrap();
        });
        assert_eq!(given_up.recv_timeout(SHORT * 10), Err(RecvTimeoutError::Timeout), "it writes its report");
        let counts = Counts::default();
        let progress =
            Event::Progress { counts: &counts, planned_files: 0, planned_bytes: 0, listed_all: false, current: None };
        run.event(&Event::Phase(Phase::Copy));
        run.event(&progress);
        given_up.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
