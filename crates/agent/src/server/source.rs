//! The Source that an agent is: what the engine calls, from as many threads as it likes.
//!
//! The calls block; a small runtime of the listener drives the connections. A sink is always called on the caller's thread.
//! When a connection is lost, the agent is waited for, must show the same folder of the same volume, and what had not
//! ended is asked for again.

use crate::carrier::{self, First};
use crate::reactor::Reactor;
use crate::server::connections::Connections;
use crate::server::fetching;
use crate::server::listing_reader::{ListingRead, read_listing};
use crate::server::session::Session;
use crate::server::walk_reader::WalkReader;
use crate::wire::messages::{Open, Opened, Shape};
use crate::wire::{Answer, Order, fault};
use octo_core::clock::SHUTDOWN_GRACE;
use octo_core::{
    Cancel, Code, Error, FetchRequest, FetchSink, LinkTarget, ListSink, Listed, RelPath, Source, SourceFeatures,
    SourcePin, Timestamp,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How soon the wish to stop is noticed.
const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// A request that comes to nothing so often in a row ends the run.
const ATTEMPTS: u32 = 4;

/// A folder of an agent's machine as a source.
pub struct AgentSource {
    reactor: Arc<Reactor>,
    connections: Arc<Connections>,
    host: String,
    root: String,
    shape: Shape,
    /// How long an agent that is gone is waited for.
    patience: Duration,
    cancel: Cancel,
    /// The connection that showed the same folder.
    proven: Mutex<Option<Arc<Session>>>,
    ahead: Mutex<WalkReader>,
}

impl AgentSource {
    pub(crate) fn open(
        reactor: Arc<Reactor>,
        connections: Arc<Connections>,
        host: &str,
        root: &str,
        patience: Duration,
        cancel: Cancel,
    ) -> Result<AgentSource, Error> {
        let opened = async {
            let session = connections.wait(host, patience, &cancel).await?;
            let shape = shape(&session, root).await.map_err(|error| {
                let detail = format!("the agent of {host}: {}", error.detail);
                Error { detail, ..error }
            })?;
            Ok((session, shape))
        };
        let (session, shape) = reactor.run(async {
            match carrier::race(opened, given_up(&cancel, Duration::ZERO)).await {
                First::One(opened) => opened,
                First::Other(()) => Err(Error::new(Code::Cancelled, "")),
            }
        })?;
        let (host, root) = (host.to_owned(), root.to_owned());
        let proven = Mutex::new(Some(session));
        let ahead = Mutex::default();
        Ok(AgentSource { reactor, connections, host, root, shape, patience, cancel, proven, ahead })
    }

    /// The agent's connection, one that leads to the same folder.
    async fn session(&self) -> Result<Arc<Session>, Error> {
        let proven = || self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever else connects, this connection leads where it led.
        if let Some(known) = proven().clone().filter(|known| !known.is_over()) {
            return Ok(known);
        }
        let session = self.connections.wait(&self.host, self.patience, &self.cancel).await?;
        if session.is_second() {
            let what = format!(
                "the agent of {} that was read is gone, and the one that is left came while it was here",
                self.host
            );
            return Err(Error::new(Code::AgentCloned, what));
        }
        let shape = shape(&session, &self.root).await?;
        if (&shape.path, &shape.volume) != (&self.shape.path, &self.shape.volume) {
            return Err(Error::new(Code::SourceChanged, "the agent shows another volume than when the run began"));
        }
        *proven() = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Tries until it works, or until it came to nothing too often. `attempt` says whether it got any further; once
    /// somebody wants everything to stop it has `grace`.
    async fn persistently<T>(
        &self,
        grace: Duration,
        mut attempt: impl AsyncFnMut(&Arc<Session>) -> (Result<T, Error>, bool),
    ) -> Result<T, Error> {
        let mut in_vain = 0;
        loop {
            let session = match carrier::race(self.session(), given_up(&self.cancel, grace)).await {
                First::One(session) => session,
                First::Other(()) => Err(Error::new(Code::Cancelled, "")),
            };
            let (tried, got_further) = match session {
                Ok(session) => {
                    let tried = match carrier::race(attempt(&session), given_up(&self.cancel, grace)).await {
                        First::One(tried) => tried,
                        First::Other(()) => (Err(Error::new(Code::Cancelled, "")), false),
                    };
                    if matches!(tried.0, Err(Error { code: Code::ConnectionLost, .. })) {
                        // The next attempt shall not meet the same dying connection: the agent dials again.
                        session.end();
                    }
                    tried
                }
                Err(error) => (Err(error), false),
            };
            match tried {
                Err(Error { code: Code::ConnectionLost, .. })
                    if !self.cancel.is_cancelled() && in_vain + 1 < ATTEMPTS =>
                {
                    in_vain = if got_further { 0 } else { in_vain + 1 };
                }
                other => return other,
            }
        }
    }
}

/// Returns when somebody wanted everything to stop, and what is under way has had its time.
async fn given_up(cancel: &Cancel, grace: Duration) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(CANCEL_POLL_INTERVAL).await;
    }
    tokio::time::sleep(grace).await;
}

