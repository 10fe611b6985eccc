//! Listing one folder: open, first pages and close in one message, which is all that most folders need. A larger one is
//! opened again and read in larger pages, the next one asked for while one is handed over, until the server says that
//! this was all of it. Entries go to the sink page by page; nothing of a folder is kept.

use crate::fetch::Budget;
use crate::logon::{CREDIT_BYTES, Session};
use crate::open::{self, NOT_IN_A_COMPOUND, Open};
use crate::status::{self, nt};
use crate::window::Window;
use crate::wire::attribute;
use crate::wire::listing::{self, entries};
use crate::wire::name::WireName;
use crate::wire::reply::{self, Handle, Opened};
use crate::wire::request::{self, Create, QueryDirectory, RELATED, option};
use octo_core::{Code, Entry, Error, Kind, ListSink};
use smb2::Frame;
use smb2::pack::Pack;
use smb2::types::Command;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Each of the first two pages: what one credit pays for, and enough for most folders.
const FIRST_PAGE_BYTES: u32 = CREDIT_BYTES;
/// The pages of a larger folder: the first, and the largest. How many there are at once is bounded by the budget.
const PAGE_BYTES: (u32, u32) = (256 * 1024, 1024 * 1024);

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
#[derive(PartialEq, Eq)]
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
    let pages = at_once(session, folder).await?;
    sent.answered();
    let Some(pages) = pages else { return at_length(session, budget, folder, sink).await };
    for (nth, page) in pages.iter().enumerate() {
        deliver(page, nth == 0, folder.volume, sink)?;
    }
    Ok(())
}

fn create(folder: &Folder) -> Create<'_> {
    let link = if folder.follow { 0 } else { option::OPEN_REPARSE_POINT };
    Create {
        path: &folder.path,
        access: request::READ,
        options: option::DIRECTORY_FILE | link | folder.options,
        with_id: false,
        snapshot: None,
    }
}

/// All pages of a small folder, by one message. `None` if it takes more than that.
async fn at_once(session: &Arc<Session>, folder: &Folder) -> Result<Option<Vec<Frame>>, Error> {
    let (create, page, close) = (create(folder), query(RELATED, FIRST_PAGE_BYTES), open::close_request(RELATED));
    let page: open::Part<'_> = (Command::QueryDirectory, &page, FIRST_PAGE_BYTES);
    let parts = [(Command::Create, &create as &dyn Pack, 0), page, page, (Command::Close, &close, 0)];
    let Some(frames) = open::compound_aside(session, &parts).await? else { return Ok(None) };
    let mut frames = frames.into_iter();
    let mut next = || open::next(&mut frames);
    let created = next()?;
    let (open, opened) = Open::from_reply(session, &open::success(created)?, folder.volume)?;
    let (first, second, closed) = (next()?, next()?, next()?);
    if closed.header.status.0 == nt::SUCCESS {
        open.was_closed();
    }
    check_kind(&opened)?;
    if !folder.follow && opened.meta.attributes & attribute::REPARSE_POINT != 0 {
        // What kind of reparse point it is has to be asked of an open handle.
        return Ok(None);
    }
    let mut pages = Vec::with_capacity(2);
    for page in [first, second] {
        match page.header.status.0 {
            NOT_IN_A_COMPOUND => return Ok(None),
            nt::SUCCESS => pages.push(page),
            _ => {
                pages.push(page);
                return Ok(Some(pages));
            }
        }
    }
    Ok(None)
}

/// Any folder, page after page.
async fn at_length(
    session: &Arc<Session>,
    budget: &Budget,
    folder: &Folder,
    sink: &mut dyn ListSink,
) -> Result<(), Error> {
    let created = open::single(session, (Command::Create, &create(folder), 0)).await.and_then(open::success)?;
    let (open, opened) = Open::from_reply(session, &created, folder.volume)?;
    check_kind(&opened)?;
    if !folder.follow && open::is_link(session, &opened).await? {
        return Err(Error::new(Code::KindMoved, "it is a link now"));
    }
    let limit = session.list_bytes_max.min(PAGE_BYTES.1);
    let mut bytes = open::affordable(session, PAGE_BYTES.0.min(limit));
    let ask = |bytes| open::begin(session, (Command::QueryDirectory, &query(open.handle, bytes), bytes));
    let mut asked = (budget.take(bytes).await?, ask(bytes));
    let mut is_first = true;
    loop {
        let (held, page) = asked;
        let page = page.await?;
        bytes = open::affordable(session, bytes.saturating_mul(4).min(limit));
        // One question at a time, so that no answer can overtake another; but it is on its way before this page is
        // worked on. (The holder of a page must not wait for room for the next one.)
        let next = match page.header.status.0 {
            nt::SUCCESS => budget.take_at_once(bytes).map(|room| (room, ask(bytes))),
            _ => None,
        };
        if deliver(&page, is_first, folder.volume, sink)? == Page::Last {
            return Ok(());
        }
        drop(held);
        is_first = false;
        asked = match next {
            Some(next) => next,
            None => (budget.take(bytes).await?, ask(bytes)),
        };
    }
}

fn check_kind(opened: &Opened) -> Result<(), Error> {
    if opened.meta.kind == Kind::Folder {
        return Ok(());
    }
    Err(Error::new(Code::KindMoved, "it is not a folder any more"))
}

fn query(handle: Handle, output_bytes: u32) -> QueryDirectory {
    QueryDirectory { class: listing::CLASS, handle, output_bytes }
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
