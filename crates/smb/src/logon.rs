//! From a host name to a session on a share: negotiate, log on (`admission`), encrypt, connect to the share, validate.
//!
//! Nothing the server says in the clear is believed until it is proven: the dialect is checked on every connection, the
//! last answer of the logon must be signed, on dialects before 3.1.1 the negotiation is validated afterwards, and
//! everything after the logon is signed or encrypted. (MS-SMB2 3.2.4.2, 3.2.5.2, 3.2.5.5.) Only a guest's session, which
//! must be asked for, has none of this: there is no key.

use crate::keys;
use crate::liveness::while_alive;
use crate::options::{Credentials, Dialect, Encrypt, Logon, SmbOptions};
use crate::session_setup::{self, Admission};
use crate::status::{self, nt};
use crate::transport::{HandshakeMessage, HandshakeTap};
use crate::wire::{reply, request};
use octo_core::SmbAddress;
use octo_core::{Code, Error, Timestamp};
use smb2::client::connection::{Connection, NegotiatedParams};
use smb2::msg::ioctl::IoctlRequest;
use smb2::msg::tree_connect::{ShareType, TreeConnectRequest, TreeConnectRequestFlags, TreeConnectResponse};
use smb2::pack::{ReadCursor, Unpack};
use smb2::transport::{ConnectOptions, TcpTransport};
use smb2::types::{Command, Dialect as WireDialect, FileId, TreeId};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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
    /// The largest write.
    pub write_bytes_max: u32,
    pub hides_unreadable: bool,
    pub protection: Protection,
    pub greeting: Greeting,
    /// No request takes longer.
    pub answered_within: Duration,
    /// Whether somebody found that it is of no more use.
    pub lost: AtomicBool,
}

impl Session {
    /// Whether it is of no more use.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst) || self.conn.is_disconnected()
    }

    /// Whether the greeting cannot have been altered in between: the keys of 3.1.1 come from all that was said, and a guest
    /// has none. What older versions check afterwards (MS-SMB2 3.3.5.15.12) leaves the time out.
    pub fn proves_greeting(&self) -> bool {
        let is_newest = self.conn.params().is_some_and(|params| params.dialect >= WireDialect::Smb3_1_1);
        is_newest && self.protection != Protection::Nothing
    }
}

/// The server's clock when it negotiated (a FILETIME, 0 where it does not tell), and the moment that was here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greeting {
    pub server_time: u64,
    pub at: Instant,
}

impl Greeting {
    /// What the server's clock shows now; `None` where it does not tell. It may say anything.
    pub fn clock(&self) -> Option<Timestamp> {
        let since = i64::try_from(self.at.elapsed().as_nanos() / 100).unwrap_or(i64::MAX);
        let then = Timestamp::from_filetime(self.server_time);
        (self.server_time != 0).then(|| Timestamp(then.0.saturating_add(since)))
    }
}

/// How a connection is protected, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protection {
    /// Not at all: a guest's.
    Nothing,
    /// Signed: readable in between, but not alterable.
    Signed,
    Encrypted,
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
    let tap = HandshakeTap::new(tcp, options.logon != Logon::Guest);
    let mut conn = Connection::from_transport(Box::new(tap.clone()), Box::new(tap.clone()), address.host.clone());
    conn.set_response_timeout(Some(options.timeouts.response));
    conn.set_send_timeout(Some(options.timeouts.response));
    // Credits come with answers, and each answer has its own limit, which the library lengthens sixfold for a server
    // that is slow and alive.
    conn.set_credit_wait_timeout(options.timeouts.response * 6);
    conn.set_compression_requested(false);
    let watched = conn.clone();
    let work = establish(conn, &tap, (address, share_type), who, options);
    let opened = while_alive(&watched, options.timeouts.answer, work).await;
    opened.map_err(|error| tap.reason(error))
}

