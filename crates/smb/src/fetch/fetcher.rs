//! A batch of files over one connection after the other, until each has ended.

use super::begun::Begun;
use super::budget::Budget;
use crate::attempts::{self, Attempts};
use crate::connection_pool::ConnectionPool;
use crate::logon::Session;
use crate::metadata::{MetadataRequest, MetadataSupport};
use crate::open;
use crate::status::{self, nt};
use crate::window::Window;
use crate::wire::reply::{self, Handle};
use crate::wire::request::{self, Create, option};
use futures_util::stream::{FuturesUnordered, StreamExt};
use octo_core::{Code, Error, FetchRequest, FetchSink, Kind, Meta, Stop};
use smb2::Frame;
use smb2::msg::read::ReadRequest;
use std::sync::Arc;

/// Up to this size a file is fetched by one message.
const SMALL_FILE_BYTES: u64 = 1024 * 1024;
/// Small files in flight in one fetch, where the window allows it.
const SMALL_FILES_IN_FLIGHT: usize = 64;
/// Size of one read of a large file.
pub(super) const READ_BYTES: u32 = 1024 * 1024;
/// The same on a line on which that much does not come through.
pub(super) const CAREFUL_READ_BYTES: u32 = 64 * 1024;

/// A path for the wire, or why there is none.
pub(crate) type WirePath = Result<Vec<u16>, Error>;

/// A batch of files, and everybody who has a say in it.
pub(crate) struct Batch<'a> {
    pub requests: &'a [FetchRequest],
    /// The path of one of its files for the wire.
    pub path: &'a dyn Fn(usize) -> WirePath,
    /// Sees every error before the sink does.
    pub refused: &'a dyn Fn(usize, Error) -> Error,
    pub sink: &'a mut dyn FetchSink,
}

/// A file of the batch that has not ended.
pub(super) struct OpenFetch {
    pub(super) file: usize,
    pub(super) attempts: Attempts,
    /// Whether a connection was ever lost with it.
    pub(super) was_lost: bool,
    pub(super) begun: Option<Begun>,
}

impl OpenFetch {
    fn new(file: usize) -> OpenFetch {
        OpenFetch { file, attempts: Attempts::default(), was_lost: false, begun: None }
    }

    fn given_bytes(&self) -> u64 {
        self.begun.as_ref().map_or(0, Begun::given_bytes)
    }
}

/// Nothing more is wanted of the batch, or nothing more can be had.
pub(super) struct BatchOver;

/// How one connection serves.
pub(super) struct Fetcher<'a> {
    pub(super) session: &'a Arc<Session>,
    pub(super) pool: &'a Arc<ConnectionPool>,
    pub(super) window: &'a Window,
    pub(super) budget: &'a Budget,
    /// Backup intent, or nothing.
    pub(super) options: u32,
    pub(super) volume: u64,
    /// What metadata is asked for by, where it is wanted.
    pub(super) ask: MetadataRequest,
    pub(super) asks: &'a MetadataSupport,
}

/// Why a file, or the batch, ends here.
pub(super) enum FetchStop {
    Failed(Error),
    Stopped(Stop),
}

impl From<Error> for FetchStop {
    fn from(error: Error) -> FetchStop {
        FetchStop::Failed(error)
    }
}

impl From<Stop> for FetchStop {
    fn from(stop: Stop) -> FetchStop {
        FetchStop::Stopped(stop)
    }
}

impl From<crate::wire::Malformed> for FetchStop {
    fn from(malformed: crate::wire::Malformed) -> FetchStop {
        FetchStop::Failed(malformed.into())
    }
}

/// Fetches a batch over as many connections, one after the other, as it takes.
pub(crate) async fn fetch(
    pool: &Arc<ConnectionPool>,
    (window, budget): (&Window, &Budget),
    asks: &MetadataSupport,
    mut batch: Batch<'_>,
) {
    let all = 0..batch.requests.len();
    let mut left: Vec<OpenFetch> = all.map(OpenFetch::new).collect();
    while !left.is_empty() {
        // A suspected file goes alone; the others go first, and together.
        let (mut now, mut later): (Vec<OpenFetch>, Vec<OpenFetch>) =
            left.into_iter().partition(|it| !it.attempts.are_alone());
        if now.is_empty() {
            now = later.split_off(later.len() - 1);
        }
        let Some(OpenFetch { file, attempts, .. }) = now.first() else { return };
        let (lease, place) = match pool.lease(*attempts).await.and_then(|lease| Ok((lease, pool.place()?))) {
            Ok(found) => found,
            Err(error) => {
                // It concerns all that is left; saying so once ends the run.
                let _ = batch.sink.failed(*file, (batch.refused)(*file, error));
                return;
            }
        };
        let options = open::intent_option(pool.options().backup_intent);
        let volume = place.volume.serial.into();
        let ask = match batch.requests.iter().any(|request| request.metadata) {
            true => asks.all(&lease, pool.address(), options).await,
            false => MetadataRequest::NOTHING,
        };
        let fetcher = Fetcher { session: &lease, pool, window, budget, options, volume, ask, asks };
        let Ok(lost) = fetcher.fetch(now, &mut batch).await else { return };
        left = lost;
        left.append(&mut later);
    }
}

