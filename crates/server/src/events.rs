//! What a run tells, as JSON: one object an event, for `--json`, for the log of a run and for everybody who watches one.

use octo_core::Event;
use serde_json::{Value, json};

/// One event.
pub fn as_json(event: &Event<'_>) -> Value {
    match event {
        Event::Phase(phase) => json!({"event": "phase", "phase": phase}),
        Event::Change(change) => tagged("change", serde_json::to_value(change)),
        Event::Problem(problem) => tagged("problem", serde_json::to_value(problem)),
        Event::Progress { counts, planned_files, planned_bytes, listed_all, current } => json!({
            "event": "progress", "counts": counts, "planned_files": planned_files, "planned_bytes": planned_bytes,
            "listed_all": listed_all, "current": current,
        }),
    }
}

/// An object with the name of its event.
pub fn tagged(tag: &str, value: serde_json::Result<Value>) -> Value {
    let mut value = value.unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("event".to_owned(), tag.into());
    }
    value
}
