//! The API, answering: at the local socket, and over TCP where the settings say so.

use super::origin::Names;
use super::remote::{self, Listening};
use super::{ANSWER_WITHIN, router, socket};
use crate::config::Listen;
use crate::refusal::{Kind, Refusal};
use crate::service::Service;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::runtime::Runtime;

/// Answers under way get so long when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, by its user id.
    Local(Option<u32>),
    /// Somebody on the network, or on this machine over TCP.
    Remote {
        /// Where from.
        address: SocketAddr,
        /// Over TLS.
        is_encrypted: bool,
    },
}

impl Peer {
    /// Where from; `None` for this machine's socket.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Peer::Local(_) => None,
            Peer::Remote { address, .. } => Some(address.ip()),
        }
    }

    /// Whether the connection is over TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Peer::Remote { is_encrypted: true, .. })
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Peer {
        Peer::Local(stream.io().peer_cred().ok().map(|cred| cred.uid()))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Local(Some(0)) => f.write_str("root"),
            Peer::Local(Some(uid)) => write!(f, "uid {uid}"),
            Peer::Local(None) => f.write_str("unknown"),
            Peer::Remote { address, .. } => write!(f, "{address}"),
        }
    }
}

/// What every answer says to a browser, and how long an answer may take.
pub(super) async fn guarded(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    let late = |_| Refusal::new(Kind::Internal, "it took too long").into_response();
    let names = request.extensions().get::<Arc<Names>>();
    let mut response = match names.map_or(Ok(()), |names| names.check(request.version(), request.headers())) {
        Ok(()) => tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await.unwrap_or_else(late),
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    let mut say = |name: header::HeaderName, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    say(header::CACHE_CONTROL, "no-store");
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::REFERRER_POLICY, "no-referrer");
    // A report's page brings its own style and plots, and nothing else.
    say(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    say(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if peer.is_encrypted() {
        say(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// The API, answering until it is dropped or stopped.
pub struct Http {
    runtime: Runtime,
    socket: socket::Socket,
    address: Option<SocketAddr>,
}

impl Http {
    /// Answers at `socket`, and over TCP if that is wished, from now on.
    pub fn start(service: Service, socket: &Path, listen: Option<Listen>) -> Result<Http, Refusal> {
        let failed = |why: std::io::Error| Refusal::new(Kind::Internal, format!("no threads for the network: {why}"));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
        let (local, socket) = runtime.block_on(socket::listen(socket))?;
        let remote = {
            let _inside = runtime.enter();
            listen.map(Listening::begin).transpose().inspect_err(|_| socket.remove())?
        };
        let address = remote.as_ref().map(Listening::address);
        let router = router(service);
        if let Some(remote) = remote {
            runtime.spawn(remote::answer(remote, router.clone()));
        }
        let make = router.into_make_service_with_connect_info::<Peer>();
        runtime.spawn(async move { axum::serve(local, make).await });
        Ok(Http { runtime, socket, address })
    }

    /// Where it answers over TCP, if it does.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Answers what is under way, and nothing more.
    pub fn stop(self) {
        self.socket.remove();
        self.runtime.shutdown_timeout(GRACE);
    }
}