impl Fetcher<'_> {
    /// Fetches files over one connection. Returns those that it was lost with.
    async fn fetch(&self, files: Vec<OpenFetch>, batch: &mut Batch<'_>) -> Result<Vec<OpenFetch>, BatchOver> {
        let (requests, path) = (batch.requests, batch.path);
        let (small, mut large): (Vec<OpenFetch>, Vec<OpenFetch>) =
            files.into_iter().partition(|it| self.is_small(it, requests));
        let mut lost = Vec::new();
        let mut waiting = small.into_iter();
        let mut flying = FuturesUnordered::new();
        loop {
            while flying.len() < SMALL_FILES_IN_FLIGHT && !self.session.is_lost() {
                let Some(left) = waiting.next() else { break };
                flying.push(async move {
                    let fetched = self.small(path(left.file), &requests[left.file]).await;
                    (left, fetched)
                });
            }
            let Some((left, fetched)) = flying.next().await else { break };
            let ended = match fetched {
                Ok(Some(small)) => small.hand_over(left.file, batch.sink),
                Ok(None) => {
                    large.push(left);
                    continue;
                }
                Err(error) => Err(FetchStop::Failed(error)),
            };
            lost.extend(self.end(left, ended, batch)?);
        }
        drop(flying);
        lost.extend(waiting);
        for mut left in large {
            if self.session.is_lost() {
                lost.push(left);
                continue;
            }
            let before = left.given_bytes();
            let ended = self.large(&mut left, path, requests, batch.sink).await;
            if left.given_bytes() > before {
                // It is the line that is bad, not the file.
                left.attempts = Attempts::default();
                self.pool.went_well();
            }
            lost.extend(self.end(left, ended, batch)?);
        }
        Ok(lost)
    }

    fn is_small(&self, left: &OpenFetch, requests: &[FetchRequest]) -> bool {
        let request = &requests[left.file];
        if request.is_details_only() {
            return left.begun.is_none();
        }
        let small_enough = request.listed.size_bytes <= SMALL_FILE_BYTES.min(self.session.read_bytes_max.into());
        request.parts.is_none() && left.begun.is_none() && small_enough
    }

    /// Tells the sink how a file ended, if it does not know. Gives it back if it was lost with the connection.
    fn end(
        &self,
        mut left: OpenFetch,
        ended: Result<(), FetchStop>,
        batch: &mut Batch<'_>,
    ) -> Result<Option<OpenFetch>, BatchOver> {
        let error = match ended {
            Ok(()) => {
                self.pool.went_well();
                return Ok(None);
            }
            Err(FetchStop::Stopped(Stop::ThisFile)) => return Ok(None),
            Err(FetchStop::Stopped(Stop::Everything)) => return Err(BatchOver),
            Err(FetchStop::Failed(error)) => error,
        };
        let error = if attempts::is_loss(&error) {
            left.was_lost = true;
            match self.pool.lost(self.session, &error).and_then(|()| left.attempts.lost(&error)) {
                Ok(()) => return Ok(Some(left)),
                Err(last) => last,
            }
        } else {
            error
        };
        let error = (batch.refused)(left.file, error);
        let stops = error.code.stops_run();
        match batch.sink.failed(left.file, error) {
            Err(Stop::Everything) => Err(BatchOver),
            _ if stops => Err(BatchOver),
            _ => Ok(None),
        }
    }

    pub(super) fn create<'p>(&self, path: &'p [u16], wanted: &FetchRequest, ask: MetadataRequest) -> Create<'p> {
        let (access, options) = match wanted.is_details_only() {
            true => (request::READ_ATTRIBUTES, option::OPEN_REPARSE_POINT),
            false => (request::READ, option::NON_DIRECTORY_FILE),
        };
        let (access, options) = (access | ask.access(), options | self.options);
        Create { path, access, options, with_id: true, snapshot: wanted.snapshot }
    }

    /// What is asked for with a file at first.
    pub(super) fn first_ask(&self, wanted: &FetchRequest) -> MetadataRequest {
        if wanted.metadata { self.ask } else { MetadataRequest::NOTHING }
    }
}

pub(super) fn read_request(handle: Handle, offset: u64, length: u32) -> ReadRequest {
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

pub(super) fn accept_read(frame: Frame) -> Result<Frame, Error> {
    match frame.header.status.0 {
        nt::SUCCESS => Ok(frame),
        nt::END_OF_FILE => Err(shrunk()),
        refused => Err(status::entry(refused)),
    }
}

pub(super) fn shrunk() -> Error {
    Error::new(Code::ChangedWhileRead, "it has become shorter")
}

pub(super) fn check_kind(opened: &Meta, wanted: &FetchRequest) -> Result<(), Error> {
    match (opened.kind, wanted.is_details_only()) {
        (Kind::File, false) => Ok(()),
        (kind, true) if kind == wanted.listed.kind => Ok(()),
        (Kind::Folder, _) => Err(Error::new(Code::KindMoved, "it is a folder now")),
        _ => Err(Error::new(Code::KindMoved, "it is a file now")),
    }
}

pub(super) fn last_state(closed: &Frame, opened: &Meta) -> Result<Meta, Error> {
    let state = reply::close(&closed.body)?;
    let state = state.ok_or_else(|| Error::new(Code::SourceEntry, "the server did not tell the file's last state"))?;
    Ok(Meta { id: opened.id, ..state })
}
