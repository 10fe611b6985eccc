//! The API, answering: at the local socket, and over TCP where the settings say so.

use super::listener::{self, Listening};
use super::peer::Peer;
use super::router::router;
use super::socket;
use crate::config::Listen;
use crate::service::Service;
use crate::service_error::{Kind, ServiceError};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Answers under way get so long when the server stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The API, answering until it is dropped or stopped.
pub struct Http {
    runtime: Runtime,
    socket: socket::Socket,
    address: Option<SocketAddr>,
}

impl Http {
    /// Answers at `socket`, and over TCP if configured, from now on.
    pub fn start(service: Service, socket: &Path, listen: Option<Listen>) -> Result<Http, ServiceError> {
        let failed =
            |why: std::io::Error| ServiceError::new(Kind::Internal, format!("no threads for the network: {why}"));
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
            runtime.spawn(listener::answer(remote, router.clone()));
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
        self.runtime.shutdown_timeout(SHUTDOWN_GRACE);
    }
}