/// Everything from the first word on a connection to the share.
async fn establish(
    mut conn: Connection,
    tap: &HandshakeTap,
    (address, share_type): (&SmbAddress, ShareType),
    who: &Credentials,
    options: &SmbOptions,
) -> Result<Session, Error> {
    let params = negotiate(&mut conn, options.min_dialect).await?;
    demand_encryption(&params, options)?;
    let at = Instant::now();
    let admission = session_setup::log_on(&mut conn, tap, &address.host, (who, &options.logon), &params).await?;
    if let Admission::Account { keys, must_encrypt } = &admission {
        let wanted = options.encrypt != Encrypt::Off && keys::cipher(&params).is_some();
        if wanted || *must_encrypt {
            keys.encrypt(&mut conn, tap)?;
        }
    }
    let handshake = tap.finish();
    let greeted = handshake.iter().find(|m| m.is_reply).and_then(|m| m.bytes.get(64..)).unwrap_or_default();
    let greeting = Greeting { server_time: reply::server_time(greeted).unwrap_or_default(), at };
    let session =
        connect_share(&mut conn, tap, (address, share_type), &params, &admission, (greeting, options.timeouts.answer))
            .await?;
    // A guest has no key to ask with.
    if params.dialect < WireDialect::Smb3_1_1 && session.protection != Protection::Nothing {
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

/// Before anything secret is said: a server that cannot do what is demanded gets no credentials.
fn demand_encryption(params: &NegotiatedParams, options: &SmbOptions) -> Result<(), Error> {
    if options.encrypt != Encrypt::Require {
        return Ok(());
    }
    let why = match (&options.logon, keys::cipher(params)) {
        (Logon::Guest, _) => "a guest's session cannot be encrypted, and encryption is demanded".to_owned(),
        (_, Some(_)) => return Ok(()),
        (_, None) => {
            format!("the server does not encrypt ({}), and encryption is demanded", dialect(params.dialect))
        }
    };
    Err(Error::new(Code::Insecure, why))
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

async fn connect_share(
    conn: &mut Connection,
    tap: &HandshakeTap,
    (address, share_type): (&SmbAddress, ShareType),
    params: &NegotiatedParams,
    admission: &Admission,
    (greeting, answered_within): (Greeting, Duration),
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
        return Err(Error::new(Code::Protocol, "the share's answer is invalid"));
    };
    if share.share_type != share_type {
        return Err(Error::new(Code::ShareNotFound, format!("{:?} is not a share of files", address.share)));
    }
    let flags = share.share_flags.bits();
    if flags & SHARE_ENCRYPTS != 0 && !conn.should_encrypt() {
        match admission {
            Admission::Account { keys, .. } => keys.encrypt(conn, tap)?,
            Admission::Guest => {
                let why = "the share demands encryption, which a guest's session cannot give: use an account";
                return Err(Error::new(Code::LogonFailed, why));
            }
        }
    }
    let protection = match admission {
        Admission::Guest => Protection::Nothing,
        Admission::Account { .. } if conn.should_encrypt() => Protection::Encrypted,
        Admission::Account { .. } => Protection::Signed,
    };
    let large = params.capabilities.bits() & CAP_LARGE_MTU != 0 && params.dialect > WireDialect::Smb2_0_2;
    let limit = |server: u32| if large { server } else { server.min(CREDIT_BYTES) };
    Ok(Session {
        conn: conn.clone(),
        tree,
        read_bytes_max: limit(params.max_read_size),
        list_bytes_max: limit(params.max_transact_size),
        write_bytes_max: limit(params.max_write_size),
        hides_unreadable: flags & SHARE_HIDES_UNREADABLE != 0,
        protection,
        greeting,
        answered_within,
        lost: AtomicBool::new(false),
    })
}

/// FSCTL_VALIDATE_NEGOTIATE_INFO: asks, signed, what was negotiated in the clear, so that no one in between can have
/// stripped a dialect or a capability.
async fn validate(session: &Session, handshake: &[HandshakeMessage]) -> Result<(), Error> {
    let tampered = || Error::new(Code::NegotiationAltered, "the server says that it negotiated something else");
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
        smb2::Error::Disconnected | smb2::Error::Io(_) => tampered(),
        other => status::connection(other).within("validating the negotiation"),
    })?;
    let status = frame.header.status.0;
    let dialect = session.conn.params().map(|p| p.dialect);
    if dialect < Some(WireDialect::Smb3_0)
        && matches!(status, nt::NOT_SUPPORTED | nt::INVALID_DEVICE_REQUEST | nt::FILE_CLOSED)
    {
        // A server from before SMB 3 does not know the question; its error is signed.
        return Ok(());
    }
    if status != nt::SUCCESS || reply::validate_negotiate(reply::ioctl(&frame.body)?)? != reply::negotiate(received)? {
        return Err(tampered());
    }
    Ok(())
}
