//! The connections of one source: opened when needed, replaced when lost, each proven to lead to the same volume.
//!
//! A server that was there and is gone is waited for: it may be restarting. Only where waiting cannot help, such as
//! with a refused password, is the first answer final, or the account would be locked out.

use crate::attempts::{self, Attempts};
use crate::logon::{self, Greeting, Protection, Session};
use crate::open;
use crate::options::{Credentials, SmbOptions};
use octo_core::SmbAddress;
use octo_core::clock::SHUTDOWN_GRACE;
use octo_core::{Code, Error, Timestamp};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard};

/// Pauses between attempts to reach a server that is gone: from the first to the longest, each twice as long.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Cancelling is noticed within this time.
const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// This many connections lost, with nothing brought home in between, are not chance.
const LOSSES_MAX: u32 = 32;

/// The connections of one source.
pub(crate) struct ConnectionPool {
    address: SmbAddress,
    credentials: Credentials,
    options: SmbOptions,
    pool: Vec<PooledSession>,
    /// For what is asked for alone, one at a time.
    alone: (PooledSession, Mutex<()>),
    /// Where the first connection led; every other must lead there too.
    place: OnceLock<open::SourceFolder>,
    /// How the worst protected connection was protected.
    protection: std::sync::Mutex<Protection>,
    /// The first greeting that cannot have been altered in between.
    greeting: OnceLock<Greeting>,
    /// Since when no connection can be made.
    gone_since: std::sync::Mutex<Option<Instant>>,
    /// Connections lost since something was brought home.
    losses: AtomicU32,
}

#[derive(Default)]
struct PooledSession {
    session: Mutex<Option<Arc<Session>>>,
    busy: AtomicUsize,
    /// Whether somebody has begun to open its first connection.
    is_begun: AtomicBool,
    /// Whether that has ended, well or not, and work may wait here.
    is_open: AtomicBool,
}

/// A session, counted as busy while it is held.
pub(crate) struct Lease<'a> {
    session: Arc<Session>,
    pooled: &'a PooledSession,
    _alone: Option<MutexGuard<'a, ()>>,
}

