//! The hosts a server knows: who may pair, who is paired, whose certificates count.
//!
//! Decisions; no network, and no storage: that is a [`HostStore`]'s. Every change is on the disk before anybody learns of it.

use crate::token::Token;
use octo_core::address::check_host_name;
use octo_core::{Code, Error, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How long a token can be used.
pub const TOKEN_SECS: i64 = 3600;

/// A machine with an agent, or one that is to have one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Host {
    /// What administrators and jobs call it.
    pub name: String,
    /// Stays the same when it is paired again.
    pub agent: String,
    /// When it was seen last; none before its first connection.
    pub last_seen: Option<Timestamp>,
    /// The version of its agent.
    pub version: Option<String>,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_skew_secs: i64,
    is_revoked: bool,
    token: Option<Pending>,
    /// Fingerprints of the certificates that count: at most the present one and its successor.
    certificates: Vec<String>,
}

/// How a host stands with its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has a token that can be used still.
    Invited,
    /// It had a token, and did not use it in time.
    Expired,
    /// Its certificate counts.
    Paired,
    /// No certificate of it counts any more.
    Revoked,
}

impl Host {
    /// Whether an agent has been paired and not been revoked.
    pub fn is_paired(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// How it stands at this moment.
    pub fn state(&self, now: Timestamp) -> State {
        match &self.token {
            _ if self.is_paired() => State::Paired,
            Some(token) if now <= token.expires => State::Invited,
            _ if self.is_revoked => State::Revoked,
            _ => State::Expired,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pending {
    /// Of the secret; the secret itself is not kept.
    hash: String,
    expires: Timestamp,
}

/// Where a server keeps its hosts.
pub trait HostStore: Send + Sync {
    /// All, in the order in which they were invited.
    fn hosts(&self) -> Result<Vec<Host>, Error>;

    /// Changes them: all of it, on the disk when this returns, or nothing if that cannot be recorded or `change` fails, whose
    /// error it returns. Hosts are changed and added, never removed.
    fn change(&self, change: &mut dyn FnMut(&mut Vec<Host>) -> Result<(), Error>) -> Result<(), Error>;
}

/// What becomes of hosts when agents come.
pub(crate) struct AgentRegistry {
    store: Arc<dyn HostStore>,
}

fn refused(why: impl Into<String>) -> Error {
    Error::new(Code::LogonFailed, why)
}

/// `name` may be paired with the token until it expires, also if it is paired already: its certificates count until then.
pub(crate) fn invite(hosts: &mut Vec<Host>, name: &str, token: &Token, now: Timestamp) -> Result<(), Error> {
    check_host_name(name)?;
    let token = Some(Pending { hash: token.hash(), expires: now.plus_secs(TOKEN_SECS) });
    if let Some(host) = hosts.iter_mut().find(|host| host.name == name) {
        host.token = token;
        return Ok(());
    }
    hosts.push(Host {
        name: name.to_owned(),
        agent: crate::token::random_hex(8)?,
        last_seen: None,
        version: None,
        clock_skew_secs: 0,
        is_revoked: false,
        token,
        certificates: Vec::new(),
    });
    Ok(())
}

/// Rejects this host from now on: its certificates and its token. Its connections are ended by
/// [`AgentListener::dismiss`](crate::AgentListener::dismiss).
pub fn revoke(hosts: &mut [Host], name: &str) -> Result<(), Error> {
    let host = hosts.iter_mut().find(|host| host.name == name);
    let host = host.ok_or_else(|| Error::new(Code::Usage, format!("there is no host {name:?}")))?;
    host.certificates.clear();
    host.token = None;
    host.is_revoked = true;
    Ok(())
}

impl AgentRegistry {
    pub fn new(store: Arc<dyn HostStore>) -> AgentRegistry {
        AgentRegistry { store }
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut Vec<Host>) -> Result<T, Error>) -> Result<T, Error> {
        let (mut change, mut result) = (Some(change), None);
        self.store.change(&mut |hosts| {
            // A store asks once.
            let Some(change) = change.take() else { return Err(Error::new(Code::Usage, "hosts were changed twice")) };
            result = Some(change(hosts)?);
            Ok(())
        })?;
        result.ok_or_else(|| Error::new(Code::Usage, "hosts were not changed"))
    }

    pub fn all(&self) -> Result<Vec<Host>, Error> {
        self.store.hosts()
    }

    /// Uses up the token with this secret. `issue` makes the certificate and tells its fingerprint.
    pub fn pair<T>(
        &self,
        secret_hash: &str,
        now: Timestamp,
        issue: impl FnOnce(&Host) -> Result<(T, String), Error>,
    ) -> Result<(String, T), Error> {
        self.change(|hosts| {
            let fits = |host: &&mut Host| host.token.as_ref().is_some_and(|token| token.hash == secret_hash);
            let host =
                hosts.iter_mut().find(fits).ok_or_else(|| refused("the token is unknown or was used already"))?;
            if host.token.take().is_none_or(|token| token.expires < now) {
                return Err(refused("the token has expired; make a new one with `octobackup host add`"));
            }
            let (issued, fingerprint) = issue(host)?;
            host.certificates = vec![fingerprint];
            host.is_revoked = false;
            Ok((host.name.clone(), issued))
        })
    }

    /// Gives the host with this certificate another one. The present one counts until the new one is used.
    pub fn renew<T>(&self, present: &str, issue: impl FnOnce(&Host) -> Result<(T, String), Error>) -> Result<T, Error> {
        self.change(|hosts| {
            let host = find(hosts, present)?;
            let (issued, fingerprint) = issue(host)?;
            host.certificates = vec![present.to_owned(), fingerprint];
            Ok(issued)
        })
    }

    /// The name of the host with this certificate.
    pub fn admit(&self, certificate: &str) -> Result<String, Error> {
        find(&mut self.all()?, certificate).map(|host| host.name.clone())
    }

    /// The host with this certificate is here. Certificates before it do not count any more.
    pub fn seen(&self, certificate: &str, version: &str, skew_secs: i64, now: Timestamp) -> Result<(), Error> {
        self.change(|hosts| {
            let host = find(hosts, certificate)?;
            // A successor that was issued after this one may still be on its way to the agent.
            let at = host.certificates.iter().position(|it| it == certificate).unwrap_or(0);
            host.certificates.drain(..at);
            host.last_seen = Some(now);
            host.version = Some(version.to_owned());
            host.clock_skew_secs = skew_secs;
            Ok(())
        })
    }

    /// The agent of this host is still here, or was until now.
    pub fn was_here(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        self.change(|hosts| {
            if let Some(host) = hosts.iter_mut().find(|host| host.name == name) {
                host.last_seen = Some(now);
            }
            Ok(())
        })
    }
}

fn find<'a>(hosts: &'a mut [Host], certificate: &str) -> Result<&'a mut Host, Error> {
    let found = hosts.iter_mut().find(|host| host.certificates.iter().any(|it| it == certificate));
    found.ok_or_else(|| refused("this agent was revoked, or replaced by another"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::host_file::HostFile;

    const NOW: Timestamp = Timestamp(1_700_000_000 * octo_core::time::TICKS_PER_SEC);

    fn hosts() -> (tempfile::TempDir, AgentRegistry) {
        let folder = tempfile::tempdir().unwrap();
        let hosts = in_folder(&folder);
        (folder, hosts)
    }

    fn in_folder(folder: &tempfile::TempDir) -> AgentRegistry {
        AgentRegistry::new(Arc::new(HostFile::within(folder.path())))
    }

    fn invite(hosts: &AgentRegistry, name: &str, token: &Token) -> Result<(), Error> {
        hosts.change(|hosts| super::invite(hosts, name, token, NOW))
    }

    fn issue(fingerprint: &str) -> impl FnOnce(&Host) -> Result<((), String), Error> + use<> {
        let fingerprint = fingerprint.to_owned();
        move |_| Ok(((), fingerprint))
    }

    #[test]
    fn a_token_works_once_for_one_host_and_for_an_hour() {
        let (folder, hosts) = hosts();
        let token = Token::new([7; 16]).unwrap();
        invite(&hosts, "files-1", &token).unwrap();
        let kept = std::fs::read_to_string(folder.path().join("hosts.json")).unwrap();
        assert!(!kept.contains(&token.secret_hex()), "the secret is not kept");
        assert!(hosts.pair("nonsense", NOW, issue("a")).is_err());
        let late = NOW.plus_secs(TOKEN_SECS + 1);
        assert!(hosts.pair(&token.hash(), late, issue("a")).is_err());
        assert_eq!(hosts.pair(&token.hash(), NOW, issue("a")).unwrap().0, "files-1");
        assert!(hosts.pair(&token.hash(), NOW, issue("b")).is_err(), "a second time");
        let again = in_folder(&folder);
        assert_eq!(again.admit("a").unwrap(), "files-1");
        assert!(again.admit("b").is_err());
    }

    #[test]
    fn an_old_certificate_counts_until_its_successor_is_used_and_none_after_revoking() {
        let (_folder, hosts) = hosts();
        let token = Token::new([7; 16]).unwrap();
        invite(&hosts, "files-1", &token).unwrap();
        hosts.pair(&token.hash(), NOW, issue("first")).unwrap();
        hosts.renew("first", issue("second")).unwrap();
        hosts.seen("first", "1", 0, NOW).unwrap();
        assert!(hosts.admit("first").is_ok() && hosts.admit("second").is_ok());
        hosts.seen("second", "1", 0, NOW).unwrap();
        assert!(hosts.admit("first").is_err() && hosts.admit("second").is_ok());
        hosts.change(|hosts| revoke(hosts, "files-1")).unwrap();
        assert!(hosts.admit("second").is_err() && hosts.renew("second", issue("third")).is_err());
        assert_eq!(hosts.all().unwrap()[0].state(NOW), State::Revoked);
        invite(&hosts, "files-1", &token).unwrap();
        assert_eq!(hosts.all().unwrap()[0].state(NOW), State::Invited);
        assert_eq!(hosts.all().unwrap()[0].state(NOW.plus_secs(TOKEN_SECS + 1)), State::Revoked);
    }

    #[test]
    fn names_that_could_be_paths_or_texts_are_refused() {
        let (_folder, hosts) = hosts();
        for name in ["", "a/b", "a b", "ä", &"n".repeat(101)] {
            assert!(invite(&hosts, name, &Token::new([7; 16]).unwrap()).is_err(), "{name:?}");
        }
    }
}
