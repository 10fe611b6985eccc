//! Bad input to every field that there is: the document of the API says which they are, so none is forgotten.

use crate::world::World;
use octo_api::ApiError;
use octo_api::error::Kind;
use octo_client::Client;
use octo_job::Policy;
use octo_server::api::{Http, openapi};
use serde_json::{Value, json};

/// Something of another kind than the schema wants; `None` where anything goes.
fn wrong(schema: &Value) -> Option<Value> {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str())?;
    Some(match kind {
        "object" | "array" => json!(7),
        "string" if schema["enum"].is_array() => json!("no-such-word"),
        "string" => json!({"no": "text"}),
        _ => json!("many"),
    })
}

/// Every field of a schema by its name, with a body in which only this field is said, and is wrong.
fn bodies(document: &Value, schema: &Value) -> Vec<(String, Value)> {
    if let Some(place) = schema["$ref"].as_str() {
        return bodies(document, document.pointer(&place[1..]).unwrap());
    }
    if let Some(first) = schema["oneOf"].get(0).or_else(|| schema["anyOf"].get(0)) {
        return bodies(document, first);
    }
    let mut all: Vec<(String, Value)> = wrong(schema).map(|value| (String::new(), value)).into_iter().collect();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        for (below, value) in bodies(document, inner) {
            let named = if below.is_empty() { name.clone() } else { below };
            all.push((named, json!({name.as_str(): value})));
        }
    }
    if schema["items"].is_object() {
        all.extend(bodies(document, &schema["items"]).into_iter().map(|(name, value)| (name, json!([value]))));
    }
    all
}

fn send(client: &Client, method: &str, path: &str, body: &Value) -> Result<Value, ApiError> {
    match method {
        "put" => client.put(path, body),
        "post" => client.post(path, body),
        _ => unreachable!("{method} with a body"),
    }
}

#[test]
fn a_wrong_kind_in_any_field_names_the_field_and_changes_nothing() {
    let world = World::at("2026-08-04 12:00");
    let socket = world.path("socket");
    let http = Http::start(world.service.clone(), &socket, None).unwrap();
    let (client, document) = (Client::local(&socket).unwrap(), openapi());
    world.add("x", "daily 21:00", Policy::default());
    let before = world.service.audit(None, 500).unwrap();
    let mut fields = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let Some(short) = path.strip_prefix("/api/v1").filter(|_| !schema.is_null()) else { continue };
            let short = short.replace("{name}", "x").replace("{id}", "1");
            for (field, body) in bodies(&document, schema) {
                let error = send(&client, method, &short, &body).expect_err(&format!("{method} {path} {body}"));
                let said = error.to_string();
                assert_eq!(error.kind, Kind::Invalid, "{method} {path} {body}: {said}");
                assert!(said.contains(&field), "no {field} in the answer to {method} {path} {body}: {said}");
                fields += 1;
            }
        }
    }
    assert!(fields > 100, "only {fields} fields were tried");
    assert_eq!(world.service.audit(None, 500).unwrap(), before);
    http.stop();
}

#[test]
fn nonsense_of_the_right_kind_names_the_field_and_what_is_allowed() {
    let world = World::at("2026-08-04 12:00");
    let socket = world.path("socket");
    let http = Http::start(world.service.clone(), &socket, None).unwrap();
    let client = Client::local(&socket).unwrap();
    let before = world.service.audit(None, 500).unwrap();
    let said = |policy: Value| client.put::<Value>("/defaults", &policy).expect_err(&policy.to_string()).to_string();
    // Every setting, and every word that is none of its own.
    let built_in = serde_json::to_value(Policy::built_in()).unwrap();
    for (name, value) in built_in.as_object().unwrap() {
        let bad = match value {
            Value::String(_) => json!("no-such-word"),
            Value::Array(_) if name == "rules" => json!([{"exclude": "[z-a]{"}]),
            // Any name can be one of a path.
            Value::Array(_) if name == "acknowledged" => json!(["a/../b"]),
            Value::Array(_) => json!(["no-such-word"]),
            Value::Number(_) if name == "max_folder_entries" => json!(0),
            Value::Number(_) => json!(1_000_000),
            _ => continue,
        };
        let said = said(json!({name.as_str(): bad}));
        assert!(said.contains(name.as_str()) && said.len() > name.len() + 20, "{name}: {said}");
    }
    assert_eq!(world.service.audit(None, 500).unwrap(), before);
    http.stop();
}
