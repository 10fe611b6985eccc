//! What can be found out about a share before it is mirrored: how the connection is protected, what the server's clock
//! says, which previous versions there are, and whether the account's backup privilege works.
//!
//! Asks, and changes nothing. What the answers mean for a person is the caller's business.

use crate::keys;
use crate::logon::{self, Protection, Session};
use crate::open::{self, Open, SourceFolder};
use crate::options::{BackupIntent, Credentials, Dialect, SmbOptions};
use crate::snapshots;
use crate::status::nt;
use crate::wire::request::{self, Create, RELATED, option};
use futures_util::StreamExt;
use octo_core::SmbAddress;
use octo_core::{Code, Error, RelPath, Timestamp};
use smb2::crypto::encryption::Cipher;
use smb2::types::{Command, Dialect as WireDialect};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Opens in flight while access is probed.
const PROBES_IN_FLIGHT: usize = 16;

/// A connection to a share, for questions.
pub struct Inspector {
    // Dropped before the runtime that drives it.
    session: Arc<Session>,
    place: SourceFolder,
    root: RelPath,
    runtime: Runtime,
}

/// How a connection is protected, and what the server said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// The version of the protocol.
    pub dialect: Dialect,
    /// How every message is signed; `None` for a guest's session, which is not.
    pub signing: Option<&'static str>,
    /// Whether the server demands signing of everybody.
    pub signing_demanded: bool,
    /// Whether messages are encrypted.
    pub encryption: Encryption,
    /// The server's clock now; `None` where it does not tell.
    pub server_time: Option<Timestamp>,
    /// Listings leave out what the account may not read (access-based enumeration).
    pub hides_unreadable: bool,
    /// The filesystem under the share, as the server calls it.
    pub filesystem: String,
}

/// Whether messages are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// They are, with this cipher.
    Active(&'static str),
    /// They are not, though the server could.
    Possible,
    /// The server cannot.
    Impossible,
}

/// The previous versions (shadow copies, snapshots) of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousVersions {
    /// How many there are.
    pub count: u32,
    /// When the newest was taken, where the server says so.
    pub newest: Option<Timestamp>,
}

/// How an account gets at an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// By its own rights.
    ByRights,
    /// Only with backup intent: the backup privilege works.
    ByPrivilege,
    /// Not even with backup intent: the backup privilege is missing.
    Denied,
    /// It could not be opened for another reason, such as another program that has it open.
    Unknown,
}

/// A runtime for a few questions.
pub(crate) fn runtime() -> Result<Runtime, Error> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("smb").enable_all().build();
    built.map_err(|e| Error::no_thread("the network", &e))
}

impl Inspector {
    /// Connects, logs on and looks whether the folder is there. Fails with a code that stops runs.
    pub fn connect(address: SmbAddress, who: &Credentials, options: &SmbOptions) -> Result<Inspector, Error> {
        let runtime = runtime()?;
        let (session, place) = runtime.block_on(async {
            let session = Arc::new(logon::open(&address, who, options).await?);
            let place = open::place(&session, &address.path, options.backup_intent).await?;
            Ok::<_, Error>((session, place))
        })?;
        Ok(Inspector { session, place, root: address.path, runtime })
    }

    /// How the connection is protected.
    pub fn security(&self) -> Result<Security, Error> {
        let params = self.session.conn.params();
        let params = params.ok_or_else(|| Error::new(Code::Protocol, "nothing was negotiated"))?;
        let can_encrypt = keys::cipher(&params).is_some();
        let encryption = match (self.session.conn.should_encrypt(), can_encrypt) {
            (true, _) => Encryption::Active(cipher_name(params.cipher)),
            (false, true) => Encryption::Possible,
            (false, false) => Encryption::Impossible,
        };
        // Not who asked to be a guest: where the account of that name is enabled, its session is like any other.
        let is_signed = self.session.protection != Protection::Nothing;
        Ok(Security {
            dialect: logon::dialect(params.dialect),
            signing: is_signed.then(|| signing_name(params.dialect, params.gmac_negotiated)),
            signing_demanded: params.signing_required,
            encryption,
            server_time: self.session.greeting.clock(),
            hides_unreadable: self.place.hides_unreadable,
            filesystem: self.place.filesystem.clone(),
        })
    }

    /// The previous versions of the folder; `None` if the share offers none.
    pub fn previous_versions(&self) -> Result<Option<PreviousVersions>, Error> {
        let found = self.runtime.block_on(snapshots::of(&self.session, &self.root))?;
        let newest = found.taken.first().copied();
        Ok((found.count > 0).then_some(PreviousVersions { count: found.count, newest }))
    }

    /// How the account gets at each of these files and folders, in their order. Links are not followed.
    pub fn access(&self, entries: &[RelPath]) -> Result<Vec<Access>, Error> {
        self.runtime.block_on(async {
            let answers = futures_util::stream::iter(entries).map(|path| self.access_to(path));
            let answers: Vec<Result<Access, Error>> = answers.buffered(PROBES_IN_FLIGHT).collect().await;
            answers.into_iter().collect()
        })
    }

    async fn access_to(&self, path: &RelPath) -> Result<Access, Error> {
        let Ok(path) = open::wire_path(&self.root.join_path(path)) else { return Ok(Access::Unknown) };
        if let Some(access) = verdict(self.try_open(&path, BackupIntent::Off).await?, Access::ByRights) {
            return Ok(access);
        }
        let with_intent = self.try_open(&path, BackupIntent::Auto).await?;
        Ok(verdict(with_intent, Access::ByPrivilege).unwrap_or(Access::Denied))
    }

    /// Opens for reading and closes at once; the status of the open.
    async fn try_open(&self, path: &[u16], intent: BackupIntent) -> Result<u32, Error> {
        let options = option::OPEN_REPARSE_POINT | open::intent_option(intent);
        let create = Create { path, access: request::READ, options, with_id: false, snapshot: None };
        let close = open::close_request(RELATED);
        let parts: [open::Part<'_>; 2] = [(Command::Create, &create, 0), (Command::Close, &close, 0)];
        if let Some(frames) = open::compound(&self.session, &parts).await? {
            return Ok(open::next(&mut frames.into_iter())?.header.status.0);
        }
        let alone = open::single(&self.session, (Command::Create, &create, 0)).await?;
        if alone.header.status.0 == nt::SUCCESS {
            Open::from_reply(&self.session, &alone, 0)?.0.close().await?;
        }
        Ok(alone.header.status.0)
    }
}

/// `None` for a denial.
fn verdict(status: u32, opened: Access) -> Option<Access> {
    match status {
        nt::SUCCESS => Some(opened),
        nt::ACCESS_DENIED | nt::PRIVILEGE_NOT_HELD => None,
        _ => Some(Access::Unknown),
    }
}

/// Before 3.1.1 nothing is said of ciphers: it is always AES-128-CCM.
fn cipher_name(cipher: Option<Cipher>) -> &'static str {
    match cipher {
        Some(Cipher::Aes128Gcm) => "AES-128-GCM",
        Some(Cipher::Aes256Ccm) => "AES-256-CCM",
        Some(Cipher::Aes256Gcm) => "AES-256-GCM",
        Some(Cipher::Aes128Ccm) | None => "AES-128-CCM",
    }
}

fn signing_name(dialect: WireDialect, gmac: bool) -> &'static str {
    match dialect {
        WireDialect::Smb2_0_2 | WireDialect::Smb2_1 => "HMAC-SHA256",
        WireDialect::Smb3_1_1 if gmac => "AES-128-GMAC",
        _ => "AES-128-CMAC",
    }
}
