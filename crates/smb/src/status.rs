//! What the server's refusals and the connection's failures mean, in our codes and in plain words.

use octo_core::{Code, Error};

/// The NT status codes (MS-ERREF 2.3.1) that mean something to us.
pub(crate) mod nt {
    pub const SUCCESS: u32 = 0;
    pub const PENDING: u32 = 0x0000_0103;
    pub const NO_MORE_FILES: u32 = 0x8000_0006;
    pub const STOPPED_ON_SYMLINK: u32 = 0x8000_002D;
    pub const INVALID_PARAMETER: u32 = 0xC000_000D;
    pub const INVALID_INFO_CLASS: u32 = 0xC000_0003;
    pub const NO_SUCH_FILE: u32 = 0xC000_000F;
    pub const INVALID_DEVICE_REQUEST: u32 = 0xC000_0010;
    pub const END_OF_FILE: u32 = 0xC000_0011;
    pub const MORE_PROCESSING_REQUIRED: u32 = 0xC000_0016;
    pub const NO_MEMORY: u32 = 0xC000_0017;
    pub const ACCESS_DENIED: u32 = 0xC000_0022;
    pub const OBJECT_NAME_INVALID: u32 = 0xC000_0033;
    pub const OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;
    pub const OBJECT_PATH_NOT_FOUND: u32 = 0xC000_003A;
    pub const OBJECT_NAME_COLLISION: u32 = 0xC000_0035;
    pub const SHARING_VIOLATION: u32 = 0xC000_0043;
    pub const EAS_NOT_SUPPORTED: u32 = 0xC000_004F;
    pub const NO_EAS_ON_FILE: u32 = 0xC000_0052;
    pub const FILE_LOCK_CONFLICT: u32 = 0xC000_0054;
    pub const DELETE_PENDING: u32 = 0xC000_0056;
    pub const NO_LOGON_SERVERS: u32 = 0xC000_005E;
    pub const PRIVILEGE_NOT_HELD: u32 = 0xC000_0061;
    pub const LOGON_FAILURE: u32 = 0xC000_006D;
    pub const ACCOUNT_RESTRICTION: u32 = 0xC000_006E;
    pub const INVALID_LOGON_HOURS: u32 = 0xC000_006F;
    pub const INVALID_WORKSTATION: u32 = 0xC000_0070;
    pub const PASSWORD_EXPIRED: u32 = 0xC000_0071;
    pub const ACCOUNT_DISABLED: u32 = 0xC000_0072;
    pub const INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;
    pub const DISK_FULL: u32 = 0xC000_007F;
    pub const MEDIA_WRITE_PROTECTED: u32 = 0xC000_00A2;
    pub const FILE_IS_A_DIRECTORY: u32 = 0xC000_00BA;
    pub const NOT_SUPPORTED: u32 = 0xC000_00BB;
    pub const BAD_NETWORK_PATH: u32 = 0xC000_00BE;
    pub const NETWORK_NAME_DELETED: u32 = 0xC000_00C9;
    pub const BAD_NETWORK_NAME: u32 = 0xC000_00CC;
    pub const REQUEST_NOT_ACCEPTED: u32 = 0xC000_00D0;
    pub const CANNOT_DELETE: u32 = 0xC000_0121;
    pub const NOT_A_DIRECTORY: u32 = 0xC000_0103;
    pub const FILE_CLOSED: u32 = 0xC000_0128;
    pub const LOGON_TYPE_NOT_GRANTED: u32 = 0xC000_015B;
    pub const ILLEGAL_CHARACTER: u32 = 0xC000_0161;
    pub const NETLOGON_NOT_STARTED: u32 = 0xC000_0192;
    pub const ACCOUNT_EXPIRED: u32 = 0xC000_0193;
    pub const QUOTA_EXCEEDED: u32 = 0xC000_0044;
    pub const USER_SESSION_DELETED: u32 = 0xC000_0203;
    pub const INSUFF_SERVER_RESOURCES: u32 = 0xC000_0205;
    pub const PASSWORD_MUST_CHANGE: u32 = 0xC000_0224;
    pub const ACCOUNT_LOCKED_OUT: u32 = 0xC000_0234;
    pub const PATH_NOT_COVERED: u32 = 0xC000_0257;
    pub const NOT_A_REPARSE_POINT: u32 = 0xC000_0275;
    pub const NETWORK_SESSION_EXPIRED: u32 = 0xC000_035C;
    pub const NTLM_BLOCKED: u32 = 0xC000_0418;
    pub const FILE_NOT_AVAILABLE: u32 = 0xC000_0467;
    pub const CLOUD_FILE_UNAVAILABLE: u32 = 0xC000_CF11;
}

/// What is to be said of a place that a server has only as a link of DFS.
pub(crate) const ELSEWHERE: &str =
    "it is a link to a folder of another server (DFS), which is not followed: name that server and its share";

