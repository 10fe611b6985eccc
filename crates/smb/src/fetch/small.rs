//! A small file: opened, read and closed in one message.

use super::fetcher::{FetchStop, Fetcher, READ_BYTES, WirePath, accept_read, check_kind, last_state, read_request};
use crate::logon::CREDIT_BYTES;
use crate::metadata::{self, Details, MetadataRequest};
use crate::open::{self, NOT_IN_A_COMPOUND, Open};
use crate::status::nt;
use crate::wire::reply;
use crate::wire::request::RELATED;
use octo_core::{Code, Error, FetchRequest, FetchSink, Meta};
use smb2::Frame;
use smb2::types::Command;
use tokio::sync::SemaphorePermit;

/// A small file, whole.
pub(super) struct SmallFile<'a> {
    opened: Meta,
    closed: Meta,
    /// The body of the read's answer, if a read was needed.
    read: Option<(Frame, u32)>,
    details: Details,
    _held: SemaphorePermit<'a>,
}

impl Fetcher<'_> {
    /// Opens, reads and closes in one message. `None` if the file turns out to need more than that.
    pub(super) async fn small(&self, path: WirePath, wanted: &FetchRequest) -> Result<Option<SmallFile<'_>>, Error> {
        let (path, ask) = (path?, self.first_ask(wanted));
        let small = match self.small_once(&path, wanted, ask, None).await {
            // Denied perhaps only for the metadata's sake.
            Err(denied) if denied.code == Code::AccessDenied && ask.access() != 0 => {
                self.small_once(&path, wanted, ask.without_rights(), Some(&denied)).await?
            }
            other => other?,
        };
        let Some(mut small) = small.filter(|small| !wanted.metadata || small.details.has_small_streams()) else {
            return Ok(None);
        };
        if wanted.metadata && !self.small_details(&path, wanted, &mut small.details, &small.opened).await? {
            return Ok(None);
        }
        Ok(Some(small))
    }

    async fn small_once(
        &self,
        path: &[u16],
        wanted: &FetchRequest,
        ask: MetadataRequest,
        denied: Option<&Error>,
    ) -> Result<Option<SmallFile<'_>>, Error> {
        let bytes = if wanted.is_details_only() { 0 } else { wanted.listed.size_bytes };
        let bytes = u32::try_from(bytes).unwrap_or(READ_BYTES);
        // Its streams have to fit into the same share: who holds one must not wait for another.
        let room = if wanted.metadata { metadata::SMALL_STREAMS_BYTES } else { 0 };
        let held = self.budget.take(bytes + room).await?;
        let sent = self.window.enter().await?;
        let create = self.create(path, wanted, ask);
        let (read, close) = (read_request(RELATED, 0, bytes), open::close_request(RELATED));
        let questions = ask.questions(RELATED);
        let mut parts: Vec<open::Part<'_>> = vec![(Command::Create, &create, 0)];
        if bytes > 0 {
            parts.push((Command::Read, &read, bytes));
        }
        parts.extend(questions.iter().map(|question| (Command::QueryInfo, question as _, metadata::ANSWER_BYTES)));
        parts.push((Command::Close, &close, 0));
        let Some(frames) = open::compound(self.session, &parts).await? else { return Ok(None) };
        let mut frames = frames.into_iter();
        if bytes <= CREDIT_BYTES {
            // Of a larger one the bytes take their time too.
            sent.answered();
        }
        let mut next = || open::next(&mut frames);
        let created = next()?;
        let (open, opened) = Open::from_reply(self.session, &open::success(created)?, self.volume)?;
        let read = if bytes > 0 { Some(next()?) } else { None };
        let answers: Vec<_> = questions.iter().map(|_| next()).collect();
        let closed = next()?;
        if closed.header.status.0 == nt::SUCCESS {
            open.was_closed();
        }
        check_kind(&opened.meta, wanted)?;
        let details = match wanted.metadata {
            true => Details::gather(self.asks, ask, denied, answers.into_iter())?,
            false => Details::default(),
        };
        let size = if wanted.is_details_only() { 0 } else { opened.meta.size_bytes };
        let waits = read.as_ref().is_some_and(|frame| frame.header.status.0 == NOT_IN_A_COMPOUND);
        if size > bytes.into() || waits {
            return Ok(None);
        }
        let read = match read {
            Some(frame) if size > 0 => Some((accept_read(frame)?, bytes)),
            _ => None,
        };
        if let Some((frame, _)) = &read
            && reply::read(&frame.body, bytes)?.len() as u64 != size
        {
            return Ok(None);
        }
        let closed = last_state(&open::success(closed)?, &opened.meta)?;
        Ok(Some(SmallFile { opened: opened.meta, closed, read, details, _held: held }))
    }
}

impl SmallFile<'_> {
    /// Gives it to the sink.
    pub fn hand_over(&self, file: usize, sink: &mut dyn FetchSink) -> Result<(), FetchStop> {
        let data = match &self.read {
            Some((frame, asked)) => reply::read(&frame.body, *asked)?,
            None => &[],
        };
        sink.opened(file, self.opened)?;
        if !data.is_empty() {
            sink.data(file, 0, data)?;
        }
        self.details.hand_over(file, sink)?;
        Ok(sink.finished(file, self.closed)?)
    }
}
