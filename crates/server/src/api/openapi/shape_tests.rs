//! The document and the types say the same: for each shape a whole value is made from the document and read as the type that
//! the program answers or reads. What comes out is the same value, so no field is missing in the type; what is written from the
//! least value that may be sent is in the shape, so none is missing in the document.

use super::document;
use crate::api::problem;
use octo_api::{access, apply, credential, digest, history, host, job, log, notify, restore, run, server, summary};
use octo_core::RunReport;
use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Text that is none of a closed list of words.
const NO_WORD: &str = "no-such-word";
/// Fields that are plain texts in the program and a list of words in the document.
const WORDS_OF_TEXT: [&str; 2] = ["/fate", "/status"];

/// Fills a shape: with all that it may have, or with what it must have.
struct Fill<'a> {
    shapes: &'a Map<String, Value>,
    everything: bool,
}

impl Fill<'_> {
    fn of(&self, schema: &Value) -> Value {
        if let Some(name) = schema["$ref"].as_str().and_then(|place| place.strip_prefix("#/components/schemas/")) {
            return match name {
                "Moment" => json!("2026-08-04T21:00:05Z"),
                "Name" => json!("demo"),
                "Report" => serde_json::to_value(report()).unwrap(),
                name => self.of(&self.shapes[name]),
            };
        }
        if let Some(one) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)) {
            let may_be_null = schema["anyOf"].as_array().is_some_and(|all| all.contains(&json!({"type": "null"})));
            return if may_be_null && !self.everything { Value::Null } else { self.of(one) };
        }
        let kinds = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
        if !self.everything && kinds.contains(&json!("null")) {
            return Value::Null;
        }
        match kinds[0].as_str() {
            // Anything: a value that every type of ours that takes anything can read.
            None => json!("test"),
            Some("string") => {
                let said = schema["enum"].get(0).or_else(|| schema["examples"].get(0));
                said.cloned().unwrap_or_else(|| json!("text"))
            }
            Some("boolean") => json!(true),
            Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(7)),
            Some("array") if self.everything && schema["items"] != json!({"type": "object"}) => {
                json!([self.of(&schema["items"])])
            }
            Some("array") => json!([]),
            Some("object") if schema["properties"].is_object() => self.object(schema),
            Some("object") if schema["additionalProperties"].is_object() && self.everything => {
                json!({"bandwidth": self.of(&schema["additionalProperties"])})
            }
            // What the document leaves open is tried where it is described.
            Some("object") if kinds.contains(&json!("null")) => Value::Null,
            Some("object") => json!({}),
            Some(other) => panic!("the document has a kind that this test does not know: {other}"),
        }
    }

    fn object(&self, schema: &Value) -> Value {
        let fields = schema["properties"].as_object().unwrap().iter();
        let must = |name: &String| schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
        let fields = fields.filter(|(name, _)| self.everything || must(name));
        Value::Object(fields.map(|(name, schema)| (name.clone(), self.of(schema))).collect())
    }
}

fn report() -> RunReport {
    let report = json!({
        "format": 1, "state": 1, "outcome": "succeeded", "dry_run": false, "source": "/s", "target": "/t", "started": 0,
        "duration_ms": 1, "counts": octo_core::Counts::default(), "held_because": [], "held_plan": null, "remarks": [],
        "causes": [], "free_bytes": null,
    });
    serde_json::from_value(report).unwrap()
}

/// Every place of a value, as a pointer.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| places(inner, &format!("{at}/{name}"), all)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, inner)| places(inner, &format!("{at}/{n}"), all));
        }
        _ => {}
    }
}

/// The shape of what is at a place of a value of this shape.
fn shape_at<'a>(shapes: &'a Map<String, Value>, schema: &'a Value, place: &str) -> Option<&'a Value> {
    if let Some(name) = schema["$ref"].as_str().and_then(|place| place.strip_prefix("#/components/schemas/")) {
        return shape_at(shapes, &shapes[name], place);
    }
    if let Some(one) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)) {
        return shape_at(shapes, one, place);
    }
    let Some(rest) = place.strip_prefix('/') else { return Some(schema) };
    let (step, rest) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let inner = schema["properties"].get(step).or_else(|| schema.get("items"));
    shape_at(shapes, inner.or_else(|| schema.get("additionalProperties").filter(|it| it.is_object()))?, rest)
}