/// A status as people look it up: its name where we know one, and its number.
fn named(status: u32) -> String {
    let name = smb2::types::status::NtStatus(status).to_string();
    let number = format!("0x{status:08X}");
    if name.contains(&number) { name } else { format!("{name} {number}") }
}

/// What a refused open, read or listing means for the entry it concerns.
pub(crate) fn entry(status: u32) -> Error {
    let (code, words) = match status {
        nt::ACCESS_DENIED | nt::PRIVILEGE_NOT_HELD => (Code::AccessDenied, ""),
        nt::SHARING_VIOLATION => (Code::Locked, "another program has it open and does not share it"),
        nt::FILE_LOCK_CONFLICT => (Code::Locked, "another program has locked a part of it"),
        nt::OBJECT_NAME_NOT_FOUND | nt::OBJECT_PATH_NOT_FOUND | nt::NO_SUCH_FILE => (Code::NotFound, ""),
        nt::DELETE_PENDING => (Code::NotFound, "it is being deleted"),
        nt::FILE_IS_A_DIRECTORY => (Code::KindMoved, "it is a folder now"),
        nt::NOT_A_DIRECTORY => (Code::KindMoved, "it is not a folder any more"),
        nt::STOPPED_ON_SYMLINK => (Code::KindMoved, "it or a folder above it is a link now"),
        nt::NOT_A_REPARSE_POINT => (Code::KindMoved, "it is not a link any more"),
        nt::FILE_NOT_AVAILABLE | nt::CLOUD_FILE_UNAVAILABLE => (Code::NotLocal, ""),
        nt::NETWORK_NAME_DELETED => (Code::ConnectionLost, "the share was removed or the session was closed"),
        nt::USER_SESSION_DELETED | nt::NETWORK_SESSION_EXPIRED | nt::FILE_CLOSED => {
            (Code::ConnectionLost, "the server ended the session")
        }
        nt::OBJECT_NAME_INVALID | nt::ILLEGAL_CHARACTER => {
            (Code::SourceEntry, "the server lists this name and does not take it back")
        }
        nt::PATH_NOT_COVERED => (Code::DfsLink, ""),
        _ => (Code::SourceEntry, "the server refused"),
    };
    with_words(code, words, status)
}

/// What a refused change of an entry means.
pub(crate) fn change(status: u32) -> Error {
    let (code, words) = match status {
        nt::DISK_FULL | nt::QUOTA_EXCEEDED => (Code::NoSpace, "the share is full, or the account's quota is used up"),
        nt::MEDIA_WRITE_PROTECTED => (Code::TargetFailed, "the volume under the share is write-protected"),
        nt::ACCESS_DENIED | nt::PRIVILEGE_NOT_HELD => (Code::AccessDenied, "the account may not change this"),
        nt::CANNOT_DELETE => (Code::TargetEntry, "it cannot be removed: read-only, or in use as a program"),
        nt::OBJECT_NAME_COLLISION => (Code::TargetMoved, "something is there already"),
        nt::OBJECT_NAME_INVALID | nt::ILLEGAL_CHARACTER => (Code::TargetEntry, "the server cannot hold this name"),
        nt::NOT_SUPPORTED | nt::INVALID_DEVICE_REQUEST | nt::INVALID_PARAMETER | nt::EAS_NOT_SUPPORTED => {
            (Code::TargetEntry, "the share cannot hold this")
        }
        _ => return Error { code: as_target(entry(status).code), ..entry(status) },
    };
    with_words(code, words, status)
}

/// The same cause, said of what is written.
fn as_target(code: Code) -> Code {
    match code {
        Code::SourceEntry | Code::NotLocal => Code::TargetEntry,
        Code::KindMoved | Code::NotFound => Code::TargetMoved,
        other => other,
    }
}

/// What a refused logon means.
pub(crate) fn logon(status: u32) -> Error {
    let (code, words) = match status {
        nt::LOGON_FAILURE => (Code::LogonFailed, "wrong user name or password"),
        nt::ACCOUNT_RESTRICTION => (
            Code::LogonFailed,
            "the account is restricted (in Protected Users? then use --kerberos), or its password is empty",
        ),
        nt::INVALID_LOGON_HOURS => (Code::LogonFailed, "the account may not log on at this hour"),
        nt::INVALID_WORKSTATION => (Code::LogonFailed, "the account may not log on from this machine"),
        nt::PASSWORD_EXPIRED => (Code::LogonFailed, "the password has expired"),
        nt::PASSWORD_MUST_CHANGE => (Code::LogonFailed, "the password must be changed first"),
        nt::ACCOUNT_DISABLED => (Code::LogonFailed, "the account is disabled"),
        nt::ACCOUNT_EXPIRED => (Code::LogonFailed, "the account has expired"),
        nt::ACCOUNT_LOCKED_OUT => (Code::LogonFailed, "the account is locked out"),
        nt::LOGON_TYPE_NOT_GRANTED => (Code::LogonFailed, "the account may not log on over the network"),
        nt::ACCESS_DENIED => (Code::LogonFailed, "the server does not let this account in"),
        nt::NO_LOGON_SERVERS | nt::NETLOGON_NOT_STARTED => {
            (Code::Unreachable, "the server cannot ask its domain controller (it may be starting)")
        }
        _ if is_short(status) => (Code::Unreachable, FULL),
        nt::NTLM_BLOCKED => (Code::LogonFailed, "a policy of the server or the domain forbids NTLM: use --kerberos"),
        nt::NOT_SUPPORTED => (Code::LogonFailed, "the server does not accept NTLM: use --kerberos"),
        _ => (Code::LogonFailed, "the server refused the logon"),
    };
    with_words(code, words, status)
}

