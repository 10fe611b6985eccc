//! Ways to recipients that work, refuse, hang, or take a message and lose the answer.

use super::fate::Fate;
use super::server::WorldClock;
use super::step::Way;
use octo_server::notify::MailServer;
use octo_server::notify::carrier::Carrier;
use octo_server::notify::mail::{Account, Text};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a mail server that hangs costs.
const HANGS_SECS: i64 = 30;

/// What arrived: a message's id as it is told to the other side; nothing for heartbeats, which have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    pub message: Option<i64>,
    /// By which way it came: each writes the id in its own manner.
    pub way: usize,
    /// The id as it was told.
    pub id: String,
    pub at: i64,
}

pub struct Ways {
    clock: Arc<WorldClock>,
    fate: Arc<Fate>,
    now: Mutex<[Way; 3]>,
    arrived: Mutex<Vec<Arrived>>,
}

impl Ways {
    pub fn new(clock: Arc<WorldClock>, fate: Arc<Fate>) -> Ways {
        Ways { clock, fate, now: Mutex::new([Way::Works; 3]), arrived: Mutex::default() }
    }

    pub fn set(&self, ways: [Way; 3]) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = ways;
    }

    /// Everything that arrived so far.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, way: usize, message: Option<i64>, id: String) -> Result<(), String> {
        if self.fate.is_dead() {
            return Err("nobody calls any more".into());
        }
        let does = self.now.lock().unwrap_or_else(PoisonError::into_inner)[way];
        if matches!(does, Way::Works | Way::LosesAnswer) {
            let at = self.clock.wall();
            self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(Arrived { message, way, id, at });
        }
        match does {
            Way::Works => Ok(()),
            Way::Refuses => Err("it answered 503".into()),
            Way::Hangs | Way::LosesAnswer => {
                self.clock.pass(HANGS_SECS);
                Err("it did not answer".into())
            }
        }
    }
}

/// Of the world and of the server's life.
pub struct Shared(pub Arc<Ways>);

impl Carrier for Shared {
    fn mail(&self, _: &MailServer, _: Account, _: &[String], text: Text) -> Result<(), String> {
        let message = text.id.rsplit('.').next().and_then(|id| id.parse().ok());
        self.0.take(0, message, text.id)
    }

    fn webhook(&self, _: &str, id: i64, _: &str, _: Option<&str>) -> Result<(), String> {
        self.0.take(1, Some(id), id.to_string())
    }

    fn heartbeat(&self, url: &str) -> Result<(), String> {
        self.0.take(2, None, url.to_owned())
    }
}
