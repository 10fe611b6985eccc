//! `octobackup host`: the machines whose agents this server talks to.

use super::answer::{Ended, client, every_row, rows, said, show, text, time_of};
use super::table::table;
use crate::args::server::{HostAddArgs, HostCommand};
use crate::exit;
use crate::listeners::print;
use octo_client::escaped;
use octo_core::Code;
use octo_core::advice::{Place, advice};
use octo_core::numbers;
use serde_json::{Value, json};

/// Adds, lists, shows, revokes.
pub fn host(command: &HostCommand) -> Ended {
    match command {
        HostCommand::Add(args) => add(args),
        HostCommand::List(server) => show(server, &every_row(&client(server)?, "/hosts")?, list),
        HostCommand::Show(args) => show(
            &args.server,
            &client(&args.server)?.get::<Value>(&format!("/hosts/{}", escaped(&args.name)))?,
            details,
        ),
        HostCommand::Revoke(args) => {
            client(&args.server)?.post::<Value>(&format!("/hosts/{}/revoke", escaped(&args.name)), &json!({}))?;
            said(&args.server, &format!("Host {} is refused until it is paired anew.", args.name))
        }
    }
}

/// Only the token goes to standard output, so that it can be piped to where it is needed.
fn add(args: &HostAddArgs) -> Ended {
    let answer = client(&args.server)?.post::<Value>("/hosts", &json!({"name": args.name}))?;
    show(&args.server, &answer, |answer| {
        print(&text(&answer["token"]));
        exit::remark(&format!(
            "This token pairs one agent as {} and works until {}. On that machine:\n    octobackup-agent enroll --server THIS-SERVER --token-file FILE",
            args.name,
            time_of(&answer["expires_at"])
        ));
    })
}

fn connection(host: &Value) -> String {
    match rows(&host["agents"]).len() {
        0 => text(&host["state"]),
        1 => "connected".to_owned(),
        agents => format!("{agents} AGENTS"),
    }
}

fn list(hosts: &Value) {
    let cells = rows(hosts).iter().map(|host| {
        vec![text(&host["name"]), connection(host), text(&host["version"]), time_of(&host["last_seen"]), skew(host)]
    });
    let is_doubled = |host: &&Value| rows(&host["agents"]).len() > 1;
    let doubled: Vec<String> = rows(hosts).iter().filter(is_doubled).map(|host| text(&host["name"])).collect();
    table(&["HOST", "STATE", "AGENT", "@LAST SEEN", "CLOCK"], &cells.collect::<Vec<_>>());
    for host in doubled {
        print(&format!("\n{host}: {}", said_of_doubled(&host)));
    }
}

/// How wrong its clock is, if that is worth a word.
fn skew(host: &Value) -> String {
    let secs = host["clock_skew_secs"].as_i64().unwrap_or(0);
    let size = numbers::duration(secs.unsigned_abs().saturating_mul(1000));
    match secs {
        -2..=2 => String::new(),
        3.. => format!("{size} ahead"),
        _ => format!("{size} behind"),
    }
}

fn details(host: &Value) {
    let agents = rows(&host["agents"]);
    let came = agents.iter().map(|agent| format!("{} at {}", text(&agent["machine"]), text(&agent["address"])));
    let came = came.collect::<Vec<_>>().join(", ");
    let lines = |value: &Value| rows(value).iter().map(text).collect::<Vec<_>>().join(", ");
    for (name, value) in [
        ("Host", text(&host["name"])),
        ("State", connection(host)),
        ("Connected", came),
        ("Last seen", time_of(&host["last_seen"])),
        ("Agent", text(&host["version"])),
        ("System", text(&host["system"])),
        ("Clock", skew(host)),
        ("May read", lines(&host["roots"])),
        ("Jobs", lines(&host["jobs"])),
    ] {
        if !value.is_empty() {
            print(&format!("{name:<12}{value}"));
        }
    }
    if agents.len() > 1 {
        print(&format!("\n{}", said_of_doubled(&text(&host["name"]))));
    }
}

/// Two agents have this host's identity.
fn said_of_doubled(host: &str) -> String {
    let code = Code::AgentCloned;
    format!("{}. {}", code.title(), advice(code, &format!("agent://{host}"), Place::Sync))
}