async fn shape(session: &Session, root: &str) -> Result<Shape, Error> {
    let opened: Opened = session.ask_json("open", &Open { root: root.to_owned() }).await?;
    opened.result()
}

/// Reads one listing. The flag says whether anything came.
async fn list(
    session: &Session,
    order: Vec<u8>,
    sink: &mut dyn ListSink,
    came: &mut bool,
) -> Result<ListingRead, Error> {
    let mut answers = session.ask("list", order).await?;
    let listed = read_listing(&mut answers, sink, came).await?;
    if let ListingRead::Listed(_) = listed {
        answers.end().await?;
    }
    Ok(listed)
}

impl Source for AgentSource {
    fn features(&self) -> SourceFeatures {
        SourceFeatures {
            // Where it walks ahead, threads list only the mirror.
            listings_in_flight: if self.shape.walks { 4 } else { 16 },
            fetches_in_flight: 4,
            batch_files: 256,
            folds_case: self.shape.folds_case,
            invents_creation_times: false,
            stable_ids: self.shape.stable_ids,
            hides_unreadable: self.shape.hides_unreadable,
            walks_ahead: self.shape.walks,
            has_metadata: self.shape.has_metadata,
            tells_hashes: true,
        }
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        Ok(SourcePin {
            kind: "agent".to_owned(),
            server: self.host.clone(),
            path: self.shape.path.clone(),
            volume: self.shape.volume.clone(),
        })
    }

    fn clock(&self) -> Option<Timestamp> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|session| session.clock())
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let mut again = false;
        // A thread that finds the walk in use sends a request of its own.
        let mut ahead = self.ahead.try_lock().ok().filter(|_| self.shape.walks);
        let listed = self.reactor.run(self.persistently(Duration::ZERO, async |session| {
            if std::mem::take(&mut again) {
                sink.restart();
            }
            if let Some(ahead) = &mut ahead {
                match ahead.list(session, &self.root, folder, sink, &mut again).await {
                    Ok(None) => {}
                    Ok(Some(listed)) => return (Ok(listed), false),
                    Err(error) => return (Err(error), false),
                }
            }
            (list(session, Order::encode(&self.root, folder), sink, &mut again).await, false)
        }));
        listed.map_or_else(Listed::Incomplete, Listed::from)
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        let mut progress = fetching::Progress::new(batch);
        // The sink says what may come to its end.
        let fetched = self.reactor.run(self.persistently(SHUTDOWN_GRACE, async |session| {
            let before = progress.got_bytes();
            let result = fetching::fetch(session, &self.root, &mut progress, sink).await;
            (result, progress.got_bytes() > before)
        }));
        if let (Err(error), Some(file)) = (fetched, progress.first_open()) {
            // It concerns all that is left; saying so once ends the run.
            let code = if error.code.stops_run() { error.code } else { Code::Protocol };
            let _ = sink.failed(file, Error { code, ..error });
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        self.reactor.run(self.persistently(Duration::ZERO, async |session| {
            let read = async {
                let mut answers = session.ask("link", Order::encode(&self.root, path)).await?;
                let frame = answers.next().await?.ok_or_else(|| crate::carrier::connection_lost("no answer came"))?;
                answers.end().await?;
                match Answer::decode(&frame)? {
                    Answer::Link(target) => Ok(target),
                    Answer::Failed { error, .. } => Err(error),
                    _ => Err(fault("an answer to another question")),
                }
            };
            (read.await, false)
        }))
    }

    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}
