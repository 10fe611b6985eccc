//! The server's half of a connection: asks, and reads the answers frame by frame.
//!
//! An answer is read only as fast as it is used, so a slow disk here slows the agent, and nothing piles up.

use crate::carrier::{self, First, Pings, connection_lost, within};
use crate::wire::messages::{self, Hello, Introduction};
use crate::wire::{Decoder, fault};
use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::client::SendRequest;
use http::{Method, Request, StatusCode};
use octo_core::{Error, Timestamp};
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

/// An answer that brings nothing for so long has failed, though the connection lives: a folder of a sleeping disk is
/// slow, but not that slow.
const SILENCE_SECS: u64 = 120;

/// So many more round trips are measured: the shortest is the way, all else is a busy machine.
const ROUND_TRIPS: usize = 3;

/// Changes, or fails to, once the connection has ended.
pub(crate) type ConnectionEnd = tokio::sync::watch::Receiver<()>;

/// A connection to an agent.
#[derive(Debug)]
pub(crate) struct Session {
    send: SendRequest<Bytes>,
    driver: JoinHandle<()>,
    gone: ConnectionEnd,
    pings: Arc<Pings>,
    /// It came while another with the same identity was here.
    second: AtomicBool,
    /// Set before the driver notices.
    ended: AtomicBool,
    /// What the agent said of itself.
    pub introduction: Introduction,
    /// When it said so.
    introduced: Instant,
    /// How long the way there and back takes.
    pub round_trip: Duration,
    /// The address that it came from.
    pub from: IpAddr,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    /// Takes over a connection on which an agent waits for requests.
    pub async fn begin(
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        from: IpAddr,
    ) -> Result<Session, Error> {
        let (send, mut connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(carrier::STREAM_WINDOW_BYTES)
            .initial_connection_window_size(carrier::CONNECTION_WINDOW_BYTES)
            .max_frame_size(carrier::H2_FRAME_BYTES)
            .max_header_list_size(16 << 10)
            .handshake::<_, Bytes>(io)
            .await
            .map_err(connection_lost)?;
        let pings = connection.ping_pong().ok_or_else(|| connection_lost("no pings"))?;
        let (alive, gone) = tokio::sync::watch::channel(());
        let counted = Arc::<Pings>::default();
        let asked = Arc::clone(&counted);
        let driver = tokio::spawn(async move {
            let _alive = alive;
            // Either way all requests under way end with an error of their own.
            let _ = carrier::race(connection, carrier::keep_alive(pings, &asked)).await;
        });
        let nobody = Introduction {
            version: String::new(),
            host: String::new(),
            system: String::new(),
            clock_ticks: 0,
            roots: Vec::new(),
        };
        let mut link = Session {
            send,
            driver,
            gone,
            pings: counted,
            second: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            introduction: nobody,
            introduced: Instant::now(),
            round_trip: Duration::ZERO,
            from,
        };
        let hello = Hello { version: env!("CARGO_PKG_VERSION").to_owned(), clock_ticks: crate::now().0 };
        let mut begun = Instant::now();
        let said: Introduction = within(carrier::HANDSHAKE_SECS, link.ask_json("hello", &hello)).await?;
        link.round_trip = begun.elapsed();
        link.introduced = Instant::now();
        for _ in 0..ROUND_TRIPS {
            begun = Instant::now();
            let _: Introduction = within(carrier::HANDSHAKE_SECS, link.ask_json("hello", &hello)).await?;
            link.round_trip = link.round_trip.min(begun.elapsed());
        }
        link.introduction = Introduction {
            version: messages::printable(&said.version),
            host: messages::printable(&said.host),
            system: messages::printable(&said.system),
            clock_ticks: said.clock_ticks,
            roots: said.roots.iter().map(|root| messages::printable(root)).collect(),
        };
        Ok(link)
    }

    /// What the agent's clock shows now, whatever ours has done since it was asked.
    pub fn clock(&self) -> Timestamp {
        let since = i64::try_from(self.introduced.elapsed().as_secs()).unwrap_or(i64::MAX);
        Timestamp(self.introduction.clock_ticks).plus_secs(since)
    }

    /// Whether the connection has ended.
    pub fn is_over(&self) -> bool {
        self.ended.load(Ordering::SeqCst) || self.driver.is_finished()
    }

    /// Another agent with the same identity was here when it came.
    pub fn set_second(&self) {
        self.second.store(true, Ordering::SeqCst);
    }

    /// Whether it came while another agent with the same identity was here.
    pub fn is_second(&self) -> bool {
        self.second.load(Ordering::SeqCst)
    }

    /// Asks for a sign of life; [`Session::answers`] waits for it.
    pub fn ask_sign_of_life(&self) -> u64 {
        self.pings.ask()
    }

    /// Whether the agent answers until then what [`Session::ask_sign_of_life`] asked.
    pub async fn answers(&self, asked: u64, until: tokio::time::Instant) -> bool {
        let mut gone = self.gone();
        match carrier::race(self.pings.answers(asked, until), gone.changed()).await {
            First::One(answered) => answered && !self.is_over(),
            First::Other(_) => false,
        }
    }

    /// To wait for its end.
    pub fn gone(&self) -> ConnectionEnd {
        self.gone.clone()
    }

    /// Ends the connection.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.driver.abort();
    }

