//! What the rooms of one running server share.

use crate::access::{Refusals, Throttle};
use crate::event_log::{EventLog, LogEvent};
use crate::health::{self, Health};
use crate::live::Live;
use crate::moment::Moment;
use crate::store::Store;
use crate::vault::Vault;
use octo_agent::AgentListener;
use octo_api::server::Finding;
use octo_core::Clock;
use octo_disk::{BlockingCalls, Protected};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The store, the key, the clock, what is going on, and the bells that wake the runner and the delivery.
pub struct AppState {
    /// What the server remembers.
    pub store: Store,
    /// The key to the secrets.
    pub vault: Vault,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The runs under way.
    pub live: Live,
    /// Where agents are connected, once the server listens for them.
    pub agents: OnceLock<AgentListener>,
    /// Folders to which restores may be asked for; none if it was not set.
    pub restore_folders: OnceLock<Vec<PathBuf>>,
    /// Who takes notes of what happens, if anybody does.
    pub journal: OnceLock<Arc<dyn EventLog>>,
    /// Where the link for the first administrator is, if one is offered.
    pub setup_link: OnceLock<PathBuf>,
    /// Disks that were asked something and have not answered yet.
    pub disks: BlockingCalls,
    /// Who failed to log on, and how often.
    pub throttle: Throttle,
    /// What strangers were refused, for the audit log.
    pub refusals: Refusals,
    /// Whether the server can do its work.
    pub health: Health,
    /// The server's own data, which no job may touch.
    pub protected: Protected,
    runner: Notify,
    delivery: Notify,
}

/// Wakes somebody who waits; rung before the wait, it is not missed.
#[derive(Default)]
struct Notify(Mutex<bool>, Condvar);

impl Notify {
    fn ring(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.1.notify_all();
    }

    fn wait(&self, timeout: Duration) -> bool {
        let rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            self.1.wait_timeout_while(rung, timeout, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}

impl AppState {
    /// Everything that a server has.
    pub fn new(store: Store, vault: Vault, clock: Arc<dyn Clock>) -> AppState {
        let mut protected = Protected::default();
        protected.folder("the server's data directory", store.folder());
        protected.file("the server's key", vault.file());
        AppState {
            protected,
            health: Health::default(),
            store,
            vault,
            clock,
            live: Live::default(),
            agents: OnceLock::new(),
            restore_folders: OnceLock::new(),
            journal: OnceLock::new(),
            setup_link: OnceLock::new(),
            disks: BlockingCalls::default(),
            throttle: Throttle::default(),
            refusals: Refusals::default(),
            runner: Notify::default(),
            delivery: Notify::default(),
        }
    }

    /// The moment that the clock shows.
    pub fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    /// What was found about what the server depends on, at most a few seconds ago.
    pub fn findings(&self) -> Vec<Finding> {
        self.health.findings(&self.store, &self.vault, &*self.clock)
    }

    /// Only what is wrong, in one sentence; nothing if the server can do its work.
    pub fn trouble(&self) -> Option<String> {
        health::trouble(self.findings())
    }

    /// Something happened.
    pub fn record(&self, event: &LogEvent) {
        if let Some(journal) = self.journal.get() {
            journal.record(event);
        }
    }

    /// There is something to do for the runner.
    pub fn nudge(&self) {
        self.runner.ring();
    }

    /// Waits for a nudge, at most so long. Whether there was one.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.runner.wait(timeout)
    }

    /// There may be something in the outbox.
    pub fn nudge_delivery(&self) {
        self.delivery.ring();
    }

    /// Waits for a nudge of the delivery, at most so long. Whether there was one.
    pub fn wait_for_message(&self, timeout: Duration) -> bool {
        self.delivery.wait(timeout)
    }
}
