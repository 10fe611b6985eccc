//! Fetching a batch of files: small ones by one message each (open, read, close), many in flight; large ones by a
//! window of reads. What the sink is given always comes from the file's own handle.

use crate::logon::{CREDIT_BYTES, Session};
use crate::open::{self, NOT_IN_A_COMPOUND, Open};
use crate::status::{self, nt};
use crate::wire::reply::{self, Handle};
use crate::wire::request::{self, Create, RELATED, option};
use futures_util::stream::{FuturesUnordered, StreamExt};
use octo_core::{Code, Error, FetchRequest, FetchSink, Kind, Meta, Stop, Timestamp};
use smb2::Frame;
use smb2::msg::read::ReadRequest;
use smb2::types::Command;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Up to this size a file is fetched by one message.
const SMALL_FILE_BYTES: u64 = 1024 * 1024;
/// Small files in flight in one fetch.
const SMALL_FILES_IN_FLIGHT: usize = 24;
/// Size of one read of a large file.
const READ_BYTES: u32 = 1024 * 1024;
/// Reads in flight for one large file.
const READS_IN_FLIGHT: usize = 8;
/// Bytes asked for and not yet handed over, of all fetches of one source together: bounds the memory. (The client
/// library holds an answer twice.)
const SOURCE_BYTES_IN_FLIGHT: u32 = 16 * 1024 * 1024;

/// The memory of one source's fetches, in units of [`CREDIT_BYTES`].
pub(crate) struct Budget(Semaphore);

impl Budget {
    pub fn new() -> Budget {
        Budget(Semaphore::new((SOURCE_BYTES_IN_FLIGHT / CREDIT_BYTES) as usize))
    }

    /// Waits until `bytes` may be asked for. Whoever holds a share is being served by the server or by its sink, so
    /// this ends.
    async fn take(&self, bytes: u32) -> Result<SemaphorePermit<'_>, Error> {
        let taken = self.0.acquire_many(bytes.min(SOURCE_BYTES_IN_FLIGHT).div_ceil(CREDIT_BYTES).max(1)).await;
        taken.map_err(|_| Error::new(Code::ConnectionLost, "the source was closed"))
    }
}

/// Fetches batches.
pub(crate) struct Fetcher<'a> {
    pub session: &'a Arc<Session>,
    pub budget: &'a Budget,
    /// Backup intent, or nothing.
    pub options: u32,
    pub volume: u64,
}

/// Why a file, or the batch, ends here.
enum Halt {
    Failed(Error),
    Stopped(Stop),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Failed(error)
    }
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Halt {
        Halt::Stopped(stop)
    }
}

impl From<crate::wire::Malformed> for Halt {
    fn from(malformed: crate::wire::Malformed) -> Halt {
        Halt::Failed(malformed.into())
    }
}

/// A small file, whole.
struct Small<'a> {
    opened: Meta,
    closed: Meta,
    /// The body of the read's answer, if a read was needed.
    read: Option<(Frame, u32)>,
    _held: SemaphorePermit<'a>,
}

/// A path for the wire, or why there is none.
pub(crate) type WirePath = Result<Vec<u16>, Error>;

