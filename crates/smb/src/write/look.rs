//! What is at a path, and on the volume under it.

use super::send::{Connected, accepted};
use crate::metadata;
use crate::open::{self, Open};
use crate::status::{self, nt};
use crate::wire::attribute;
use crate::wire::change::{Make, disposition};
use crate::wire::reply;
use crate::wire::request::{Create, READ_ATTRIBUTES, option};
use crate::wire::volume;
use octo_core::{Error, Kind, LinkTarget, LinkType, Meta, windows_kind};
use smb2::msg::query_info::{InfoType, QueryInfoRequest};
use smb2::types::Command;

const ATTRIBUTE_TAG_CLASS: u8 = 35;
const INFO_BYTES: u32 = 1024;

/// What is at `path` itself.
pub(super) async fn look(to: &Connected, path: &[u16]) -> Result<Option<Meta>, Error> {
    let options = option::OPEN_REPARSE_POINT | to.options;
    let create = Create { path, access: READ_ATTRIBUTES, options, with_id: true, snapshot: None };
    let frame = open::single(&to.session, (Command::Create, &create, 0)).await?;
    match frame.header.status.0 {
        nt::OBJECT_NAME_NOT_FOUND | nt::OBJECT_PATH_NOT_FOUND | nt::NO_SUCH_FILE => return Ok(None),
        nt::SUCCESS => {}
        refused => return Err(status::change(refused)),
    }
    let (open, opened) = Open::from_reply(&to.session, &frame, to.volume)?;
    let kind = kind_of(to, &open, &opened.meta).await?;
    // What is still open cannot be replaced.
    open.close().await?;
    Ok(Some(Meta { kind, ..opened.meta }))
}

/// What is open: a reparse point may be a link.
pub(super) async fn kind_of(to: &Connected, open: &Open, meta: &Meta) -> Result<Kind, Error> {
    if meta.attributes & attribute::REPARSE_POINT == 0 {
        return Ok(meta.kind);
    }
    let info = query(to, open, InfoType::File, ATTRIBUTE_TAG_CLASS).await?;
    Ok(reply::kind(reply::query(&info.body)?)?)
}

async fn query(to: &Connected, open: &Open, info_type: InfoType, class: u8) -> Result<smb2::Frame, Error> {
    let request = QueryInfoRequest {
        info_type,
        file_info_class: class,
        output_buffer_length: INFO_BYTES,
        additional_information: 0,
        flags: 0,
        file_id: open::file_id(open.handle),
        input_buffer: Vec::new(),
    };
    open::single(&to.session, (Command::QueryInfo, &request, INFO_BYTES)).await.and_then(accepted)
}

/// Bytes that are free for the account, and those of the volume.
pub(super) async fn space(to: &Connected, root: &[u16]) -> Result<(u64, u64), Error> {
    let options = option::DIRECTORY_FILE;
    let make = Make { path: root, access: READ_ATTRIBUTES, attributes: 0, disposition: disposition::OPEN, options };
    let (open, _) = to.make(&make).await?;
    let info = query(to, &open, InfoType::Filesystem, volume::FULL_SIZE_CLASS).await?;
    Ok(volume::space(reply::query(&info.body)?)?)
}

/// Where a link points to; `None` if none is there.
pub(super) async fn read_link(to: &Connected, path: &[u16]) -> Result<Option<LinkTarget>, Error> {
    if !look(to, path).await?.is_some_and(|meta| meta.kind == Kind::Link) {
        return Ok(None);
    }
    let (tag, data) = metadata::reparse_point(&to.session, path, to.options, None).await?;
    let is_link = windows_kind(attribute::REPARSE_POINT, tag) == Kind::Link;
    Ok(is_link.then_some(LinkTarget { kind: LinkType::Windows(tag), data }))
}
