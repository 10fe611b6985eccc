//! How to log on and how to behave: credentials and options.

use octo_core::Account;
use octo_core::Cancel;
use octo_core::source::ANSWER_TIMEOUT;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// Who logs on. What a way to log on does not need ([`Logon`]) is empty.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The account; for Kerberos its domain is the realm.
    pub account: Account,
    /// Its password.
    pub password: Password,
}

/// A password: overwritten when dropped, never printed.
#[derive(Clone, Default)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes over a password.
    pub fn new(text: String) -> Password {
        Password(Zeroizing::new(text))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whether files and folders are opened with backup intent (`FILE_OPEN_FOR_BACKUP_INTENT`), which lets an account with
/// SeBackupPrivilege read what its rights deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackupIntent {
    /// Ask for it, and go on without where it does not help.
    #[default]
    Auto,
    /// Ask for it; anything that is denied all the same ends the run.
    Require,
    /// Do not ask.
    Off,
}

/// How to log on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Logon {
    /// NTLMv2, with a password.
    #[default]
    Ntlm,
    /// Kerberos, and never anything else.
    Kerberos(Kerberos),
    /// As a guest, without a password. Such a session is neither signed nor encrypted.
    Guest,
}

/// Where Kerberos tickets come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kerberos {
    /// A credential cache of MIT Kerberos, read for each connection. `None`: the password gets the tickets.
    pub cache: Option<PathBuf>,
    /// The realm's server, as `HOST` or `HOST:PORT`. `None`: the realm's name is its address, as with Active Directory.
    pub kdc: Option<String>,
}

/// Whether messages are encrypted, beyond being signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encrypt {
    /// Wherever the server can; where it cannot, a remark says so.
    #[default]
    Auto,
    /// Always; a server that cannot is refused.
    Require,
    /// Only where the server demands it.
    Off,
}

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// Windows Vista, Server 2008.
    Smb2_0_2,
    /// Windows 7, Server 2008 R2.
    Smb2_1,
    /// Windows 8, Server 2012: encryption.
    Smb3_0,
    /// Windows 8.1, Server 2012 R2.
    Smb3_0_2,
    /// Windows 10, Server 2016: the connection cannot be weakened in between.
    Smb3_1_1,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Smb2_0_2 => "SMB 2.0.2",
            Dialect::Smb2_1 => "SMB 2.1",
            Dialect::Smb3_0 => "SMB 3.0",
            Dialect::Smb3_0_2 => "SMB 3.0.2",
            Dialect::Smb3_1_1 => "SMB 3.1.1",
        })
    }
}

/// How long a server that stopped answering is waited for, unless the job says otherwise.
pub const RECONNECT_DEFAULT: Duration = Duration::from_secs(120);

/// How long to wait for the server.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the TCP connection, the resolution of the name included.
    pub connect: Duration,
    /// For any word on one request. A server that answers an echo meanwhile gets up to six times as long.
    pub response: Duration,
    /// For the final answer to one request of a server that says it is still at work, however often it says so.
    pub answer: Duration,
    /// For a server that was there and is gone, until it is back. Zero: the first loss of a connection is final.
    pub reconnect: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(10),
            response: Duration::from_secs(30),
            answer: ANSWER_TIMEOUT,
            reconnect: RECONNECT_DEFAULT,
        }
    }
}

/// How to behave.
#[derive(Debug, Clone)]
pub struct SmbOptions {
    /// Whether to ask for backup intent.
    pub backup_intent: BackupIntent,
    /// The lowest version of the protocol that is good enough.
    pub min_dialect: Dialect,
    /// Whether messages are encrypted.
    pub encrypt: Encrypt,
    /// How to log on.
    pub logon: Logon,
    /// How long to wait for the server.
    pub timeouts: Timeouts,
    /// The most TCP connections to open; more than one only under load.
    pub connections: usize,
    /// Ends everything that is under way, waiting included.
    pub cancel: Cancel,
}

impl Default for SmbOptions {
    fn default() -> SmbOptions {
        SmbOptions {
            backup_intent: BackupIntent::default(),
            min_dialect: Dialect::Smb3_0,
            encrypt: Encrypt::default(),
            logon: Logon::default(),
            timeouts: Timeouts::default(),
            connections: 4,
            cancel: Cancel::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let credentials =
            Credentials { account: Account::parse("u").unwrap(), password: Password::new("s3cret".into()) };
        let printed = format!("{credentials:?}");
        assert!(printed.contains("***") && !printed.contains("s3cret"));
    }
}