impl Fetcher<'_> {
    /// Fetches a batch; `path` gives the path of one of its files for the wire. `refused` sees every error before the
    /// sink does.
    pub async fn fetch(
        &self,
        batch: &[FetchRequest],
        path: &dyn Fn(usize) -> WirePath,
        refused: &dyn Fn(Error) -> Error,
        sink: &mut dyn FetchSink,
    ) {
        let (small, mut large): (Vec<usize>, Vec<usize>) = (0..batch.len()).partition(|&i| self.is_small(&batch[i]));
        let mut waiting = small.into_iter();
        let mut flying = FuturesUnordered::new();
        loop {
            while flying.len() < SMALL_FILES_IN_FLIGHT {
                let Some(file) = waiting.next() else { break };
                let wanted = &batch[file];
                flying.push(async move { (file, self.small(path(file), wanted).await) });
            }
            let Some((file, fetched)) = flying.next().await else { break };
            let ended = match fetched {
                Ok(Some(small)) => hand_over(file, &small, sink),
                Ok(None) => {
                    large.push(file);
                    continue;
                }
                Err(error) => Err(Halt::Failed(error)),
            };
            if end(file, ended, refused, sink).is_err() {
                return;
            }
        }
        drop(flying);
        for file in large {
            let ended = self.large(file, path(file), &batch[file], sink).await;
            if end(file, ended, refused, sink).is_err() {
                return;
            }
        }
    }

    fn is_small(&self, request: &FetchRequest) -> bool {
        let size = request.listed.size_bytes;
        request.parts.is_none() && size <= SMALL_FILE_BYTES.min(self.session.read_bytes_max.into())
    }

    fn create<'p>(&self, path: &'p [u16], snapshot: Option<Timestamp>) -> Create<'p> {
        let options = option::NON_DIRECTORY_FILE | self.options;
        Create { path, access: request::READ, options, with_id: true, snapshot }
    }

    /// Opens, reads and closes in one message. `None` if the file turns out to need more than that.
    async fn small(&self, path: WirePath, wanted: &FetchRequest) -> Result<Option<Small<'_>>, Error> {
        let path = path?;
        let bytes = u32::try_from(wanted.listed.size_bytes).unwrap_or(READ_BYTES);
        let held = self.budget.take(bytes).await?;
        let create = self.create(&path, wanted.snapshot);
        let (read, close) = (read_request(RELATED, 0, bytes), open::close_request(RELATED));
        let mut parts: Vec<open::Part<'_>> = vec![(Command::Create, &create, 0)];
        if bytes > 0 {
            parts.push((Command::Read, &read, bytes));
        }
        parts.push((Command::Close, &close, 0));
        let mut frames = open::compound(self.session, &parts).await?.into_iter();
        let mut next = || frames.next().unwrap_or_else(|| Err(Error::new(Code::Protocol, "an answer is missing")));
        let created = next()?;
        if created.header.status.0 == NOT_IN_A_COMPOUND {
            return Ok(None);
        }
        let (open, opened) = Open::from_reply(self.session, &open::success(created)?, self.volume)?;
        let read = if bytes > 0 { Some(next()?) } else { None };
        let closed = next()?;
        if closed.header.status.0 == nt::SUCCESS {
            open.was_closed();
        }
        check_kind(&opened.meta)?;
        let size = opened.meta.size_bytes;
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
        Ok(Some(Small { opened: opened.meta, closed, read, _held: held }))
    }

    /// Fetches a file by a window of reads.
    async fn large(
        &self,
        file: usize,
        path: WirePath,
        wanted: &FetchRequest,
        sink: &mut dyn FetchSink,
    ) -> Result<(), Halt> {
        let path = path?;
        let created = open::single(self.session, (Command::Create, &self.create(&path, wanted.snapshot), 0)).await?;
        let (open, opened) = Open::from_reply(self.session, &open::success(created)?, self.volume)?;
        check_kind(&opened.meta)?;
        sink.opened(file, opened.meta)?;
        let size = opened.meta.size_bytes;
        let parts = wanted.parts.as_ref();
        let ranges: Vec<Range<u64>> = parts.map_or_else(|| std::iter::once(0..size).collect(), |p| p.iter().collect());
        if ranges.last().is_some_and(|range| range.end > size) {
            return Err(shrunk().into());
        }
        let mut chunks = Chunks { ranges, bytes: READ_BYTES.min(self.session.read_bytes_max).max(1) };
        let mut flying = FuturesUnordered::new();
        loop {
            while flying.len() < READS_IN_FLIGHT {
                let Some((at, bytes)) = chunks.next() else { break };
                let handle = open.handle;
                flying.push(async move { (at, bytes, self.read(handle, at, bytes).await) });
            }
            let Some((at, asked, answer)) = flying.next().await else { break };
            let (frame, _held) = answer?;
            let data = reply::read(&frame.body, asked)?;
            if data.is_empty() {
                return Err(shrunk().into());
            }
            sink.data(file, at, data)?;
            let got = data.len() as u64;
            if got < asked.into() {
                chunks.ranges.push(at + got..at + u64::from(asked));
            }
        }
        drop(flying);
        let closed = last_state(&open.close().await?, &opened.meta)?;
        Ok(sink.finished(file, closed)?)
    }

    async fn read(&self, handle: Handle, at: u64, bytes: u32) -> Result<(Frame, SemaphorePermit<'_>), Error> {
        let held = self.budget.take(bytes).await?;
        let frame = open::single(self.session, (Command::Read, &read_request(handle, at, bytes), bytes)).await?;
        Ok((accept_read(frame)?, held))
    }
}

