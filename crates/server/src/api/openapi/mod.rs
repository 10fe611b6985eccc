//! The API as an OpenAPI 3.1 document: made from the one list of routes, a line for each of them in `operations.txt`, and
//! the shapes in `schemas.json`. docs/openapi.json is what comes out, and a test fails when it differs.

use super::auth::Needs;
use super::routes::{Route, routes};
use octo_api::{DIGEST_HOURS_DEFAULT, PAGE_DEFAULT, PAGE_MAX, SHOWN_DEFAULT, SLOTS_MAX};
use serde_json::{Map, Value, json};

/// A line: method, path, status, answer, and behind the bar what it does; `? ` begins its query, `< ` names its body.
const OPERATIONS: &str = include_str!("operations.txt");
const SCHEMAS: &str = include_str!("schemas.json");

/// What the document says of one route.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    status: &'a str,
    answer: &'a str,
    summary: &'a str,
    query: Vec<&'a str>,
    body: Option<&'a str>,
}

fn operations() -> Vec<Operation<'static>> {
    let read = |line: &'static str| {
        let (head, tail) = line.split_once('|')?;
        let [method, path, status, answer] = *head.split_whitespace().collect::<Vec<_>>().as_slice() else {
            return None;
        };
        let (tail, body) = tail.split_once(" < ").map_or((tail, None), |(tail, body)| (tail, Some(body.trim())));
        let (summary, query) = tail.split_once(" ? ").unwrap_or((tail, ""));
        let query = query.split_whitespace().collect();
        Some(Operation { method, path, status, answer, summary: summary.trim(), query, body })
    };
    OPERATIONS.lines().filter_map(read).collect()
}

/// The whole document. A route without its line is left out: a test says so.
pub fn document() -> Value {
    let mut paths = Map::new();
    let operations = operations();
    for route in routes() {
        let known = operations.iter().find(|it| it.path == route.path && it.method == route.method.as_str());
        if let Some(operation) = known {
            let path = paths.entry(route.path).or_insert_with(|| json!({}));
            path[route.method.as_str().to_lowercase()] = describe(&route, operation);
        }
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "octoBackup",
            "version": "1",
            "description": "Everything that may be done with an octoBackup server. Over its local socket nothing needs to be proven.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token (octobackup token add)"},
                "session": {
                    "type": "apiKey", "in": "cookie", "name": super::auth::COOKIE,
                    "description": "POST /api/v1/session sets it. Changes need the session's csrf token in the header X-CSRF-Token too",
                },
            },
        },
    })
}

