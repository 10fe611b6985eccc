//! Everything that talks to a server: turns arguments into requests, and answers into lines. It must know nothing that
//! another program could not ask the API for.

mod access;
pub mod args;
mod credential;
mod host;
mod job;
mod notify;
mod run;
mod serve;
mod table;

pub use access::{setup_link, token, user};
pub use credential::credential;
pub use host::host;
pub use job::{job, schedule};
pub use notify::{digest, notify};
pub use run::{cancel, report, run, runs};
pub use serve::serve;

use crate::exit;
use crate::listeners::print;
use args::ServerArgs;
use octo_server::Refusal;
use octo_server::api::Client;
use octo_server::refusal::Kind;
use serde_json::Value;

/// What a command ends with.
pub type Ended = Result<u8, Refusal>;

/// The exit code of a command.
pub fn code(ended: Ended) -> u8 {
    ended.unwrap_or_else(|refusal| {
        exit::complain(&refusal.to_string());
        match refusal.kind {
            Kind::Invalid | Kind::NotFound => exit::USAGE,
            _ => exit::FAILED,
        }
    })
}

fn client(server: &ServerArgs) -> Result<Client, Refusal> {
    let (Some(url), Some(file)) = (&server.url, &server.token_file) else { return Client::local(&server.socket) };
    let token = crate::password::secret_file("--token-file", file)?;
    Client::remote(url, &token, server.ca_file.as_deref())
}

/// A zone as it was typed.
fn zone_named(name: &str) -> Result<octo_server::schedule::TimeZone, Refusal> {
    octo_server::schedule::zone(name).map_err(|why| Refusal::field("--time-zone", format!("{name:?}: {why}")))
}

/// Shows an answer: as JSON if that was asked for.
fn show(server: &ServerArgs, answer: &Value, as_text: impl FnOnce(&Value)) -> Ended {
    if server.json {
        print(&answer.to_string());
    } else {
        as_text(answer);
    }
    Ok(exit::COMPLETE)
}

fn rows(answer: &Value) -> &[Value] {
    answer.as_array().map_or(&[], Vec::as_slice)
}

/// A text of an answer, safe for a terminal.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => crate::text::plain(text),
        other => other.to_string(),
    }
}

/// `2026-08-04 21:00 UTC`.
fn time(value: &Value) -> String {
    let text = text(value);
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text,
    }
}
