//! Opening things on the share, compounds, and handles that close themselves.

use crate::liveness::while_alive;
use crate::logon::{CREDIT_BYTES, Session};
use crate::options::BackupIntent;
use crate::status::{self, nt};
use crate::wire::reply::{self, Handle, Opened};
use crate::wire::request::{self, Create, option};
use crate::wire::volume::{self, Volume};
use crate::wire::{attribute, name};
use futures_util::future::join;
use octo_core::{Code, Error, Kind, RelPath};
use smb2::Frame;
use smb2::client::connection::CompoundOp;
use smb2::msg::close::CloseRequest;
use smb2::msg::echo::EchoRequest;
use smb2::msg::query_info::{InfoType, QueryInfoRequest};
use smb2::pack::{Pack, WriteCursor};
use smb2::types::{Command, CreditCharge, FileId};
use std::sync::Arc;
use std::time::Duration;

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
/// Credits that are missed within this time are missed because no answer is on its way that could bring them.
const STARVED_AT_ONCE: Duration = Duration::from_secs(1);
/// Time for a request to set out.
const SETTING_OUT: Duration = Duration::from_millis(50);
/// So often a server is given the chance to grant more: as many as what costs most.
const GROWTH_ROUNDS_MAX: u32 = 20;

/// A path for the wire.
pub(crate) fn wire_path(path: &RelPath) -> Result<Vec<u16>, Error> {
    let units = name::to_utf16(path)?;
    if units.len() > PATH_UNITS_MAX {
        return Err(Error::new(Code::PathTooLong, "the path is longer than the protocol can carry"));
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

/// A request's body as it goes over the wire.
struct RequestBody(Vec<u8>);

impl RequestBody {
    fn new(body: &dyn Pack) -> RequestBody {
        let mut out = WriteCursor::new();
        body.pack(&mut out);
        RequestBody(out.into_inner())
    }
}

impl Pack for RequestBody {
    fn pack(&self, out: &mut WriteCursor) {
        out.write_bytes(&self.0);
    }
}

/// As much of `bytes` as one request may ask for: on a server that grants few credits, what half of them pay for, so
/// that a second request can be on its way meanwhile.
pub(crate) fn affordable(session: &Session, bytes: u32) -> u32 {
    let Some(credits) = session.conn.credit_ceiling() else { return bytes };
    bytes.min(u32::from(credits / 2).max(1).saturating_mul(CREDIT_BYTES))
}

/// Whether the server may ever grant this many credits at once.
fn can_pay(session: &Session, credits: u16) -> bool {
    session.conn.credit_ceiling().is_none_or(|most| most >= credits)
}

/// Whether to try again after this error. A server that grants few credits at first grants more with each answer; where
/// none is on its way that could bring them, one is asked for.
async fn may_grow(session: &Session, error: &smb2::Error) -> bool {
    // Who waited for long waited for a server that answers others, or no one.
    if !matches!(error, smb2::Error::CreditStarvation { waited, .. } if *waited < STARVED_AT_ONCE) {
        return false;
    }
    if session.conn.credits() > 0 {
        return session.conn.execute(Command::Echo, &EchoRequest, None).await.is_ok();
    }
    // The library also says so of credits that another request has taken and not yet set out with.
    tokio::time::sleep(SETTING_OUT).await;
    true
}

/// Sends parts as one message, each but the first on the handle of the first. One answer for each part; `None` if the
/// server takes them only one by one.
pub(crate) async fn compound(
    session: &Session,
    parts: &[Part<'_>],
) -> Result<Option<Vec<Result<Frame, Error>>>, Error> {
    while_alive(&session.conn, session.answered_within, send_compound(session, parts)).await
}

async fn send_compound(session: &Session, parts: &[Part<'_>]) -> Result<Option<Vec<Result<Frame, Error>>>, Error> {
    let ops: Vec<_> = parts
        .iter()
        .map(|&(command, body, bytes)| CompoundOp {
            command,
            body,
            tree_id: Some(session.tree),
            credit_charge: charge(bytes),
        })
        .collect();
    let credits = ops.iter().map(|op| op.credit_charge.0).fold(0, u16::saturating_add);
    let mut rounds = 0..GROWTH_ROUNDS_MAX;
    let frames = loop {
        if !can_pay(session, credits) || rounds.next().is_none() {
            return Ok(None);
        }
        match session.conn.execute_compound(&ops).await {
            Err(error) if may_grow(session, &error).await => {}
            sent => break sent.map_err(status::connection)?,
        }
    };
    match frames.first() {
        None => Err(Error::new(Code::Protocol, "an empty answer")),
        Some(Ok(first)) if first.header.status.0 == NOT_IN_A_COMPOUND => Ok(None),
        Some(_) => {
            let answers = frames.into_iter().zip(parts);
            Ok(Some(answers.map(|(frame, &(command, ..))| answer_to(command, frame)).collect()))
        }
    }
}

/// The same for a thread that waits for nothing else: the connection's own threads see the answers come in, and the one
/// that waits is woken once and not for each of them.
pub(crate) async fn compound_aside(
    session: &Arc<Session>,
    parts: &[Part<'_>],
) -> Result<Option<Vec<Result<Frame, Error>>>, Error> {
    let packed: Vec<_> = parts.iter().map(|&(command, body, bytes)| (command, RequestBody::new(body), bytes)).collect();
    let session = Arc::clone(session);
    let answers = tokio::spawn(async move {
        let parts: Vec<_> = packed.iter().map(|(command, body, bytes)| (*command, body as &dyn Pack, *bytes)).collect();
        compound(&session, &parts).await
    });
    answers.await.map_err(abandoned)?
}

/// The next of a compound's answers.
pub(crate) fn next(frames: &mut impl Iterator<Item = Result<Frame, Error>>) -> Result<Frame, Error> {
    frames.next().unwrap_or_else(|| Err(Error::new(Code::Protocol, "an answer is missing")))
}

/// Sends one request.
pub(crate) async fn single(session: &Session, part: Part<'_>) -> Result<Frame, Error> {
    while_alive(&session.conn, session.answered_within, send_single(session, part)).await
}

async fn send_single(session: &Session, (command, body, bytes): Part<'_>) -> Result<Frame, Error> {
    let charge = charge(bytes);
    let mut rounds = 0..GROWTH_ROUNDS_MAX;
    while can_pay(session, charge.0) && rounds.next().is_some() {
        match session.conn.execute_with_credits(command, body, Some(session.tree), charge).await {
            Err(error) if may_grow(session, &error).await => {}
            sent => return answer_to(command, sent),
        }
    }
    Err(Error::new(Code::ConnectionLost, "the server grants too few credits"))
}

/// The answer to this command. One that says that it answers another is a fault: its fields would be read as what they are not.
fn answer_to(command: Command, sent: smb2::Result<Frame>) -> Result<Frame, Error> {
    match sent.map_err(status::connection)? {
        frame if frame.header.command == command => Ok(frame),
        _ => Err(Error::new(Code::Protocol, "the server answered another command than was sent")),
    }
}

/// Sends one request at once; the answer may be waited for later.
pub(crate) fn begin(
    session: &Arc<Session>,
    (command, body, bytes): Part<'_>,
) -> impl Future<Output = Result<Frame, Error>> + use<> {
    let (session, body) = (Arc::clone(session), RequestBody::new(body));
    let answer = tokio::spawn(async move { single(&session, (command, &body, bytes)).await });
    async move { answer.await.map_err(abandoned)? }
}

/// The threads that drive the connections have ended.
fn abandoned(why: tokio::task::JoinError) -> Error {
    Error::new(Code::ConnectionLost, why.to_string())
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
pub(crate) struct SourceFolder {
    pub volume: Volume,
    pub filesystem: String,
    pub hides_unreadable: bool,
}

/// Opens the folder that is the source's root and asks what volume it lies on.
pub(crate) async fn place(session: &Arc<Session>, root: &RelPath, intent: BackupIntent) -> Result<SourceFolder, Error> {
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
        Code::DfsLink => Error::new(Code::SourceMissing, status::ELSEWHERE).within(root),
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
    let (volume, filesystem) = join(ask(volume::VOLUME_CLASS), ask(volume::ATTRIBUTE_CLASS)).await;
    let volume = volume.map_err(|e| e.within("asking which volume it is"))?;
    let filesystem = filesystem.map_err(|e| e.within("asking which filesystem it is"))?;
    Ok(SourceFolder {
        volume: volume::volume(reply::query(&volume.body)?)?,
        filesystem: volume::filesystem(reply::query(&filesystem.body)?)?,
        hides_unreadable: session.hides_unreadable,
    })
}
