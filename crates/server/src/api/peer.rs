//! The other end of a connection.

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use tokio::net::UnixListener;

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
