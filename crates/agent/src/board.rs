//! Which agents are connected, by the names of their hosts.

use crate::link::Link;
use octo_core::{Cancel, Code, Error};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How soon the wish to stop is noticed.
const NOTICE: Duration = Duration::from_millis(50);

/// The connected agents.
#[derive(Default)]
pub(crate) struct Board {
    links: Mutex<HashMap<String, Arc<Link>>>,
    arrived: Notify,
}

impl Board {
    fn links(&self) -> MutexGuard<'_, HashMap<String, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent has connected. A connection it had before is ended: an agent has one.
    pub fn arrive(&self, host: &str, link: Arc<Link>) {
        if let Some(before) = self.links().insert(host.to_owned(), link) {
            before.end();
        }
        self.arrived.notify_waiters();
    }

    /// The connection of a host, if it has one.
    pub fn connected(&self, host: &str) -> Option<Arc<Link>> {
        self.links().get(host).filter(|link| !link.is_over()).cloned()
    }

    /// Ends the connection of a host.
    pub fn dismiss(&self, host: &str) {
        if let Some(link) = self.links().remove(host) {
            link.end();
        }
    }

    /// Waits until the agent of `host` is connected.
    pub async fn wait(&self, host: &str, patience: Duration, cancel: &Cancel) -> Result<Arc<Link>, Error> {
        let until = Instant::now() + patience;
        loop {
            let arrived = self.arrived.notified();
            if let Some(link) = self.connected(host) {
                return Ok(link);
            }
            if cancel.is_cancelled() {
                return Err(Error::new(Code::Cancelled, ""));
            }
            if Instant::now() >= until {
                let detail = format!("the agent of {host} is not connected (waited {} s)", patience.as_secs());
                return Err(Error::new(Code::Unreachable, detail));
            }
            let _ = tokio::time::timeout(NOTICE, arrived).await;
        }
    }
}
