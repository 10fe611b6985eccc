//! A TCP proxy that makes the network bad: slow, cut, stalled, in crumbs. On loopback only.
//!
//! Latency does not cost bandwidth: each direction of a connection is read ahead (up to a limit) and handed on when its
//! time has come, so that pipelining shows its worth as on a real wire.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks read ahead in each direction of a connection: 16 MiB, which is 800 MB/s at 20 ms.
const CHUNKS_AHEAD_MAX: usize = 256;

/// What happens to one direction. The default: nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    /// Every byte arrives so much later.
    pub delay: Duration,
    /// The connection ends after so many bytes of it.
    pub cut_after_bytes: Option<u64>,
    /// Nothing arrives any more after so many bytes of it, and the connection stays open.
    pub stall_after_bytes: Option<u64>,
    /// Handed on in pieces of at most so many bytes.
    pub pieces_bytes_max: Option<usize>,
    /// One bit of this byte, counted from the connection's first as 0, arrives turned over: on the first connection that
    /// comes so far, once.
    pub flip_at_byte: Option<u64>,
    /// All connections together carry so many bytes a second, each in its turn.
    pub line_bytes_per_sec: Option<u32>,
}

impl Trouble {
    /// Only latency.
    pub fn delay(delay: Duration) -> Trouble {
        Trouble { delay, ..Trouble::default() }
    }
}

#[derive(Default)]
struct State {
    to_server: Trouble,
    to_client: Trouble,
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
    connections: u64,
    stopped: bool,
    /// Whether a bit was turned over since the last [`Proxy::set`].
    has_flipped: bool,
    /// Until when the lines to the server and to the client are taken.
    taken: [Option<Instant>; 2],
}

/// The two directions.
#[derive(Clone, Copy)]
enum Way {
    ToServer,
    ToClient,
}

impl State {
    fn trouble(&self, way: Way) -> Trouble {
        match way {
            Way::ToServer => self.to_server,
            Way::ToClient => self.to_client,
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn on a line of this speed, and for as long as `bytes` take on it; false if the proxy was stopped.
    fn carry(&self, way: Way, bytes: usize, bytes_per_sec: u32) -> bool {
        let takes = Duration::from_secs_f64(bytes as f64 / f64::from(bytes_per_sec.max(1)));
        let through = {
            let taken = &mut self.state().taken[way as usize];
            let now = Instant::now();
            *taken.insert(taken.map_or(now, |until| until.max(now)) + takes)
        };
        self.wait(Some(through))
    }

    /// Waits until `due`, or for ever; false if the proxy was stopped.
    fn wait(&self, due: Option<Instant>) -> bool {
        let mut state = self.state();
        while !state.stopped {
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return true,
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        false
    }
}

/// A running proxy. Dropping it ends its connections and its threads.
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy in front of `upstream`, on a free port of 127.0.0.1.
    pub fn start(upstream: SocketAddr) -> std::io::Result<Proxy> {
        Proxy::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), upstream)
    }

    /// A proxy in front of `upstream`, on an address of one's own choice.
    pub fn start_at(listen: SocketAddr, upstream: SocketAddr) -> std::io::Result<Proxy> {
        let listener = TcpListener::bind(listen)?;
        let (addr, shared) = (listener.local_addr()?, Arc::new(Shared::default()));
        let theirs = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || {
            for client in listener.incoming() {
                if theirs.state().stopped {
                    return;
                }
                // A refused upstream shows to the client as a connection that ends at once.
                if let Ok(client) = client {
                    let _ = connect(&theirs, client, upstream);
                }
            }
        });
        Ok(Proxy { addr, shared, acceptor: Some(acceptor) })
    }

    /// Where to connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What happens from now on, on running connections too. Bytes are counted from the start of each connection.
    pub fn set(&self, to_server: Trouble, to_client: Trouble) {
        let mut state = self.shared.state();
        (state.to_server, state.to_client, state.has_flipped) = (to_server, to_client, false);
    }

    /// Whether a bit was turned over since the last [`Proxy::set`].
    pub fn has_flipped(&self) -> bool {
        self.shared.state().has_flipped
    }

    /// ConnectionLimits that were made so far.
    pub fn connections(&self) -> u64 {
        self.shared.state().connections
    }

    /// Ends all connections there are; new ones are served.
    pub fn cut_all(&self) {
        for stream in self.shared.state().streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_all();
        self.cut_all();
        // Wakes the acceptor, which then sees that it is over.
        let _ = TcpStream::connect(self.addr);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.cut_all();
        let threads = std::mem::take(&mut self.shared.state().threads);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
    let server = TcpStream::connect_timeout(&upstream, Duration::from_secs(5))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
    let ends = [client.try_clone()?, server.try_clone()?];
    {
        // Counted before the first byte passes, so that a test that saw one also sees the count.
        let mut state = shared.state();
        state.connections += 1;
        state.streams.extend(ends);
    }
    let there = direction(shared, client, server, Way::ToServer);
    let back = direction(shared, server_too, client_too, Way::ToClient);
    shared.state().threads.extend(there.into_iter().chain(back));
    Ok(())
}

