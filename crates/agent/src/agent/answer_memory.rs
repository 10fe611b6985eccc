//! The memory that all answers of this program may hold together, so that a server that asks and does not read cannot take more.
//!
//! An answer takes its share before anything is read for it, and gives it back when nothing of it is left. An answer for which there is no
//! room waits for its turn. DESIGN section 3, rule 8.

use crate::carrier::connection_lost;
use crate::wire::REQUEST_BYTES_MAX;
use octo_core::Error;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All answers together. Requests and what HTTP/2 has taken over have bounds of their own.
const ANSWERS_BYTES: usize = 56 << 20;
/// Walks that go ahead at once: they last as long as a run, so they must not keep others out. Any other tells one folder.
const WALKS_MAX: usize = 4;
/// What a byte of a request becomes: itself, and a path.
const DECODED: usize = 2;

/// What an answer holds at most, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A short text.
    Text,
    /// A buffer of a listing, and some frames of entries.
    Listing,
    /// Names of folders, listings made ahead, and the threads that make them.
    Walk,
    /// What was read, packed and not yet sent of a file.
    Content,
}

impl Holds {
    fn bytes(self) -> usize {
        match self {
            Holds::Text => 128 << 10,
            Holds::Listing => 512 << 10,
            Holds::Walk => 7 << 20,
            Holds::Content => 3 << 20,
        }
    }
}

/// The memory for answers; one for the whole program, whatever connection they belong to.
pub(crate) struct AnswerMemory {
    room: Arc<Semaphore>,
    walks: Arc<Semaphore>,
}

/// What one answer may hold until this is dropped.
pub(crate) struct Share {
    _room: OwnedSemaphorePermit,
    walk: Option<OwnedSemaphorePermit>,
}

impl Default for AnswerMemory {
    fn default() -> AnswerMemory {
        AnswerMemory { room: Arc::new(Semaphore::new(ANSWERS_BYTES)), walks: Arc::new(Semaphore::new(WALKS_MAX)) }
    }
}

impl AnswerMemory {
    /// Waits until there is room for the answer to a request of so many bytes.
    pub async fn share(&self, holds: Holds, request_bytes: usize) -> Result<Share, Error> {
        let is_walk = holds == Holds::Walk;
        let walk = if is_walk { Arc::clone(&self.walks).try_acquire_owned().ok() } else { None };
        let holds = if is_walk && walk.is_none() { Holds::Listing } else { holds };
        let bytes = holds.bytes() + DECODED * request_bytes.min(REQUEST_BYTES_MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
        Ok(Share { _room: room.await.map_err(connection_lost)?, walk })
    }
}

impl Share {
    /// Whether a walk may go on after its first folder.
    pub fn may_go_ahead(&self) -> bool {
        self.walk.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn now<T>(work: impl Future<Output = Result<T, Error>>) -> Option<T> {
        match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn shares_never_exceed_the_memory_and_walks_leave_room_for_contents() {
        let memory = AnswerMemory::default();
        let walks: Vec<Share> = (0..WALKS_MAX).map(|_| now(memory.share(Holds::Walk, 100)).unwrap()).collect();
        assert!(walks.iter().all(Share::may_go_ahead));
        assert!(!now(memory.share(Holds::Walk, 100)).unwrap().may_go_ahead(), "one more tells its folder");
        let contents: Vec<Share> = std::iter::from_fn(|| now(memory.share(Holds::Content, 100))).collect();
        let held = walks.len() * Holds::Walk.bytes() + contents.len() * Holds::Content.bytes();
        assert!(contents.len() >= 8 && held <= ANSWERS_BYTES, "{} and {held}", contents.len());
        drop(walks);
        let _walk = now(memory.share(Holds::Walk, 100)).filter(Share::may_go_ahead).unwrap();
        drop(contents);
        // Walks last, so the largest request must find room beside all of them.
        let _walks: Vec<Share> = (1..WALKS_MAX).map(|_| now(memory.share(Holds::Walk, 100)).unwrap()).collect();
        assert!(now(memory.share(Holds::Content, usize::MAX)).is_some());
    }
}
