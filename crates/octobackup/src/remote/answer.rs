//! Asks a server, and shows its answers: as lines, or as JSON.

use crate::args::server::ServerArgs;
use crate::exit;
use crate::listeners::print;
use octo_server::api::{Client, escaped};
use octo_server::service::PAGE_MAX;
use octo_server::{Moment, ServiceError};
use serde_json::Value;

/// What a command ends with.
pub type Ended = Result<u8, ServiceError>;

pub(super) fn client(server: &ServerArgs) -> Result<Client, ServiceError> {
    let (Some(url), Some(file)) = (&server.url, &server.token_file) else { return Client::local(&server.socket) };
    let token = crate::password::secret_file("--token-file", file)?;
    Client::remote(url, &token, server.ca_file.as_deref())
}

/// Every row of a list that is given in pages by name.
pub(super) fn every(client: &Client, path: &str) -> Result<Value, ServiceError> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        // A job's name is part of what a person said of it.
        let name = |row: &Value| text(if row["name"].is_null() { &row["spec"]["name"] } else { &row["name"] });
        let after = all.last().map(|row| format!("&after={}", escaped(&name(row)))).unwrap_or_default();
        let page = client.get(&format!("{path}?limit={PAGE_MAX}{after}"))?;
        let is_last = rows(&page).len() < PAGE_MAX as usize;
        all.extend_from_slice(rows(&page));
        if is_last {
            return Ok(all.into());
        }
    }
}

/// A zone as it was typed; the one that everything is shown in where nothing was.
pub(super) fn zone_named(name: Option<&str>) -> Result<octo_server::schedule::TimeZone, ServiceError> {
    let Some(name) = name else { return Ok(crate::zone::shown()) };
    octo_server::schedule::zone(name).map_err(|why| ServiceError::field("--time-zone", format!("{name:?}: {why}")))
}

/// Shows an answer: as JSON if that was asked for.
pub(super) fn show(server: &ServerArgs, answer: &Value, as_text: impl FnOnce(&Value)) -> Ended {
    if server.json {
        print(&answer.to_string());
    } else {
        as_text(answer);
    }
    Ok(exit::COMPLETE)
}

/// Says what was done, where a program did not ask for JSON.
pub(super) fn said(server: &ServerArgs, words: &str) -> Ended {
    if !server.json {
        print(&octo_core::printable::printable(words));
    }
    Ok(exit::COMPLETE)
}

pub(super) fn rows(answer: &Value) -> &[Value] {
    answer.as_array().map_or(&[], Vec::as_slice)
}

/// A text of an answer, safe for a terminal.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => octo_core::printable::printable(text),
        other => other.to_string(),
    }
}

/// A moment of an answer, as `2026-08-04 23:00 CEST`.
pub(super) fn time(value: &Value) -> String {
    let moment: Option<Moment> = serde_json::from_value(value.clone()).ok();
    moment.map_or_else(|| text(value), |moment| moment.local(&crate::zone::shown()))
}

/// The same to the second.
pub(super) fn time_secs(value: &Value) -> String {
    let moment: Option<Moment> = serde_json::from_value(value.clone()).ok();
    moment.map_or_else(|| text(value), |moment| moment.local_secs(&crate::zone::shown()))
}
