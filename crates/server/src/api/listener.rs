//! The entrance over TCP, with TLS or, on loopback, without. Strangers can connect, so everything about them is bounded: how
//! many, how long a handshake takes, how long a request's head and body, how long an answer waits to be taken.
//!
//! Who does nothing gives way to who arrives ([`ConnectionLimits`]); a connection whose last request was let in is a stranger's no longer.

use super::origin::Names;
use super::peer::Peer;
use super::stall::Stalled;
use super::tls::Tls;
use crate::config::{Listen, check_tls};
use crate::service_error::{Kind, ServiceError};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use octo_agent::{ConnectionLimits, ConnectionPlace, network};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// ConnectionLimits at once, and of one address; behind a proxy all have one.
const CONNECTIONS_MAX: usize = 256;
const SHARE_MAX: usize = 128;
/// A handshake, or the head of a request, that takes longer. Also how long a connection is kept that asks for nothing.
const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// An answer of which the other side takes nothing for so long.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// What is read ahead of one connection, or waits to be sent: the longest head of a request.
const BUFFER_BYTES: usize = 32 << 10;
/// Before the next try, when no connection can be taken (too many open files).
const PAUSE: Duration = Duration::from_millis(200);

/// The place of a connection, for `auth`, which knows who was let in.
pub(super) type Place = Arc<ConnectionPlace<IpAddr>>;

/// An open port.
pub(super) struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    names: Arc<Names>,
}

impl Listening {
    /// Opens it. Within a runtime.
    pub(super) fn begin(listen: Listen) -> Result<Listening, ServiceError> {
        let Listen { address, tls, names } = listen;
        let failed =
            |e: std::io::Error| ServiceError::new(Kind::Internal, format!("[http] listen = \"{address}\": {e}"));
        check_tls(address, tls.is_some())?;
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let names = Names::new(names, tls.clone());
        Ok(Listening { listener, address, tls: tls.map(Tls::acceptor), names })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers for ever.
pub(super) async fn answer(at: Listening, router: Router) {
    let connections = ConnectionLimits::new(CONNECTIONS_MAX, SHARE_MAX);
    loop {
        let (stream, address) = match at.listener.accept().await {
            Ok(arrived) => arrived,
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // None: all of them are at work for somebody who is known.
        let Some(place) = connections.enter(network(address.ip())) else { continue };
        let entrance = Entrance { router: router.clone(), names: at.names.clone(), place: place.clone() };
        let task = tokio::spawn(greet(stream, address, at.tls.clone(), entrance)).abort_handle();
        place.closed_by(move || task.abort());
    }
}

/// What one connection needs.
struct Entrance {
    router: Router,
    names: Arc<Names>,
    place: Place,
}

async fn greet(stream: TcpStream, address: SocketAddr, tls: Option<TlsAcceptor>, entrance: Entrance) {
    let _ = stream.set_nodelay(true);
    let peer = Peer::Remote { address, is_encrypted: tls.is_some() };
    let stream = Stalled::new(stream, TAKEN_WITHIN);
    match tls {
        None => talk(stream, peer, entrance).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_WITHIN, tls.accept(stream)).await {
                talk(stream, peer, entrance).await;
            }
        }
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + Send, peer: Peer, entrance: Entrance) {
    let Entrance { router, names, place } = entrance;
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let at_work = place.begin_work();
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        request.extensions_mut().insert(place.clone());
        request.extensions_mut().insert(names.clone());
        let answered = router.clone().oneshot(request.map(Body::new));
        async move {
            let response = answered.await?;
            // The body may come for as long as a run goes on: that is work too.
            Ok::<_, Infallible>(response.map(|body| {
                body.map_frame(move |frame| {
                    let _ = &at_work;
                    frame
                })
            }))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(BUFFER_BYTES);
    // An error on one connection concerns that connection only.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}
