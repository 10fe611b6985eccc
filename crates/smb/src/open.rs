//! Opening things on the share, compounds, and handles that close themselves.

use crate::logon::{CREDIT_BYTES, Session};
use crate::options::BackupIntent;
use crate::status::{self, nt};
use crate::wire::reply::{self, Handle, Opened};
use crate::wire::request::{self, Create, option};
use crate::wire::volume::{self, Volume};
use crate::wire::{attribute, name};
use octo_core::{Code, Error, Kind, RelPath};
use smb2::Frame;
use smb2::client::connection::CompoundOp;
use smb2::msg::close::CloseRequest;
use smb2::msg::query_info::{InfoType, QueryInfoRequest};
use smb2::pack::Pack;
use smb2::types::{Command, CreditCharge, FileId};
use std::sync::Arc;

/// The longest path the protocol carries, in UTF-16 units.
const PATH_UNITS_MAX: usize = 32_000;
/// Room for what a server says of a volume.
const VOLUME_INFO_BYTES: u32 = 1024;
/// FileAttributeTagInformation.
const ATTRIBUTE_TAG_CLASS: u8 = 35;
/// Asks CLOSE for the file's last state.
const POSTQUERY_ATTRIB: u16 = 1;
/// Windows refuses a part of a compound with it when that part would have to wait (MS-SMB2 3.3.5.2.7): it is then
/// asked for by itself.
pub(crate) const NOT_IN_A_COMPOUND: u32 = 0xC000_00E5;

/// A path for the wire.
pub(crate) fn wire_path(path: &RelPath) -> Result<Vec<u16>, Error> {
    let units = name::to_utf16(path)?;
    if units.len() > PATH_UNITS_MAX {
        return Err(Error::new(Code::SourceEntry, "the path is longer than the protocol can carry"));
    }
    Ok(units)
}

/// The create option that `intent` stands for.
pub(crate) fn intent_option(intent: BackupIntent) -> u32 {
    if intent == BackupIntent::Off { 0 } else { option::OPEN_FOR_BACKUP_INTENT }
}

/// One part of a compound, with the bytes that its answer may have.
pub(crate) type Part<'a> = (Command, &'a dyn Pack, u32);

/// What one credit pays for is [`CREDIT_BYTES`]; every request costs at least one.
pub(crate) fn charge(bytes: u32) -> CreditCharge {
    CreditCharge(u16::try_from(bytes.div_ceil(CREDIT_BYTES).max(1)).unwrap_or(u16::MAX))
}

