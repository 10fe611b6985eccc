//! The events of a run: as JSON, one object an event, for `--json` and for clients that watch a run; a change also as a line
//! for people.

use octo_core::{Change, Event, Kind};
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

/// A change in one line.
pub fn as_item(change: &Change) -> String {
    let slash = |kind: &Kind| if *kind == Kind::Folder { "/" } else { "" };
    match change {
        Change::Created { path, kind, .. } => format!("+ {path}{}", slash(kind)),
        Change::Replaced { path, .. } => format!("~ {path}"),
        Change::Moved { from, to } => format!("> {from} -> {to}"),
        Change::Restamped { path } => format!("t {path}"),
        Change::Deleted { path, kind, .. } => format!("- {path}{}", slash(kind)),
        Change::Held { path, kind, .. } => format!("- {path}{} (held)", slash(kind)),
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
