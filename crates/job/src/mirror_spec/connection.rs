//! How a share is connected to and logged on to, apart from the account. Never holds a secret.

use super::choices::{EncryptWhen, MinDialect};
use super::origin::Origin;
use octo_core::{Code, Error};
use serde::{Deserialize, Serialize};

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

fn usage(detail: impl Into<String>) -> Error {
    Error::new(Code::Usage, detail)
}

impl Connection {
    /// Refuses options that do not fit this origin.
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
}
