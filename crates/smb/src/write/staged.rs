//! One file on its way: created in staging, written, finished, and renamed by the handle that it was written with.

use super::details::{self, Security};
use super::inherited;
use super::rename::rename;
use super::send::Connected;
use crate::attempts::is_loss;
use crate::open::Open;
use crate::wire::attribute;
use crate::wire::change::{self, Make, class, control, disposition, part, right};
use crate::wire::reply::{self, Handle};
use crate::wire::request::option;
use octo_core::restore_target::{LostParts, Placing};
use octo_core::{Code, Error, Meta, Metadata, Part};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rights that a file is opened with, the most first: what the server does not give is lost with the metadata that takes it.
pub(super) const RIGHTS: [u32; 4] = {
    let least =
        right::WRITE_DATA | right::READ_ATTRIBUTES | right::WRITE_ATTRIBUTES | right::DELETE | right::SYNCHRONIZE;
    let some = least | right::WRITE_EXTENDED | right::WRITE_DACL | right::READ_CONTROL;
    [some | right::WRITE_OWNER | right::SYSTEM_SECURITY, some | right::WRITE_OWNER, some, least]
};
/// Content up to this size waits for the file's permissions, which are set before the first byte is written.
const WAITING_BYTES_MAX: usize = 256 << 10;
/// WRITEs of one file on their way.
const WRITES_IN_FLIGHT: usize = 8;

type Answer = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A file in staging.
pub(super) struct Staged {
    path: Vec<u16>,
    open: Option<Opened>,
    /// Content that is not sent yet, and where it begins.
    waiting: (u64, Vec<u8>),
    /// What is on its way.
    flying: VecDeque<Answer>,
    /// It has holes, and this size.
    sparse_bytes: Option<u64>,
    /// What became of it earlier.
    failed: Option<Error>,
    /// Size and times that it has.
    wanted: Meta,
}

struct Opened {
    open: Open,
    rights: u32,
    /// It is closed to others until it has its access list.
    is_private: bool,
    /// It has the access list of the state.
    has_list: bool,
}

impl Staged {
    pub fn new(path: Vec<u16>, meta: &Meta) -> Staged {
        Staged {
            path,
            open: None,
            waiting: (0, Vec::new()),
            flying: VecDeque::new(),
            sparse_bytes: None,
            failed: None,
            wanted: *meta,
        }
    }

    pub fn set_len(&mut self, size_bytes: u64) {
        self.sparse_bytes = Some(size_bytes);
    }

    /// Whether this piece is only kept for later: nothing has to be sent before the permissions are known.
    pub fn keeps(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let (at, waiting) = &mut self.waiting;
        if waiting.is_empty() {
            *at = offset;
        }
        let follows = *at + waiting.len() as u64 == offset;
        let fits = self.open.is_none() && follows && waiting.len() + bytes.len() <= WAITING_BYTES_MAX;
        if fits {
            waiting.extend_from_slice(bytes);
        }
        fits
    }