    /// Asks; the answer is still to come.
    pub async fn ask(&self, what: &str, body: Vec<u8>) -> Result<Answers, Error> {
        within(SILENCE_SECS, async {
            let mut send = self.send.clone().ready().await.map_err(connection_lost)?;
            let request = Request::builder().method(Method::POST).uri(format!("https://agent/v1/{what}"));
            let request = request.body(()).map_err(connection_lost)?;
            let (response, mut stream) = send.send_request(request, false).map_err(connection_lost)?;
            // An agent that refuses may do so without hearing all of it: the answer tells.
            let _ = send_body(&mut stream, Bytes::from(body)).await;
            let response = response.await.map_err(connection_lost)?;
            match response.status() {
                StatusCode::OK => Ok(Answers { stream: response.into_body(), decoder: Decoder::default() }),
                StatusCode::NOT_FOUND => Err(fault(format!("the agent is too old: it does not know \"{what}\""))),
                status => Err(fault(format!("the agent answered with status {}", status.as_u16()))),
            }
        })
        .await
    }

    /// Asks in JSON.
    pub async fn ask_json<T: for<'de> serde::Deserialize<'de>>(
        &self,
        what: &str,
        message: &impl serde::Serialize,
    ) -> Result<T, Error> {
        let mut answers = self.ask(what, messages::json(message)).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = answers.piece().await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > messages::JSON_BYTES_MAX {
                return Err(fault("a message is too long"));
            }
        }
        messages::parse(&bytes)
    }
}

async fn send_body(stream: &mut h2::SendStream<Bytes>, mut body: Bytes) -> Result<(), Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room.ok_or_else(|| connection_lost("the stream has ended"))?.map_err(connection_lost)?;
        stream.send_data(body.split_to(room.min(body.len())), false).map_err(connection_lost)?;
    }
    stream.send_data(Bytes::new(), true).map_err(connection_lost)
}

/// An answer as it arrives. Dropping it tells the agent to stop.
pub(crate) struct Answers {
    stream: RecvStream,
    decoder: Decoder,
}

impl Answers {
    /// The next frame; `None` when the agent has said all.
    pub async fn next(&mut self) -> Result<Option<BytesMut>, Error> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                return Ok(Some(frame));
            }
            match self.piece().await? {
                Some(piece) => self.decoder.push(&piece),
                None => return Ok(None),
            }
        }
    }

    /// Reads the end that has to come now. A stream that is dropped before its end is a reset, and a connection bears
    /// only so many of them.
    pub async fn end(&mut self) -> Result<(), Error> {
        match self.next().await? {
            None => Ok(()),
            Some(_) => Err(fault("an answer goes on after its end")),
        }
    }

    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let piece =
            within(SILENCE_SECS, async { self.stream.data().await.transpose().map_err(connection_lost) }).await?;
        if let Some(piece) = &piece {
            self.stream.flow_control().release_capacity(piece.len()).map_err(connection_lost)?;
        }
        Ok(piece)
    }
}
