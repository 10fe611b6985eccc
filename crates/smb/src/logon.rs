//! From a host name to a session on a share: negotiate, log on with NTLMv2, validate, connect to the share, encrypt.
//!
//! Nothing the server says in the clear is believed until it is proven: the dialect is checked on every connection, the
//! last answer of the logon must be signed with a key that only the password gives, on dialects before 3.1.1 the
//! negotiation is validated afterwards, and everything after the logon is signed or encrypted. (MS-SMB2 3.2.4.2,
//! 3.2.5.2, 3.2.5.3, 3.2.5.5.) Guest and anonymous sessions are refused.

use crate::address::SmbAddress;
use crate::options::{Credentials, Dialect, SmbOptions};
use crate::status::{self, nt};
use crate::transport::{Recorded, Tap};
use crate::wire::{reply, request};
use octo_core::{Code, Error};
use smb2::auth::ntlm::{NtlmAuthenticator, NtlmCredentials};
use smb2::client::connection::{Connection, NegotiatedParams};
use smb2::crypto::encryption::Cipher;
use smb2::crypto::kdf::{PreauthHasher, derive_session_keys};
use smb2::crypto::signing::{algorithm_for_dialect, verify_signature};
use smb2::msg::ioctl::IoctlRequest;
use smb2::msg::session_setup::{SessionSetupRequest, SessionSetupRequestFlags, SessionSetupResponse};
use smb2::msg::tree_connect::{ShareType, TreeConnectRequest, TreeConnectRequestFlags, TreeConnectResponse};
use smb2::pack::{ReadCursor, Unpack};
use smb2::transport::{ConnectOptions, TcpTransport};
use smb2::types::flags::{Capabilities, SecurityMode};
use smb2::types::{Command, Dialect as WireDialect, FileId, TreeId};
use std::time::Instant;

const FSCTL_VALIDATE_NEGOTIATE_INFO: u32 = 0x0014_0204;
const IOCTL_IS_FSCTL: u32 = 1;
/// Share flags (MS-SMB2 2.2.10).
const SHARE_HIDES_UNREADABLE: u32 = 0x800;
const SHARE_ENCRYPTS: u32 = 0x8000;
const CAP_LARGE_MTU: u32 = 0x4;
/// What one credit pays for.
pub(crate) const CREDIT_BYTES: u32 = 64 * 1024;

/// A session on a share, ready for use.
pub(crate) struct Session {
    pub conn: Connection,
    pub tree: TreeId,
    /// The largest read and the largest listing buffer.
    pub read_bytes_max: u32,
    pub list_bytes_max: u32,
    pub hides_unreadable: bool,
    pub greeting: Greeting,
}

/// The server's clock when it negotiated (a FILETIME, 0 where it does not tell), and the moment that was here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greeting {
    pub server_time: u64,
    pub at: Instant,
}

/// The keys that encrypt, kept until it is known whether the share demands it.
struct Keys {
    encryption: Option<(Vec<u8>, Vec<u8>)>,
    cipher: Option<Cipher>,
}

/// Opens a session on a share of files.
pub(crate) async fn open(address: &SmbAddress, who: &Credentials, options: &SmbOptions) -> Result<Session, Error> {
    open_as(ShareType::Disk, address, who, options).await
}

/// Opens a session on a share of this type.
pub(crate) async fn open_as(
    share_type: ShareType,
    address: &SmbAddress,
    who: &Credentials,
    options: &SmbOptions,
) -> Result<Session, Error> {
    let endpoint = address.endpoint();
    let connect = ConnectOptions::with_timeout(options.timeouts.connect);
    let tcp = TcpTransport::connect_with(&endpoint, connect).await.map_err(|e| status::reach(e, &endpoint))?;
    let tap = Tap::new(tcp);
    let mut conn = Connection::from_transport(Box::new(tap.clone()), Box::new(tap.clone()), address.host.clone());
    conn.set_response_timeout(Some(options.timeouts.response));
    conn.set_send_timeout(Some(options.timeouts.response));
    conn.set_credit_wait_timeout(options.timeouts.response);
    conn.set_compression_requested(false);
    let params = negotiate(&mut conn, options.min_dialect).await?;
    let at = Instant::now();
    let keys = log_on(&mut conn, &tap, who, &params).await?;
    let handshake = tap.finish();
    let greeted = handshake.iter().find(|m| m.is_reply).and_then(|m| m.bytes.get(64..)).unwrap_or_default();
    let greeting = Greeting { server_time: reply::server_time(greeted).unwrap_or_default(), at };
    let session = connect_share(&mut conn, &tap, (address, share_type), &params, &keys, greeting).await?;
    if params.dialect < WireDialect::Smb3_1_1 {
        validate(&session, &handshake).await?;
    }
    Ok(session)
}

