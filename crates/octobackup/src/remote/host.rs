//! `octobackup host`: the machines whose agents this server talks to.

use super::answer::{CommandResult, client, every, plain, said, show, text_or_none, time};
use super::table::table;
use crate::args::server::{HostAddArgs, HostCommand};
use crate::exit;
use crate::listeners::print;
use octo_api::host::{AddHost, ConnectedAgent, Host, Invitation};
use octo_client::escaped;
use octo_core::Code;
use octo_core::advice::{Place, advice};
use octo_core::numbers;

/// Adds, lists, shows, revokes.
pub fn host(command: &HostCommand) -> CommandResult {
    match command {
        HostCommand::Add(args) => add(args),
        HostCommand::List(server) => show(server, every(&client(server)?, "/hosts")?.as_slice(), list),
        HostCommand::Show(args) => {
            let host: Host = client(&args.server)?.get(&format!("/hosts/{}", escaped(&args.name)))?;
            show(&args.server, &host, details)
        }
        HostCommand::Revoke(args) => {
            client(&args.server)?.post_nothing::<()>(&format!("/hosts/{}/revoke", escaped(&args.name)))?;
            said(&args.server, &format!("Host {} is rejected until it is paired again.", args.name))
        }
    }
}

/// Only the token goes to standard output, so that it can be piped to where it is needed.
fn add(args: &HostAddArgs) -> CommandResult {
    let invitation: Invitation = client(&args.server)?.post("/hosts", &AddHost { name: args.name.clone() })?;
    show(&args.server, &invitation, |invitation| {
        print(&plain(&invitation.token));
        exit::remark(&format!(
            "This token pairs one agent as {} and works until {}. On that machine:\n    octobackup-agent enroll --server THIS-SERVER --token-file FILE",
            args.name,
            time(invitation.expires_at)
        ));
    })
}

fn connection(host: &Host) -> String {
    match host.agents.len() {
        0 => host.state.to_string(),
        1 => "connected".to_owned(),
        agents => format!("{agents} AGENTS"),
    }
}

fn list(hosts: &[Host]) {
    let cells = hosts.iter().map(|host| {
        let version = text_or_none(host.version.as_deref());
        vec![plain(&host.name), connection(host), version, time(host.last_seen), skew(host)]
    });
    table(&["HOST", "STATE", "AGENT", "@LAST SEEN", "CLOCK"], &cells.collect::<Vec<_>>());
    for host in hosts.iter().filter(|host| host.agents.len() > 1) {
        let name = plain(&host.name);
        print(&format!("\n{name}: {}", said_of_doubled(&name)));
    }
}

/// How wrong its clock is, if that is worth a word.
fn skew(host: &Host) -> String {
    let secs = host.clock_skew_secs;
    let size = numbers::duration(secs.unsigned_abs().saturating_mul(1000));
    match secs {
        -2..=2 => String::new(),
        3.. => format!("{size} ahead"),
        _ => format!("{size} behind"),
    }
}

fn details(host: &Host) {
    let came = |agent: &ConnectedAgent| format!("{} at {}", plain(&agent.machine), plain(&agent.address));
    let came = host.agents.iter().map(came).collect::<Vec<_>>().join(", ");
    for (name, value) in [
        ("Host", plain(&host.name)),
        ("State", connection(host)),
        ("Connected", came),
        ("Last seen", time(host.last_seen)),
        ("Agent", text_or_none(host.version.as_deref())),
        ("System", text_or_none(host.system.as_deref())),
        ("Clock", skew(host)),
        ("May read", plain(&host.roots.as_deref().unwrap_or_default().join(", "))),
        ("Jobs", plain(&host.jobs.join(", "))),
    ] {
        if !value.is_empty() {
            print(&format!("{name:<12}{value}"));
        }
    }
    if host.agents.len() > 1 {
        print(&format!("\n{}", said_of_doubled(&plain(&host.name))));
    }
}

/// Two agents have this host's identity.
fn said_of_doubled(host: &str) -> String {
    let code = Code::AgentCloned;
    format!("{}. {}", code.title(), advice(code, &format!("agent://{host}"), Place::Sync))
}
