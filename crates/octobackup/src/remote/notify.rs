//! `octobackup notify`: who is told what, and whether it arrives.

use super::answer::{Ended, client, every_row, rows, said, show, text, time_of};
use super::table::table;
use crate::args::server::{DigestArgs, MailServerArgs, NotifyAddArgs, NotifyCommand, NotifyNameArgs, OutboxArgs};
use crate::exit;
use crate::listeners::print;
use octo_api::ApiError;
use octo_api::error::Kind;
use octo_client::escaped;
use octo_report::{html, text as plain_text};
use octo_server::report::digest::Digest;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A mail server that takes longer is silent.
const TEST_TIMEOUT: Duration = Duration::from_secs(75);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Everything about telling.
pub fn notify(command: &NotifyCommand) -> Ended {
    match command {
        NotifyCommand::MailServer(args) => mail_server(args),
        NotifyCommand::Set(args) => set(args),
        NotifyCommand::List(server) => show(server, &every_row(&client(server)?, "/recipients")?, list),
        NotifyCommand::Remove(args) => {
            client(&args.server)?.delete(&format!("/recipients/{}", escaped(&args.name)))?;
            said(&args.server, &format!("Recipient {} removed.", args.name))
        }
        NotifyCommand::Test(args) => test(args),
        NotifyCommand::Outbox(args) => outbox(args),
        NotifyCommand::Digest(args) => {
            client(&args.server)?.put::<Value>("/digest/schedule", &json!({"schedule": args.schedule}))?;
            said(&args.server, &format!("Digest: {}.", args.schedule))
        }
    }
}

fn set(args: &NotifyAddArgs) -> Ended {
    let some = |texts: &[String]| if texts.is_empty() { Value::Null } else { json!(texts) };
    let body = json!({
        "mail": some(&args.mail), "webhook": args.webhook, "heartbeat": args.heartbeat, "credential": args.credential,
        "when": args.when, "jobs": some(&args.jobs), "time_zone": args.time_zone,
    });
    client(&args.server)?.put::<Value>(&format!("/recipients/{}", escaped(&args.name)), &body)?;
    said(&args.server, &format!("Recipient {} set. To try it: octobackup notify test {}", args.name, args.name))
}

/// Sets the mail server, or shows it if none is given.
fn mail_server(args: &MailServerArgs) -> Ended {
    let client = client(&args.server)?;
    if let Some(given) = &args.host {
        let (host, port) = host_and_port(given, args.port)?;
        let body = json!({
            "host": host, "port": port, "security": args.security, "credential": args.credential, "from": args.from,
        });
        client.put::<Value>("/mail-server", &body)?;
    }
    let answer = client.get::<Value>("/mail-server")?;
    show(&args.server, &answer, |set| {
        if set.is_null() {
            return print("No mail server is set.");
        }
        for (name, field) in [
            ("Host", "host"),
            ("Port", "port"),
            ("Security", "security"),
            ("From", "from"),
            ("Credential", "credential"),
        ] {
            let value = text(&set[field]);
            if !value.is_empty() {
                print(&format!("{name:<12}{value}"));
            }
        }
    })
}

/// `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
fn host_and_port(given: &str, option: Option<u16>) -> Result<(&str, Option<u16>), ApiError> {
    let Some((host, port)) = given.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'))
    else {
        return Ok((given, option));
    };
    let wrong = |why: &str| ApiError::field("HOST", format!("{given}: {why}"));
    let port = port.parse().map_err(|_| wrong("what follows the colon is not a port"))?;
    if option.is_some_and(|option| option != port) {
        return Err(wrong("--port names another port"));
    }
    Ok((host.trim_start_matches('[').trim_end_matches(']'), Some(port)))
}

fn list(recipients: &Value) {
    let cells = rows(recipients).iter().map(|them| {
        let addresses = rows(&them["mail"]).iter().map(text).collect::<Vec<_>>().join(", ");
        let (way, to) = match (&them["webhook"], &them["heartbeat"]) {
            (Value::String(_), _) => ("webhook", text(&them["webhook"])),
            (_, Value::String(_)) => ("heartbeat", text(&them["heartbeat"])),
            _ => ("mail", addresses),
        };
        let when = if way == "heartbeat" { "after good runs".to_owned() } else { text(&them["when"]) };
        let jobs = rows(&them["jobs"]).iter().map(text).collect::<Vec<_>>().join(", ");
        vec![text(&them["name"]), way.to_owned(), to, when, if jobs.is_empty() { "all".to_owned() } else { jobs }]
    });
    table(&["NAME", "WAY", "TO", "WHEN", "JOBS"], &cells.collect::<Vec<_>>());
}

/// Sends one, and waits until somebody has taken it, or said why not.
fn test(args: &NotifyNameArgs) -> Ended {
    let client = client(&args.server)?;
    let mut message = client.post::<Value>(&format!("/recipients/{}/test", escaped(&args.name)), &json!({}))?;
    let begun = Instant::now();
    // An attempt is recorded before it is made: only its end says how it went.
    let has_ended = |message: &Value| !message["sent_at"].is_null() || !message["last_error"].is_null();
    while !has_ended(&message) && begun.elapsed() < TEST_TIMEOUT {
        std::thread::sleep(LOOK_EVERY);
        message = client.get::<Value>(&format!("/outbox/{}", message["id"]))?;
    }
    if message["sent_at"].is_null() {
        let why = if has_ended(&message) { text(&message["last_error"]) } else { "no answer yet".to_owned() };
        let why = format!("not delivered: {why}; it will be retried (see octobackup notify outbox)");
        return Err(ApiError::new(Kind::Internal, why));
    }
    show(&args.server, &message, |_| print("test message accepted"))
}

fn outbox(args: &OutboxArgs) -> Ended {
    let answer = client(&args.server)?.get::<Value>(&format!("/outbox?limit={}", args.limit))?;
    show(&args.server, &answer, |answer| {
        let cells = rows(answer).iter().map(|message| {
            let what = match &message["message"] {
                Value::Object(fields) => fields.iter().map(|(kind, id)| format!("{kind} {}", text(id))).collect(),
                other => text(other),
            };
            let state = match (&message["sent_at"], &message["next_try_at"]) {
                (Value::Null, Value::Null) => "given up".to_owned(),
                (Value::Null, next) => format!("next try {}", time_of(next)),
                (sent, _) => format!("taken {}", time_of(sent)),
            };
            vec![text(&message["id"]), text(&message["recipient"]), what, state, text(&message["last_error"])]
        });
        table(&["LETTER", "TO", "ABOUT", "STATE", "WHY"], &cells.collect::<Vec<_>>());
    })
}

/// All jobs on one page.
pub fn digest(args: &DigestArgs) -> Ended {
    let zone = super::answer::zone_named(args.time_zone.as_deref())?;
    let digest: Digest = client(&args.server)?.get(&format!("/digest?hours={}", args.hours))?;
    let is_well = digest.bad() == 0;
    if args.html {
        print(html::render(&digest.document(&zone)).trim_end());
    } else {
        show(&args.server, &digest, |digest| print(plain_text::render(&digest.document(&zone)).trim_end()))?;
    }
    Ok(if is_well { exit::COMPLETE } else { exit::PROBLEMS })
}