/// The fields that a struct reads, where serde knows them beforehand.
struct FieldsOf<'a>(&'a mut Option<BTreeSet<String>>);

impl<'de> Deserializer<'de> for FieldsOf<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = Some(fields.iter().map(|field| (*field).to_owned()).collect());
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// A shape, and the type that is one.
struct Shapes {
    document: Value,
    seen: BTreeSet<String>,
    sent: BTreeSet<String>,
    answered: BTreeSet<String>,
}

impl Shapes {
    fn of_document() -> Shapes {
        let document = document();
        let (mut sent, mut answered) = (Vec::new(), Vec::new());
        for operation in document["paths"].as_object().unwrap().values().flat_map(|it| it.as_object().unwrap().values())
        {
            named(&document, &operation["requestBody"], &mut sent);
            named(&document, &operation["responses"], &mut answered);
        }
        let (sent, answered) = (sent.into_iter().collect(), answered.into_iter().collect());
        Shapes { document, seen: BTreeSet::new(), sent, answered }
    }

    /// The type that goes over the wire.
    fn is<T: Serialize + DeserializeOwned>(&mut self, name: &str) {
        let full = self.is_written::<T>(name);
        let mut all = Vec::new();
        places(&full, "", &mut all);
        for place in all.iter().filter(|place| !place.contains("/report")) {
            check_strange_fields::<T>(name, &full, place, self.sent.contains(name), self.answered.contains(name));
        }
    }

    /// A type that is written so, and which no client reads. A whole value of it.
    fn is_written<T: Serialize + DeserializeOwned>(&mut self, name: &str) -> Value {
        let shapes = self.document["components"]["schemas"].as_object().unwrap();
        let schema = &shapes[name];
        let read = |value: &Value| serde_json::from_value::<T>(value.clone());
        let full = Fill { shapes, everything: true }.of(schema);
        let back = serde_json::to_value(read(&full).unwrap_or_else(|e| panic!("{name}: {e}: {full}"))).unwrap();
        assert_eq!(back, full, "{name}: the type does not have all that the document says");
        let least = Fill { shapes, everything: false }.of(schema);
        let back = serde_json::to_value(read(&least).unwrap_or_else(|e| panic!("{name}: {e}: {least}"))).unwrap();
        let mut all = Vec::new();
        places(&back, "", &mut all);
        for place in all.iter().filter(|place| !place.contains("/report")) {
            let is_there = shape_at(shapes, schema, place).is_some();
            assert!(is_there, "{name}: the document does not have {place}, which the type has");
        }
        let mut fields = None;
        drop(T::deserialize(FieldsOf(&mut fields)));
        if let Some(fields) = fields {
            let described = schema["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(described, fields, "{name}: the fields of the document, and those of the type");
        }
        let mut all = Vec::new();
        places(&full, "", &mut all);
        for place in all.iter().filter(|place| !place.contains("/report")) {
            check_words::<T>(name, shapes, schema, &full, place);
        }
        self.seen.insert(name.to_owned());
        full
    }
}

/// The words of the document are those that the type knows.
fn check_words<T: Serialize + DeserializeOwned>(
    name: &str,
    shapes: &Map<String, Value>,
    schema: &Value,
    full: &Value,
    place: &str,
) {
    let Some(words) = shape_at(shapes, schema, place).and_then(|shape| shape["enum"].as_array()) else { return };
    let words: BTreeSet<&str> = words.iter().filter_map(Value::as_str).collect();
    let mut wrong = full.clone();
    *wrong.pointer_mut(place).unwrap() = NO_WORD.into();
    match serde_json::from_value::<T>(wrong) {
        Err(error) => {
            let said = error.to_string();
            let known: BTreeSet<&str> = said.split('`').skip(1).step_by(2).filter(|word| *word != NO_WORD).collect();
            assert_eq!(known, words, "{name}{place}: {said}");
        }
        // A client keeps the settings of a job as they are; the shape of a policy is tried by itself.
        Ok(_) if place.contains("/policy/") => {}
        // A word that only a newer server knows.
        Ok(read) if serde_json::to_value(&read).unwrap().pointer(place) == Some(&json!("newer")) => {
            for word in words {
                let mut right = full.clone();
                *right.pointer_mut(place).unwrap() = word.into();
                let back = serde_json::to_value(serde_json::from_value::<T>(right.clone()).unwrap()).unwrap();
                assert_eq!(back, right, "{name}{place}");
            }
        }
        Ok(_) => assert!(WORDS_OF_TEXT.iter().any(|it| place.ends_with(it)), "{name}{place} takes any text"),
    }
}

/// What the document does not say is refused in a request, wherever it is, and passed over in an answer.
fn check_strange_fields<T: DeserializeOwned>(name: &str, full: &Value, place: &str, is_sent: bool, is_answered: bool) {
    let mut more = full.clone();
    let Some(object) = more.pointer_mut(place).and_then(Value::as_object_mut) else { return };
    // Names of settings are data in the answer that explains them; the one field of a rule is which kind of rule it is.
    if place.ends_with("/settings") || place.contains("/rules/") || name == "Rule" {
        return;
    }
    object.insert("no_such_field".to_owned(), true.into());
    if is_sent {
        let error = problem::body::<T>(&more.to_string().into()).err();
        let error = error.unwrap_or_else(|| panic!("{name}{place}: a field that there is not was taken"));
        assert!(error.to_string().contains("no_such_field"), "{name}{place}: {error}");
    }
    if is_answered && !is_sent {
        let read = serde_json::from_value::<T>(more);
        assert!(read.is_ok(), "{name}{place}: a newer server's field is not passed over: {:?}", read.err());
    }
}

/// The shapes that are named below a value, also by way of others.
fn named(document: &Value, value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str).and_then(|place| place.rsplit('/').next());
            if let Some(name) = name.filter(|name| !all.iter().any(|known| known == name)) {
                all.push(name.to_owned());
                named(document, &document["components"]["schemas"][name], all);
            }
            fields.values().for_each(|inner| named(document, inner, all));
        }
        Value::Array(items) => items.iter().for_each(|inner| named(document, inner, all)),
        _ => {}
    }
}

