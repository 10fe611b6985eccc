//! Frames of an answer on their way out.

use bytes::{Bytes, BytesMut};
use octo_core::{Code, Error};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

/// Smaller frames wait for others until they are so much together, but no longer than this.
const TOGETHER_BYTES: usize = 64 << 10;
const TOGETHER: Duration = Duration::from_millis(100);

/// Frames on their way out. Small ones travel together: each alone would cost a frame of HTTP/2, and the other side
/// suffers only so many small ones of those.
pub(crate) struct Frames {
    sender: Sender<Bytes>,
    waiting: BytesMut,
    sent: Instant,
}

impl Frames {
    pub fn new(sender: Sender<Bytes>) -> Frames {
        Frames { sender, waiting: BytesMut::new(), sent: Instant::now() }
    }

    pub fn hand(&mut self, frame: impl Into<Bytes>) -> Result<(), Error> {
        let frame = frame.into();
        if frame.len() >= TOGETHER_BYTES {
            self.flush()?;
            return self.send(frame);
        }
        self.waiting.extend_from_slice(&frame);
        if self.waiting.len() >= TOGETHER_BYTES || self.sent.elapsed() >= TOGETHER { self.flush() } else { Ok(()) }
    }

    pub fn flush(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let together = self.waiting.split().freeze();
        self.send(together)
    }

    fn send(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.sent = Instant::now();
        self.sender.blocking_send(bytes).map_err(|_| Error::new(Code::Cancelled, "the connection was closed"))
    }
}
