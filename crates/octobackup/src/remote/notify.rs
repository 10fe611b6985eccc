//! `octobackup notify`: recipients, and whether messages reach them.

use super::answer::{CommandResult, client, every, plain, said, show, text_or_none, time};
use super::table::table;
use crate::args::server::{DigestArgs, MailServerArgs, NotifyAddArgs, NotifyCommand, NotifyNameArgs, OutboxArgs};
use crate::exit;
use crate::listeners::print;
use octo_api::ApiError;
use octo_api::digest::Digest;
use octo_api::error::Kind;
use octo_api::notify::{DigestSchedule, MailServer, Message, QueuedMessage, Recipient, Way};
use octo_client::escaped;
use octo_report::{html, text as plain_text};
use octo_server::report::digest_document::document;
use std::time::{Duration, Instant};

/// A mail server that takes longer is silent.
const TEST_TIMEOUT: Duration = Duration::from_secs(75);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Everything about telling.
pub fn notify(command: &NotifyCommand) -> CommandResult {
    match command {
        NotifyCommand::MailServer(args) => mail_server(args),
        NotifyCommand::Set(args) => set(args),
        NotifyCommand::List(server) => show(server, every(&client(server)?, "/recipients")?.as_slice(), list),
        NotifyCommand::Remove(args) => {
            client(&args.server)?.delete(&format!("/recipients/{}", escaped(&args.name)))?;
            said(&args.server, &format!("Recipient {} removed.", args.name))
        }
        NotifyCommand::Test(args) => test(args),
        NotifyCommand::Outbox(args) => outbox(args),
        NotifyCommand::Digest(args) => {
            let schedule = DigestSchedule { schedule: args.schedule.clone() };
            client(&args.server)?.put::<()>("/digest/schedule", &schedule)?;
            said(&args.server, &format!("Digest: {}.", args.schedule))
        }
    }
}

fn set(args: &NotifyAddArgs) -> CommandResult {
    let some = |texts: &[String]| Some(texts.to_vec()).filter(|texts| !texts.is_empty());
    let recipient = Recipient {
        name: args.name.clone(),
        mail: some(&args.mail),
        webhook: args.webhook.clone(),
        heartbeat: args.heartbeat.clone(),
        credential: args.credential.clone(),
        when: args.when,
        jobs: some(&args.jobs),
        time_zone: args.time_zone.clone(),
    };
    client(&args.server)?.put::<Recipient>(&format!("/recipients/{}", escaped(&args.name)), &recipient)?;
    said(&args.server, &format!("Recipient {} set. To try it: octobackup notify test {}", args.name, args.name))
}

/// Sets the mail server, or shows it if none is given.
fn mail_server(args: &MailServerArgs) -> CommandResult {
    let client = client(&args.server)?;
    if let Some(given) = &args.host {
        let (host, port) = host_and_port(given, args.port)?;
        let server = MailServer {
            host: host.to_owned(),
            port,
            security: args.security,
            credential: args.credential.clone(),
            from: args.from.clone().unwrap_or_default(),
        };
        client.put::<()>("/mail-server", &server)?;
    }
    let answer: Option<MailServer> = client.get("/mail-server")?;
    show(&args.server, &answer, |answer| {
        let Some(server) = answer else { return print("No mail server is set.") };
        for (name, value) in [
            ("Host", plain(&server.host)),
            ("Port", server.port.map(|port| port.to_string()).unwrap_or_default()),
            ("Security", server.security.to_string()),
            ("From", plain(&server.from)),
            ("Credential", text_or_none(server.credential.as_deref())),
        ] {
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

fn list(recipients: &[Recipient]) {
    let cells = recipients.iter().map(|them| {
        let (way, to) = match them.way() {
            Some(Way::Mail(addresses)) => ("mail", plain(&addresses.join(", "))),
            Some(Way::Webhook(url)) => ("webhook", plain(url)),
            Some(Way::Heartbeat(url)) => ("heartbeat", plain(url)),
            // Only a newer server has others.
            None => ("", String::new()),
        };
        let when = if them.heartbeat.is_some() { "after good runs".to_owned() } else { them.when.to_string() };
        let jobs = them.jobs.as_deref().map_or_else(|| "all".to_owned(), |jobs| plain(&jobs.join(", ")));
        vec![plain(&them.name), way.to_owned(), to, when, jobs]
    });
    table(&["NAME", "WAY", "TO", "WHEN", "JOBS"], &cells.collect::<Vec<_>>());
}

/// Sends one, and waits until somebody has taken it, or said why not.
fn test(args: &NotifyNameArgs) -> CommandResult {
    let client = client(&args.server)?;
    let mut message: QueuedMessage = client.post_nothing(&format!("/recipients/{}/test", escaped(&args.name)))?;
    let begun = Instant::now();
    // An attempt is recorded before it is made: only its end says how it went.
    let has_ended = |message: &QueuedMessage| message.sent_at.is_some() || message.last_error.is_some();
    while !has_ended(&message) && begun.elapsed() < TEST_TIMEOUT {
        std::thread::sleep(LOOK_EVERY);
        message = client.get(&format!("/outbox/{}", message.id))?;
    }
    if message.sent_at.is_none() {
        let why = message.last_error.as_deref().map_or_else(|| "no answer yet".to_owned(), plain);
        let why = format!("not delivered: {why}; it will be retried (see octobackup notify outbox)");
        return Err(ApiError::new(Kind::Internal, why));
    }
    show(&args.server, &message, |_| print("test message accepted"))
}

fn outbox(args: &OutboxArgs) -> CommandResult {
    let messages: Vec<QueuedMessage> = client(&args.server)?.get(&format!("/outbox?limit={}", args.limit))?;
    show(&args.server, messages.as_slice(), |messages| {
        let cells = messages.iter().map(|queued| {
            let what = match queued.message {
                Message::Test => "test".to_owned(),
                Message::Run(run) => format!("run {run}"),
                Message::Digest { until, .. } => format!("digest up to {}", time(until)),
            };
            let state = match (queued.sent_at, queued.next_try_at) {
                (None, None) => "given up".to_owned(),
                (None, next) => format!("next try {}", time(next)),
                (sent, _) => format!("taken {}", time(sent)),
            };
            let why = text_or_none(queued.last_error.as_deref());
            vec![queued.id.to_string(), plain(&queued.recipient), what, state, why]
        });
        table(&["LETTER", "TO", "ABOUT", "STATE", "WHY"], &cells.collect::<Vec<_>>());
    })
}

/// All jobs on one page.
pub fn digest(args: &DigestArgs) -> CommandResult {
    let zone = super::answer::zone_named(args.time_zone.as_deref())?;
    let digest: Digest = client(&args.server)?.get(&format!("/digest?hours={}", args.hours))?;
    let is_well = digest.bad() == 0;
    if args.html {
        print(html::render(&document(&digest, &zone)).trim_end());
    } else {
        show(&args.server, &digest, |digest| print(plain_text::render(&document(digest, &zone)).trim_end()))?;
    }
    Ok(if is_well { exit::COMPLETE } else { exit::PROBLEMS })
}
