//! The connections of one source: opened when needed, replaced when lost, each proven to lead to the same volume.

use crate::address::SmbAddress;
use crate::logon::{self, Protection, Session};
use crate::open;
use crate::options::{Credentials, SmbOptions};
use octo_core::{Code, Error};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use tokio::sync::Mutex;

/// The connections of one source.
pub(crate) struct Lanes {
    address: SmbAddress,
    credentials: Credentials,
    options: SmbOptions,
    lanes: Vec<Lane>,
    /// Where the first connection led; every other must lead there too.
    place: OnceLock<open::Place>,
    /// How the worst protected connection was protected.
    protection: std::sync::Mutex<Protection>,
}

#[derive(Default)]
struct Lane {
    session: Mutex<Option<Arc<Session>>>,
    busy: AtomicUsize,
}

/// A session, counted as busy while it is held.
pub(crate) struct Lease<'a> {
    session: Arc<Session>,
    lane: &'a Lane,
}

impl Deref for Lease<'_> {
    type Target = Arc<Session>;

    fn deref(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.lane.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    pub fn new(address: SmbAddress, credentials: Credentials, options: SmbOptions) -> Lanes {
        let lanes = (0..options.connections.max(1)).map(|_| Lane::default()).collect();
        Lanes { address, credentials, options, lanes, place: OnceLock::new(), protection: Protection::Encrypted.into() }
    }

    pub fn address(&self) -> &SmbAddress {
        &self.address
    }

    pub fn options(&self) -> &SmbOptions {
        &self.options
    }

    /// Where the source lies; known once a connection was made.
    pub fn place(&self) -> Result<&open::Place, Error> {
        self.place.get().ok_or_else(|| Error::new(Code::ConnectionLost, "no connection was ever made"))
    }

    /// How the worst protected connection so far was protected.
    pub fn protection(&self) -> Protection {
        *self.protection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The least busy session, connecting if it does not stand (any more).
    pub async fn lease(&self) -> Result<Lease<'_>, Error> {
        let by_load = self.lanes.iter().min_by_key(|lane| lane.busy.load(Ordering::Relaxed));
        let lane = by_load.ok_or_else(|| Error::new(Code::Usage, "no connections are allowed"))?;
        lane.busy.fetch_add(1, Ordering::Relaxed);
        match self.standing(lane).await {
            Ok(session) => Ok(Lease { session, lane }),
            Err(error) => {
                lane.busy.fetch_sub(1, Ordering::Relaxed);
                // Whatever the server said instead of letting us in, it concerns no single entry.
                let code = if error.code.stops_run() { error.code } else { Code::Protocol };
                Err(Error { code, ..error })
            }
        }
    }

    /// The lane's session, a new one if it has none that stands.
    async fn standing(&self, lane: &Lane) -> Result<Arc<Session>, Error> {
        let mut slot = lane.session.lock().await;
        if let Some(session) = slot.as_ref().filter(|s| !s.conn.is_disconnected()) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(logon::open(&self.address, &self.credentials, &self.options).await?);
        {
            let mut worst = self.protection.lock().unwrap_or_else(PoisonError::into_inner);
            *worst = session.protection.min(*worst);
        }
        self.prove_place(&session).await?;
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
