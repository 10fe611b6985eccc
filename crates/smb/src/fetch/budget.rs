//! The memory of one source's fetches: what was asked for and not yet handed over.

use crate::logon::CREDIT_BYTES;
use octo_core::{Code, Error};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes asked for and not yet handed over, of all fetches of one source together: bounds the memory. (The client
/// library holds an answer twice.)
const SOURCE_BYTES_IN_FLIGHT: u32 = 16 * 1024 * 1024;

/// The memory of one source's fetches, in units of [`CREDIT_BYTES`].
pub(crate) struct Budget(Semaphore);

impl Budget {
    pub fn new() -> Budget {
        Budget(Semaphore::new((SOURCE_BYTES_IN_FLIGHT / CREDIT_BYTES) as usize))
    }

    /// Waits until `bytes` may be asked for. The holder of a share is being served by the server or by its sink, so
    /// this ends.
    pub async fn take(&self, bytes: u32) -> Result<SemaphorePermit<'_>, Error> {
        let taken = self.0.acquire_many(units(bytes)).await;
        taken.map_err(|_| Error::new(Code::ConnectionLost, "the source was closed"))
    }

    /// The same, if there is room at once.
    pub fn take_at_once(&self, bytes: u32) -> Option<SemaphorePermit<'_>> {
        self.0.try_acquire_many(units(bytes)).ok()
    }
}

fn units(bytes: u32) -> u32 {
    bytes.min(SOURCE_BYTES_IN_FLIGHT).div_ceil(CREDIT_BYTES).max(1)
}