impl Deref for Lease<'_> {
    type Target = Arc<Session>;

    fn deref(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pooled.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ConnectionPool {
    pub fn new(address: SmbAddress, credentials: Credentials, options: SmbOptions) -> ConnectionPool {
        // Somewhere the work must begin.
        let first = PooledSession { is_begun: true.into(), is_open: true.into(), ..PooledSession::default() };
        let further = (1..options.connections).map(|_| PooledSession::default());
        ConnectionPool {
            address,
            credentials,
            pool: std::iter::once(first).chain(further).collect(),
            options,
            alone: Default::default(),
            place: OnceLock::new(),
            protection: Protection::Encrypted.into(),
            greeting: OnceLock::new(),
            gone_since: Default::default(),
            losses: AtomicU32::new(0),
        }
    }

    pub fn address(&self) -> &SmbAddress {
        &self.address
    }

    pub fn options(&self) -> &SmbOptions {
        &self.options
    }

    /// Where the source lies; known once a connection was made.
    pub fn place(&self) -> Result<&open::SourceFolder, Error> {
        self.place.get().ok_or_else(|| Error::new(Code::ConnectionLost, "no connection was ever made"))
    }

    /// How the worst protected connection so far was protected.
    pub fn protection(&self) -> Protection {
        *self.protection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server's clock shows now, where it said so and that cannot have been altered in between.
    pub fn clock(&self) -> Option<Timestamp> {
        self.greeting.get().and_then(Greeting::clock)
    }

    /// The least busy session for what was asked for so often, connecting if it does not stand (any more). Waits for a
    /// server that is gone.
    pub async fn lease(self: &Arc<Self>, attempts: Attempts) -> Result<Lease<'_>, Error> {
        let (pooled, alone) = if attempts.are_alone() {
            (&self.alone.0, Some(self.alone.1.lock().await))
        } else {
            (self.least_busy()?, None)
        };
        if attempts.are_ending() {
            // What was asked here before may have worn the connection out.
            *pooled.session.lock().await = None;
        }
        pooled.busy.fetch_add(1, Ordering::Relaxed);
        match self.patiently(pooled).await {
            Ok(session) => Ok(Lease { session, pooled, _alone: alone }),
            Err(error) => {
                pooled.busy.fetch_sub(1, Ordering::Relaxed);
                // Whatever the server said instead of letting us in, it concerns no single entry.
                let code = if error.code.stops_run() { error.code } else { Code::Protocol };
                Err(Error { code, ..error })
            }
        }
    }

    /// The least busy lane. If all are busy, a further one is opened beside the work: that takes as long as many requests,
    /// and who can be served shall not wait for it.
    fn least_busy(self: &Arc<Self>) -> Result<&PooledSession, Error> {
        let open = self.pool.iter().filter(|pooled| pooled.is_open.load(Ordering::SeqCst));
        let by_load = open.map(|pooled| (pooled.busy.load(Ordering::Relaxed), pooled)).min_by_key(|(busy, _)| *busy);
        let (busy, pooled) = by_load.ok_or_else(|| Error::new(Code::Usage, "no connections are allowed"))?;
        if busy > 0
            && let Some(next) = self.pool.iter().position(|pooled| !pooled.is_begun.swap(true, Ordering::SeqCst))
        {
            let pool = Arc::clone(self);
            tokio::spawn(async move {
                if let Some(pooled) = pool.pool.get(next) {
                    // Its next user tries again, patiently, and gets the reason if that fails.
                    let _ = pool.standing(pooled).await;
                    pooled.is_open.store(true, Ordering::SeqCst);
                }
            });
        }
        Ok(pooled)
    }

    /// Does what may be done again on a new connection when one is lost; `work` gets how often that happened.
    pub async fn persistently<T>(
        self: &Arc<Self>,
        mut work: impl AsyncFnMut(&Lease<'_>, Attempts) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut attempts = Attempts::default();
        loop {
            let lease = self.lease(attempts).await?;
            match work(&lease, attempts).await {
                Err(error) if attempts::is_loss(&error) => {
                    self.lost(&lease, &error)?;
                    attempts.lost(&error)?;
                }
                Err(error) => return Err(error),
                Ok(done) => {
                    self.went_well();
                    return Ok(done);
                }
            }
        }
    }

    /// A session is of no more use. Fails when no more sessions are to be tried.
    pub fn lost(&self, session: &Session, why: &Error) -> Result<(), Error> {
        if self.options.timeouts.reconnect.is_zero() {
            return Err(why.clone());
        }
        if session.lost.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let losses = self.losses.fetch_add(1, Ordering::SeqCst) + 1;
        if losses < LOSSES_MAX {
            return Ok(());
        }
        Err(why.clone().within(format!("{losses} connections were lost, one after the other")))
    }

    /// Something was brought home.
    pub fn went_well(&self) {
        self.losses.store(0, Ordering::SeqCst);
    }

    /// Returns when somebody wants everything to stop.
    pub async fn cancelled(&self) {
        while !self.options.cancel.is_cancelled() {
            tokio::time::sleep(CANCEL_POLL_INTERVAL).await;
        }
    }

    /// Returns when what was under way as somebody wanted everything to stop has had its time.
    pub async fn given_up(&self) {
        self.cancelled().await;
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    }

    /// The lane's session; waits for a server that was there before.
    async fn patiently(&self, pooled: &PooledSession) -> Result<Arc<Session>, Error> {
        let (mut pause, longest) = PAUSES;
        loop {
            let error = match self.standing(pooled).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            self.gone(error)?;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// No connection could be made. Fails when that is final.
    fn gone(&self, why: Error) -> Result<(), Error> {
        let may_pass = matches!(
            why.code,
            Code::Unreachable
                | Code::ConnectionLost
                | Code::TimedOut
                | Code::Protocol
                // A server that starts offers its shares one after the other.
                | Code::ShareNotFound
                | Code::SourceMissing
        );
        if !may_pass || self.place.get().is_none() {
            return Err(why);
        }
        if self.options.cancel.is_cancelled() {
            return Err(Error::new(Code::Cancelled, ""));
        }
        let since = *self.gone_since().get_or_insert_with(Instant::now);
        if since.elapsed() < self.options.timeouts.reconnect {
            return Ok(());
        }
        Err(why.within(format!("no connection for {} s", since.elapsed().as_secs())))
    }

    fn gone_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.gone_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lane's session, a new one if it has none that stands.
    async fn standing(&self, pooled: &PooledSession) -> Result<Arc<Session>, Error> {
        let mut slot = pooled.session.lock().await;
        if let Some(session) = slot.as_ref().filter(|s| !s.is_lost()) {
            return Ok(Arc::clone(session));
        }
        *slot = None;
        let session = Arc::new(logon::open(&self.address, &self.credentials, &self.options).await?);
        {
            let mut worst = self.protection.lock().unwrap_or_else(PoisonError::into_inner);
            *worst = session.protection.min(*worst);
        }
        self.prove_place(&session).await?;
        if session.proves_greeting() {
            self.greeting.get_or_init(|| session.greeting);
        }
        *self.gone_since() = None;
        *slot = Some(Arc::clone(&session));
        Ok(session)
    }

    async fn prove_place(&self, session: &Arc<Session>) -> Result<(), Error> {
        let place = open::place(session, &self.address.path, self.options.backup_intent).await?;
        let first = self.place.get_or_init(|| place.clone());
        if *first == place {
            return Ok(());
        }
        Err(Error::new(Code::SourceChanged, "the share leads to another volume than when the run began"))
    }
}
