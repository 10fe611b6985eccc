//! Who works on runs that were claimed: a thread for each.

use super::execute::Task;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// Works on runs that were claimed, and brings each of them to its end.
pub trait Workers: Send + Sync {
    /// Takes over a run, and does not wait for its end.
    fn take(&self, task: Task);

    /// Waits for the end of all that were taken over.
    fn join(&self);
}

/// A thread for each run.
#[derive(Default)]
pub(super) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Workers for Threads {
    fn take(&self, task: Task) {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        let (shared, run) = (task.shared.clone(), task.run.id);
        match std::thread::Builder::new().name(format!("run-{run}")).spawn(move || task.work()) {
            Ok(thread) => threads.push(thread),
            // The row says `running` without a thread: the next look ends it.
            Err(_) => shared.live.end(run),
        }
    }

    fn join(&self) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // What a thread of a run panics with has become its outcome.
            let _ = thread.join();
        }
    }
}
