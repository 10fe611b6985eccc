//! Which shares a server has, administrative ones included: NetrShareEnum (MS-SRVS 3.1.4.8) over the pipe `srvsvc` of
//! IPC$. Asks, and changes nothing.

use crate::inspect;
use crate::logon::{self, Session};
use crate::open::{self, Open};
use crate::options::{Credentials, SmbOptions};
use crate::status::{self, nt};
use crate::wire::request::Create;
use crate::wire::{reply, shares as wire};
use octo_core::SmbAddress;
use octo_core::{Code, Error, RelPath};
use smb2::msg::ioctl::IoctlRequest;
use smb2::msg::read::ReadRequest;
use smb2::msg::tree_connect::ShareType;
use smb2::rpc;
use smb2::types::Command;
use std::sync::Arc;

/// The share of the pipes.
const IPC: &str = "IPC$";
const PIPE: &str = "srvsvc";
/// `FILE_READ_DATA` and `FILE_WRITE_DATA`.
const READ_AND_WRITE: u32 = 0x3;
const FSCTL_PIPE_TRANSCEIVE: u32 = 0x0011_C017;
const IOCTL_IS_FSCTL: u32 = 1;
/// The part of a message did not fit; the rest is there to be read.
const BUFFER_OVERFLOW: u32 = 0x8000_0005;
const PIECE_BYTES: u32 = 64 * 1024;
/// Ten thousand shares take less; Windows sends them in fragments of about 4 KiB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One share of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its name, as the server says it.
    pub name: String,
    /// What it gives access to.
    pub kind: ShareKind,
    /// Made by the server for administrators, such as `C$` and `ADMIN$`.
    pub is_administrative: bool,
    /// What somebody wrote about it.
    pub comment: String,
}

/// What a share gives access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareKind {
    /// Files and folders.
    Files,
    /// A printer.
    Printer,
    /// A device.
    Device,
    /// Pipes to the server's services.
    Pipes,
    /// Something that we do not know.
    Other,
}

/// The shares of a server, in its order.
pub fn shares(host: &str, port: u16, who: &Credentials, options: &SmbOptions) -> Result<Vec<Share>, Error> {
    let address = SmbAddress { host: host.to_owned(), port, share: IPC.to_owned(), path: RelPath::root() };
    inspect::runtime()?.block_on(async {
        let session = Arc::new(logon::open_as(ShareType::Pipe, &address, who, options).await?);
        let (result, shares) = wire::shares(&ask(&session, host).await?)?;
        match result {
            wire::CALL_SUCCEEDED => Ok(shares.into_iter().map(Share::from).collect()),
            wire::CALL_DENIED => Err(Error::new(Code::ShareDenied, "the account may not ask which shares there are")),
            other => Err(Error::new(Code::Protocol, format!("asking for the shares: error {other}"))),
        }
    })
}

impl From<wire::WireShare> for Share {
    fn from(share: wire::WireShare) -> Share {
        let kind = match share.base {
            0 => ShareKind::Files,
            1 => ShareKind::Printer,
            2 => ShareKind::Device,
            3 => ShareKind::Pipes,
            _ => ShareKind::Other,
        };
        // Samba marks none of the shares that are named as Windows names its own.
        let is_administrative = share.is_special || share.name.ends_with('$');
        Share { name: share.name, kind, is_administrative, comment: share.comment }
    }
}

/// Binds to the service and calls it once; the answer's stub.
async fn ask(session: &Arc<Session>, host: &str) -> Result<Vec<u8>, Error> {
    let within = |e: Error| match e.code {
        Code::AccessDenied => Error::new(Code::ShareDenied, e.detail).within("asking for the shares"),
        code if code.stops_run() => e,
        _ => Error::new(Code::Protocol, e.detail).within("asking for the shares"),
    };
    let path: Vec<u16> = PIPE.encode_utf16().collect();
    let create = Create { path: &path, access: READ_AND_WRITE, options: 0, with_id: false, snapshot: None };
    let opened = open::single(session, (Command::Create, &create, 0)).await.and_then(open::success).map_err(within)?;
    let (pipe, _) = Open::from_reply(session, &opened, 0)?;
    let broken = |e: smb2::Error| Error::new(Code::Protocol, format!("asking for the shares: {e}"));
    let bound = transceive(session, &pipe, rpc::build_srvsvc_bind(1)).await.map_err(within)?;
    rpc::parse_bind_ack(&bound).map_err(broken)?;
    let call = rpc::srvsvc::build_net_share_enum_all(2, &format!(r"\\{host}"));
    let mut fragment = transceive(session, &pipe, call).await.map_err(within)?;
    let mut stub = Vec::new();
    loop {
        let (part, is_last) = rpc::parse_response_fragment(&fragment).map_err(broken)?;
        if part.is_empty() && !is_last || stub.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(Error::new(Code::Protocol, "a list of shares that does not end"));
        }
        stub.extend_from_slice(part);
        if is_last {
            pipe.close().await.map_err(within)?;
            return Ok(stub);
        }
        fragment = message(session, &pipe, Vec::new()).await.map_err(within)?;
    }
}

/// Writes one message to the pipe and reads the one that answers it.
async fn transceive(session: &Arc<Session>, pipe: &Open, input_data: Vec<u8>) -> Result<Vec<u8>, Error> {
    let request = IoctlRequest {
        ctl_code: FSCTL_PIPE_TRANSCEIVE,
        file_id: open::file_id(pipe.handle),
        max_input_response: 0,
        max_output_response: PIECE_BYTES,
        flags: IOCTL_IS_FSCTL,
        input_data,
    };
    let frame = open::single(session, (Command::Ioctl, &request, PIECE_BYTES)).await?;
    let is_partial = is_partial(frame.header.status.0)?;
    let beginning = reply::ioctl(&frame.body)?.to_vec();
    if is_partial { message(session, pipe, beginning).await } else { Ok(beginning) }
}

/// Reads a message, or the rest of one, from the pipe.
async fn message(session: &Arc<Session>, pipe: &Open, mut so_far: Vec<u8>) -> Result<Vec<u8>, Error> {
    loop {
        let request = ReadRequest {
            padding: 0x50,
            flags: 0,
            length: PIECE_BYTES,
            offset: 0,
            file_id: open::file_id(pipe.handle),
            minimum_count: 0,
            channel: 0,
            remaining_bytes: 0,
            read_channel_info: Vec::new(),
        };
        let frame = open::single(session, (Command::Read, &request, PIECE_BYTES)).await?;
        let is_partial = is_partial(frame.header.status.0)?;
        let piece = reply::read(&frame.body, PIECE_BYTES)?;
        if is_partial && piece.is_empty() || so_far.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(Error::new(Code::Protocol, "a message that does not end"));
        }
        so_far.extend_from_slice(piece);
        if !is_partial {
            return Ok(so_far);
        }
    }
}

fn is_partial(status: u32) -> Result<bool, Error> {
    match status {
        nt::SUCCESS => Ok(false),
        BUFFER_OVERFLOW => Ok(true),
        refused => Err(status::entry(refused)),
    }
}
