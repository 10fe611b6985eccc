//! Machines with agents: who may pair, who is paired, who is connected.

use super::{ByName, Caller, Service, conflict};
use crate::moment::Moment;
use crate::service_error::ServiceError;
use crate::store::{audit, hosts, jobs};
use octo_agent::{Admission, AgentListener, Host as KnownHost, Introduction, State, TOKEN_SECS};
use octo_api::host::{ConnectedAgent, Host, HostState, Invitation};
use octo_api::server::Finding;
use octo_core::address::AGENT_PORT;
use octo_core::advice::{Place, advice};
use octo_core::{Code, Timestamp};
use std::net::IpAddr;

impl Service {
    fn agents(&self) -> Result<&AgentListener, ServiceError> {
        self.shared.agents.get().ok_or_else(|| {
            let listen = format!("listen = \"0.0.0.0:{AGENT_PORT}\"");
            conflict(format!(
                "this server does not listen for agents; write [agents] {listen} into its octobackup.toml"
            ))
        })
    }

    /// Machines, by name.
    pub fn hosts(&self, part: &ByName) -> Result<Vec<Host>, ServiceError> {
        let agents = self.agents()?;
        self.views(agents, part.of(agents.hosts()?, |host| &host.name))
    }

    fn views(&self, agents: &AgentListener, hosts: Vec<KnownHost>) -> Result<Vec<Host>, ServiceError> {
        let jobs = self.shared.store.read(jobs::list)?;
        let now = self.shared.clock.now();
        let view = |host: KnownHost| {
            let of_host = jobs.iter().filter(|job| job.spec.agent().is_some_and(|address| address.host == host.name));
            view(agents, &host, of_host.map(|job| job.spec.name.clone()).collect(), now)
        };
        Ok(hosts.into_iter().map(view).collect())
    }

    /// One of them.
    pub fn host(&self, name: &str) -> Result<Host, ServiceError> {
        let agents = self.agents()?;
        let found = agents.hosts()?.into_iter().filter(|host| host.name == name).collect();
        self.views(agents, found)?.pop().ok_or_else(|| ServiceError::not_found("host", name))
    }

    /// Lets a machine pair, also if it is paired already.
    pub fn add_host(&self, caller: &Caller, name: &str) -> Result<Invitation, ServiceError> {
        let agents = self.agents()?;
        octo_core::address::check_host_name(name).map_err(|e| ServiceError::field("name", e.detail))?;
        let now = self.shared.now();
        let token = self.shared.store.change(|db| {
            audit::add(db, now, &caller.name, "host.add", name, "")?;
            Ok(hosts::change(db, |hosts| agents.invite_among(hosts, name))??)
        })?;
        Ok(Invitation { host: name.to_owned(), token: token.reveal(), expires_at: now.plus_secs(TOKEN_SECS) })
    }

    /// Ends a machine's connection and refuses it until it is paired again.
    pub fn revoke_host(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        let agents = self.agents()?;
        self.shared.store.change(|db| {
            if !hosts::list(db)?.iter().any(|host| host.name == name) {
                return Err(ServiceError::not_found("host", name));
            }
            audit::add(db, self.shared.now(), &caller.name, "host.revoke", name, "")?;
            Ok(hosts::change(db, |hosts| octo_agent::revoke(hosts, name))??)
        })?;
        agents.dismiss(name);
        Ok(())
    }

    /// What is wrong with the agents that are connected.
    pub(super) fn doubled_agents(&self) -> Vec<Finding> {
        let Some(agents) = self.shared.agents.get() else { return Vec::new() };
        let doubled = |host: KnownHost| {
            let agents = agents.agents(&host.name);
            let named = |(said, from): &(Introduction, IpAddr)| format!("{:?} at {}", said.host, from.to_canonical());
            let named = agents.iter().map(named).collect::<Vec<_>>().join(" and ");
            let todo = advice(Code::AgentCloned, &format!("agent://{}", host.name), Place::Sync);
            let why = format!("{named} are connected with its identity. {todo}");
            (agents.len() > 1).then(|| Finding::of(&format!("host {}", host.name), Err(why)))
        };
        agents.hosts().unwrap_or_default().into_iter().filter_map(doubled).collect()
    }

    /// Who was paired, and who was refused as an agent, comes to the audit log.
    pub fn note_admission(&self, admission: &Admission, from: IpAddr) -> Result<(), ServiceError> {
        match admission {
            Admission::Paired { host, machine } => {
                let (now, origin) = (self.shared.now(), format!("{}, calls itself {machine:?}", from.to_canonical()));
                self.shared.store.change(|db| audit::add(db, now, &agent_of(host), "host.pair", host, &origin))
            }
            Admission::Cloned { host } => self.refused("host.cloned", &agent_of(host), Some(from)),
            Admission::TokenRefused => self.refused("host.token.refused", "unknown", Some(from)),
            Admission::CertificateRefused { host } => {
                let who = host.as_deref().map_or_else(|| "unknown".to_owned(), agent_of);
                self.refused("host.certificate.refused", &who, Some(from))
            }
        }
    }
}

/// Whom the audit log names. No user's name has a space.
fn agent_of(host: &str) -> String {
    format!("agent {host}")
}

fn view(agents: &AgentListener, host: &KnownHost, jobs: Vec<String>, now: Timestamp) -> Host {
    let said = agents.agents(&host.name);
    let is_connected = !said.is_empty();
    let agent = |(said, from): &(Introduction, IpAddr)| ConnectedAgent {
        machine: said.host.clone(),
        address: from.to_canonical().to_string(),
        version: said.version.clone(),
    };
    let agents = said.iter().map(agent).collect();
    let (system, roots) = said.into_iter().next().map(|(said, _)| (said.system, said.roots)).unzip();
    Host {
        name: host.name.clone(),
        agent: host.agent.clone(),
        state: match host.state(now) {
            State::Invited => HostState::Invited,
            State::Expired => HostState::Expired,
            State::Paired => HostState::Paired,
            State::Revoked => HostState::Revoked,
        },
        is_connected,
        last_seen: if is_connected { Some(now.into()) } else { host.last_seen.map(Moment::from) },
        version: host.version.clone(),
        clock_skew_secs: host.clock_skew_secs,
        system,
        roots,
        agents,
        jobs,
    }
}
