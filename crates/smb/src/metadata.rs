//! Reading what an entry has besides its data: in the same message as the data where that is possible.
//!
//! It never makes a file fail: what is refused is called unknown, with the reason. Rights that an open asks for only for
//! the metadata's sake are given up if the open is denied.

use crate::attempts;
use crate::logon::Session;
use crate::open::{self, Open, Part as Request};
use crate::status::{self, nt};
use crate::wire::details::{self, StreamInfo};
use crate::wire::reply::{self, Handle};
use crate::wire::request::{self, Create, RELATED, option};
use octo_core::SmbAddress;
use octo_core::{Error, FetchSink, Part, Piece, Stop, Timestamp};
use smb2::Frame;
use smb2::msg::ioctl::IoctlRequest;
use smb2::msg::query_info::{InfoType, QueryInfoRequest};
use smb2::types::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

const READ_EXTENDED: u32 = 0x8;
const READ_CONTROL: u32 = 0x2_0000;
const ACCESS_SYSTEM_SECURITY: u32 = 0x100_0000;
const OWNER_GROUP_DACL: u32 = 0x7;
const SACL: u32 = 0x8;
const FILE_STREAMS: u8 = 22;
const FILE_FULL_EXTENDED: u8 = 15;
const FSCTL_GET_REPARSE_POINT: u32 = 0x0009_00A8;
const IOCTL_IS_FSCTL: u32 = 1;
/// What one answer may have: what one credit pays for.
pub(crate) const ANSWER_BYTES: u32 = 64 << 10;
/// Small streams of a file up to this size together are read with the file.
pub(crate) const SMALL_STREAMS_BYTES: u32 = 16 << 10;
/// The extended attribute under which Samba, configured to keep ACLs in `user.NTACL`, shows the security descriptor again.
const SAMBAS_ACL: &[u8] = b"NTACL";

/// What the metadata of an entry is asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MetadataRequest {
    pub security: bool,
    pub sacl: bool,
    pub streams: bool,
    pub extended: bool,
}

impl MetadataRequest {
    /// No metadata.
    pub const NOTHING: MetadataRequest =
        MetadataRequest { security: false, sacl: false, streams: false, extended: false };

    /// The rights that it takes, besides reading attributes.
    pub fn access(self) -> u32 {
        let right = |wanted: bool, right: u32| if wanted { right } else { 0 };
        right(self.security, READ_CONTROL)
            | right(self.sacl, ACCESS_SYSTEM_SECURITY)
            | right(self.extended, READ_EXTENDED)
    }

    /// The same without what takes rights.
    pub fn without_rights(self) -> MetadataRequest {
        MetadataRequest { security: false, sacl: false, extended: false, ..self }
    }

    /// The questions, in the order of [`MetadataRequest::gather`].
    pub fn questions(self, handle: Handle) -> Vec<QueryInfoRequest> {
        let question = |info_type, class, additional| QueryInfoRequest {
            info_type,
            file_info_class: class,
            output_buffer_length: ANSWER_BYTES,
            additional_information: additional,
            flags: 0,
            file_id: open::file_id(handle),
            input_buffer: Vec::new(),
        };
        let sacl = if self.sacl { SACL } else { 0 };
        let security = self.security.then(|| question(InfoType::Security, 0, OWNER_GROUP_DACL | sacl));
        let streams = self.streams.then(|| question(InfoType::File, FILE_STREAMS, 0));
        let extended = self.extended.then(|| question(InfoType::File, FILE_FULL_EXTENDED, 0));
        [security, streams, extended].into_iter().flatten().collect()
    }
}

/// What this server was found to have and to allow.
#[derive(Debug, Default)]
pub(crate) struct MetadataSupport {
    no_streams: AtomicBool,
    no_extended: AtomicBool,
    /// 0: not tried yet; 1: allowed; 2: not allowed.
    sacl: AtomicU8,
}

impl MetadataSupport {
    /// All that may be asked for. The first call tries whether SACLs may be read, on the source's
    /// own folder.
    pub async fn all(&self, session: &Session, address: &SmbAddress, options: u32) -> MetadataRequest {
        if self.sacl.load(Ordering::Relaxed) == 0 {
            let allowed = match open::wire_path(&address.path) {
                Ok(root) => may_read_sacl(session, &root, options).await,
                Err(_) => false,
            };
            self.sacl.store(if allowed { 1 } else { 2 }, Ordering::Relaxed);
        }
        MetadataRequest {
            security: true,
            sacl: self.sacl.load(Ordering::Relaxed) == 1,
            streams: !self.no_streams.load(Ordering::Relaxed),
            extended: !self.no_extended.load(Ordering::Relaxed),
        }
    }
}

