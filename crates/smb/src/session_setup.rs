//! SESSION_SETUP: who we are, in one of three ways, and whether the server's last word may be believed.
//!
//! That word says whether the session is a guest's and whether it is encrypted, and comes before any key protects it.
//! On SMB 3 it must be signed with a key that only the password or the ticket gives, and on 3.1.1 its signature vouches
//! for the whole handshake. A guest's session is taken only when a guest's was asked for. (MS-SMB2 3.2.4.2.3, 3.2.5.3.)

use crate::kerberos::Ticket;
use crate::keys::Keys;
use crate::options::{Credentials, Kerberos, Logon};
use crate::status::{self, nt};
use crate::transport::HandshakeTap;
use octo_core::{Code, Error};
use smb2::Frame;
use smb2::auth::ntlm::{NtlmAuthenticator, NtlmCredentials};
use smb2::client::connection::{Connection, NegotiatedParams};
use smb2::crypto::signing::{algorithm_for_dialect, verify_signature};
use smb2::msg::session_setup::{SessionSetupRequest, SessionSetupRequestFlags, SessionSetupResponse};
use smb2::pack::{ReadCursor, Unpack};
use smb2::types::flags::{Capabilities, SecurityMode};
use smb2::types::{Command, Dialect};
use zeroize::Zeroizing;

/// The account that servers know guests by. An empty name would be anonymous, which fewer servers let in.
const GUEST: &str = "Guest";

/// How the server let us in.
pub(crate) enum Admission {
    /// As the account: everything is signed from now on.
    Account {
        keys: Keys,
        /// The server demands encryption of the whole session.
        must_encrypt: bool,
    },
    /// As a guest: without keys, so nothing is signed or encrypted.
    Guest,
}

/// Logs on, and signs from then on.
pub(crate) async fn log_on(
    conn: &mut Connection,
    tap: &HandshakeTap,
    host: &str,
    who: (&Credentials, &Logon),
    params: &NegotiatedParams,
) -> Result<Admission, Error> {
    let (credentials, logon) = who;
    let (last, secret) = match logon {
        Logon::Ntlm => ntlm(conn, account(credentials), true).await?,
        Logon::Kerberos(from) => kerberos(conn, host, credentials, from).await?,
        Logon::Guest if params.signing_required => {
            let why = "the server demands signing, which a guest's session cannot give: use an account";
            return Err(Error::new(Code::LogonFailed, why));
        }
        Logon::Guest => ntlm(conn, guest(), false).await.map_err(no_guests)?,
    };
    let flags = answer(&last)?.session_flags;
    if flags.is_guest() || flags.is_null() {
        if *logon == Logon::Guest {
            return Ok(Admission::Guest);
        }
        return Err(Error::new(
            Code::LogonFailed,
            "the server does not know this user or password and offers a guest session instead",
        ));
    }
    let keys = Keys::derive(&secret, params, &tap.recorded());
    let algorithm = algorithm_for_dialect(params.dialect, params.gmac_negotiated);
    let signed = last.header.flags.is_signed();
    if signed || params.dialect >= Dialect::Smb3_0 {
        let unproven =
            |why: &str| Error::new(Code::NegotiationAltered, format!("the server's last word of the logon {why}"));
        if !signed {
            return Err(unproven("is not signed"));
        }
        verify_signature(&last.raw, &keys.signing, algorithm, last.header.message_id.0, false)
            .map_err(|_| unproven("has a wrong signature"))?;
    }
    conn.activate_signing(keys.signing.to_vec(), algorithm);
    Ok(Admission::Account { keys, must_encrypt: flags.encrypt_data() })
}

type Secret = Zeroizing<Vec<u8>>;

fn account(who: &Credentials) -> NtlmCredentials {
    NtlmCredentials {
        username: who.account.user().to_owned(),
        password: who.password.reveal().to_owned(),
        domain: who.account.domain().to_owned(),
    }
}

fn guest() -> NtlmCredentials {
    NtlmCredentials { username: GUEST.to_owned(), password: String::new(), domain: String::new() }
}

fn no_guests(error: Error) -> Error {
    match error.code {
        Code::LogonFailed => Error::new(Code::LogonFailed, format!("the server lets no guest in ({})", error.detail)),
        _ => error,
    }
}

/// NTLMv2 (MS-NLMP), both rounds.
async fn ntlm(conn: &mut Connection, who: NtlmCredentials, signs: bool) -> Result<(Frame, Secret), Error> {
    let mut ntlm = NtlmAuthenticator::new(who);
    let first = session_setup(conn, ntlm.negotiate(), signs).await?;
    if first.header.status.0 != nt::MORE_PROCESSING_REQUIRED {
        return Err(status::logon(first.header.status.0));
    }
    conn.set_session_id(first.header.session_id);
    let proof = ntlm.authenticate(&answer(&first)?.security_buffer).map_err(broken)?;
    let last = session_setup(conn, proof, signs).await?;
    if last.header.status.0 != nt::SUCCESS {
        return Err(status::logon(last.header.status.0));
    }
    let secret = ntlm.session_key().ok_or_else(|| Error::new(Code::Protocol, "the logon gave no key"))?;
    Ok((last, Zeroizing::new(secret.to_vec())))
}

/// Kerberos, its one round.
async fn kerberos(
    conn: &mut Connection,
    host: &str,
    who: &Credentials,
    from: &Kerberos,
) -> Result<(Frame, Secret), Error> {
    let ticket = Ticket::get(host, who, from).await?;
    let last = session_setup(conn, ticket.token()?, true).await?;
    if last.header.status.0 != nt::SUCCESS {
        return Err(status::ticket(last.header.status.0));
    }
    conn.set_session_id(last.header.session_id);
    let secret = ticket.key(&answer(&last)?.security_buffer)?;
    Ok((last, secret))
}

fn broken(e: smb2::Error) -> Error {
    Error::new(Code::Protocol, format!("logging on: {e}"))
}

fn answer(frame: &Frame) -> Result<SessionSetupResponse, Error> {
    SessionSetupResponse::unpack(&mut ReadCursor::new(&frame.body)).map_err(broken)
}

async fn session_setup(conn: &Connection, token: Vec<u8>, signs: bool) -> Result<Frame, Error> {
    let demand = if signs { SecurityMode::SIGNING_REQUIRED } else { 0 };
    let request = SessionSetupRequest {
        flags: SessionSetupRequestFlags(0),
        security_mode: SecurityMode::new(SecurityMode::SIGNING_ENABLED | demand),
        capabilities: Capabilities::default(),
        channel: 0,
        previous_session_id: 0,
        security_buffer: token,
    };
    let frame = conn.execute(Command::SessionSetup, &request, None).await;
    let frame = frame.map_err(|e| status::connection(e).within("logging on"))?;
    if frame.header.command == Command::SessionSetup {
        Ok(frame)
    } else {
        Err(Error::new(Code::Protocol, "the server answered a logon with something else"))
    }
}
