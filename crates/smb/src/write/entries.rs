//! What changes besides files: folders, links, what is removed.

use super::connections::Connections;
use super::look::look;
use super::rename::rename;
use super::send::Connected;
use crate::list::{self, Folder};
use crate::open::{self, Open};
use crate::status::{self, nt};
use crate::wire::change::{self, Make, class, control, disposition, right};
use crate::wire::request::option;
use crate::wire::{attribute, name};
use octo_core::restore_target::Placing;
use octo_core::{Code, Done, Entry, Error, Kind, LinkTarget, LinkType, ListSink, Meta, Name, RelPath};
use smb2::types::Command;
use std::ops::ControlFlow;
use std::time::Duration;

/// Entries of staging that are removed between two listings of it.
const REMOVED_AT_ONCE: usize = 4096;
/// Listings of a folder's last entries: one that somebody else has open goes when that is closed.
const LAST_LISTINGS_MAX: u32 = 8;
/// Between these.
const LAST_LISTINGS_PAUSE: Duration = Duration::from_millis(100);

/// Makes one folder. If it was tried before, on a connection that was lost, one that is there may be ours.
pub(super) async fn make_folder(to: &Connected, path: &[u16], attributes: u32, is_first: bool) -> Result<Done, Error> {
    let access = right::READ_ATTRIBUTES | right::SYNCHRONIZE;
    let options = option::DIRECTORY_FILE | option::OPEN_REPARSE_POINT;
    let make = Make { path, access, attributes, disposition: disposition::CREATE, options };
    let wanted = Make { options: make.options | to.options, ..make };
    let frame = open::single(&to.session, (Command::Create, &wanted, 0)).await?;
    match frame.header.status.0 {
        nt::OBJECT_NAME_COLLISION if is_first => return Ok(Done::Exists),
        nt::OBJECT_NAME_COLLISION => {
            let is_folder = look(to, path).await?.is_some_and(|there| there.kind == Kind::Folder);
            return Ok(if is_folder { Done::Yes } else { Done::Exists });
        }
        nt::OBJECT_PATH_NOT_FOUND | nt::OBJECT_NAME_NOT_FOUND => return Ok(Done::Missing),
        nt::SUCCESS => {}
        refused => return Err(status::change(refused)),
    }
    let (open, opened) = Open::from_reply(&to.session, &frame, to.volume)?;
    open.close().await?;
    if opened.meta.kind != Kind::Folder {
        return Err(Error::new(Code::Protocol, "the server made something else than a folder"));
    }
    Ok(Done::Yes)
}

/// Removes a file, link or empty folder of ours; what is gone is gone.
pub(super) async fn remove(to: &Connected, path: &[u16], is_folder: bool) -> Result<(), Error> {
    let options = option::OPEN_REPARSE_POINT | if is_folder { option::DIRECTORY_FILE } else { 0 };
    let make = |access| Make { path, access, attributes: 0, disposition: disposition::OPEN, options };
    let opened = match to.make(&make(right::DELETE | right::WRITE_ATTRIBUTES)).await {
        // Its permissions may be those of the state already; the folder's are enough to remove it.
        Err(error) if error.code == Code::AccessDenied => to.make(&make(right::DELETE)).await,
        other => other,
    };
    let (open, opened) = match opened {
        Err(error) if error.code == Code::TargetMoved => return Ok(()),
        other => other?,
    };
    if opened.meta.attributes & attribute::READ_ONLY != 0 {
        to.set_file(open.handle, class::BASIC, change::basic(None, None, attribute::NORMAL)).await?;
    }
    to.set_file(open.handle, class::DISPOSITION, vec![1]).await?;
    open.close().await.map(drop)
}

/// Makes a link in staging and gives it its name.
pub(super) async fn place_link(
    to: &Connected,
    (link, meta): (&LinkTarget, &Meta),
    (stage, place): (&[u16], &[u16]),
    placing: &Placing,
) -> Result<(), Error> {
    let LinkType::Windows(tag) = link.kind else {
        let what = "a POSIX link cannot be made on a share; where it points to is in the mirror";
        return Err(Error::new(Code::TargetEntry, what));
    };
    let data = change::reparse(tag, &link.data);
    let data = data.ok_or_else(|| Error::new(Code::TargetEntry, "the link is longer than any can be"))?;
    let is_folder = meta.attributes & attribute::DIRECTORY != 0;
    let kind = if is_folder { option::DIRECTORY_FILE } else { option::NON_DIRECTORY_FILE };
    let make = Make {
        path: stage,
        access: right::WRITE_DATA
            | right::READ_ATTRIBUTES
            | right::WRITE_ATTRIBUTES
            | right::DELETE
            | right::SYNCHRONIZE,
        attributes: 0,
        disposition: disposition::CREATE,
        options: kind | option::OPEN_REPARSE_POINT,
    };
    let (open, _) = to.make(&make).await?;
    let made = async {
        to.control(open.handle, control::SET_REPARSE_POINT, data).await?;
        let basic = change::basic(Some(meta.write_time), meta.creation_time, change::attributes(meta));
        to.set_file(open.handle, class::BASIC, basic).await?;
        rename(to, open.handle, place, placing).await
    };
    if let Err(error) = made.await {
        // If it stays, it goes with the staging folder.
        let _ = to.set_file(open.handle, class::DISPOSITION, vec![1]).await;
        return Err(error);
    }
    open.close().await.map(drop)
}

/// Names in a folder.
#[derive(Default)]
struct Names(Vec<(Name, Kind)>);

impl ListSink for Names {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.0.push((entry.name, entry.meta.kind));
        if self.0.len() < REMOVED_AT_ONCE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
    fn problem(&mut self, _: &[u8], _: Error) {}
    fn restart(&mut self) {
        self.0.clear();
    }
}

/// Removes the files and links in a staging folder. It holds no folders; one that is there all the same stays.
pub(super) fn empty(connections: &Connections, staging: &[u16]) -> Result<(), Error> {
    let not_emptied = || Error::new(Code::TargetEntry, "a staging folder of an earlier restore cannot be emptied");
    let (mut last_listings, mut before) = (0, Vec::new());
    while last_listings < LAST_LISTINGS_MAX {
        let names = connections.persistently(async |to, _| {
            let there = look(to, staging).await?;
            if !there.is_some_and(|there| there.kind == Kind::Folder) {
                return Err(Error::new(Code::TargetMoved, "something else is where files are staged"));
            }
            let folder = Folder { path: staging.to_vec(), follow: false, options: to.options, volume: to.volume };
            let mut names = Names::default();
            let listed = list::list(&to.session, (&connections.listings, &connections.budget), &folder, &mut names);
            match listed.await {
                // Cut by us: the rest is listed when these are gone.
                Err(error) if error.code == Code::ListingCut && names.0.len() >= REMOVED_AT_ONCE => Ok(names.0),
                listed => listed.map(|()| names.0),
            }
        })?;
        if names.is_empty() {
            return Ok(());
        }
        // The same names again are as many as before that somebody has open.
        if names.len() < REMOVED_AT_ONCE || names == before {
            last_listings += 1;
        }
        if last_listings > 1 {
            std::thread::sleep(LAST_LISTINGS_PAUSE);
        }
        for (name, kind) in &names {
            if *kind == Kind::Folder {
                return Err(not_emptied());
            }
            let name = name::to_utf16(&RelPath::root().join(name))?;
            let path = [staging, &[u16::from(b'\\')], &name].concat();
            connections.persistently(async |to, _| remove(to, &path, false).await)?;
        }
        before = names;
    }
    Err(not_emptied())
}