async fn may_read_sacl(session: &Session, root: &[u16], options: u32) -> bool {
    let ask = MetadataRequest { sacl: true, security: true, ..MetadataRequest::NOTHING };
    let access = request::READ_ATTRIBUTES | ask.access();
    let create = Create { path: root, access, options, with_id: false, snapshot: None };
    let (questions, close) = (ask.questions(RELATED), open::close_request(RELATED));
    let mut parts: Vec<Request<'_>> = vec![(Command::Create, &create, 0)];
    parts.extend(questions.iter().map(|q| (Command::QueryInfo, q as _, ANSWER_BYTES)));
    parts.push((Command::Close, &close, 0));
    let frames = open::compound(session, &parts).await.ok().flatten().unwrap_or_default();
    frames.len() == parts.len() && frames.into_iter().all(|frame| frame.and_then(open::success).is_ok())
}

/// The metadata of one entry, but for the data of its streams.
#[derive(Debug, Default)]
pub(crate) struct Details {
    pieces: Vec<PieceRead>,
    /// Streams whose data is still to be read.
    pub streams: Vec<StreamInfo>,
}

#[derive(Debug)]
enum PieceRead {
    Security(Vec<u8>),
    Extended(Vec<u8>, Vec<u8>),
    Reparse(u32, Vec<u8>),
    Stream(Vec<u8>, Vec<u8>),
    Unknown(Part, Option<Error>),
}

impl Details {
    /// Takes the answers to `ask` as they came. `denied` is why less than everything was asked for. Fails only if the
    /// connection was lost: the file is then to be fetched again.
    pub fn gather(
        asks: &MetadataSupport,
        ask: MetadataRequest,
        denied: Option<&Error>,
        mut answers: impl Iterator<Item = Result<Frame, Error>>,
    ) -> Result<Details, Error> {
        let mut details = Details::default();
        let mut next = || open::next(&mut answers);
        if ask.security {
            match next().and_then(open::success).and_then(|frame| Ok(reply::query(&frame.body)?.to_vec())) {
                Ok(bytes) => details.pieces.push(PieceRead::Security(bytes)),
                Err(error) => details.unknown(Part::Security, error)?,
            }
        } else {
            details.pieces.push(PieceRead::Unknown(Part::Security, denied.cloned()));
        }
        if !ask.streams || !details.list_streams(next())? {
            asks.no_streams.store(true, Ordering::Relaxed);
            details.pieces.push(PieceRead::Unknown(Part::Streams, None));
        }
        if ask.extended && !details.extended(next())? {
            asks.no_extended.store(true, Ordering::Relaxed);
            details.pieces.push(PieceRead::Unknown(Part::Extended, None));
        } else if !ask.extended {
            details.pieces.push(PieceRead::Unknown(Part::Extended, None));
        }
        Ok(details)
    }

    /// A part could not be read. With a lost connection nothing could.
    fn unknown(&mut self, part: Part, why: Error) -> Result<(), Error> {
        if attempts::is_loss(&why) {
            return Err(why);
        }
        self.pieces.push(PieceRead::Unknown(part, Some(why)));
        Ok(())
    }

    /// False if the server has no such thing.
    fn list_streams(&mut self, answer: Result<Frame, Error>) -> Result<bool, Error> {
        let listed = answer.and_then(|frame| match frame.header.status.0 {
            nt::SUCCESS => Ok(Some(details::streams(reply::query(&frame.body)?)?)),
            status if is_not_there(status) => Ok(None),
            refused => Err(status::entry(refused)),
        });
        match listed {
            Ok(Some(streams)) => self.streams = streams,
            Ok(None) => return Ok(false),
            Err(error) => self.unknown(Part::Streams, error)?,
        }
        Ok(true)
    }

    /// False if the server has no such thing.
    fn extended(&mut self, answer: Result<Frame, Error>) -> Result<bool, Error> {
        let read = answer.and_then(|frame| match frame.header.status.0 {
            nt::NO_EAS_ON_FILE => Ok(Some(Vec::new())),
            nt::SUCCESS => {
                let all = details::extended(reply::query(&frame.body)?)?.into_iter();
                let wanted = all.filter(|(name, _)| !name.eq_ignore_ascii_case(SAMBAS_ACL));
                Ok(Some(wanted.map(|(name, value)| PieceRead::Extended(name.to_vec(), value.to_vec())).collect()))
            }
            status if is_not_there(status) => Ok(None),
            refused => Err(status::entry(refused)),
        });
        match read {
            Ok(Some(all)) => self.pieces.extend(all),
            Ok(None) => return Ok(false),
            Err(error) => self.unknown(Part::Extended, error)?,
        }
        Ok(true)
    }