/// What it means that the server did not take a Kerberos ticket.
pub(crate) fn ticket(status: u32) -> Error {
    match status {
        nt::LOGON_FAILURE | nt::ACCESS_DENIED | nt::INVALID_PARAMETER => with_words(
            Code::LogonFailed,
            "the server did not take the Kerberos ticket: is it a member of this realm, does it know the user, are the \
             clocks right",
            status,
        ),
        nt::MORE_PROCESSING_REQUIRED | nt::NOT_SUPPORTED => {
            with_words(Code::LogonFailed, "the server does not accept Kerberos", status)
        }
        _ => logon(status),
    }
}

/// What is to be said of a server that is short of memory or of connections.
const FULL: &str = "the server takes no more connections just now";

/// Whether the server lacks what one more connection takes: it may have it again soon.
fn is_short(status: u32) -> bool {
    let short = [nt::NO_MEMORY, nt::INSUFFICIENT_RESOURCES, nt::REQUEST_NOT_ACCEPTED, nt::INSUFF_SERVER_RESOURCES];
    short.contains(&status)
}

/// What a refused connection to a share means.
pub(crate) fn share(status: u32, name: &str) -> Error {
    match status {
        nt::BAD_NETWORK_NAME | nt::BAD_NETWORK_PATH | nt::OBJECT_NAME_NOT_FOUND => {
            with_words(Code::ShareNotFound, &format!("no share named {name:?}"), status)
        }
        nt::PATH_NOT_COVERED => with_words(Code::ShareNotFound, &format!("share {name:?}: {ELSEWHERE}"), status),
        nt::ACCESS_DENIED => with_words(Code::ShareDenied, &format!("share {name:?}"), status),
        _ if is_short(status) => with_words(Code::Unreachable, &format!("share {name:?}: {FULL}"), status),
        _ => entry(status).within(format!("share {name:?}")),
    }
}

fn with_words(code: Code, words: &str, status: u32) -> Error {
    let status = named(status);
    Error::new(code, if words.is_empty() { status } else { format!("{words}: {status}") })
}

/// What a failure of the connection itself means. `TimedOut` is one request without an answer, on a connection on which
/// others are answered.
pub(crate) fn connection(error: smb2::Error) -> Error {
    use smb2::Error as E;
    match error {
        E::Protocol { status, .. } => entry(status.0),
        E::Timeout => Error::new(Code::TimedOut, ""),
        E::SendTimeout { .. } | E::ServerUnresponsive { .. } | E::CreditStarvation { .. } => {
            Error::new(Code::ConnectionLost, format!("the server has fallen silent: {error}"))
        }
        E::SignatureInvalid { .. } | E::InvalidData { .. } => Error::new(Code::Protocol, error.to_string()),
        E::SessionExpired => Error::new(Code::ConnectionLost, "the server ended the session"),
        E::Disconnected => Error::new(Code::ConnectionLost, ""),
        E::Io(io) => Error::new(Code::ConnectionLost, io.to_string()),
        other => Error::new(Code::ConnectionLost, other.to_string()),
    }
}

/// What a failure to reach the server means.
pub(crate) fn reach(error: smb2::Error, endpoint: &str) -> Error {
    let words = match error {
        smb2::Error::ConnectFailed { attempts, .. } => {
            let attempts: Vec<_> = attempts.iter().map(ToString::to_string).collect();
            // Of a name the addresses are worth knowing; an address was said already.
            let said = format!("{endpoint}: ");
            attempts.iter().map(|one| one.strip_prefix(&said).unwrap_or(one)).collect::<Vec<_>>().join(", ")
        }
        smb2::Error::Timeout => "no answer in time".to_owned(),
        smb2::Error::Io(io) => io.to_string(),
        other => other.to_string(),
    };
    Error::new(Code::Unreachable, format!("{endpoint}: {words}"))
}