async fn negotiate(conn: &mut Connection, min: Dialect) -> Result<NegotiatedParams, Error> {
    let too_old = |offered: &str| {
        Error::new(Code::Insecure, format!("the server offers {offered}, and at least {min} is demanded"))
    };
    match conn.negotiate().await {
        Ok(()) => {}
        Err(smb2::Error::Protocol { status, .. }) if status.0 == nt::NOT_SUPPORTED => {
            return Err(too_old("no version that we speak"));
        }
        Err(e) => return Err(status::connection(e).within("negotiating")),
    }
    let params = conn.params().ok_or_else(|| Error::new(Code::Protocol, "nothing was negotiated"))?;
    let agreed = dialect(params.dialect);
    if agreed < min {
        return Err(too_old(&agreed.to_string()));
    }
    Ok(params)
}

/// The library's word for a version in ours.
pub(crate) fn dialect(agreed: WireDialect) -> Dialect {
    match agreed {
        WireDialect::Smb2_0_2 => Dialect::Smb2_0_2,
        WireDialect::Smb2_1 => Dialect::Smb2_1,
        WireDialect::Smb3_0 => Dialect::Smb3_0,
        WireDialect::Smb3_0_2 => Dialect::Smb3_0_2,
        WireDialect::Smb3_1_1 => Dialect::Smb3_1_1,
    }
}

/// SESSION_SETUP with NTLMv2 (MS-NLMP), both rounds, and signing from then on.
async fn log_on(conn: &mut Connection, tap: &Tap, who: &Credentials, params: &NegotiatedParams) -> Result<Keys, Error> {
    let mut ntlm = NtlmAuthenticator::new(NtlmCredentials {
        username: who.user.clone(),
        password: who.password.reveal().to_owned(),
        domain: who.domain.clone(),
    });
    let first = session_setup(conn, ntlm.negotiate()).await?;
    if first.header.status.0 != nt::MORE_PROCESSING_REQUIRED {
        return Err(status::logon(first.header.status.0));
    }
    conn.set_session_id(first.header.session_id);
    let broken = |e: smb2::Error| Error::new(Code::Protocol, format!("logging on: {e}"));
    let challenge = SessionSetupResponse::unpack(&mut ReadCursor::new(&first.body)).map_err(broken)?;
    let answer = ntlm.authenticate(&challenge.security_buffer).map_err(broken)?;
    let last = session_setup(conn, answer).await?;
    if last.header.status.0 != nt::SUCCESS {
        return Err(status::logon(last.header.status.0));
    }
    let flags = SessionSetupResponse::unpack(&mut ReadCursor::new(&last.body)).map_err(broken)?.session_flags;
    if flags.is_guest() || flags.is_null() {
        return Err(Error::new(
            Code::LogonFailed,
            "the server does not know this user or password and offers a guest session instead",
        ));
    }
    let secret = ntlm.session_key().ok_or_else(|| Error::new(Code::Protocol, "the logon gave no key"))?;
    let (signing_key, keys) = derive(secret, params, &tap.recorded());
    let algorithm = algorithm_for_dialect(params.dialect, params.gmac_negotiated);
    // The flags above decide about encryption, and came before any key protected them: on SMB 3 the answer that
    // carries them must be signed, and on 3.1.1 its signature vouches for the whole handshake.
    let signed = last.header.flags.is_signed();
    if signed || params.dialect >= WireDialect::Smb3_0 {
        let unproven = |why: &str| Error::new(Code::Protocol, format!("the server's last word of the logon {why}"));
        if !signed {
            return Err(unproven("is not signed"));
        }
        verify_signature(&last.raw, &signing_key, algorithm, last.header.message_id.0, false)
            .map_err(|_| unproven("has a wrong signature"))?;
    }
    conn.activate_signing(signing_key, algorithm);
    if flags.encrypt_data() {
        encrypt(conn, tap, &keys)?;
    }
    Ok(keys)
}

