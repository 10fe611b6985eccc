//! Requests that another site makes a browser send here: refused, on loopback too.
//!
//! A site can let its own name point to this server (DNS rebinding): then the browser takes us for that site, and lets its scripts
//! read what we say. But it sends the name in `Host`, and the site that a script is from in `Origin`. Who names an address,
//! `localhost`, a name of our certificate or one of `[http] names` means us. The local socket is reached by no browser.

use super::tls::Tls;
use crate::service_error::{Kind, ServiceError};
use axum::http::{HeaderMap, Version, header, uri::Authority};
use std::net::IpAddr;
use std::sync::Arc;

/// What we are called.
pub(super) struct Names {
    names: Vec<String>,
    tls: Option<Tls>,
}

impl Names {
    /// Our own names are those of the certificate, and these.
    pub(super) fn new(names: Vec<String>, tls: Option<Tls>) -> Arc<Names> {
        Arc::new(Names { names, tls })
    }

    /// Refuses what was sent to another name than ours, or by a page of another site.
    pub(super) fn check(&self, version: Version, headers: &HeaderMap) -> Result<(), ServiceError> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            // No browser asks so.
            (None, _) if version <= Version::HTTP_10 => return self.only_without_origin(headers),
            (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
            _ => None,
        };
        let host = host.ok_or_else(|| refused("the request must have one Host"))?;
        if !self.is_ours(&host) {
            return Err(refused(
                "the name in Host is none of this server's; for other names of it say in octobackup.toml: [http] names = [\"NAME\"]",
            ));
        }
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, site)| site);
            if !origin.is_some_and(|site| site.eq_ignore_ascii_case(host.as_str())) {
                return Err(refused("a page of another site asks (Origin)"));
            }
        }
        Ok(())
    }

    fn only_without_origin(&self, headers: &HeaderMap) -> Result<(), ServiceError> {
        if headers.contains_key(header::ORIGIN) { Err(refused("the request must have one Host")) } else { Ok(()) }
    }

    fn is_ours(&self, host: &Authority) -> bool {
        let name = host.host().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|ours| ours.eq_ignore_ascii_case(name))
            || self.tls.as_ref().is_some_and(|tls| tls.is_for(name))
    }
}

fn refused(why: &str) -> ServiceError {
    ServiceError::new(Kind::Forbidden, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_in(names: &[&str], headers: &[(&'static str, &str)]) -> bool {
        let names = Names::new(names.iter().map(ToString::to_string).collect(), None);
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            sent.append(*name, value.parse().unwrap());
        }
        names.check(Version::HTTP_11, &sent).is_ok()
    }

    #[test]
    fn other_names_and_other_sites_are_refused() {
        for host in ["127.0.0.1:8734", "127.0.0.1", "[::1]:8734", "localhost:8734", "LOCALHOST", "10.1.2.3"] {
            assert!(is_let_in(&[], &[("host", host)]), "{host}");
            assert!(is_let_in(&[], &[("host", host), ("origin", &format!("http://{host}"))]), "{host}");
            for origin in ["http://evil.example", "null", "http://127.0.0.1:9", "http://localhost.evil.example", ""] {
                assert!(!is_let_in(&[], &[("host", host), ("origin", origin)]), "{host} {origin}");
            }
        }
        for host in ["evil.example", "evil.example:8734", "127.0.0.1.evil.example", "localhost.evil.example", "", "a b"]
        {
            assert!(!is_let_in(&[], &[("host", host)]), "{host}");
        }
        assert!(!is_let_in(&[], &[]) && !is_let_in(&[], &[("host", "localhost"), ("host", "localhost")]));
        assert!(is_let_in(&["backup.example"], &[("host", "Backup.Example"), ("origin", "https://backup.example")]));
    }
}
