//! The entrance over TCP, with TLS or, on loopback, without. Strangers can connect, so everything about them is bounded: how
//! many, how long a handshake takes, how long a request's head.

use super::http::Peer;
use super::tls::Tls;
use crate::config::Listen;
use crate::refusal::{Kind, Refusal};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Connections at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 256;
/// A handshake, or the head of a request, that takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Before the next try, when no connection can be taken (too many open files).
const PAUSE: Duration = Duration::from_millis(200);

/// An open port.
pub(super) struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Listening {
    /// Opens it. Within a runtime.
    pub(super) fn begin(listen: Listen) -> Result<Listening, Refusal> {
        let Listen { address, tls } = listen;
        let failed = |e: std::io::Error| Refusal::new(Kind::Internal, format!("[http] listen = \"{address}\": {e}"));
        if tls.is_none() && !address.ip().to_canonical().is_loopback() {
            return Err(Refusal::field("http.tls", "without TLS only loopback is listened at"));
        }
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listening { listener, address, tls: tls.map(Tls::acceptor) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers for ever.
pub(super) async fn answer(at: Listening, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, address) = match at.listener.accept().await {
            Ok(arrived) => arrived,
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (router, tls) = (router.clone(), at.tls.clone());
        tokio::spawn(async move {
            greet(stream, address, tls, router).await;
            drop(place);
        });
    }
}

async fn greet(stream: TcpStream, address: SocketAddr, tls: Option<TlsAcceptor>, router: Router) {
    let _ = stream.set_nodelay(true);
    let peer = Peer::Remote { address, is_encrypted: tls.is_some() };
    match tls {
        None => talk(stream, peer, router).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                talk(stream, peer, router).await;
            }
        }
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + Send, peer: Peer, router: Router) {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // What goes wrong on a stranger's connection concerns nobody else.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}
