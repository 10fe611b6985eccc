//! A small runtime of its own, for callers that block.

use crate::carrier::connection_lost;
use octo_core::Error;
use tokio::runtime::Runtime;

const WORKER_THREADS: usize = 2;

/// The runtime that drives all connections; gone with its last user.
pub(crate) struct Reactor(Option<Runtime>);

impl Reactor {
    pub fn start(name: &str) -> Result<Reactor, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .thread_name(name)
            .enable_all()
            .build()
            .map_err(|error| Error::no_thread("the network", &error))?;
        Ok(Reactor(Some(runtime)))
    }

    /// Waits for `work` on the caller's thread.
    pub fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match &self.0 {
            Some(runtime) => runtime.block_on(work),
            None => Err(connection_lost("the runtime was stopped")),
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        // Waiting for it here would panic where the last owner is itself asynchronous.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
