//! Asks a server, and shows its answers: as lines, or as JSON.

use crate::args::server::ServerArgs;
use crate::exit;
use crate::listeners::print;
use octo_api::access::{Token, User};
use octo_api::credential::Credential;
use octo_api::host::Host;
use octo_api::job::JobView;
use octo_api::notify::Recipient;
use octo_api::{ApiError, Moment, PAGE_MAX};
use octo_client::{Client, escaped};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a command ends with.
pub type CommandResult = Result<u8, ApiError>;

pub(super) fn client(server: &ServerArgs) -> Result<Client, ApiError> {
    let (Some(url), Some(file)) = (&server.url, &server.token_file) else { return local(server) };
    let token = crate::password::secret_file("--token-file", file)?;
    Client::remote(url, &token, server.ca_file.as_deref())
}

#[cfg(unix)]
fn local(server: &ServerArgs) -> Result<Client, ApiError> {
    Client::local(&server.socket)
}

#[cfg(not(unix))]
fn local(_: &ServerArgs) -> Result<Client, ApiError> {
    let why = "name the server (https://HOST:PORT), and a token of it with --token-file; octobackup token add makes one there";
    Err(ApiError::field("--url", why))
}

/// A row of a list that is given in pages by name.
pub(super) trait Named {
    /// What the list is sorted by.
    fn name(&self) -> &str;
}

impl Named for JobView {
    fn name(&self) -> &str {
        &self.job.spec.name
    }
}

/// A list that is sorted by the field `name`.
macro_rules! named {
    ($($row:ty),+) => { $( impl Named for $row {
        fn name(&self) -> &str {
            &self.name
        }
    } )+ };
}

named!(User, Token, Credential, Host, Recipient);

/// Every row of a list that is given in pages by name.
pub(super) fn every<T: Named + DeserializeOwned>(client: &Client, path: &str) -> Result<Vec<T>, ApiError> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let after = all.last().map(|row| format!("&after={}", escaped(row.name()))).unwrap_or_default();
        let page: Vec<T> = client.get(&format!("{path}?limit={PAGE_MAX}{after}"))?;
        let is_last = page.len() < PAGE_MAX as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// A zone as it was typed; the one that everything is shown in where nothing was.
pub(super) fn zone_named(name: Option<&str>) -> Result<octo_job::schedule::TimeZone, ApiError> {
    let Some(name) = name else { return Ok(crate::zone::shown()) };
    octo_job::schedule::zone(name).map_err(|why| ApiError::field("--time-zone", format!("{name:?}: {why}")))
}

/// Shows an answer: as JSON if that was asked for.
pub(super) fn show<T: Serialize + ?Sized>(server: &ServerArgs, answer: &T, as_text: impl FnOnce(&T)) -> CommandResult {
    if server.json {
        print(&as_json(answer)?.to_string());
    } else {
        as_text(answer);
    }
    Ok(exit::COMPLETE)
}

/// An answer, or a part of one, as a program reads it.
pub(super) fn as_json(answer: &(impl Serialize + ?Sized)) -> Result<Value, ApiError> {
    serde_json::to_value(answer).map_err(|e| ApiError::new(octo_api::error::Kind::Internal, format!("the answer: {e}")))
}

/// Says what was done, where a program did not ask for JSON.
pub(super) fn said(server: &ServerArgs, words: &str) -> CommandResult {
    if !server.json {
        print(&plain(words));
    }
    Ok(exit::COMPLETE)
}

/// A text of an answer, safe for a terminal.
pub(super) fn plain(text: &str) -> String {
    octo_core::printable::printable(text)
}

/// A text of an answer that may be missing.
pub(super) fn text_or_none(text: Option<&str>) -> String {
    text.map(plain).unwrap_or_default()
}

/// A setting's value in words. What it may be depends on the setting, and a newer server has settings that are not known here.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

/// A moment as `2026-08-04 23:00 CEST`; nothing for none.
pub(super) fn time(at: impl Into<Option<Moment>>) -> String {
    at.into().map(|at| at.local(&crate::zone::shown())).unwrap_or_default()
}

/// The same to the second.
pub(super) fn time_secs(at: Moment) -> String {
    at.local_secs(&crate::zone::shown())
}