    /// Whether the streams whose data is still to be read are few and small.
    pub fn has_small_streams(&self) -> bool {
        self.streams.iter().fold(0u64, |sum, stream| sum.saturating_add(stream.size_bytes))
            <= SMALL_STREAMS_BYTES.into()
    }

    /// The data of a stream was read, or could not be.
    pub fn stream(&mut self, stream: StreamInfo, data: Result<Vec<u8>, Error>) -> Result<(), Error> {
        match data {
            Ok(data) => self.pieces.push(PieceRead::Stream(stream.name, data)),
            Err(error) => self.unknown(Part::Streams, error)?,
        }
        Ok(())
    }

    /// The reparse point was read, or could not be.
    pub fn reparse(&mut self, point: Result<(u32, Vec<u8>), Error>) -> Result<(), Error> {
        match point {
            Ok((tag, data)) => self.pieces.push(PieceRead::Reparse(tag, data)),
            Err(error) => self.unknown(Part::Reparse, error)?,
        }
        Ok(())
    }

    /// Hands everything over.
    pub fn hand_over(&self, file: usize, sink: &mut dyn FetchSink) -> Result<(), Stop> {
        for piece in &self.pieces {
            match piece {
                PieceRead::Security(bytes) => sink.metadata(file, Piece::Security(bytes))?,
                PieceRead::Extended(name, value) => sink.metadata(file, Piece::Extended { name, value })?,
                PieceRead::Reparse(tag, data) => sink.metadata(file, Piece::Reparse { tag: *tag, data })?,
                PieceRead::Unknown(part, why) => sink.metadata(file, Piece::Unknown(*part, why.clone()))?,
                PieceRead::Stream(name, data) => {
                    sink.metadata(file, Piece::Stream { name, size_bytes: data.len() as u64 })?;
                    sink.metadata(file, Piece::StreamData(data))?;
                }
            }
        }
        Ok(())
    }
}

/// Whether an error says that the server does not have such a thing at all.
fn is_not_there(status: u32) -> bool {
    matches!(
        status,
        nt::EAS_NOT_SUPPORTED
            | nt::INVALID_PARAMETER
            | nt::NOT_SUPPORTED
            | nt::INVALID_INFO_CLASS
            | nt::INVALID_DEVICE_REQUEST
    )
}

/// The path of a stream for the wire.
pub(crate) fn stream_path(path: &[u16], stream: &StreamInfo) -> Vec<u16> {
    let colon = [u16::from(b':')];
    [path, &colon, &stream.wire, &":$DATA".encode_utf16().collect::<Vec<_>>()].concat()
}

/// The tag and the data of the reparse point at `path`.
pub(crate) async fn reparse_point(
    session: &Arc<Session>,
    path: &[u16],
    options: u32,
    snapshot: Option<Timestamp>,
) -> Result<(u32, Vec<u8>), Error> {
    let options = option::OPEN_REPARSE_POINT | options;
    let create = Create { path, access: request::READ_ATTRIBUTES, options, with_id: false, snapshot };
    let get = |handle| IoctlRequest {
        ctl_code: FSCTL_GET_REPARSE_POINT,
        file_id: open::file_id(handle),
        max_input_response: 0,
        max_output_response: reply::REPARSE_BYTES_MAX as u32,
        flags: IOCTL_IS_FSCTL,
        input_data: Vec::new(),
    };
    let (related, close) = (get(RELATED), open::close_request(RELATED));
    let parts: [Request<'_>; 3] =
        [(Command::Create, &create, 0), (Command::Ioctl, &related, 0), (Command::Close, &close, 0)];
    let got = match open::compound(session, &parts).await? {
        Some(frames) => {
            let mut frames = frames.into_iter();
            open::success(open::next(&mut frames)?)?;
            open::success(open::next(&mut frames)?)?
        }
        None => {
            let created = open::single(session, parts[0]).await.and_then(open::success)?;
            let (open, _) = Open::from_reply(session, &created, 0)?;
            let got = open::single(session, (Command::Ioctl, &get(open.handle), 0)).await.and_then(open::success)?;
            open.close().await?;
            got
        }
    };
    let (tag, data) = reply::reparse(reply::ioctl(&got.body)?)?;
    Ok((tag, data.to_vec()))
}
