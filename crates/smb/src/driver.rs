//! The threads that drive the connections to one folder of a share, and how blocking calls use them.

use crate::attempts::Attempts;
use crate::connection_pool::ConnectionPool;
use crate::open;
use crate::options::{Credentials, SmbOptions};
use futures_util::future::{Either, select};
use octo_core::{Code, Error, RelPath, SmbAddress};
use std::pin::pin;
use std::sync::Arc;
use tokio::runtime::{EnterGuard, Runtime};

const WORKER_THREADS: usize = 2;

/// Connections, and the threads behind them.
pub(crate) struct Driver {
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
    pub pool: Arc<ConnectionPool>,
}

impl Driver {
    /// Connects, logs on and looks whether the folder is there. Fails with a code that stops the run.
    pub fn connect(address: SmbAddress, credentials: Credentials, options: SmbOptions) -> Result<Driver, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .thread_name("smb")
            .enable_all()
            .build()
            .map_err(|e| Error::no_thread("the network", &e))?;
        let pool = Arc::new(ConnectionPool::new(address, credentials, options));
        let driver = Driver { runtime: Some(runtime), pool };
        driver.run(async { driver.pool.lease(Attempts::default()).await.map(drop) })?;
        Ok(driver)
    }

    /// Waits for `work`, until somebody wants everything to stop.
    pub fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.run_until(self.pool.cancelled(), work)
    }

    /// Waits for `work` until `end`.
    pub fn run_until<T>(
        &self,
        end: impl Future<Output = ()>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(async {
                match select(pin!(work), pin!(end)).await {
                    Either::Left((done, _)) => done,
                    Either::Right(_) => Err(Error::new(Code::Cancelled, "")),
                }
            }),
            None => Err(Error::new(Code::ConnectionLost, "the source was closed")),
        }
    }

    /// While this is held, handles that are dropped are closed on the server.
    pub fn enter(&self) -> Option<EnterGuard<'_>> {
        self.runtime.as_ref().map(Runtime::enter)
    }

    /// The path of an entry, from the share's root, for the wire.
    pub fn wire_path(&self, path: &RelPath) -> Result<Vec<u16>, Error> {
        open::wire_path(&self.pool.address().path.join_path(path))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Waiting for the runtime here would panic where the last owner is itself asynchronous.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
