//! The server's log: one entry for each thing that happens. An entry never holds a secret.

use crate::service_error::ServiceError;
use octo_api::log::Level;
use serde_json::{Map, Value, json};
use std::fmt;

/// Takes notes. It must return soon, and may not fail.
pub trait EventLog: Send + Sync {
    /// Something happened.
    fn record(&self, event: &LogEvent);
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
    pub fn trouble(error: &ServiceError) -> LogEvent {
        let event = LogEvent { level: Level::Error, ..LogEvent::info("trouble", error) };
        event.with("kind", json!(error.kind))
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> LogEvent {
        self.fields.insert(field.to_owned(), value.into());
        self
    }
}
