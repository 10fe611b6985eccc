//! Listing one folder: open, first and second page in one message, then larger pages until the server says that this
//! was all of it. Entries go to the sink page by page; nothing of a folder is kept.

use crate::fetch::Budget;
use crate::logon::{CREDIT_BYTES, Session};
use crate::open::{self, NOT_IN_A_COMPOUND, Open};
use crate::status::{self, nt};
use crate::window::Window;
use crate::wire::listing::{self, entries};
use crate::wire::name::WireName;
use crate::wire::reply::{self, Handle, Opened};
use crate::wire::request::{self, Create, QueryDirectory, RELATED, option};
use octo_core::{Code, Entry, Error, Kind, ListSink};
use smb2::Frame;
use smb2::types::Command;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The first two pages: what one credit pays for, and enough for most folders.
const FIRST_PAGE_BYTES: u32 = CREDIT_BYTES;
/// The largest page. How many there are at once is bounded by the budget.
const PAGE_BYTES_MAX: u32 = 1024 * 1024;

/// One folder to list.
pub(crate) struct Folder {
    pub path: Vec<u16>,
    /// Whether to go through a link to it: only for the source's root, which a person named.
    pub follow: bool,
    /// Backup intent, or nothing.
    pub options: u32,
    pub volume: u64,
}

/// Whether a page was the last.
enum Page {
    Last,
    More,
}

/// Lists a folder. `Ok` only when the server said that this was all of it.
pub(crate) async fn list(
    session: &Arc<Session>,
    (window, budget): (&Window, &Budget),
    folder: &Folder,
    sink: &mut dyn ListSink,
) -> Result<(), Error> {
    let sent = window.enter().await?;
    let (open, opened, pages) = open_folder(session, folder).await?;
    sent.answered();
    if opened.meta.kind != Kind::Folder {
        return Err(Error::new(Code::KindMoved, "it is not a folder any more"));
    }
    if !folder.follow && open::is_link(session, &opened).await? {
        return Err(Error::new(Code::KindMoved, "it is a link now"));
    }
    let mut is_first = true;
    for page in pages {
        let page = page?;
        if page.header.status.0 == NOT_IN_A_COMPOUND {
            break;
        }
        if let Page::Last = deliver(&page, is_first, folder.volume, sink)? {
            return Ok(());
        }
        is_first = false;
    }
    let limit = session.list_bytes_max.min(PAGE_BYTES_MAX);
    let mut bytes = FIRST_PAGE_BYTES.min(limit);
    loop {
        bytes = open::affordable(session, bytes);
        let _held = budget.take(bytes).await?;
        let page = open::single(session, (Command::QueryDirectory, &query(open.handle, bytes), bytes)).await?;
        if let Page::Last = deliver(&page, is_first, folder.volume, sink)? {
            return Ok(());
        }
        is_first = false;
        bytes = bytes.saturating_mul(4).min(limit);
    }
}

fn query(handle: Handle, output_bytes: u32) -> QueryDirectory {
    QueryDirectory { class: listing::CLASS, handle, output_bytes }
}

/// Opens the folder and brings its first pages, all in one message if the server can.
async fn open_folder(
    session: &Arc<Session>,
    folder: &Folder,
) -> Result<(Open, Opened, Vec<Result<Frame, Error>>), Error> {
    let link = if folder.follow { 0 } else { option::OPEN_REPARSE_POINT };
    let create = Create {
        path: &folder.path,
        access: request::READ,
        options: option::DIRECTORY_FILE | link | folder.options,
        with_id: false,
        snapshot: None,
    };
    let page = query(RELATED, FIRST_PAGE_BYTES);
    let page = (Command::QueryDirectory, &page as &dyn smb2::pack::Pack, FIRST_PAGE_BYTES);
    let Some(frames) = open::compound(session, &[(Command::Create, &create, 0), page, page]).await? else {
        let alone = open::single(session, (Command::Create, &create, 0)).await.and_then(open::success)?;
        let (open, opened) = Open::from_reply(session, &alone, folder.volume)?;
        return Ok((open, opened, Vec::new()));
    };
    let mut frames = frames.into_iter();
    let (open, opened) = Open::from_reply(session, &open::success(open::next(&mut frames)?)?, folder.volume)?;
    Ok((open, opened, frames.collect()))
}

fn deliver(page: &Frame, is_first: bool, volume: u64, sink: &mut dyn ListSink) -> Result<Page, Error> {
    match page.header.status.0 {
        nt::SUCCESS => {}
        nt::NO_MORE_FILES => return Ok(Page::Last),
        // The root of a drive has no dot entries: empty, it answers the first question so.
        nt::NO_SUCH_FILE if is_first => return Ok(Page::Last),
        refused => return Err(status::entry(refused)),
    }
    for entry in entries(reply::query(&page.body)?, volume) {
        let entry = entry?;
        match entry.name {
            WireName::Dot => {}
            WireName::Bad(name, error) => sink.problem(&name, error),
            WireName::Good(name) => {
                if let ControlFlow::Break(()) = sink.entry(Entry { name, meta: entry.meta }) {
                    return Err(Error::new(Code::ListingCut, "no more was wanted"));
                }
            }
        }
    }
    Ok(Page::More)
}