/// The past of a mirror, and the way back.
fn of_states(shapes: &mut Shapes) {
    shapes.is::<history::KeptState>("KeptState");
    shapes.is::<history::StateEntry>("StateEntry");
    shapes.is::<history::StateFolder>("StateFolder");
    shapes.is::<history::Version>("Version");
    shapes.is::<history::Found>("Found");
    shapes.is::<history::Side>("Side");
    shapes.is::<history::Difference>("Difference");
    shapes.is::<history::Differences>("Differences");
    shapes.is::<restore::StartRestore>("StartRestore");
    shapes.is::<restore::RestoreTo>("RestoreTo");
    shapes.is::<restore::Restore>("Restore");
}

#[test]
fn every_shape_of_the_document_is_a_type_of_the_api() {
    let mut shapes = Shapes::of_document();
    shapes.is::<access::User>("User");
    shapes.is::<access::SetUser>("SetUser");
    shapes.is::<access::Token>("Token");
    shapes.is::<access::AddToken>("AddToken");
    shapes.is::<access::NewToken>("NewToken");
    shapes.is::<access::SetUp>("SetUp");
    shapes.is::<access::SetUpCode>("SetUpCode");
    shapes.is::<access::LogOn>("LogOn");
    shapes.is::<access::Session>("Session");
    shapes.is::<access::NewPassword>("NewPassword");
    shapes.is::<apply::ApplyRequest<octo_job::JobsFile>>("ApplyRequest");
    shapes.is::<apply::Change>("Change");
    shapes.is::<credential::Credential>("Credential");
    shapes.is::<credential::SetCredential>("SetCredential");
    shapes.is::<credential::TryCredential>("TryCredential");
    shapes.is::<credential::Tested>("Tested");
    shapes.is::<credential::CredentialUse>("CredentialUse");
    shapes.is::<credential::SetCredentialUses>("SetCredentialUses");
    shapes.is::<host::Host>("Host");
    shapes.is::<host::ConnectedAgent>("ConnectedAgent");
    shapes.is::<host::AddHost>("AddHost");
    shapes.is::<host::Invitation>("Invitation");
    shapes.is::<octo_job::Policy>("Policy");
    shapes.is::<octo_job::JobSpec>("JobSpec");
    shapes.is::<octo_job::JobsFile>("JobsFile");
    shapes.is::<octo_job::mirror_spec::Rule>("Rule");
    shapes.is_written::<job::JobView<octo_job::JobSpec>>("Job");
    shapes.is::<job::JobView>("Job");
    shapes.is::<job::JobChange<octo_job::JobSpec>>("JobChange");
    shapes.is::<job::Dismiss>("Dismiss");
    shapes.is::<job::Setting>("Setting");
    shapes.is::<job::Slot>("Slot");
    shapes.is::<job::Upcoming>("Upcoming");
    of_states(&mut shapes);
    shapes.is::<log::LogPart>("RunLog");
    shapes.is::<log::Line>("LogLine");
    shapes.is::<notify::Recipient>("Recipient");
    shapes.is::<notify::MailServer>("MailServer");
    shapes.is::<notify::QueuedMessage>("QueuedMessage");
    shapes.is::<notify::DigestSchedule>("When");
    shapes.is::<run::Run>("Run");
    shapes.is::<run::RunView>("RunView");
    shapes.is::<run::EntryProblem>("EntryProblem");
    shapes.is::<octo_api::RunOverrides>("RunOverrides");
    shapes.is::<server::Health>("Health");
    shapes.is::<server::BackUp>("BackUp");
    shapes.is::<server::Backup>("Backup");
    shapes.is::<server::Finding>("Finding");
    shapes.is::<server::AuditEntry>("AuditEntry");
    shapes.is::<access::Role>("Role");
    shapes.is::<digest::Digest>("Digest");
    shapes.is::<digest::DigestJob>("DigestJob");
    shapes.is::<digest::NotRun>("NotRun");
    shapes.is::<summary::RunSummary>("RunSummary");
    shapes.is::<summary::SummaryCause>("SummaryCause");
    shapes.is::<summary::SummaryExample>("SummaryExample");
    shapes.is::<summary::Past>("PastRun");
    // Texts; the engine's report, whose format is its own; and the error below.
    let others = ["Moment", "Name", "Report", "Problem"].map(str::to_owned);
    let all: BTreeSet<String> = shapes.document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(shapes.seen.union(&others.into()).cloned().collect::<BTreeSet<_>>(), all);
}

