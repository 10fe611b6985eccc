//! Any source, made to fail or to lie about planned entries. A plan that was never reached fails the test.

use octo_core::listing::{ListSink, Listed};
use octo_core::{
    Code, Entry, Error, FetchRequest, FetchSink, LinkTarget, Meta, Piece, RelPath, Source, SourceFeatures, SourcePin,
    Stop, Timestamp,
};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

/// What goes wrong with one folder's listing or one file's data.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The listing ends after so many entries.
    ListingCut(usize, Code),
    /// Every entry of the listing comes twice.
    ListedTwice,
    /// The listing begins again after so many entries and a name that cannot be one. This one is no failure.
    ListedAnew(usize),
    /// The listing has a name that cannot be one.
    HostileName(&'static [u8]),
    /// The file cannot be opened.
    Fails(Code),
    /// The file fails after half of its first piece.
    FailsHalfway(Code),
    /// Half of each piece never comes, and the end is reported as if all were well.
    DataMissing,
    /// The handle says one byte more than there is, before and after.
    AnnouncesMore,
    /// The last write time has moved when the last byte was read.
    TimeMoves,
    /// Bytes beyond the end come too.
    DataBeyond,
    /// Pieces come backwards and overlap. Only this one is no failure.
    Scrambled,
}

impl Fault {
    fn is_of_listing(&self) -> bool {
        use Fault::{HostileName, ListedAnew, ListedTwice, ListingCut};
        matches!(self, ListingCut(..) | ListedTwice | ListedAnew(_) | HostileName(_))
    }
}

struct Planned {
    path: RelPath,
    fault: Fault,
    left: u64,
    happened: bool,
}

/// A source with a plan of faults.
pub struct FaultySource<S> {
    inner: S,
    plan: Mutex<Vec<Planned>>,
}

impl<S> FaultySource<S> {
    /// No faults so far.
    pub fn new(inner: S) -> FaultySource<S> {
        FaultySource { inner, plan: Mutex::default() }
    }

    /// The first `times` calls that concern `path` go wrong.
    pub fn with(self, path: RelPath, fault: Fault, times: u64) -> FaultySource<S> {
        self.plan().push(Planned { path, fault, left: times, happened: false });
        self
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Vec<Planned>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fault of a listing planned for a file, or the other way round, is never reached.
    fn fault(&self, path: &RelPath, of_listing: bool) -> Option<Fault> {
        let mut plan = self.plan();
        let planned = plan
            .iter_mut()
            .find(|planned| planned.left > 0 && planned.path == *path && planned.fault.is_of_listing() == of_listing)?;
        planned.left -= 1;
        planned.happened = true;
        Some(planned.fault.clone())
    }
}

impl<S> Drop for FaultySource<S> {
    fn drop(&mut self) {
        for planned in self.plan().iter().filter(|planned| !planned.happened) {
            assert!(std::thread::panicking(), "planned and never reached: {:?} on {}", planned.fault, planned.path);
        }
    }
}

impl<S: Source> Source for FaultySource<S> {
    fn features(&self) -> SourceFeatures {
        self.inner.features()
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        self.inner.pin()
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        match self.fault(folder, true) {
            Some(fault) => list_with(&fault, &self.inner, folder, sink),
            None => self.inner.list(folder, sink),
        }
    }
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        // What is in a snapshot does not go wrong.
        let fault =
            |wanted: &FetchRequest| if wanted.snapshot.is_none() { self.fault(&wanted.path, false) } else { None };
        let faults = batch.iter().map(fault).collect();
        self.inner.fetch(batch, &mut Fetcher { sink, faults });
    }
    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        self.inner.read_link(path)
    }
    fn clock(&self) -> Option<Timestamp> {
        self.inner.clock()
    }

    fn snapshots(&self) -> Result<Vec<Timestamp>, Error> {
        self.inner.snapshots()
    }
    fn remarks(&self) -> Vec<String> {
        self.inner.remarks()
    }
}

/// Lists with this fault.
pub(crate) fn list_with(fault: &Fault, inner: &dyn Source, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
    match *fault {
        Fault::ListingCut(entries, code) => {
            let _ = inner.list(folder, &mut Lister { sink, twice: false, left: entries });
            Listed::Incomplete(Error::new(code, "planned"))
        }
        Fault::ListedTwice => inner.list(folder, &mut Lister { sink, twice: true, left: usize::MAX }),
        Fault::ListedAnew(entries) => {
            let _ = inner.list(folder, &mut Lister { sink, twice: true, left: entries });
            sink.problem(b"..", Error::new(Code::BadName, "planned"));
            sink.restart();
            inner.list(folder, sink)
        }
        Fault::HostileName(name) => {
            sink.problem(name, Error::new(Code::BadName, "planned"));
            inner.list(folder, sink)
        }
        _ => inner.list(folder, sink),
    }
}

struct Lister<'a> {
    sink: &'a mut dyn ListSink,
    twice: bool,
    left: usize,
}

impl ListSink for Lister<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let Some(left) = self.left.checked_sub(1) else { return ControlFlow::Break(()) };
        self.left = left;
        if self.twice {
            self.sink.entry(entry.clone())?;
        }
        self.sink.entry(entry)
    }
    fn problem(&mut self, name: &[u8], error: Error) {
        self.sink.problem(name, error);
    }
    fn restart(&mut self) {
        self.sink.restart();
    }
}

/// Takes files with these faults, one for each file of the batch.
pub(crate) struct Fetcher<'a> {
    pub(crate) sink: &'a mut dyn FetchSink,
    pub(crate) faults: Vec<Option<Fault>>,
}

impl Fetcher<'_> {
    fn end(&mut self, file: usize, code: Code) -> Result<(), Stop> {
        self.sink.failed(file, Error::new(code, "planned"))?;
        Err(if code.stops_run() { Stop::Everything } else { Stop::ThisFile })
    }

    fn seen(&self, file: usize, mut meta: Meta) -> Meta {
        if matches!(self.faults[file], Some(Fault::AnnouncesMore)) {
            meta.size_bytes += 1;
        }
        meta
    }
}

impl FetchSink for Fetcher<'_> {
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        match self.faults[file] {
            Some(Fault::Fails(code)) => self.end(file, code),
            _ => self.sink.opened(file, self.seen(file, meta)),
        }
    }
    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let half = bytes.len() / 2;
        match self.faults[file] {
            Some(Fault::FailsHalfway(code)) => {
                self.sink.data(file, offset_bytes, &bytes[..half])?;
                self.end(file, code)
            }
            Some(Fault::DataMissing) => self.sink.data(file, offset_bytes, &bytes[..half]),
            Some(Fault::Scrambled) => {
                self.sink.data(file, offset_bytes + half as u64, &bytes[half..])?;
                self.sink.data(file, offset_bytes, bytes)
            }
            _ => self.sink.data(file, offset_bytes, bytes),
        }
    }
    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        self.sink.metadata(file, piece)
    }
    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        let mut meta = self.seen(file, meta);
        match self.faults[file] {
            Some(Fault::TimeMoves) => meta.write_time = meta.write_time.plus_secs(1),
            Some(Fault::DataBeyond) => self.sink.data(file, meta.size_bytes, b"beyond")?,
            _ => {}
        }
        self.sink.finished(file, meta)
    }
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.sink.failed(file, error)
    }
}
