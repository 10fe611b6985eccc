//! A source that may stop answering, read so that a run which is cancelled does not wait for it.
//!
//! Each question is asked on a thread of its own, and what comes of it is handed to the sink on the caller's. The kernel lets
//! nobody take back a question to a mount that hangs, so once somebody wishes to stop and nothing comes any more, the thread
//! is left alone. It must never call a sink after the call has returned.

use crate::blocking_calls::on_a_thread;
use octo_core::{
    Cancel, Code, Entry, Error, FetchRequest, FetchSink, LinkTarget, ListSink, Listed, Meta, Piece, Ranges, RelPath,
    Source, SourceFeatures, SourcePin, Stop, Timestamp,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

/// How soon the wish to stop is noticed.
const CANCEL_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Once somebody wishes to stop, a source that says nothing for so long is not waited for.
const SILENT_SOURCE_TIMEOUT: Duration = Duration::from_secs(1);
/// What travels together, unless it is older than [`SEND_EVERY`].
const ENTRIES_TOGETHER: usize = 512;
const BYTES_TOGETHER: usize = 256 << 10;
const CALLS_TOGETHER: usize = 256;
const SEND_EVERY: Duration = Duration::from_millis(50);
/// Bundles that wait to be taken.
const BATCHES_WAITING_MAX: usize = 2;

/// Reads another source, and gives up when the run is cancelled.
pub struct CancellableSource {
    source: Arc<dyn Source>,
    cancel: Cancel,
}

/// A part of a listing, and its end with the last one.
struct ListingPart {
    entries: Vec<Result<Entry, (Vec<u8>, Error)>>,
    restarts: bool,
    end: Option<Listed>,
}

impl CancellableSource {
    /// Over a source that is open.
    pub fn new(source: impl Source + 'static, cancel: Cancel) -> CancellableSource {
        CancellableSource { source: Arc::new(source), cancel }
    }

    /// The next of what is said; fails if it is not waited for, or if nobody is left to say it.
    fn next<T>(&self, said: &Receiver<T>) -> Result<T, Error> {
        let begun = Instant::now();
        loop {
            match said.recv_timeout(CANCEL_POLL_INTERVAL) {
                Ok(next) => return Ok(next),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::panicked("reading the source"));
                }
                Err(RecvTimeoutError::Timeout)
                    if self.cancel.is_cancelled() && begun.elapsed() >= SILENT_SOURCE_TIMEOUT =>
                {
                    return Err(Error::new(Code::Cancelled, "the source does not answer"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Asks one question that has one answer.
    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&dyn Source) -> T + Send + 'static) -> Result<T, Error> {
        let (sender, receiver) = channel();
        let source = Arc::clone(&self.source);
        on_a_thread(move || drop(sender.send(work(&*source)))).map_err(no_thread)?;
        self.next(&receiver)
    }

    fn list_into(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Result<Listed, Error> {
        let (sender, receiver) = sync_channel(BATCHES_WAITING_MAX);
        let (source, folder) = (Arc::clone(&self.source), folder.clone());
        let list = move || {
            let mut listing = ListingSender { sender, entries: Vec::new(), restarts: false, sent: Instant::now() };
            let end = source.list(&folder, &mut listing);
            // The caller may be gone.
            let _ = listing.send(Some(end));
        };
        on_a_thread(list).map_err(no_thread)?;
        loop {
            let part: ListingPart = self.next(&receiver)?;
            if part.restarts {
                sink.restart();
            }
            for entry in part.entries {
                match entry {
                    Ok(entry) => {
                        if sink.entry(entry).is_break() {
                            return Err(Error::new(Code::ListingCut, "no more was wanted"));
                        }
                    }
                    Err((name, error)) => sink.problem(&name, error),
                }
            }
            if let Some(end) = part.end {
                return Ok(end);
            }
        }
    }

    /// Fails with the first file that has not ended, and why, if nothing more comes.
    fn fetch_into(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) -> Result<(), (usize, Error)> {
        let (sender, receiver) = sync_channel(BATCHES_WAITING_MAX);
        let (source, asked) = (Arc::clone(&self.source), batch.to_vec());
        let holes = (0..batch.len()).map(|file| sink.wants_holes(file)).collect();
        let has_ended: Arc<[AtomicBool]> = batch.iter().map(|_| AtomicBool::new(false)).collect();
        let unwanted = Arc::clone(&has_ended);
        let fetch = move || {
            let mut calls = FetchSender { sender, calls: Vec::new(), bytes: 0, holes, unwanted, sent: Instant::now() };
            source.fetch(&asked, &mut calls);
            // The caller may be gone.
            let _ = calls.send(true);
        };
        on_a_thread(fetch).map_err(|error| (0, no_thread(error)))?;
        loop {
            let batch: CallBatch = self.next(&receiver).map_err(|error| {
                let first = has_ended.iter().position(|ended| !ended.load(Ordering::SeqCst));
                (first.unwrap_or(0), error)
            })?;
            for FileCall { file, call, is_last } in batch.calls {
                if has_ended[file].load(Ordering::SeqCst) {
                    continue;
                }
                let answer = call(sink);
                if is_last || answer == Err(Stop::ThisFile) {
                    has_ended[file].store(true, Ordering::SeqCst);
                }
                if answer == Err(Stop::Everything) {
                    return Ok(());
                }
            }
            if batch.is_all {
                return Ok(());
            }
        }
    }
}

fn no_thread(error: std::io::Error) -> Error {
    Error::no_thread("reading the source", &error)
}

/// Gathers a listing.
struct ListingSender {
    sender: SyncSender<ListingPart>,
    entries: Vec<Result<Entry, (Vec<u8>, Error)>>,
    restarts: bool,
    sent: Instant,
}

impl ListingSender {
    fn send(&mut self, end: Option<Listed>) -> ControlFlow<()> {
        let (entries, restarts) = (std::mem::take(&mut self.entries), std::mem::take(&mut self.restarts));
        let sent = self.sender.send(ListingPart { entries, restarts, end });
        self.sent = Instant::now();
        if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn add(&mut self, entry: Result<Entry, (Vec<u8>, Error)>) -> ControlFlow<()> {
        self.entries.push(entry);
        let is_due = self.entries.len() >= ENTRIES_TOGETHER || self.sent.elapsed() >= SEND_EVERY;
        if is_due { self.send(None) } else { ControlFlow::Continue(()) }
    }
}

impl ListSink for ListingSender {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.add(Ok(entry))
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        // Who is gone is noticed with the next entry.
        let _ = self.add(Err((name.to_vec(), error)));
    }

    fn restart(&mut self) {
        self.entries.clear();
        self.restarts = true;
    }
}

type SinkCall = Box<dyn FnOnce(&mut dyn FetchSink) -> Result<(), Stop> + Send>;

/// Something for a [`FetchSink`] about the file at this place of the batch, and whether it is the file's last.
struct FileCall {
    file: usize,
    call: SinkCall,
    is_last: bool,
}

struct CallBatch {
    calls: Vec<FileCall>,
    is_all: bool,
}

/// Gathers what comes of a batch.
struct FetchSender {
    sender: SyncSender<CallBatch>,
    calls: Vec<FileCall>,
    bytes: usize,
    holes: Vec<bool>,
    /// Files of which nothing more is wanted.
    unwanted: Arc<[AtomicBool]>,
    sent: Instant,
}

impl FetchSender {
    fn send(&mut self, is_all: bool) -> Result<(), Stop> {
        let calls = std::mem::take(&mut self.calls);
        let sent = self.sender.send(CallBatch { calls, is_all });
        (self.bytes, self.sent) = (0, Instant::now());
        sent.map_err(|_| Stop::Everything)
    }

    fn send_call(
        &mut self,
        (file, bytes, is_last): (usize, usize, bool),
        call: impl FnOnce(&mut dyn FetchSink) -> Result<(), Stop> + Send + 'static,
    ) -> Result<(), Stop> {
        if self.unwanted[file].load(Ordering::SeqCst) {
            return Err(Stop::ThisFile);
        }
        self.calls.push(FileCall { file, call: Box::new(call), is_last });
        self.bytes += bytes;
        let is_due = self.bytes >= BYTES_TOGETHER || self.calls.len() >= CALLS_TOGETHER;
        if is_due || self.sent.elapsed() >= SEND_EVERY { self.send(false) } else { Ok(()) }
    }
}

impl FetchSink for FetchSender {
    fn wants_holes(&self, file: usize) -> bool {
        self.holes[file]
    }

    fn holes(&mut self, file: usize, holes: &Ranges) {
        let holes = holes.clone();
        // Who is gone is noticed with the next word.
        let _ = self.send_call((file, 0, false), move |sink| {
            sink.holes(file, &holes);
            Ok(())
        });
    }

    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.send_call((file, 0, false), move |sink| sink.opened(file, meta))
    }

    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let bytes = bytes.to_vec();
        self.send_call((file, bytes.len(), false), move |sink| sink.data(file, offset_bytes, &bytes))
    }

    fn hashed(&mut self, file: usize, hash: [u8; 32]) {
        let _ = self.send_call((file, 0, false), move |sink| {
            sink.hashed(file, hash);
            Ok(())
        });
    }

    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        let about = |bytes: usize| (file, bytes, false);
        match piece {
            Piece::Security(bytes) => {
                let bytes = bytes.to_vec();
                self.send_call(about(bytes.len()), move |sink| sink.metadata(file, Piece::Security(&bytes)))
            }
            Piece::Extended { name, value } => {
                let (name, value) = (name.to_vec(), value.to_vec());
                self.send_call(about(name.len() + value.len()), move |sink| {
                    sink.metadata(file, Piece::Extended { name: &name, value: &value })
                })
            }
            Piece::Stream { name, size_bytes } => {
                let name = name.to_vec();
                self.send_call(about(name.len()), move |sink| {
                    sink.metadata(file, Piece::Stream { name: &name, size_bytes })
                })
            }
            Piece::StreamData(bytes) => {
                let bytes = bytes.to_vec();
                self.send_call(about(bytes.len()), move |sink| sink.metadata(file, Piece::StreamData(&bytes)))
            }
            Piece::Reparse { tag, data } => {
                let data = data.to_vec();
                self.send_call(about(data.len()), move |sink| sink.metadata(file, Piece::Reparse { tag, data: &data }))
            }
            Piece::Posix(posix) => self.send_call(about(0), move |sink| sink.metadata(file, Piece::Posix(posix))),
            Piece::Xattr { name, value } => {
                let (name, value) = (name.to_vec(), value.to_vec());
                self.send_call(about(name.len() + value.len()), move |sink| {
                    sink.metadata(file, Piece::Xattr { name: &name, value: &value })
                })
            }
            Piece::Unknown(part, error) => {
                self.send_call(about(0), move |sink| sink.metadata(file, Piece::Unknown(part, error)))
            }
        }
    }

    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.send_call((file, 0, true), move |sink| sink.finished(file, meta))
    }

    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.send_call((file, 0, true), move |sink| sink.failed(file, error))
    }
}

impl Source for CancellableSource {
    fn features(&self) -> SourceFeatures {
        self.source.features()
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        self.ask(|source| source.pin())?
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        self.list_into(folder, sink).unwrap_or_else(Listed::Incomplete)
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        if let Err((file, error)) = self.fetch_into(batch, sink) {
            let _ = sink.failed(file, error);
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        let path = path.clone();
        self.ask(move |source| source.read_link(&path))?
    }

    fn snapshots(&self) -> Result<Vec<Timestamp>, Error> {
        self.ask(|source| source.snapshots())?
    }

    fn clock(&self) -> Option<Timestamp> {
        self.source.clock()
    }

    fn remarks(&self) -> Vec<String> {
        self.source.remarks()
    }
}

#[cfg(test)]
mod tests;
