//! The agent's half of a connection: answers what the server asks, from the folders it may read.
//!
//! It must never read what its [`Roots`] does not hand out, and never holds more than a few frames of an answer.

use crate::agent::answer_memory::{AnswerMemory, Holds, Share};
use crate::agent::frames::Frames;
use crate::agent::listing::list_into;
use crate::agent::walking;
use crate::carrier::{self, First, connection_lost};
use crate::wire::messages::{self, Hello, Introduction, Open, Opened};
use crate::wire::{
    FetchOrder, Frame, FrameCompression, HASH_BYTES, Order, PLAIN_BYTES_MAX, REQUEST_BYTES_MAX, extent, fault,
};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Request, Response, StatusCode};
use octo_core::{Code, Error, FetchSink, Listed, Meta, Piece, Ranges, Source, Stop};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::channel;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What all requests under way may hold together. Honest ones are far smaller.
const REQUESTS_BYTES: usize = 8 << 20;
/// A request that has not come as a whole within this time is given up: it keeps others out.
const REQUEST_SECS: u64 = 60;
/// Frames of one answer that wait to be sent.
const FRAMES_WAITING: usize = 2;
/// What is sent of a file at once: small enough that many answers find room, large enough that a piece costs little.
const PIECE_BYTES: usize = 256 << 10;
/// A piece of this size that does not become smaller by a sixteenth: so much after it is not compressed either.
const WORTH_BYTES: usize = 64 << 10;
const PLAIN_FOR_BYTES: usize = 8 << 20;
/// Cancelled requests that may wait to be noticed: the server is known, and may change its mind often.
const RESETS_MAX: usize = 4096;

/// The folders an agent may read.
pub trait Roots: Send + Sync + 'static {
    /// The folder as it is now, opened again: a run begins. Fails if it may not be read.
    fn open(&self, root: &str) -> Result<Arc<dyn Source>, Error>;
    /// The folder as it was opened last.
    fn get(&self, root: &str) -> Result<Arc<dyn Source>, Error>;
    /// What may be read, for people.
    fn roots(&self) -> Vec<String>;
}