    /// Sends a piece, after what waits.
    pub async fn write(
        &mut self,
        (to, level): (&Connected, &AtomicUsize),
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let handle = self.handle((to, level), true).await?;
        self.send_waiting(to, handle).await?;
        let mut at = offset;
        for piece in bytes.chunks(to.write_bytes()) {
            self.send(to, handle, at, piece.to_vec()).await?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    async fn send_waiting(&mut self, to: &Connected, handle: Handle) -> Result<(), Error> {
        let (mut at, waiting) = std::mem::take(&mut self.waiting);
        for piece in waiting.chunks(to.write_bytes()) {
            self.send(to, handle, at, piece.to_vec()).await?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    async fn send(&mut self, to: &Connected, handle: Handle, at: u64, piece: Vec<u8>) -> Result<(), Error> {
        while self.flying.len() >= WRITES_IN_FLIGHT {
            self.landed().await?;
        }
        self.flying.push_back(Box::pin(to.begin_write(handle, at, piece)));
        Ok(())
    }

    async fn landed(&mut self) -> Result<(), Error> {
        match self.flying.pop_front() {
            Some(answer) => answer.await,
            None => Ok(()),
        }
    }

    /// Its handle; creates it if that was not done. What is written before its permissions are known is private until then.
    async fn handle(&mut self, (to, level): (&Connected, &AtomicUsize), private: bool) -> Result<Handle, Error> {
        if let Some(opened) = &self.open {
            return Ok(opened.open.handle);
        }
        let (open, rights) = create(to, &self.path, level).await?;
        let handle = open.handle;
        self.open = Some(Opened { open, rights, is_private: false, has_list: false });
        if private {
            self.make_private(to).await?;
        }
        if let Some(size) = self.sparse_bytes {
            // Where there are no sparse files, the holes are zeros.
            if let Err(error) = to.control(handle, control::SET_SPARSE, vec![1]).await
                && is_loss(&error)
            {
                return Err(error);
            }
            to.set_file(handle, class::END_OF_FILE, size.to_le_bytes().to_vec()).await?;
        }
        Ok(handle)
    }

    /// Closes it to others, if the account may do that.
    async fn make_private(&mut self, to: &Connected) -> Result<(), Error> {
        if let Some(opened) = &mut self.open
            && !opened.is_private
            && opened.rights & right::WRITE_DACL != 0
        {
            opened.is_private = details::make_private(to, opened.open.handle).await?;
        }
        Ok(())
    }

    /// Ends it: permissions, all content, streams, and the times last.
    pub async fn finish(
        &mut self,
        (to, level): (&Connected, &AtomicUsize),
        meta: &Meta,
        metadata: &Metadata,
    ) -> Result<LostParts, Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.wanted = *meta;
        let handle = self.handle((to, level), false).await?;
        let rights = self.open.as_ref().map_or(0, |opened| opened.rights);
        let mut streams = Vec::new();
        let mut lost = details::open_streams(to, &self.path, metadata, &mut streams).await?;
        let mut security = Security::of(metadata, rights);
        // Before the first byte; the owner, who may change everything, last.
        security.set(to, handle, part::DACL).await?;
        if security.has(part::DACL) {
            self.open.iter_mut().for_each(|opened| opened.has_list = true);
        } else {
            // Until it gets that of its place.
            self.make_private(to).await?;
        }
        self.send_waiting(to, handle).await?;
        while !self.flying.is_empty() {
            self.landed().await?;
        }
        lost.extend(details::write_streams(to, metadata, streams).await?);
        lost.extend(details::set_extended(to, handle, metadata).await?);
        to.flush(handle).await?;
        let is_sparse = meta.attributes & attribute::SPARSE_FILE != 0;
        if is_sparse && self.sparse_bytes.is_none() {
            let _ = to.control(handle, control::SET_SPARSE, vec![1]).await;
        }
        let basic = change::basic(Some(meta.write_time), meta.creation_time, change::attributes(meta));
        to.set_file(handle, class::BASIC, basic).await?;
        security.set(to, handle, part::OWNER_GROUP | part::SACL).await?;
        lost.extend(security.lost());
        Ok(lost)
    }

    /// Gives it its name.
    pub async fn place(&mut self, to: &Connected, place: &[u16], placing: &Placing) -> Result<LostParts, Error> {
        let missing = || Error::new(Code::TargetFailed, "a file that was never finished");
        let opened = self.open.take().ok_or_else(missing)?;
        let handle = opened.open.handle;
        let placed = async {
            let lost = match opened.has_list {
                true => Vec::new(),
                false => inherited::set(to, (handle, opened.rights, opened.is_private), place, placing).await?,
            };
            rename(to, handle, place, placing).await.map(|()| lost)
        };
        let placed = placed.await;
        if let Err(error) = &placed {
            // It is still in staging, and can be discarded. After a loss nobody knows where it is.
            if !is_loss(error) {
                self.open = Some(opened);
            }
            return placed;
        }
        let (open, mut lost) = (opened.open, placed?);
        let attributes = change::attributes(&self.wanted);
        if attributes != 0 && attributes & attribute::ARCHIVE == 0 {
            // Servers set it with a rename.
            match to.set_file(open.handle, class::BASIC, change::basic(None, None, attributes)).await {
                Err(error) if is_loss(&error) => return Err(error),
                Err(error) => lost.push((Part::Attributes, error)),
                Ok(()) => {}
            }
        }
        match reply::close(&open.close().await?.body)? {
            Some(state) if state.size_bytes != self.wanted.size_bytes => {
                let what = format!("the server says that it has {} bytes now", state.size_bytes);
                Err(Error::new(Code::TargetEntry, what))
            }
            _ => Ok(lost),
        }
    }

    /// Removes it, if it was created.
    pub async fn discard(mut self, to: &Connected) {
        if let Some(Opened { open, .. }) = self.open.take() {
            // If it stays, it goes with the staging folder.
            let _ = to.set_file(open.handle, class::BASIC, change::basic(None, None, attribute::NORMAL)).await;
            let _ = to.set_file(open.handle, class::DISPOSITION, vec![1]).await;
            let _ = open.close().await;
        }
    }

    /// It cannot be finished any more.
    pub fn fail(&mut self, error: Error) {
        self.failed.get_or_insert(error);
    }
}

/// Creates a file with the most rights that the server gives.
async fn create(to: &Connected, path: &[u16], level: &AtomicUsize) -> Result<(Open, u32), Error> {
    let first = level.load(Ordering::Relaxed);
    let mut denied = None;
    for (nth, rights) in RIGHTS.iter().copied().enumerate().skip(first) {
        let options = option::NON_DIRECTORY_FILE | option::OPEN_REPARSE_POINT;
        let make = Make { path, access: rights, attributes: 0, disposition: disposition::CREATE, options };
        match to.make(&make).await {
            Ok((open, _)) => {
                level.fetch_max(nth, Ordering::Relaxed);
                return Ok((open, rights));
            }
            Err(error) if error.code == Code::AccessDenied => denied = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(denied.unwrap_or_else(|| Error::new(Code::AccessDenied, "")))
}
