//! Asking a share for the previous versions of a folder.

use crate::logon::Session;
use crate::open::{self, Open};
use crate::status::{self, nt};
use crate::wire::request::{self, Create, option};
use crate::wire::{reply, snapshots};
use octo_core::{Error, RelPath};
use smb2::msg::ioctl::IoctlRequest;
use smb2::types::Command;
use std::sync::Arc;

pub(crate) use snapshots::Snapshots;

const FSCTL_SRV_ENUMERATE_SNAPSHOTS: u32 = 0x0014_4064;
const IOCTL_IS_FSCTL: u32 = 1;
/// Room for the names of more previous versions than Windows keeps (512 of 50 bytes).
const SNAPSHOTS_BYTES: u32 = 64 * 1024;

/// The previous versions of `folder` (a path from the share's root), newest first; none if the share offers none.
pub(crate) async fn of(session: &Arc<Session>, folder: &RelPath) -> Result<Snapshots, Error> {
    let create = Create {
        path: &open::wire_path(folder)?,
        access: request::READ,
        options: option::DIRECTORY_FILE | option::OPEN_FOR_BACKUP_INTENT,
        with_id: false,
        snapshot: None,
    };
    let opened = open::single(session, (Command::Create, &create, 0)).await.and_then(open::success)?;
    let (handle, _) = Open::from_reply(session, &opened, 0)?;
    let ask = IoctlRequest {
        ctl_code: FSCTL_SRV_ENUMERATE_SNAPSHOTS,
        file_id: open::file_id(handle.handle),
        max_input_response: 0,
        max_output_response: SNAPSHOTS_BYTES,
        flags: IOCTL_IS_FSCTL,
        input_data: Vec::new(),
    };
    let frame = open::single(session, (Command::Ioctl, &ask, SNAPSHOTS_BYTES)).await?;
    handle.close().await?;
    match frame.header.status.0 {
        nt::SUCCESS => {}
        nt::NOT_SUPPORTED | nt::INVALID_DEVICE_REQUEST => return Ok(Snapshots::default()),
        refused => return Err(status::entry(refused)),
    }
    let mut found = snapshots::snapshots(reply::ioctl(&frame.body)?)?;
    found.taken.sort_unstable_by(|a, b| b.cmp(a));
    found.taken.dedup();
    Ok(found)
}
