//! A hostile server that asks and does not read, or does not end what it asks: the agent's memory keeps its bound.

use super::hostile_server_tests::World;
use crate::agent::allowed_roots::AllowedRoots;
use crate::agent::serving::{Roots, serve};
use crate::carrier::{STREAMS_MAX, connection_lost};
use crate::wire::{Order, messages};
use bytes::Bytes;
use octo_core::{Entry, Error, FetchRequest, FetchSink, Kind, ListSink, Listed, Meta, Name, RelPath, Source};
use octo_core::{SourceFeatures, SourcePin, Timestamp};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// DESIGN rule 8, for an agent.
const KIB_MAX: u64 = 128 << 10;
/// A server that takes as much as HTTP/2 can promise, and one that promises nothing more than every server does.
const WINDOWS: [u32; 2] = [(1 << 31) - 1, (1 << 16) - 1];

fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What this process has resident at most so far.
#[track_caller]
fn assert_bounded() {
    let peak_kib = status_kib("VmHWM:");
    assert!(peak_kib <= KIB_MAX, "{peak_kib} KiB");
}

/// Until the agent has filled all that it fills: nothing was added for a second.
async fn settled() {
    let (mut quiet, mut before) = (0, 0);
    while quiet < 20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = status_kib("VmHWM:");
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
    }
}

/// A connection that a test can make read nothing any more.
struct Deaf(DuplexStream, Arc<AtomicBool>);

impl AsyncRead for Deaf {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.1.load(Ordering::SeqCst) { Poll::Pending } else { Pin::new(&mut self.0).poll_read(cx, buf) }
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Another connection, for a server that keeps to no rule: nothing is read of what is not asked for here.
struct Raw {
    send: h2::client::SendRequest<Bytes>,
    driver: tokio::task::JoinHandle<()>,
    deaf: Arc<AtomicBool>,
}

impl Raw {
    fn new(world: &World, roots: Arc<dyn Roots>, window: u32) -> Raw {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (memory, deaf) = (Arc::clone(&world.memory), Arc::<AtomicBool>::default());
        let ours = Deaf(ours, Arc::clone(&deaf));
        let raw = world.reactor.run(async {
            tokio::spawn(async move { serve(theirs, roots, &memory, &AtomicBool::default()).await });
            let mut client = h2::client::Builder::new();
            client.initial_window_size(window).initial_connection_window_size(window);
            let (send, connection) = client.handshake(ours).await.map_err(connection_lost)?;
            let driver = tokio::spawn(async { drop(connection.await) });
            // Its answer shows that both sides know the other's limits. One that cannot be read would be reset, and a reset may
            // overtake the answer's head.
            let hello = messages::json(&messages::Hello { version: String::new(), clock_ticks: 0 });
            let (response, _) = begin(&send, "hello", hello, true).await.map_err(connection_lost)?;
            response.await.map_err(connection_lost)?;
            Ok(Raw { send, driver, deaf })
        });
        raw.unwrap()
    }

