//! Times and metadata of folders, in the end: what is put into a folder moves its times.

use super::connections::{Connections, IN_FLIGHT};
use super::details::{Security, open_streams, set_extended, write_streams};
use super::look::kind_of;
use super::send::Connected;
use super::staged::RIGHTS;
use crate::open::Open;
use crate::wire::attribute;
use crate::wire::change::{self, Make, class, disposition, part, right};
use crate::wire::request::option;
use futures_util::stream::{self, StreamExt};
use octo_core::restore_target::{FolderEnd, LostParts};
use octo_core::{Code, Error, Kind, Metadata};
use std::collections::HashSet;

/// Ends folders, many at once. One above another comes after it: its permissions may keep us out.
pub(super) fn end(connections: &Connections, folders: Vec<FolderEnd>) -> Vec<Result<LostParts, Error>> {
    let mut results = Vec::with_capacity(folders.len());
    let mut group = Vec::new();
    let mut above = HashSet::new();
    for folder in folders {
        if above.contains(&folder.place) {
            results.append(&mut end_group(connections, std::mem::take(&mut group)));
            above.clear();
        }
        let mut parent = folder.place.parent();
        while let Some(path) = parent {
            parent = path.parent();
            above.insert(path);
        }
        group.push(folder);
    }
    results.append(&mut end_group(connections, group));
    results
}

fn end_group(connections: &Connections, folders: Vec<FolderEnd>) -> Vec<Result<LostParts, Error>> {
    let one = async |folder: &FolderEnd| {
        let path = connections.driver.wire_path(&folder.place)?;
        connections.again(async |to, _| end_one(to, &path, folder).await).await
    };
    let done =
        connections.run(async { Ok(stream::iter(&folders).map(one).buffered(IN_FLIGHT).collect::<Vec<_>>().await) });
    done.unwrap_or_else(|error| folders.iter().map(|_| Err(error.clone())).collect())
}

async fn end_one(to: &Connected, path: &[u16], folder: &FolderEnd) -> Result<LostParts, Error> {
    let none = Metadata::default();
    let metadata = folder.metadata.as_ref().unwrap_or(&none);
    let (open, rights) = open_folder(to, path, folder.metadata.is_some()).await?;
    let mut streams = Vec::new();
    let mut lost = open_streams(to, path, metadata, &mut streams).await?;
    let mut security = Security::of(metadata, rights);
    security.set(to, open.handle, part::DACL).await?;
    lost.extend(write_streams(to, metadata, streams).await?);
    lost.extend(set_extended(to, open.handle, metadata).await?);
    let attributes = match metadata.attributes {
        0 => 0,
        attributes => attributes & attribute::SETTABLE | attribute::DIRECTORY,
    };
    let creation = folder.meta.creation_time.or(metadata.creation_time);
    let basic = change::basic(Some(folder.meta.write_time), creation, attributes);
    to.set_file(open.handle, class::BASIC, basic).await?;
    security.set(to, open.handle, part::OWNER_GROUP | part::SACL).await?;
    lost.extend(security.lost());
    open.close().await?;
    Ok(lost)
}

/// Opens a folder with the most rights that the server gives: on each it may be others.
async fn open_folder(to: &Connected, path: &[u16], with_metadata: bool) -> Result<(Open, u32), Error> {
    const TIMES: u32 = right::READ_ATTRIBUTES | right::WRITE_ATTRIBUTES | right::SYNCHRONIZE;
    /// For what is made in a folder, and to remove it: neither is wanted.
    const NOT_FOR_FOLDERS: u32 = right::WRITE_DATA | right::DELETE;
    let wanted = RIGHTS.map(|rights| rights & !NOT_FOR_FOLDERS);
    let wanted: &[u32] = if with_metadata { &wanted } else { &[TIMES] };
    let mut denied = Error::new(Code::AccessDenied, "");
    for &access in wanted {
        let options = option::DIRECTORY_FILE | option::OPEN_REPARSE_POINT;
        let make = Make { path, access, attributes: 0, disposition: disposition::OPEN, options };
        match to.make(&make).await {
            Ok((open, opened)) if kind_of(to, &open, &opened.meta).await? == Kind::Folder => return Ok((open, access)),
            Ok(_) => return Err(Error::new(Code::TargetMoved, "it is not a folder any more")),
            Err(error) if error.code == Code::AccessDenied => denied = error,
            Err(error) => return Err(error),
        }
    }
    Err(denied)
}
