//! How a share is connected to and logged on to, apart from the account: what the job keeps of it, and what becomes of
//! it at a run. Never holds a secret; where tickets lie is looked up anew for each run.

use super::choices::{EncryptWhen, MinDialect};
use super::origin::Origin;
use octo_core::{Code, Error};
use octo_smb::{Kerberos, Logon};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where MIT Kerberos says its cache is.
const CACHE_VARIABLE: &str = "KRB5CCNAME";

/// How to connect to a share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connection {
    /// The lowest version of the protocol that is good enough.
    pub min_dialect: MinDialect,
    /// Whether messages are encrypted.
    pub encrypt: EncryptWhen,
    /// How to log on.
    pub logon: LogonBy,
    /// The Kerberos server, if its realm's name is not its address.
    pub kdc: Option<String>,
    /// How long a run waits for a server that was there and is gone, in seconds; zero not at all.
    pub reconnect_secs: Option<u64>,
}

/// How to log on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogonBy {
    /// With a password (NTLMv2).
    #[default]
    Password,
    /// With Kerberos.
    Kerberos,
    /// As a guest.
    Guest,
}

pub(super) fn usage(detail: impl Into<String>) -> Error {
    Error::new(Code::Usage, detail)
}

impl Connection {
    /// Refuses options that make no sense for this origin.
    pub fn check(&self, origin: &Origin) -> Result<(), Error> {
        match (origin, self.logon) {
            (Origin::Local { .. } | Origin::Agent { .. }, _) if *self != Connection::default() => Err(usage(
                "--guest, --kerberos, --kdc, --encrypt, --min-dialect, --reconnect: only a share has a connection, and SRC is \
                 none",
            )),
            (Origin::Local { .. } | Origin::Agent { .. }, _) => Ok(()),
            (Origin::Smb { account, .. }, LogonBy::Guest) if !account.is_empty() => {
                Err(usage("--guest: a guest has no account; leave the user out"))
            }
            (Origin::Smb { .. }, LogonBy::Guest) if self.encrypt == EncryptWhen::Require => {
                Err(usage("--encrypt require: a guest's connection cannot be encrypted"))
            }
            (Origin::Smb { account, .. }, LogonBy::Password) if account.is_empty() => Err(usage(
                "SRC: a share needs an account: smb://USER@HOST/SHARE, or --user [DOMAIN\\]USER (or --guest, --kerberos)",
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn logon(&self, has_password: bool) -> Result<Logon, Error> {
        Ok(match self.logon {
            LogonBy::Password => Logon::Ntlm,
            LogonBy::Guest => Logon::Guest,
            LogonBy::Kerberos => {
                let cache = if has_password { None } else { Some(cache(std::env::var_os(CACHE_VARIABLE))?) };
                Logon::Kerberos(Kerberos { cache, kdc: self.kdc.clone() })
            }
        })
    }
}

/// The credential cache: what the variable names, or where `kinit` puts it.
fn cache(variable: Option<std::ffi::OsString>) -> Result<PathBuf, Error> {
    let Some(name) = variable.filter(|name| !name.is_empty()) else {
        let me =
            user_id().ok_or_else(|| usage(format!("--kerberos: {CACHE_VARIABLE} must name a credential cache")))?;
        return Ok(PathBuf::from(format!("/tmp/krb5cc_{me}")));
    };
    match name.to_str().and_then(|text| text.split_once(':')) {
        Some(("FILE", path)) => Ok(PathBuf::from(path)),
        Some((kind, _)) if kind.chars().all(|c| c.is_ascii_uppercase()) => {
            Err(usage(format!("{CACHE_VARIABLE}: only a cache in a file (FILE:) can be read, not {kind}:")))
        }
        _ => Ok(PathBuf::from(name)),
    }
}

/// The number of this user, where users have one.
fn user_id() -> Option<u32> {
    #[cfg(unix)]
    return std::fs::metadata("/proc/self").ok().map(|me| std::os::unix::fs::MetadataExt::uid(&me));
    #[cfg(not(unix))]
    return None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_found_where_kerberos_puts_it() {
        let at = |text: &str| cache(Some(text.into()));
        assert_eq!(at("FILE:/run/cc"), Ok("/run/cc".into()));
        assert_eq!(at("/run/c:c"), Ok("/run/c:c".into()));
        for kind in ["KEYRING:persistent:0", "DIR:/x", "KCM:", "MEMORY:y"] {
            let error = at(kind).unwrap_err();
            assert!(error.code == Code::Usage && error.detail.contains("FILE:"), "{kind}: {error}");
        }
        for none in [None, Some("".into())] {
            assert!(cache(none).unwrap().to_str().unwrap().starts_with("/tmp/krb5cc_"));
        }
    }
}