/// Sends parts as one message, each but the first on the handle of the first. One answer for each part.
pub(crate) async fn compound(session: &Session, parts: &[Part<'_>]) -> Result<Vec<Result<Frame, Error>>, Error> {
    let ops: Vec<_> = parts
        .iter()
        .map(|&(command, body, bytes)| CompoundOp {
            command,
            body,
            tree_id: Some(session.tree),
            credit_charge: charge(bytes),
        })
        .collect();
    let frames = session.conn.execute_compound(&ops).await.map_err(status::connection)?;
    Ok(frames.into_iter().map(|frame| frame.map_err(status::connection)).collect())
}

/// Sends one request.
pub(crate) async fn single(session: &Session, (command, body, bytes): Part<'_>) -> Result<Frame, Error> {
    let sent = session.conn.execute_with_credits(command, body, Some(session.tree), charge(bytes));
    sent.await.map_err(status::connection)
}

/// The answer, if it is a success.
pub(crate) fn success(frame: Frame) -> Result<Frame, Error> {
    match frame.header.status.0 {
        nt::SUCCESS => Ok(frame),
        refused => Err(status::entry(refused)),
    }
}

/// A handle on the server that is closed when dropped, without waiting.
pub(crate) struct Open {
    session: Arc<Session>,
    pub handle: Handle,
    is_open: bool,
}

impl Open {
    /// Takes over the handle of a CREATE's answer.
    pub fn from_reply(session: &Arc<Session>, frame: &Frame, volume: u64) -> Result<(Open, Opened), Error> {
        let opened = reply::create(&frame.body, volume)?;
        Ok((Open { session: Arc::clone(session), handle: opened.handle, is_open: true }, opened))
    }

    /// Notes that the handle was closed by other means.
    pub fn was_closed(mut self) {
        self.is_open = false;
    }

    /// Closes it and waits for the answer, which tells the file's last state.
    pub async fn close(mut self) -> Result<Frame, Error> {
        self.is_open = false;
        single(&self.session, (Command::Close, &close_request(self.handle), 0)).await.and_then(success)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        if let (true, Ok(runtime)) = (self.is_open, runtime) {
            let (session, request) = (Arc::clone(&self.session), close_request(self.handle));
            runtime.spawn(async move {
                // Whatever the answer is, there is nothing to be done about it.
                let _ = single(&session, (Command::Close, &request, 0)).await;
            });
        }
    }
}

/// A CLOSE that asks for the file's last state.
pub(crate) fn close_request(handle: Handle) -> CloseRequest {
    CloseRequest { flags: POSTQUERY_ATTRIB, file_id: file_id(handle) }
}

pub(crate) fn file_id(handle: Handle) -> FileId {
    FileId { persistent: handle.0, volatile: handle.1 }
}

fn query_info(info_type: InfoType, class: u8, handle: Handle) -> QueryInfoRequest {
    QueryInfoRequest {
        info_type,
        file_info_class: class,
        output_buffer_length: VOLUME_INFO_BYTES,
        additional_information: 0,
        flags: 0,
        file_id: file_id(handle),
        input_buffer: Vec::new(),
    }
}

/// Whether what is open is a link: an entry with a reparse point that is one of the two tags.
pub(crate) async fn is_link(session: &Session, opened: &Opened) -> Result<bool, Error> {
    if opened.meta.attributes & attribute::REPARSE_POINT == 0 {
        return Ok(false);
    }
    let request = query_info(InfoType::File, ATTRIBUTE_TAG_CLASS, opened.handle);
    let frame = single(session, (Command::QueryInfo, &request, VOLUME_INFO_BYTES)).await.and_then(success)?;
    Ok(reply::is_link(reply::query(&frame.body)?)?)
}

/// What a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub volume: Volume,
    pub filesystem: String,
    pub hides_unreadable: bool,
}

/// Opens the folder that is the source's root and asks what volume it lies on.
pub(crate) async fn place(session: &Arc<Session>, root: &RelPath, intent: BackupIntent) -> Result<Place, Error> {
    let create = Create {
        path: &wire_path(root)?,
        access: request::READ_ATTRIBUTES,
        options: option::DIRECTORY_FILE | intent_option(intent),
        with_id: false,
        snapshot: None,
    };
    let missing = |e: Error| match e.code {
        Code::NotFound | Code::KindMoved | Code::AccessDenied | Code::SourceEntry => {
            Error::new(Code::SourceMissing, e.detail).within(root)
        }
        _ => e,
    };
    let frame = single(session, (Command::Create, &create, 0)).await.and_then(success).map_err(missing)?;
    let (open, opened) = Open::from_reply(session, &frame, 0)?;
    if opened.meta.kind != Kind::Folder {
        return Err(Error::new(Code::SourceMissing, "it is not a folder").within(root));
    }
    let ask = async |class| {
        let request = query_info(InfoType::Filesystem, class, open.handle);
        single(session, (Command::QueryInfo, &request, VOLUME_INFO_BYTES)).await.and_then(success)
    };
    let volume = ask(volume::VOLUME_CLASS).await.map_err(|e| e.within("asking which volume it is"))?;
    let filesystem = ask(volume::ATTRIBUTE_CLASS).await.map_err(|e| e.within("asking which filesystem it is"))?;
    Ok(Place {
        volume: volume::volume(reply::query(&volume.body)?)?,
        filesystem: volume::filesystem(reply::query(&filesystem.body)?)?,
        hides_unreadable: session.hides_unreadable,
    })
}
