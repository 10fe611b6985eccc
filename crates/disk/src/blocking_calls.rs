//! Work on a folder whose disk or mount may hang: on a thread of its own, so that the caller can give up. The kernel
//! lets nobody take back a question, so the thread stays until it is answered; a folder that owes answers is not asked for
//! more of them, and other folders are not affected.

use octo_core::{Cancel, Code, Error};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// So many questions about one folder may be open at once.
const OPEN_MAX: usize = 4;
/// How soon the wish to stop is noticed.
const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Threads that have nothing to do are kept, so many and for so long: a run asks a million times.
const IDLE_MAX: usize = 16;
const IDLE: Duration = Duration::from_secs(10);

type Work = Box<dyn FnOnce() + Send>;

/// Those that wait for work, by the number of their thread.
static WAITING: Mutex<Vec<(u64, Sender<Work>)>> = Mutex::new(Vec::new());

/// Does `work` on a thread that nobody waits for.
pub(crate) fn on_a_thread(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let waiting = || WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut work: Work = Box::new(work);
    loop {
        let Some((_, next)) = waiting().pop() else { break };
        match next.send(work) {
            Ok(()) => return Ok(()),
            Err(back) => work = back.0,
        }
    }
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let live = move || {
        work();
        loop {
            let (next, given) = channel::<Work>();
            {
                let mut waiting = waiting();
                if waiting.len() >= IDLE_MAX {
                    return;
                }
                waiting.push((number, next));
            }
            let work = given.recv_timeout(IDLE).or_else(|_| {
                let mut waiting = waiting();
                match waiting.iter().position(|(it, _)| *it == number) {
                    Some(at) => drop(waiting.swap_remove(at)),
                    // Somebody has chosen this thread just now.
                    None => drop(waiting),
                }
                given.recv()
            });
            match work {
                Ok(work) => work(),
                Err(_) => return,
            }
        }
    };
    thread::Builder::new().name("disk".to_owned()).spawn(live).map(drop)
}

/// The questions that are open, by what they are about.
#[derive(Debug, Clone, Default)]
pub struct BlockingCalls(Arc<Mutex<HashMap<String, Vec<Instant>>>>);

/// A question that was asked, and has not been answered yet.
pub struct PendingCall<T> {
    folder: String,
    begun: Instant,
    within: Duration,
    receiver: Receiver<Result<T, Error>>,
}

impl BlockingCalls {
    /// Does `work`, and waits for it for so long, or until `cancel`. Fails with [`Code::TimedOut`], at once if `folder` has
    /// not answered another question for as long.
    pub fn ask<T: Send + 'static>(
        &self,
        folder: &str,
        within: Duration,
        cancel: Option<&Cancel>,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.begin(folder, within, work)?.answer(cancel)
    }

    /// Begins to do `work`; [`PendingCall::answer`] waits for it, for so long from now.
    pub fn begin<T: Send + 'static>(
        &self,
        folder: &str,
        within: Duration,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<PendingCall<T>, Error> {
        let begun = Instant::now();
        {
            let mut open = self.lock();
            let asked = open.entry(folder.to_owned()).or_default();
            if let Some(&oldest) = asked.iter().min()
                && (asked.len() >= OPEN_MAX || oldest.elapsed() >= within)
            {
                return Err(hangs(folder, oldest));
            }
            asked.push(begun);
        }
        let (sender, receiver) = channel();
        let open = OpenCall { of: self.clone(), folder: folder.to_owned(), since: begun };
        let work = move || {
            let done = work();
            drop(open);
            // The caller may have given up.
            let _ = sender.send(done);
        };
        on_a_thread(work).map_err(|error| Error::no_thread(folder, &error))?;
        Ok(PendingCall { folder: folder.to_owned(), begun, within, receiver })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> PendingCall<T> {
    /// Waits for the answer, or until `cancel`.
    pub fn answer(self, cancel: Option<&Cancel>) -> Result<T, Error> {
        let PendingCall { folder, begun, within, receiver } = self;
        loop {
            match receiver.recv_timeout(CANCEL_POLL_INTERVAL) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::panicked(&folder));
                }
                Err(RecvTimeoutError::Timeout) if cancel.is_some_and(Cancel::is_cancelled) => {
                    return Err(Error::new(Code::Cancelled, ""));
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed() >= within => return Err(hangs(&folder, begun)),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn hangs(folder: &str, since: Instant) -> Error {
    let secs = since.elapsed().as_secs();
    Error::new(Code::TimedOut, format!("{folder} has not answered for {secs} s: does its disk or mount hang?"))
}

/// A question, until it is answered or the thread is gone.
struct OpenCall {
    of: BlockingCalls,
    folder: String,
    since: Instant,
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut open = self.of.lock();
        if let Some(asked) = open.get_mut(&self.folder) {
            if let Some(at) = asked.iter().position(|since| *since == self.since) {
                asked.swap_remove(at);
            }
            if asked.is_empty() {
                open.remove(&self.folder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_hangs_is_given_up_refused_at_once_and_asked_again_when_it_is_back() {
        let patience = BlockingCalls::default();
        let (release, hangs) = channel::<()>();
        let hung = move || hangs.recv().map_err(|error| Error::new(Code::NotFound, error.to_string()));
        let error = patience.ask("/a", SHORT, None, hung).unwrap_err();
        assert!(error.code == Code::TimedOut && error.detail.starts_with("/a has not answered"), "{error:?}");
        let error = patience.ask("/a", SHORT, None, || -> Result<(), Error> { unreachable!("it hangs still") });
        assert_eq!(error.unwrap_err().code, Code::TimedOut);
        assert_eq!(patience.ask("/b", LONG, None, || Ok(7)), Ok(7), "another folder");
        release.send(()).unwrap();
        while !patience.lock().is_empty() {
            thread::yield_now();
        }
        assert_eq!(patience.ask("/a", LONG, None, || Ok(8)), Ok(8));
    }

    #[test]
    fn a_panic_is_an_error_of_the_program_and_blames_no_folder() {
        let panics = || -> Result<(), Error> { std::panic::resume_unwind(Box::new("a defect")) };
        let error = BlockingCalls::default().ask("/a", LONG, None, panics).unwrap_err();
        assert_eq!(error, Error::panicked("/a"));
        assert!(error.code == Code::InternalError && error.code.stops_run());
    }

    #[test]
    fn who_cancels_does_not_wait() {
        let (_release, hangs) = channel::<()>();
        let cancel = Cancel::new();
        cancel.cancel();
        let hung = move || hangs.recv().map_err(|error| Error::new(Code::NotFound, error.to_string()));
        let error = BlockingCalls::default().ask("/a", LONG, Some(&cancel), hung).unwrap_err();
        assert_eq!(error.code, Code::Cancelled);
    }
}