fn describe(route: &Route, operation: &Operation<'_>) -> Value {
    let mut said = json!({
        "summary": operation.summary,
        "operationId": operation_id(operation),
        "responses": {
            operation.status: answer(operation.answer),
            "4XX": {
                "description": "It was not done, and why",
                "content": {octo_api::error::MEDIA_TYPE: {"schema": schema("Problem")}},
            },
        },
    });
    match route.needs {
        Needs::Nobody => said["security"] = json!([]),
        Needs::Role(role) => {
            said["security"] = json!([{"token": []}, {"session": []}]);
            said["description"] = format!("Needs the role {role}.").into();
        }
    }
    let in_path = ["name", "id", "state"].into_iter().filter(|name| operation.path.contains(&format!("{{{name}}}")));
    let parameters: Vec<Value> = in_path
        .map(|name| parameter(name, "path"))
        .chain(operation.query.iter().map(|it| parameter(it, "query")))
        .collect();
    if !parameters.is_empty() {
        said["parameters"] = parameters.into();
    }
    if let Some(body) = operation.body {
        said["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema(body)}}});
    }
    said
}

/// `getJobsNameSlots`.
fn operation_id(operation: &Operation<'_>) -> String {
    let words = operation.path.trim_start_matches("/api/v1").split(|c: char| !c.is_ascii_alphanumeric());
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    operation.method.to_lowercase() + &words.filter(|word| !word.is_empty()).map(capital).collect::<String>()
}

fn schema(name: &str) -> Value {
    match (name.strip_prefix('[').and_then(|name| name.strip_suffix(']')), name.strip_suffix('?')) {
        (Some(item), _) => json!({"type": "array", "items": schema(item)}),
        (_, Some(name)) => json!({"anyOf": [schema(name), {"type": "null"}]}),
        _ if name == "Any" => json!({}),
        _ => json!({"$ref": format!("#/components/schemas/{name}")}),
    }
}

fn answer(name: &str) -> Value {
    let text =
        |media_type: &str| json!({"description": "Done", "content": {media_type: {"schema": {"type": "string"}}}});
    match name {
        "-" => json!({"description": "Done"}),
        "html" => text("text/html"),
        "javascript" => text("text/javascript"),
        "text" => text("text/plain"),
        "events" => text("text/event-stream"),
        "download" => {
            let binary = json!({"schema": {"type": "string", "format": "binary"}});
            let kinds = ["application/octet-stream", "application/zip", "application/zstd"];
            let content: Map<String, Value> = kinds.into_iter().map(|kind| (kind.to_owned(), binary.clone())).collect();
            json!({"description": "Done", "content": content})
        }
        name => json!({"description": "Done", "content": {"application/json": {"schema": schema(name)}}}),
    }
}

fn parameter(name: &str, place: &str) -> Value {
    let whole = json!({"type": "integer", "format": "int64"});
    let small = |minimum: u32| json!({"type": "integer", "minimum": minimum, "maximum": u32::MAX});
    let rows = format!("The most rows; default {PAGE_DEFAULT}, at most {PAGE_MAX}");
    let slots = format!("How many: 1 to {SLOTS_MAX}; default {SHOWN_DEFAULT}");
    let hours = format!("How many hours back; default {DIGEST_HOURS_DEFAULT}");
    let (schema, text) = match name {
        "name" => (schema("Name"), ""),
        "id" => (whole, ""),
        "before" => (whole, "Only those with smaller numbers: the last one of the page before"),
        "before_moment" => (schema("Moment"), "Only those due earlier: the last one of the page before"),
        "after_name" => {
            (json!({"type": "string"}), "Only those whose names sort after this one: the last one of the page before")
        }
        "after_path" => (json!({"type": "string"}), "Only what comes after this path: `next` of the page before"),
        "state" => (json!({"type": "string"}), "A state's number, a moment, or `now`"),
        "to" => (json!({"type": "string"}), "The later state; default `now`"),
        "path" => (json!({"type": "string"}), "A path on the source, in the reversible text form; default all of it"),
        "path_entry" => {
            (json!({"type": "string"}), "The file or folder: its path on the source, in the reversible text form")
        }
        "pattern" => (json!({"type": "string"}), "A name; `*` matches any characters, `?` exactly one"),
        "format" => (
            json!({"type": "string", "enum": ["zip", "tar.zst"]}),
            "How a folder is packed; default zip. A tar.zst has the metadata, too",
        ),
        "ignore_case" => (json!({"type": "boolean"}), "Whatever the case"),
        "after" => (whole, "From this one on, counted from 0"),
        "after_offset" => (
            json!({"type": "integer", "minimum": 0, "maximum": i64::MAX}),
            "From this offset on: `next` of the part before",
        ),
        "limit" => (small(0), rows.as_str()),
        "count" => (small(0), slots.as_str()),
        "hours" => (small(0), hours.as_str()),
        "job" => (json!({"type": "string"}), "Of this job only"),
        "zone" => (json!({"type": "string"}), "In this time zone, such as Europe/Berlin"),
        _ => (json!({"type": "string"}), ""),
    };
    let shown = name
        .trim_end_matches("_moment")
        .trim_end_matches("_name")
        .trim_end_matches("_offset")
        .trim_end_matches("_path")
        .trim_end_matches("_entry");
    let mut said = json!({"name": shown, "in": place, "required": place == "path", "schema": schema});
    if !text.is_empty() {
        said["description"] = text.into();
    }
    match name {
        "name" | "job" => said["example"] = "demo".into(),
        "id" => said["example"] = 1.into(),
        "state" => said["example"] = "now".into(),
        "path_entry" => said["example"] = "docs".into(),
        "pattern" => said["example"] = "*.txt".into(),
        "zone" => said["example"] = "Europe/Berlin".into(),
        _ => {}
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_has_its_line_and_every_line_its_route() {
        let there: BTreeSet<_> = routes().iter().map(|it| format!("{} {}", it.method, it.path)).collect();
        let described: BTreeSet<_> = operations().iter().map(|it| format!("{} {}", it.method, it.path)).collect();
        assert_eq!(described, there);
        assert_eq!(OPERATIONS.lines().count(), described.len(), "a line that says nothing, or one twice");
    }

    #[test]
    fn every_shape_that_is_named_is_there_and_every_shape_is_named() {
        let document = document();
        let text = document.to_string();
        let shapes: BTreeSet<_> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        let named = text.split("#/components/schemas/").skip(1).map(|rest| rest[..rest.find('"').unwrap()].to_owned());
        assert_eq!(named.collect::<BTreeSet<_>>(), shapes);
    }

    #[test]
    fn the_document_that_is_checked_in_is_that_of_this_program() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let how = "cargo run -p octo-server --example openapi > docs/openapi.json";
        assert!(kept == document(), "docs/openapi.json is not what the program says; write it again: {how}");
    }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod shape_tests;