/// Answers until the connection ends. `asked` tells whether there was anything to answer.
pub(crate) async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    roots: Arc<dyn Roots>,
    memory: &Arc<AnswerMemory>,
    asked: &AtomicBool,
) -> Result<(), Error> {
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(carrier::STREAMS_MAX)
        .max_frame_size(carrier::H2_FRAME_BYTES)
        .max_send_buffer_size(carrier::SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(RESETS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .handshake::<_, Bytes>(io)
        .await
        .map_err(connection_lost)?;
    let pings = connection.ping_pong().ok_or_else(|| connection_lost("no pings"))?;
    let unasked = carrier::Pings::default();
    let room = Arc::new(Semaphore::new(REQUESTS_BYTES));
    let mut silent = std::pin::pin!(carrier::keep_alive(pings, &unasked));
    loop {
        let next = match carrier::race(connection.accept(), &mut silent).await {
            First::One(next) => next,
            First::Other(error) => return Err(error),
        };
        let Some(next) = next else { return Ok(()) };
        let (request, respond) = next.map_err(connection_lost)?;
        asked.store(true, Ordering::Relaxed);
        let (roots, room, memory) = (Arc::clone(&roots), Arc::clone(&room), Arc::clone(memory));
        tokio::spawn(async move {
            // The server sees the stream end too early.
            let _ = answer(request, respond, roots, &room, &memory).await;
        });
    }
}

/// What reads folders and files, on a thread of its own.
type Work = fn(&[u8], &dyn Roots, &Share, &mut Frames) -> Result<(), Error>;

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    roots: Arc<dyn Roots>,
    room: &Semaphore,
    memory: &AnswerMemory,
) -> Result<(), Error> {
    let path = request.uri().path().to_owned();
    // What it takes is held until it is answered.
    let (body, _held) = carrier::within(REQUEST_SECS, read_body(request.into_body(), room)).await?;
    let (holds, work): (Holds, Work) = match path.as_str() {
        "/v1/hello" => (Holds::Text, |body, roots, _, out| hello(body, roots, out)),
        "/v1/open" => (Holds::Text, |body, roots, _, out| open(body, roots, out)),
        "/v1/list" => (Holds::Listing, |body, roots, _, out| list(body, roots, out)),
        "/v1/walk" => (Holds::Walk, walk),
        "/v1/fetch" => (Holds::Content, |body, roots, _, out| fetch(body, roots, out)),
        "/v1/link" => (Holds::Text, |body, roots, _, out| link(body, roots, out)),
        _ => {
            let status = Response::builder().status(StatusCode::NOT_FOUND).body(()).map_err(connection_lost)?;
            return respond.send_response(status, true).map(drop).map_err(connection_lost);
        }
    };
    let gone = poll_fn(|cx| respond.poll_reset(cx));
    let share = match carrier::race(memory.share(holds, body.len()), gone).await {
        First::One(share) => Arc::new(share?),
        // Whatever waits for room and is not wanted any more must not pile up.
        First::Other(_) => return Ok(()),
    };
    let mut stream = respond.send_response(Response::new(()), false).map_err(connection_lost)?;
    let (sender, mut frames) = channel(FRAMES_WAITING);
    // Held by what reads, which may go on after nobody waits for it, and by what sends.
    let share_of_worker = Arc::clone(&share);
    let worker = tokio::task::spawn_blocking(move || {
        let mut out = Frames::new(sender);
        work(&body, &*roots, &share_of_worker, &mut out)?;
        out.flush()
    });
    while let Some(frame) = frames.recv().await {
        send(&mut stream, frame).await?;
    }
    match worker.await {
        Ok(Ok(())) => stream.send_data(Bytes::new(), true).map_err(connection_lost),
        _ => {
            stream.send_reset(h2::Reason::INTERNAL_ERROR);
            Ok(())
        }
    }
}

/// Reads a request. A piece that finds no room waits, and with it the server, whose windows are small.
async fn read_body(mut body: RecvStream, room: &Semaphore) -> Result<(Vec<u8>, SemaphorePermit<'_>), Error> {
    let mut held = room.acquire_many(0).await.map_err(connection_lost)?;
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(connection_lost)?;
        if bytes.len() + piece.len() > REQUEST_BYTES_MAX {
            return Err(fault("a request is too long"));
        }
        held.merge(room.acquire_many(u32::try_from(piece.len()).unwrap_or(u32::MAX)).await.map_err(connection_lost)?);
        body.flow_control().release_capacity(piece.len()).map_err(connection_lost)?;
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes, held))
}

/// Waits until the other side can take it.
pub(crate) async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room.ok_or_else(|| connection_lost("the stream has ended"))?.map_err(connection_lost)?;
        stream.send_data(bytes.split_to(room.min(bytes.len())), false).map_err(connection_lost)?;
    }
    Ok(())
}

