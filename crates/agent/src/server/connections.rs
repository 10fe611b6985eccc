//! Which agents are connected, by the names of their hosts.
//!
//! A host has one agent. A second one that connects with the same identity while the first still answers is another machine,
//! cloned with its key, or another process, and no reconnect: then nobody can say which of them a job means. Both stay
//! connected, so that they can be shown and neither throws the other out again and again; nothing is read until one is gone.

use crate::server::session::Session;
use octo_core::{Cancel, Code, Error};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How soon the wish to stop is noticed.
const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// A connection that gives no sign of life for so long, when the same identity connects again, is a dead one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// One that is restarted may meet its end for so long.
const TOGETHER: Duration = Duration::from_secs(5);
/// So many agents with one identity are kept to be shown.
const TOGETHER_MAX: usize = 4;

/// The connected agents.
#[derive(Default)]
pub(crate) struct Connections {
    /// Those of a host, in the order in which they came; more than one only if they have one identity.
    sessions: Mutex<HashMap<String, Vec<Arc<Session>>>>,
    arrived: Notify,
}

impl Connections {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Vec<Arc<Session>>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent has connected. ConnectionLimits that this host had before are ended, unless an agent answers on them. Whether it is
    /// the only one now.
    pub async fn arrive(&self, host: &str, session: Arc<Session>) -> bool {
        let mut known: Vec<Arc<Session>> = Vec::new();
        loop {
            let is_new = |session: &Arc<Session>| !known.iter().any(|it| Arc::ptr_eq(it, session));
            let others = {
                let mut sessions = self.sessions();
                let of_host = sessions.entry(host.to_owned()).or_default();
                of_host.retain(|session| !session.is_over());
                let others: Vec<_> = of_host.iter().filter(|session| is_new(session)).cloned().collect();
                if others.is_empty() {
                    let is_alone = of_host.is_empty();
                    if of_host.len() >= TOGETHER_MAX {
                        of_host.remove(1).end();
                    }
                    if !is_alone {
                        session.set_second();
                    }
                    of_host.push(session);
                    drop(sessions);
                    self.arrived.notify_waiters();
                    return is_alone;
                }
                others
            };
            let asked: Vec<_> = others.iter().map(|session| session.ask_sign_of_life()).collect();
            let until = Instant::now() + SIGN_OF_LIFE;
            for (session, asked) in others.iter().zip(asked) {
                if !session.answers(asked, until).await {
                    session.end();
                }
            }
            known.extend(others);
        }
    }

    /// The agents that have the identity of this host and are connected, the first to come first.
    pub fn all(&self, host: &str) -> Vec<Arc<Session>> {
        let sessions = self.sessions();
        sessions.get(host).into_iter().flatten().filter(|session| !session.is_over()).cloned().collect()
    }

    /// Ends the connections of a host.
    pub fn dismiss_all(&self) {
        let hosts: Vec<_> = self.sessions().keys().cloned().collect();
        hosts.iter().for_each(|host| self.dismiss(host));
    }

    /// Ends the connections of a host.
    pub fn dismiss(&self, host: &str) {
        for session in self.sessions().remove(host).into_iter().flatten() {
            session.end();
        }
    }

    /// Waits until the agent of `host` is connected, and no other with its identity.
    pub async fn wait(&self, host: &str, patience: Duration, cancel: &Cancel) -> Result<Arc<Session>, Error> {
        let until = Instant::now() + patience;
        let mut together_since = None;
        loop {
            let arrived = self.arrived.notified();
            let there = self.all(host);
            if let [session] = &there[..] {
                return Ok(Arc::clone(session));
            }
            if cancel.is_cancelled() {
                return Err(Error::new(Code::Cancelled, ""));
            }
            let now = Instant::now();
            together_since = if there.is_empty() { None } else { together_since.or(Some(now)) };
            if now >= until || together_since.is_some_and(|since| now - since >= TOGETHER) {
                return Err(absent(host, patience, &there));
            }
            let _ = tokio::time::timeout(CANCEL_POLL_INTERVAL, arrived).await;
        }
    }
}

fn absent(host: &str, patience: Duration, there: &[Arc<Session>]) -> Error {
    if there.is_empty() {
        let detail = format!("the agent of {host} is not connected (waited {} s)", patience.as_secs());
        return Error::new(Code::Unreachable, detail);
    }
    let named = |session: &Arc<Session>| format!("{:?} at {}", session.introduction.host, session.from);
    let named: Vec<String> = there.iter().map(named).collect();
    Error::new(Code::AgentCloned, format!("{} are connected as {host}", named.join(" and ")))
}
