//! Named accounts, and where their passwords may be used: `/credentials`. A password goes in and never comes out.

use crate::moment::Moment;
use crate::words::words;
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// An account, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// What jobs call it.
    pub name: String,
    /// `[DOMAIN\]USER`, as it was written.
    pub account: String,
    /// When it was last set.
    pub changed_at: Moment,
    /// For what and where it may be used; with none, its first use decides.
    #[serde(default)]
    pub uses: Vec<CredentialUse>,
}

/// Sets a credential.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetCredential {
    /// `[DOMAIN\]USER`.
    pub account: String,
    /// Its password.
    pub secret: Zeroizing<String>,
}

/// Where a credential is tried.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TryCredential {
    /// A share; those of all jobs that use it, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The password, for a host at which the stored one may not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Zeroizing<String>>,
}

/// What the test of a credential at one share came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// The share.
    pub source: String,
    /// It was logged on to, and its folder could be listed.
    pub works: bool,
    /// What went wrong, and what to do; empty if nothing did.
    pub detail: String,
}

/// Sets for what and where a credential may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetCredentialUses {
    /// All of it; with none, its next use decides.
    pub uses: Vec<CredentialUse>,
}

words! {
    /// What a credential is for.
    Purpose {
        /// To log on to shares.
        Smb = "smb",
        /// To log on to a mail server.
        Mail = "mail",
        /// To sign what a webhook is sent.
        Webhook = "webhook",
    }
}

/// One thing that a credential may be used for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CredentialUse {
    /// For what.
    pub purpose: Purpose,
    /// Where: a name or an address, as it is written where the credential is used. A name and its address are two hosts.
    pub host: String,
}

impl CredentialUse {
    /// With the host in the one form in which hosts are compared.
    pub fn new(purpose: Purpose, host: &str) -> CredentialUse {
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        CredentialUse { purpose, host: host.to_lowercase() }
    }

    /// The host of a web address.
    pub fn webhook(url: &str) -> CredentialUse {
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?', '#']).next();
        let authority = authority.unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => authority.split(':').next(),
        };
        CredentialUse::new(Purpose::Webhook, host.unwrap_or_default())
    }

    /// The host of a share; `None` for a source that is none.
    pub fn of_share(source: &str) -> Option<CredentialUse> {
        let (address, _) = octo_core::SmbAddress::parse(source).ok()?;
        Some(CredentialUse::new(Purpose::Smb, &address.host))
    }
}

impl fmt::Display for CredentialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.purpose, self.host)
    }
}
