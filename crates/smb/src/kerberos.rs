//! Kerberos (RFC 4120, MS-KILE): a ticket for the server, from a credential cache or from a password.
//!
//! The exchange itself is the client library's. It must never end us: its parsers read what a stranger on the network
//! sent, so a panic in them becomes an error, and a KDC that does not answer ends in a time limit. Whether the server
//! is the right one is proven later, by a signature with the key that only it can take out of the ticket.

use crate::ccache;
use crate::options::{Credentials, Kerberos};
use futures_util::FutureExt;
use octo_core::{Code, Error};
use smb2::auth::kerberos::{KerberosAuthenticator, KerberosCredentials};
use smb2::auth::spnego::parse_neg_token_resp;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// The library asks up to three times over UDP and three times over TCP, ten seconds each.
const KDC_TIME_MAX: Duration = Duration::from_secs(90);
/// MS-SMB2 3.2.5.3: the session's key is the first 16 bytes.
const KEY_BYTES_MIN: usize = 16;

/// A ticket for the server, ready to be shown.
pub(crate) struct Ticket(KerberosAuthenticator);

impl Ticket {
    /// Gets a ticket for the file server on `host`.
    pub async fn get(host: &str, who: &Credentials, from: &Kerberos) -> Result<Ticket, Error> {
        let exchange = AssertUnwindSafe(ask(host, who, from)).catch_unwind();
        match tokio::time::timeout(KDC_TIME_MAX, exchange).await {
            Ok(Ok(got)) => got,
            Ok(Err(_panic)) => Err(malformed_message()),
            Err(_) => Err(Error::new(Code::TimedOut, "the Kerberos server (KDC) does not answer")),
        }
    }

    /// What SESSION_SETUP carries.
    pub fn token(&self) -> Result<Vec<u8>, Error> {
        self.0.token().map(<[u8]>::to_vec).ok_or_else(malformed_message)
    }

    /// The key that the server shares with us, after its answer.
    pub fn key(mut self, answer: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if !answer.is_empty() {
            let ticket = AssertUnwindSafe(&mut self.0);
            let read = std::panic::catch_unwind(move || {
                let answer = parse_neg_token_resp(answer)?;
                answer.response_token.map_or(Ok(()), |token| { ticket }.0.process_mutual_auth_token(&token))
            });
            match read {
                Ok(Ok(())) => {}
                Ok(Err(e)) => return Err(Error::new(Code::Protocol, format!("the server's Kerberos answer: {e}"))),
                Err(_panic) => return Err(malformed_message()),
            }
        }
        let key = self.0.session_key().filter(|key| key.len() >= KEY_BYTES_MIN).ok_or_else(malformed_message)?;
        Ok(Zeroizing::new(key.to_vec()))
    }
}

fn malformed_message() -> Error {
    Error::new(Code::Protocol, "a Kerberos message is invalid")
}

#[expect(clippy::disallowed_methods, reason = "whether a ticket has expired")]
async fn ask(host: &str, who: &Credentials, from: &Kerberos) -> Result<Ticket, Error> {
    let kdc = |realm: &str| from.kdc.clone().unwrap_or_else(|| realm.to_ascii_lowercase());
    let Some(path) = &from.cache else {
        let Some((name, realm)) = who.account.principal() else {
            return Err(Error::new(
                Code::LogonFailed,
                "Kerberos with a password needs the realm: REALM\\USER or USER@REALM",
            ));
        };
        let mut ticket = KerberosAuthenticator::new(KerberosCredentials {
            username: name.to_owned(),
            password: who.password.reveal().to_owned(),
            kdc_address: kdc(realm),
            realm: realm.to_ascii_uppercase(),
        });
        return match ticket.authenticate(host).await {
            Ok(()) => Ok(Ticket(ticket)),
            Err(e) => Err(failure(e, host, &kdc(realm))),
        };
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let cache = ccache::read(path, now)?;
    let owner = &cache.default_principal;
    let name = owner.components.join("/");
    let user = who.account.principal().map_or(who.account.user(), |(user, _)| user);
    if !user.is_empty() && !user.eq_ignore_ascii_case(&name) {
        let why = format!("the credential cache {} is of {name}, not of {user}", path.display());
        return Err(Error::new(Code::LogonFailed, why));
    }
    let mut ticket = KerberosAuthenticator::new(KerberosCredentials {
        username: name,
        password: String::new(),
        realm: owner.realm.clone(),
        kdc_address: kdc(&owner.realm),
    });
    match ticket.authenticate_from_ccache(&cache, host).await {
        Ok(()) => Ok(Ticket(ticket)),
        Err(e) => Err(failure(e, host, &kdc(&owner.realm))),
    }
}

/// What the KDC's error means (RFC 4120 7.5.9).
fn failure(error: smb2::Error, host: &str, kdc: &str) -> Error {
    let text = match error {
        smb2::Error::Auth { message } => message,
        smb2::Error::InvalidData { message } => {
            return Error::new(Code::Protocol, format!("the Kerberos server (KDC) {kdc}: {message}"));
        }
        smb2::Error::Timeout => return Error::new(Code::TimedOut, format!("the Kerberos server (KDC) {kdc}")),
        other => return Error::new(Code::Unreachable, format!("the Kerberos server (KDC) {kdc}: {other}")),
    };
    let number = text.split("KRB-ERROR code ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    let words = match number {
        Some(6) => "the realm does not know this user",
        Some(7) => {
            let why = format!("the realm knows no file server named cifs/{host}: use the name that it is known by");
            return Error::new(Code::LogonFailed, format!("{why} ({text})"));
        }
        Some(12) => "the realm's policy forbids it",
        Some(14) => "no kind of encryption in common",
        Some(18) => "the account is disabled, expired or locked",
        Some(23) => "the password has expired",
        Some(24 | 31) => "wrong password",
        Some(32) => "the ticket has expired; kinit gets a new one",
        Some(37) => "the clocks of this machine and of the realm differ too much",
        Some(68) => "the realm is another one",
        // The answer to a password that needs none beforehand can only be opened with the right one.
        None if text.contains("verification failed") => "wrong password",
        _ => "the Kerberos server refused",
    };
    Error::new(Code::LogonFailed, format!("{words} ({text})"))
}
