//! What is going on at this moment: the runs that threads of this process work on, and who watches them.
//!
//! Nothing here is truth. The truth is the row of the run; what is here is lost with the process, and nothing is missed.

use crate::service_error::{Kind, ServiceError};
use octo_core::Cancel;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Events that a slow watcher may lag behind; it then misses some, and the run is not slowed down.
const EVENTS_KEPT_MAX: usize = 1024;

/// Why a run is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A person wants it.
    Person,
    /// The server stops.
    Shutdown,
    /// It took longer than it may.
    TooLong,
}

/// Something that happened in a run, for its watchers.
#[derive(Debug, Clone)]
pub struct LiveEvent {
    /// The run.
    pub run: i64,
    /// The event as JSON.
    pub data: Arc<str>,
    /// Nothing follows.
    pub is_last: bool,
}

/// The runs under way.
#[derive(Debug)]
pub struct Live {
    runs: Mutex<BTreeMap<i64, LiveRun>>,
    events: broadcast::Sender<LiveEvent>,
}

#[derive(Debug)]
struct LiveRun {
    cancel: Cancel,
    stop: Option<Stop>,
    begun: Duration,
    duration_max: Option<Duration>,
    progress: Value,
}

impl Default for Live {
    fn default() -> Live {
        Live { runs: Mutex::default(), events: broadcast::Sender::new(EVENTS_KEPT_MAX) }
    }
}

impl Live {
    /// A thread begins to work on a run. `begun` is by the monotonic clock.
    pub fn begin(&self, run: i64, begun: Duration, duration_max: Option<Duration>) -> Cancel {
        let cancel = Cancel::new();
        let live = LiveRun { cancel: cancel.clone(), stop: None, begun, duration_max, progress: Value::Null };
        self.runs().insert(run, live);
        cancel
    }

    /// The thread is done with it, and the row says so.
    pub fn end(&self, run: i64) {
        self.runs().remove(&run);
        let data = format!(r#"{{"event":"end","run":{run}}}"#);
        self.send(LiveEvent { run, data: data.into(), is_last: true });
    }

    /// Whether a thread works on it.
    pub fn has(&self, run: i64) -> bool {
        self.runs().contains_key(&run)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.runs().len()
    }

    /// Asks a run to stop. The first reason counts.
    pub fn stop(&self, run: i64, why: Stop) -> Result<(), ServiceError> {
        let mut runs = self.runs();
        let live =
            runs.get_mut(&run).ok_or_else(|| ServiceError::new(Kind::Conflict, format!("run {run} is not running")))?;
        live.ask(why);
        Ok(())
    }

    /// Asks all to stop.
    pub fn stop_all(&self, why: Stop) {
        self.runs().values_mut().for_each(|live| live.ask(why));
    }

    /// Stops those that take longer than they may.
    pub fn stop_overdue(&self, now: Duration) {
        for live in self.runs().values_mut() {
            if live.duration_max.is_some_and(|limit| now.saturating_sub(live.begun) > limit) {
                live.ask(Stop::TooLong);
            }
        }
    }

    /// Why a run was asked to stop, if it was.
    pub fn why_stopped(&self, run: i64) -> Option<Stop> {
        self.runs().get(&run).and_then(|live| live.stop)
    }

    /// How far it is; `null` if nothing is known yet.
    pub fn progress(&self, run: i64) -> Option<Value> {
        self.runs().get(&run).map(|live| live.progress.clone())
    }

    /// Something happened in a run.
    pub fn publish(&self, run: i64, event: &Value) {
        if event["event"] == "progress"
            && let Some(live) = self.runs().get_mut(&run)
        {
            live.progress = event.clone();
        }
        self.send(LiveEvent { run, data: event.to_string().into(), is_last: false });
    }

    /// Everything that happens from now on.
    pub fn watch(&self) -> broadcast::Receiver<LiveEvent> {
        self.events.subscribe()
    }

    fn send(&self, event: LiveEvent) {
        // No client watches.
        let _ = self.events.send(event);
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<i64, LiveRun>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveRun {
    fn ask(&mut self, why: Stop) {
        self.stop.get_or_insert(why);
        self.cancel.cancel();
    }
}