#[test]
fn words_that_are_going_to_be_more_are_those_of_the_document() {
    fn words<W: octo_api::Word>() -> Vec<&'static str> {
        W::ALL.iter().map(|it| it.word()).collect()
    }
    let shapes = &document()["components"]["schemas"];
    for (shape, field, known) in [
        ("Run", "kind", words::<run::RunKind>()),
        ("RunView", "kind", words::<run::RunKind>()),
        ("Run", "reason", words::<run::Reason>()),
        ("RunView", "reason", words::<run::Reason>()),
        ("Host", "state", words::<host::HostState>()),
    ] {
        assert_eq!(shapes[shape]["properties"][field]["enum"], json!(known), "{shape}.{field}");
    }
}

#[test]
fn a_refusal_is_as_the_document_says() {
    use crate::service_error::ServiceError;
    let document = document();
    let shapes = document["components"]["schemas"].as_object().unwrap();
    let said = problem::to_problem(&ServiceError::field("policy.bandwidth", "why"));
    let (described, shown) = (shapes["Problem"]["properties"].as_object().unwrap(), said.as_object().unwrap());
    assert_eq!(described.keys().collect::<Vec<_>>(), shown.keys().collect::<Vec<_>>());
    let read: octo_api::ApiError = serde_json::from_value(said.clone()).unwrap();
    assert_eq!((read.field.as_deref(), read.detail.as_str()), (Some("policy.bandwidth"), "why"));
    let unknown = serde_json::from_value::<octo_api::error::Kind>(NO_WORD.into()).unwrap_err().to_string();
    let known: Vec<&str> = unknown.split('`').skip(1).step_by(2).filter(|word| *word != NO_WORD).collect();
    assert_eq!(shapes["Problem"]["properties"]["kind"]["enum"], json!(known));
}