async fn session_setup(conn: &Connection, token: Vec<u8>) -> Result<smb2::Frame, Error> {
    let request = SessionSetupRequest {
        flags: SessionSetupRequestFlags(0),
        security_mode: SecurityMode::new(SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED),
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

/// The signing key, and the keys that encrypt. Signing always takes 128 bits, also beside a cipher of 256.
fn derive(secret: &[u8], params: &NegotiatedParams, handshake: &[Recorded]) -> (Vec<u8>, Keys) {
    let bits = match params.cipher {
        Some(Cipher::Aes256Ccm | Cipher::Aes256Gcm) if params.dialect == WireDialect::Smb3_1_1 => 256,
        _ => 128,
    };
    if params.dialect < WireDialect::Smb3_0 {
        return (secret.to_vec(), Keys { encryption: None, cipher: None });
    }
    // The last answer is not part of the hash: it is signed with what the hash gives.
    let mut hash = PreauthHasher::new();
    handshake[..handshake.len().saturating_sub(1)].iter().for_each(|m| hash.update(&m.bytes));
    let preauth = (params.dialect == WireDialect::Smb3_1_1).then(|| hash.value());
    let signing = derive_session_keys(secret, params.dialect, preauth, 128).signing_key;
    let keys = derive_session_keys(secret, params.dialect, preauth, bits);
    // Before 3.1.1 nothing is said of ciphers: it is always this one.
    let cipher = if params.dialect == WireDialect::Smb3_1_1 { params.cipher } else { Some(Cipher::Aes128Ccm) };
    (signing, Keys { encryption: Some((keys.encryption_key, keys.decryption_key)), cipher })
}

fn encrypt(conn: &mut Connection, tap: &Tap, keys: &Keys) -> Result<(), Error> {
    let (Some((out, back)), Some(cipher)) = (keys.encryption.clone(), keys.cipher) else {
        return Err(Error::new(Code::Insecure, "the server demands encryption and knows no cipher that we know"));
    };
    conn.activate_encryption(out, back, cipher);
    tap.seal();
    Ok(())
}

async fn connect_share(
    conn: &mut Connection,
    tap: &Tap,
    (address, share_type): (&SmbAddress, ShareType),
    params: &NegotiatedParams,
    keys: &Keys,
    greeting: Greeting,
) -> Result<Session, Error> {
    let request = TreeConnectRequest {
        flags: TreeConnectRequestFlags(0),
        path: format!("\\\\{}\\{}", address.host, address.share),
    };
    let frame = conn.execute(Command::TreeConnect, &request, None).await;
    let frame = frame.map_err(|e| status::connection(e).within("connecting to the share"))?;
    if frame.header.status.0 != nt::SUCCESS {
        return Err(status::share(frame.header.status.0, &address.share));
    }
    let share = TreeConnectResponse::unpack(&mut ReadCursor::new(&frame.body));
    let (Ok(share), Some(tree)) = (share, frame.header.tree_id) else {
        return Err(Error::new(Code::Protocol, "the share's answer makes no sense"));
    };
    if share.share_type != share_type {
        return Err(Error::new(Code::ShareNotFound, format!("{:?} is not a share of files", address.share)));
    }
    let flags = share.share_flags.bits();
    if flags & SHARE_ENCRYPTS != 0 && !conn.should_encrypt() {
        encrypt(conn, tap, keys)?;
    }
    let large = params.capabilities.bits() & CAP_LARGE_MTU != 0 && params.dialect > WireDialect::Smb2_0_2;
    let limit = |server: u32| if large { server } else { server.min(CREDIT_BYTES) };
    Ok(Session {
        conn: conn.clone(),
        tree,
        read_bytes_max: limit(params.max_read_size),
        list_bytes_max: limit(params.max_transact_size),
        hides_unreadable: flags & SHARE_HIDES_UNREADABLE != 0,
        greeting,
    })
}

/// FSCTL_VALIDATE_NEGOTIATE_INFO: asks, signed, what was negotiated in the clear, so that nobody in between can have
/// stripped a dialect or a capability.
async fn validate(session: &Session, handshake: &[Recorded]) -> Result<(), Error> {
    let tampered = || Error::new(Code::Insecure, "somebody between here and the server altered the negotiation");
    let body = |is_reply: bool| handshake.iter().find(|m| m.is_reply == is_reply).and_then(|m| m.bytes.get(64..));
    let (Some(sent), Some(received)) = (body(false), body(true)) else { return Err(tampered()) };
    let request = IoctlRequest {
        ctl_code: FSCTL_VALIDATE_NEGOTIATE_INFO,
        file_id: FileId::SENTINEL,
        max_input_response: 0,
        max_output_response: 24,
        flags: IOCTL_IS_FSCTL,
        input_data: request::validate_negotiate(sent).ok_or_else(tampered)?,
    };
    let frame = session.conn.execute(Command::Ioctl, &request, Some(session.tree)).await;
    let frame = frame.map_err(|e| match e {
        // A server that sees a mismatch does not answer: it hangs up (MS-SMB2 3.3.5.15.12).
        smb2::Error::Disconnected => tampered(),
        other => status::connection(other).within("validating the negotiation"),
    })?;
    let status = frame.header.status.0;
    let dialect = session.conn.params().map(|p| p.dialect);
    if dialect < Some(WireDialect::Smb3_0)
        && matches!(status, nt::NOT_SUPPORTED | nt::INVALID_DEVICE_REQUEST | nt::FILE_CLOSED)
    {
        // A server from before SMB 3 does not know the question; its refusal is signed.
        return Ok(());
    }
    if status != nt::SUCCESS || reply::validate_negotiate(reply::ioctl(&frame.body)?)? != reply::negotiate(received)? {
        return Err(tampered());
    }
    Ok(())
}