/// A chunk, and when it came.
type Chunk = (Instant, Vec<u8>);

fn direction(shared: &Arc<Shared>, from: TcpStream, to: TcpStream, way: Way) -> [JoinHandle<()>; 2] {
    let (sender, receiver) = sync_channel(CHUNKS_AHEAD_MAX);
    let shared = Arc::clone(shared);
    [
        std::thread::spawn(move || read_ahead(from, &sender)),
        std::thread::spawn(move || {
            // Whether it was cut or came to its end: the other side sees the end after the last byte.
            let how = if hand_on(&shared, &receiver, &to, way) { Shutdown::Write } else { Shutdown::Both };
            let _ = to.shutdown(how);
        }),
    ]
}

fn read_ahead(mut from: TcpStream, sender: &SyncSender<Chunk>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if sender.send((Instant::now(), buffer[..count].to_vec())).is_err() {
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// False if the connection has to end here and now.
fn hand_on(shared: &Shared, receiver: &Receiver<Chunk>, mut to: &TcpStream, way: Way) -> bool {
    let mut handed = 0;
    for (came, mut bytes) in receiver {
        let now = shared.state().trouble(way);
        if !now.delay.is_zero() && !shared.wait(Some(came + now.delay)) {
            return false;
        }
        let limit = now.cut_after_bytes.into_iter().chain(now.stall_after_bytes).min().unwrap_or(u64::MAX);
        let room = usize::try_from(limit.saturating_sub(handed)).unwrap_or(usize::MAX);
        let flip = now.flip_at_byte.and_then(|at| usize::try_from(at.checked_sub(handed)?).ok());
        if let Some(byte) = flip.and_then(|at| bytes.get_mut(at)) {
            *byte ^= u8::from(!std::mem::replace(&mut shared.state().has_flipped, true));
        }
        let passing = &bytes[..bytes.len().min(room)];
        for piece in passing.chunks(now.pieces_bytes_max.unwrap_or(CHUNK_BYTES).max(1)) {
            if now.line_bytes_per_sec.is_some_and(|speed| !shared.carry(way, piece.len(), speed)) {
                return false;
            }
            if to.write_all(piece).is_err() {
                return false;
            }
        }
        handed += passing.len() as u64;
        // At the very byte, not only when the next one comes: a cut answer may be the last one.
        if now.cut_after_bytes.is_some_and(|cut| cut <= handed) {
            return false;
        }
        if now.stall_after_bytes.is_some_and(|stall| stall <= handed) {
            return shared.wait(None);
        }
    }
    true
}

/// What a server of SMB says instead of this answer while it is at work on what it was asked (MS-SMB2 3.3.4.2): STATUS_PENDING.
/// The answer must have a whole header, of 64 bytes.
pub fn interim(answer: &[u8]) -> Vec<u8> {
    let mut message = answer[..64].to_vec();
    message[8..12].copy_from_slice(&0x103_u32.to_le_bytes());
    // No credits; asynchronous, as number 77; alone; not signed.
    message[14..16].fill(0);
    message[16..20].copy_from_slice(&3_u32.to_le_bytes());
    message[20..24].fill(0);
    message[32..40].copy_from_slice(&77_u64.to_le_bytes());
    message[48..64].fill(0);
    message.extend([9, 0, 0, 0, 0, 0, 0, 0, 0]);
    message
}
