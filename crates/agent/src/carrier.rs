//! What both ends of a connection agree on: limits of HTTP/2, keep-alive, TLS names. No decision about files.
//!
//! Windows bound what one side may have under way to the other, and so the memory of both.

use octo_core::address::AGENT_PORT;
use octo_core::{Code, Error};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// The server with the usual port, if none was given.
pub fn with_port(server: &str) -> String {
    let has_port = server
        .rsplit_once(':')
        .is_some_and(|(host, port)| port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')));
    match has_port {
        true => server.to_owned(),
        false if server.contains(':') && !server.starts_with('[') => format!("[{server}]:{AGENT_PORT}"),
        false => format!("{server}:{AGENT_PORT}"),
    }
}

/// The name every server's certificate is issued for, whatever its address is.
pub(crate) const SERVER_NAME: &str = "server.octobackup.internal";
/// A connection on which the server asks.
pub(crate) const ALPN_AGENT: &[u8] = b"octo-agent/1";
/// A connection on which an agent asks for a certificate.
pub(crate) const ALPN_PAIR: &[u8] = b"octo-pair/1";

/// How much of one answer may be under way: 100 MB/s at a round trip of 20 ms. A listing fills it whenever the mirror is slower.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// How much of all answers together may be under way.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 24 << 20;
/// Frames of HTTP/2; TLS cuts them into records anyway.
pub(crate) const H2_FRAME_BYTES: u32 = 256 << 10;
/// What HTTP/2 has taken over of one answer and not sent yet. It stays when the answer has ended.
pub(crate) const SEND_BUFFER_BYTES: usize = 128 << 10;
/// Requests under way at once.
pub(crate) const STREAMS_MAX: u32 = 128;
/// Connecting and shaking hands takes at most so long.
pub(crate) const HANDSHAKE_SECS: u64 = 15;

const PING_SECS: u64 = 15;
const PONG_SECS: u64 = 30;

/// The connection has ended, or never was.
pub(crate) fn connection_lost(why: impl std::fmt::Display) -> Error {
    Error::new(Code::ConnectionLost, why.to_string())
}

/// Pings of a connection, counted.
#[derive(Debug)]
pub(crate) struct Pings {
    /// Somebody wants to know now.
    wanted: Notify,
    sent: AtomicU64,
    answered: watch::Sender<u64>,
}

impl Default for Pings {
    fn default() -> Pings {
        Pings { wanted: Notify::new(), sent: AtomicU64::new(0), answered: watch::Sender::new(0) }
    }
}

impl Pings {
    /// Has another one sent at once. Its answer has a larger number than this.
    pub fn ask(&self) -> u64 {
        let sent = self.sent.load(Ordering::SeqCst);
        self.wanted.notify_one();
        sent
    }

    /// Whether one is answered until then that was sent after [`Pings::ask`] gave this number.
    pub async fn answers(&self, after: u64, until: Instant) -> bool {
        let mut answered = self.answered.subscribe();
        tokio::time::timeout_at(until, answered.wait_for(|number| *number > after)).await.is_ok_and(|it| it.is_ok())
    }
}

/// Ends when the other side does not answer any more.
pub(crate) async fn keep_alive(mut pings: h2::PingPong, counted: &Pings) -> Error {
    loop {
        let _ = tokio::time::timeout(Duration::from_secs(PING_SECS), counted.wanted.notified()).await;
        let number = counted.sent.fetch_add(1, Ordering::SeqCst) + 1;
        match tokio::time::timeout(Duration::from_secs(PONG_SECS), pings.ping(h2::Ping::opaque())).await {
            Ok(Ok(_)) => drop(counted.answered.send_replace(number)),
            Ok(Err(error)) => return connection_lost(error),
            Err(_) => return connection_lost(format!("no sign of life for {PONG_SECS} s")),
        }
    }
}

/// Gives `work` so much time.
pub(crate) async fn within<T>(secs: u64, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || Error::new(Code::TimedOut, format!("no answer for {secs} s"));
    tokio::time::timeout(Duration::from_secs(secs), work).await.unwrap_or_else(|_| Err(late()))
}

/// What ended first.
pub(crate) enum First<A, B> {
    One(A),
    Other(B),
}

/// Does both until one ends; the other is dropped.
pub(crate) async fn race<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> First<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(First::One(value)),
        Poll::Pending => other.as_mut().poll(cx).map(First::Other),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_port_gets_the_usual_one() {
        for (given, full) in [
            ("backup", "backup:8735"),
            ("backup:1", "backup:1"),
            ("10.0.0.1", "10.0.0.1:8735"),
            ("fd00::1", "[fd00::1]:8735"),
            ("[fd00::1]", "[fd00::1]:8735"),
            ("[fd00::1]:7", "[fd00::1]:7"),
        ] {
            assert_eq!(with_port(given), full);
        }
    }
}
