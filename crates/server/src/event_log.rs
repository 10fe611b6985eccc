//! What the server tells while it works: one note for each thing that happens, for the log. A note never holds a secret.

use crate::service_error::ServiceError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;

/// Takes notes. It must return soon, and may not fail.
pub trait EventLog: Send + Sync {
    /// Something happened.
    fn note(&self, note: &LogEvent);
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Info,
    /// Something to look at.
    Warning,
    /// Something did not work.
    Error,
}

impl Level {
    /// As syslog and journald count.
    pub fn priority(self) -> u8 {
        match self {
            Level::Info => 6,
            Level::Warning => 4,
            Level::Error => 3,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEvent {
    /// How much it matters.
    pub level: Level,
    /// What kind of thing; the names never change.
    pub event: &'static str,
    /// In plain words.
    pub message: String,
    /// The same for programs.
    pub fields: Map<String, Value>,
}

impl LogEvent {
    /// All is as it should be.
    pub fn info(event: &'static str, message: impl fmt::Display) -> LogEvent {
        LogEvent { level: Level::Info, event, message: message.to_string(), fields: Map::new() }
    }

    /// Something did not work; it is tried again.
    pub fn trouble(refusal: &ServiceError) -> LogEvent {
        let note = LogEvent { level: Level::Error, ..LogEvent::info("trouble", refusal) };
        note.with("kind", json!(refusal.kind))
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> LogEvent {
        self.fields.insert(field.to_owned(), value.into());
        self
    }
}