    fn allowed(world: &World, window: u32) -> Raw {
        let roots = AllowedRoots::new(vec![world.folder.path().join("allowed")]);
        Raw::new(world, Arc::new(roots), window)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

type Begun = (h2::client::ResponseFuture, h2::SendStream<Bytes>);

/// Begins a request; its body does not end unless it is said.
async fn begin(
    send: &h2::client::SendRequest<Bytes>,
    what: &str,
    body: Vec<u8>,
    end: bool,
) -> Result<Begun, h2::Error> {
    let mut send = send.clone().ready().await?;
    let request = http::Request::post(format!("https://agent/v1/{what}")).body(()).unwrap();
    let (response, mut stream) = send.send_request(request, false)?;
    let mut body = Bytes::from(body);
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(room) => stream.send_data(body.split_to(room?.min(body.len())), false)?,
            None => break,
        }
    }
    if end {
        stream.send_data(Bytes::new(), true)?;
    }
    Ok((response, stream))
}

/// Asks for all of it at once and reads nothing.
fn ask_and_read_nothing(world: &World, raw: Raw, orders: &[(&str, Vec<u8>)]) {
    let held = world.reactor.run(async {
        raw.deaf.store(true, Ordering::SeqCst);
        let mut held = Vec::new();
        for (what, order) in orders.iter().cycle().take(STREAMS_MAX as usize) {
            held.push(begin(&raw.send, what, order.clone(), true).await.map_err(connection_lost)?);
        }
        settled().await;
        Ok(held)
    });
    assert_bounded();
    drop((held.unwrap(), raw));
    // What was held is given back: otherwise this waits without end.
    world.assert_still_honest();
}

/// Nothing that becomes smaller.
fn content(bytes: usize) -> Vec<u8> {
    let mixed = |n: u64| {
        let n = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (n ^ (n >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()
    };
    (0..bytes as u64 / 8).flat_map(mixed).collect()
}

#[test]
fn contents_that_nobody_reads_take_bounded_memory() {
    for window in WINDOWS {
        let world = World::new();
        for (name, bytes) in [("large", 16 << 20), ("small", 120 << 10)] {
            std::fs::write(world.folder.path().join("allowed").join(name), content(bytes)).unwrap();
        }
        let raw = Raw::allowed(&world, window);
        ask_and_read_nothing(&world, raw, &[("fetch", world.fetch("small")), ("fetch", world.fetch("large"))]);
    }
}

/// A tree of which the names alone take more than the agent keeps, and of which each folder has much in it.
struct Broad;

impl Source for Broad {
    fn features(&self) -> SourceFeatures {
        panic!("nobody asks for them")
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        panic!("nobody asks for it")
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let is_root = folder.is_root();
        let (kind, count) = if is_root { (Kind::Folder, 20_000u64) } else { (Kind::File, 10_000) };
        for n in 0..count {
            // Those of the root become small on their way, so that all of them are reported; the others do not.
            let name = if is_root { format!("{n:0240}") } else { blake3::hash(&n.to_le_bytes()).to_hex().repeat(3) };
            let name = Name::new(name.into_bytes()).unwrap();
            let meta = Meta::new(kind, n, Timestamp(n as i64 * 0x1234_5678_9ABC));
            if sink.entry(Entry { name, meta }).is_break() {
                break;
            }
        }
        Listed::Complete
    }
    fn fetch(&self, _: &[FetchRequest], _: &mut dyn FetchSink) {}
}

impl Roots for Broad {
    fn open(&self, root: &str) -> Result<Arc<dyn Source>, Error> {
        self.get(root)
    }
    fn get(&self, _: &str) -> Result<Arc<dyn Source>, Error> {
        Ok(Arc::new(Broad))
    }
    fn roots(&self) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn walks_and_listings_that_nobody_reads_take_bounded_memory() {
    for window in WINDOWS {
        let world = World::new();
        let mut orders = vec![("list", Order::encode("/", &RelPath::parse(b"folder").unwrap())); 16];
        orders[0] = ("walk", Order::encode("/", &RelPath::root()));
        let raw = Raw::new(&world, Arc::new(Broad), window);
        ask_and_read_nothing(&world, raw, &orders);
    }
}

#[test]
fn requests_that_never_end_take_bounded_memory() {
    let world = World::new();
    let raw = Raw::allowed(&world, WINDOWS[1]);
    let held = world.reactor.run(async {
        let begun: Vec<_> = (0..STREAMS_MAX)
            .map(|_| {
                let send = raw.send.clone();
                tokio::spawn(async move { begin(&send, "fetch", vec![0; 4 << 20], false).await })
            })
            .collect();
        settled().await;
        Ok(begun)
    });
    assert_bounded();
    world.assert_still_honest();
    held.unwrap().iter().for_each(tokio::task::JoinHandle::abort);
}

#[test]
fn requests_begun_and_left_by_the_thousand_take_bounded_memory() {
    let world = World::new();
    std::fs::write(world.folder.path().join("allowed/large"), content(16 << 20)).unwrap();
    let order = world.fetch("large");
    // Some are not left, so that those that are find no room.
    let deaf = Raw::allowed(&world, WINDOWS[0]);
    let raw = Raw::allowed(&world, WINDOWS[1]);
    let held = world.reactor.run(async {
        deaf.deaf.store(true, Ordering::SeqCst);
        let mut held = Vec::new();
        for _ in 0..STREAMS_MAX {
            held.push(begin(&deaf.send, "fetch", order.clone(), true).await.map_err(connection_lost)?);
        }
        for _ in 0..20_000 {
            // Dropped at once: it is reset.
            if begin(&raw.send, "fetch", order.clone(), true).await.is_err() {
                break;
            }
        }
        Ok(held)
    });
    assert_bounded();
    drop((held.unwrap(), deaf, raw));
    world.assert_still_honest();
}
