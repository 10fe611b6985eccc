//! A connection whose other side must take what it is sent: without progress for too long, writing fails.
//!
//! Reading is not bounded here: who reads knows what it waits for, and for how long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The connection. Below TLS, so that nothing of that counts as progress but bytes that left.
pub(super) struct Stalled<S> {
    stream: S,
    within: Duration,
    /// Runs while a write waits.
    late: Pin<Box<Sleep>>,
    is_waiting: bool,
}

impl<S> Stalled<S> {
    /// Writes fail after so long without progress.
    pub(super) fn new(stream: S, within: Duration) -> Stalled<S> {
        Stalled { stream, within, late: Box::pin(tokio::time::sleep(within)), is_waiting: false }
    }

    fn bounded<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.is_waiting = false;
            return done;
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.late.as_mut().reset(Instant::now() + self.within);
        }
        self.late.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.bounded(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.bounded(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalled<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn a_write_that_nobody_takes_fails_and_one_that_goes_on_slowly_does_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(16);
            let mut near = Stalled::new(near, Duration::from_millis(200));
            let slow = tokio::spawn(async move {
                let mut taken = [0; 16];
                for _ in 0..3 {
                    far.read_exact(&mut taken).await.unwrap();
                }
                far
            });
            near.write_all(&[b'x'; 48]).await.unwrap();
            let _far = slow.await.unwrap();
            near.write_all(&[b'x'; 16]).await.unwrap();
            let failed = near.write_all(&[b'x'; 16]).await.unwrap_err();
            assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        });
    }
}