/// Ranges cut into reads, from the first to the last.
struct Chunks {
    ranges: Vec<Range<u64>>,
    bytes: u32,
}

impl Iterator for Chunks {
    type Item = (u64, u32);

    fn next(&mut self) -> Option<(u64, u32)> {
        // What came short is pushed last, but it is only a matter of order: few ranges, few shifts.
        let range = self.ranges.first_mut()?;
        let at = range.start;
        let bytes = u32::try_from(range.end - at).unwrap_or(u32::MAX).min(self.bytes);
        range.start += u64::from(bytes);
        if range.is_empty() {
            self.ranges.remove(0);
        }
        (bytes > 0).then_some((at, bytes))
    }
}

fn read_request(handle: Handle, offset: u64, length: u32) -> ReadRequest {
    ReadRequest {
        padding: 0x50, // where data begins in an answer anyway
        flags: 0,
        length,
        offset,
        file_id: open::file_id(handle),
        minimum_count: 0,
        channel: 0,
        remaining_bytes: 0,
        read_channel_info: Vec::new(),
    }
}

fn accept_read(frame: Frame) -> Result<Frame, Error> {
    match frame.header.status.0 {
        nt::SUCCESS => Ok(frame),
        nt::END_OF_FILE => Err(shrunk()),
        refused => Err(status::entry(refused)),
    }
}

fn shrunk() -> Error {
    Error::new(Code::ChangedWhileRead, "it has become shorter")
}

fn check_kind(opened: &Meta) -> Result<(), Error> {
    if opened.kind == Kind::File { Ok(()) } else { Err(Error::new(Code::KindMoved, "it is a folder now")) }
}

fn last_state(closed: &Frame, opened: &Meta) -> Result<Meta, Error> {
    let state = reply::close(&closed.body)?;
    let state = state.ok_or_else(|| Error::new(Code::SourceEntry, "the server did not tell the file's last state"))?;
    Ok(Meta { id: opened.id, ..state })
}

fn hand_over(file: usize, small: &Small<'_>, sink: &mut dyn FetchSink) -> Result<(), Halt> {
    let data = match &small.read {
        Some((frame, asked)) => reply::read(&frame.body, *asked)?,
        None => &[],
    };
    sink.opened(file, small.opened)?;
    if !data.is_empty() {
        sink.data(file, 0, data)?;
    }
    Ok(sink.finished(file, small.closed)?)
}

/// Tells the sink how a file ended, if it does not know. `Err` when the batch ends with it.
fn end(
    file: usize,
    ended: Result<(), Halt>,
    refused: &dyn Fn(Error) -> Error,
    sink: &mut dyn FetchSink,
) -> Result<(), ()> {
    match ended {
        Ok(()) | Err(Halt::Stopped(Stop::ThisFile)) => Ok(()),
        Err(Halt::Stopped(Stop::Everything)) => Err(()),
        Err(Halt::Failed(error)) => {
            let error = refused(error);
            let stops = error.code.stops_run();
            match sink.failed(file, error) {
                Err(Stop::Everything) => Err(()),
                _ if stops => Err(()),
                _ => Ok(()),
            }
        }
    }
}