fn hello(body: &[u8], roots: &dyn Roots, out: &mut Frames) -> Result<(), Error> {
    let _: Hello = messages::parse(body)?;
    let introduction = Introduction {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: crate::host_name(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        clock_ticks: crate::now().0,
        roots: roots.roots(),
    };
    out.hand(messages::json(&introduction))
}

fn open(body: &[u8], roots: &dyn Roots, out: &mut Frames) -> Result<(), Error> {
    let wanted: Open = messages::parse(body)?;
    let opened = roots.open(&wanted.root).and_then(|source| Ok((source.pin()?, source.features())));
    out.hand(messages::json(&Opened::new(opened)))
}

fn list(body: &[u8], roots: &dyn Roots, out: &mut Frames) -> Result<(), Error> {
    let order = Order::decode(body)?;
    match roots.get(&order.root) {
        Ok(source) => list_into(&mut |frame| out.hand(frame), &*source, &order.path, &mut |_| {}),
        Err(error) => out.hand(Frame::listed(&Listed::Incomplete(error))),
    }
}

fn walk(body: &[u8], roots: &dyn Roots, share: &Share, out: &mut Frames) -> Result<(), Error> {
    let order = Order::decode(body)?;
    let source = roots.get(&order.root);
    walking::walk(&order, source.as_deref().map_err(Error::clone), share.may_go_ahead(), out)
}

fn fetch(body: &[u8], roots: &dyn Roots, out: &mut Frames) -> Result<(), Error> {
    let order = FetchOrder::decode(body)?;
    let packing = if order.may_pack { FrameCompression::Zstd } else { FrameCompression::Plain };
    let hashers = order.files.iter().map(|_| None).collect();
    match roots.get(&order.root) {
        Ok(source) => source
            .fetch(&order.files, &mut FetchTo { out, packing, tell_holes: order.tell_holes, plain_bytes: 0, hashers }),
        Err(error) => out.hand(Frame::failed(0, &error))?,
    }
    Ok(())
}

struct FetchTo<'a> {
    out: &'a mut Frames,
    packing: FrameCompression,
    tell_holes: bool,
    /// So much goes as it is, since what came before could not be compressed.
    plain_bytes: usize,
    hashers: Vec<Option<Box<blake3::Hasher>>>,
}

impl FetchTo<'_> {
    fn send(&mut self, frame: Bytes) -> Result<(), Stop> {
        self.out.hand(frame).map_err(|_| Stop::Everything)
    }
}

impl FetchSink for FetchTo<'_> {
    fn wants_holes(&self, _: usize) -> bool {
        self.tell_holes
    }

    fn holes(&mut self, file: usize, holes: &Ranges) {
        // A server that is gone is noticed with the next frame.
        let _ = self.send(Frame::holes(file, holes));
    }

    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.hashers[file] = Some(Box::default());
        self.plain_bytes = 0;
        self.send(Frame::opened(file, &meta))
    }

    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let mut at = offset_bytes;
        for piece in bytes.chunks(PIECE_BYTES) {
            if let Some(hasher) = &mut self.hashers[file] {
                hasher.update(piece);
            }
            let packing = if self.plain_bytes > 0 { FrameCompression::Plain } else { self.packing };
            let frame = Frame::piece(file, at, piece, packing);
            self.plain_bytes = match packing {
                FrameCompression::Zstd
                    if piece.len() >= WORTH_BYTES && frame.len() > piece.len() - piece.len() / 16 =>
                {
                    PLAIN_FOR_BYTES
                }
                _ => self.plain_bytes.saturating_sub(piece.len()),
            };
            self.send(frame)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        if let Piece::StreamData(bytes) = piece {
            let mut pieces = bytes.chunks(PIECE_BYTES);
            return pieces.try_for_each(|some| self.send(Frame::metadata(file, &Piece::StreamData(some))));
        }
        let (part, bytes) = extent(&piece);
        let too_large = || Error::new(Code::SourceEntry, format!("{bytes} bytes of metadata in one piece"));
        let piece = if bytes > PLAIN_BYTES_MAX { Piece::Unknown(part, Some(too_large())) } else { piece };
        self.send(Frame::metadata(file, &piece))
    }

    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        let hash: [u8; HASH_BYTES] = self.hashers[file].take().unwrap_or_default().finalize().into();
        self.send(Frame::finished(file, &meta, &hash))
    }

    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.hashers[file] = None;
        self.send(Frame::failed(file, &error))
    }
}

fn link(body: &[u8], roots: &dyn Roots, out: &mut Frames) -> Result<(), Error> {
    let order = Order::decode(body)?;
    let target = roots.get(&order.root).and_then(|source| source.read_link(&order.path));
    out.hand(match target {
        Ok(target) => Frame::link(&target),
        Err(error) => Frame::failed(0, &error),
    })
}
