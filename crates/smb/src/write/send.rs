//! One request that changes something, and its answer.

use crate::logon::{CREDIT_BYTES, Session};
use crate::open::{self, Open};
use crate::status::{self, nt};
use crate::wire::change::{self, Make, part};
use crate::wire::reply::{self, Handle, Opened};
use octo_core::{Code, Error};
use smb2::Frame;
use smb2::msg::flush::FlushRequest;
use smb2::msg::ioctl::IoctlRequest;
use smb2::msg::query_info::{InfoType, QueryInfoRequest};
use smb2::msg::set_info::SetInfoRequest;
use smb2::msg::write::WriteRequest;
use smb2::types::Command;
use std::sync::Arc;

const IOCTL_IS_FSCTL: u32 = 1;
/// Where the data of a WRITE begins: after the header and the fixed part.
const WRITE_DATA_AT: u16 = 64 + 48;

/// A connection, and how things are opened on it.
#[derive(Clone)]
pub(super) struct Connected {
    pub session: Arc<Session>,
    /// Backup intent, or nothing.
    pub options: u32,
    pub volume: u64,
}

/// The answer, if it is a success.
pub(super) fn accepted(frame: Frame) -> Result<Frame, Error> {
    match frame.header.status.0 {
        nt::SUCCESS => Ok(frame),
        refused => Err(status::change(refused)),
    }
}

impl Connected {
    /// Opens something, or makes it.
    pub async fn make(&self, wanted: &Make<'_>) -> Result<(Open, Opened), Error> {
        let wanted = Make { options: wanted.options | self.options, ..*wanted };
        let frame = open::single(&self.session, (Command::Create, &wanted, 0)).await.and_then(accepted)?;
        Open::from_reply(&self.session, &frame, self.volume)
    }

    pub async fn set_file(&self, handle: Handle, class: u8, buffer: Vec<u8>) -> Result<(), Error> {
        self.set(handle, (InfoType::File, class, 0), buffer).await
    }

    pub async fn set_security(&self, handle: Handle, parts: u32, descriptor: &[u8]) -> Result<(), Error> {
        self.set(handle, (InfoType::Security, 0, parts), descriptor.to_vec()).await
    }

    /// The access list of what is open, as it is set.
    pub async fn access_list(&self, handle: Handle) -> Result<Vec<u8>, Error> {
        let request = QueryInfoRequest {
            info_type: InfoType::Security,
            file_info_class: 0,
            output_buffer_length: CREDIT_BYTES,
            additional_information: part::DACL,
            flags: 0,
            file_id: open::file_id(handle),
            input_buffer: Vec::new(),
        };
        let frame = open::single(&self.session, (Command::QueryInfo, &request, CREDIT_BYTES)).await?;
        let frame = accepted(frame)?;
        let list = change::descriptor(reply::query(&frame.body)?);
        Ok(list.ok_or_else(|| Error::new(Code::Protocol, "a security descriptor without a head"))?.0)
    }

    async fn set(
        &self,
        handle: Handle,
        (info_type, file_info_class, additional_information): (InfoType, u8, u32),
        buffer: Vec<u8>,
    ) -> Result<(), Error> {
        let bytes = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let file_id = open::file_id(handle);
        let request = SetInfoRequest { info_type, file_info_class, additional_information, file_id, buffer };
        let frame = open::single(&self.session, (Command::SetInfo, &request, bytes)).await.and_then(accepted)?;
        Ok(reply::set_info(&frame.body)?)
    }

    pub async fn control(&self, handle: Handle, ctl_code: u32, input_data: Vec<u8>) -> Result<(), Error> {
        let request = IoctlRequest {
            ctl_code,
            file_id: open::file_id(handle),
            max_input_response: 0,
            max_output_response: 0,
            flags: IOCTL_IS_FSCTL,
            input_data,
        };
        let frame = open::single(&self.session, (Command::Ioctl, &request, 0)).await.and_then(accepted)?;
        reply::ioctl(&frame.body)?;
        Ok(())
    }

    /// Sends data at once; the answer may be waited for later.
    pub fn begin_write(
        &self,
        handle: Handle,
        offset: u64,
        data: Vec<u8>,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (bytes, asked) = (u32::try_from(data.len()).unwrap_or(u32::MAX), data.len());
        let request = WriteRequest {
            data_offset: WRITE_DATA_AT,
            offset,
            file_id: open::file_id(handle),
            channel: 0,
            remaining_bytes: 0,
            write_channel_info_offset: 0,
            write_channel_info_length: 0,
            flags: 0,
            data,
        };
        let answer = open::begin(&self.session, (Command::Write, &request, bytes));
        async move {
            let frame = answer.await.and_then(accepted)?;
            Ok(reply::write(&frame.body, asked)?)
        }
    }

    /// As much as one WRITE may carry.
    pub fn write_bytes(&self) -> usize {
        const WRITE_BYTES: u32 = 1 << 20;
        let most = WRITE_BYTES.min(self.session.write_bytes_max).max(1);
        open::affordable(&self.session, most) as usize
    }

    /// Writes all of this, piece by piece.
    pub async fn write_all(&self, handle: Handle, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut at = offset;
        for piece in bytes.chunks(self.write_bytes()) {
            self.begin_write(handle, at, piece.to_vec()).await?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// Makes the data of a file durable.
    pub async fn flush(&self, handle: Handle) -> Result<(), Error> {
        let request = FlushRequest { file_id: open::file_id(handle) };
        let frame = open::single(&self.session, (Command::Flush, &request, 0)).await.and_then(accepted)?;
        Ok(reply::flush(&frame.body)?)
    }
}
