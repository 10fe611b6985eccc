//! The source of a world: a tree that changes, and the faults of one run. It keeps what it said, as proof.

use super::apply::{Contents, append, apply, touches_link};
use super::clock::SimClock;
use super::scenario::{Call, Change, Fault, ListFault, ReadFault, Scenario};
use crate::memory::{Details, MemSource, MemTree};
use crate::source_faults::{self, Fetcher, list_with};
use crate::tree::Tree;
use octo_core::{
    Cancel, Clock, Code, Entry, Error, FetchRequest, FetchSink, Kind, LinkTarget, ListSink, Listed, Meta, Part, Piece,
    RelPath, Source, SourceFeatures, SourcePin, Stop, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A thread that is stuck waits no longer than this for somebody to give it up.
/// A run that is over for another reason gives up nobody.
const STUCK_MAX: Duration = Duration::from_secs(10);

/// Which faults have happened.
#[derive(Default, Clone)]
pub(super) struct Fired(Arc<Mutex<BTreeSet<usize>>>);

impl Fired {
    /// The fault of this number happens; false if it has happened before.
    pub(super) fn fire(&self, fault: usize) -> bool {
        lock(&self.0).insert(fault)
    }

    /// Their numbers.
    pub(super) fn all(&self) -> BTreeSet<usize> {
        lock(&self.0).clone()
    }
}

/// What one listing reported the engine.
#[derive(Debug, Clone)]
pub(super) struct Reported {
    pub(super) folder: RelPath,
    pub(super) complete: bool,
    pub(super) code: Option<Code>,
    pub(super) names: BTreeMap<Vec<u8>, Kind>,
}

/// What the source went through in one run.
#[derive(Default)]
pub(super) struct Heard {
    /// All listings, in order.
    pub(super) reported: Vec<Reported>,
    /// The source as it was at the beginning, and after each change.
    pub(super) states: Vec<Tree>,
    /// What entries had besides their data, each time.
    pub(super) details: Vec<BTreeMap<RelPath, Details>>,
    /// The same in snapshots.
    pub(super) snapshot_details: Vec<BTreeMap<RelPath, Details>>,
    /// What is in snapshots.
    pub(super) snapshots: Vec<Tree>,
    /// Of these it was not reported what they have besides their data.
    pub(super) untold: BTreeSet<RelPath>,
    /// Faults that concern one path, to explain why a name is not as it should be.
    pub(super) read_faults: u64,
}

impl Heard {
    /// The source as it is now.
    fn look(&mut self, tree: &MemTree) {
        self.states.push(tree.as_tree());
        let mut details = tree.details().into_iter();
        self.details.extend(details.next());
        self.snapshot_details.extend(details);
        self.snapshots = tree.snapshots();
    }
}

/// The source in one run.
pub(super) struct SimSource {
    inner: MemSource,
    tree: MemTree,
    /// Files that are written all the time.
    live: Mutex<BTreeMap<RelPath, bool>>,
    metadata: bool,
    contents: Arc<Contents>,
    clock: Arc<SimClock>,
    cancel: Cancel,
    faults: Vec<Fault>,
    fired: Fired,
    replays: bool,
    lists: AtomicU64,
    opens: AtomicU64,
    links: AtomicU64,
    heard: Mutex<Heard>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimSource {
    pub(super) fn new(
        tree: &MemTree,
        contents: &Arc<Contents>,
        clock: &Arc<SimClock>,
        cancel: &Cancel,
        faults: &[Fault],
        fired: &Fired,
        scenario: &Scenario,
    ) -> SimSource {
        let mut heard = Heard::default();
        heard.look(tree);
        SimSource {
            inner: MemSource::new(tree),
            tree: tree.clone(),
            live: Mutex::default(),
            metadata: scenario.metadata,
            contents: Arc::clone(contents),
            clock: Arc::clone(clock),
            cancel: cancel.clone(),
            faults: faults.to_vec(),
            fired: fired.clone(),
            replays: scenario.workers == 1,
            lists: AtomicU64::new(0),
            opens: AtomicU64::new(0),
            links: AtomicU64::new(0),
            heard: Mutex::new(heard),
        }
    }

    /// What it went through.
    pub(super) fn heard(self) -> Heard {
        self.heard.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens at this call, besides the call. An error if there is no answer.
    fn meanwhile(&self, now: Call) -> Result<(), Error> {
        for (number, fault) in self.faults.iter().enumerate() {
            match fault {
                Fault::Changes { call, change } if *call == now => {
                    // While folders are listed, the engine reads links on another thread.
                    let races = matches!(now, Call::List(_)) && touches_link(&self.tree, change);
                    if !races && self.fired.fire(number) {
                        apply(&self.tree, change, &self.contents, self.clock.now());
                        lock(&self.heard).look(&self.tree);
                    }
                }
                Fault::Slow { call, secs } if *call == now && self.fired.fire(number) => {
                    self.clock.pass(Duration::from_secs(*secs));
                }
                Fault::Cancel { call } if *call == now && self.fired.fire(number) => self.cancel.cancel(),
                Fault::Stuck { call } if *call == now && self.fired.fire(number) => return Err(self.stuck()),
                _ => {}
            }
        }
        Ok(())
    }

    /// A file is open: it is written, if it is one that is written all the time.
    fn goes_on(&self, nth: u64, at: &RelPath) {
        for (number, fault) in self.faults.iter().enumerate() {
            if let Fault::Live { nth: first, grows } = fault
                && *first == nth
                && self.fired.fire(number)
            {
                lock(&self.live).insert(at.clone(), *grows);
            }
        }
        match lock(&self.live).get(at) {
            Some(true) => append(&self.tree, at, &self.contents, 30),
            Some(false) => {
                let write = Change::Write { path: at.to_text(), bytes: 100, zeros: 0 };
                apply(&self.tree, &write, &self.contents, self.clock.now())
            }
            None => return,
        };
        lock(&self.heard).look(&self.tree);
    }

    /// Of a file that gets other content all the time the second half of what is read is newer than the first.
    fn written_since(&self, at: &RelPath, offset_bytes: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        if lock(&self.live).get(at) != Some(&false) {
            return None;
        }
        let now = self.tree.as_tree().remove(at)?.content;
        let (half, start) = (bytes.len() / 2, usize::try_from(offset_bytes).ok()?);
        let newer = now.into_iter().skip(start + half).chain(bytes.iter().copied().skip(half));
        Some(bytes[..half].iter().copied().chain(newer).take(bytes.len()).collect())
    }

    /// Whether it cannot be reported what this file has besides its data.
    fn withholds(&self, nth: u64, at: &RelPath) -> Option<Error> {
        let is_due = |(_, fault): &(usize, &Fault)| matches!(fault, Fault::Details { nth: at, .. } if *at == nth);
        let (number, fault) = self.faults.iter().enumerate().find(is_due)?;
        let Fault::Details { code, .. } = fault else { return None };
        self.fired.fire(number);
        lock(&self.heard).untold.insert(at.clone());
        Some(Error::new(*code, "planned"))
    }

    /// Hours pass, and nothing comes; until somebody gives up.
    fn stuck(&self) -> Error {
        self.clock.pass(Duration::from_secs(10 * 3600));
        let begun = Instant::now();
        while !self.cancel.is_cancelled() && begun.elapsed() < STUCK_MAX {
            std::thread::sleep(Duration::from_millis(5));
        }
        Error::new(Code::TimedOut, "stuck")
    }

    fn list_fault(&self, nth: u64) -> Option<source_faults::Fault> {
        let is_due = |(_, fault): &(usize, &Fault)| matches!(fault, Fault::List { nth: at, .. } if *at == nth);
        let (number, fault) = self.faults.iter().enumerate().find(is_due)?;
        self.fired.fire(number);
        let Fault::List { how, .. } = fault else { return None };
        Some(match *how {
            ListFault::Cut { entries, code } => source_faults::Fault::ListingCut(entries, code),
            ListFault::Twice => source_faults::Fault::ListedTwice,
            ListFault::Anew { entries } => source_faults::Fault::ListedAnew(entries),
            ListFault::BadName => source_faults::Fault::HostileName(b"../outside"),
        })
    }

    fn read_fault(&self, nth: u64) -> Option<source_faults::Fault> {
        let is_due = |(_, fault): &(usize, &Fault)| matches!(fault, Fault::Read { nth: at, .. } if *at == nth);
        let (number, fault) = self.faults.iter().enumerate().find(is_due)?;
        self.fired.fire(number);
        lock(&self.heard).read_faults += 1;
        let Fault::Read { how, .. } = fault else { return None };
        Some(match *how {
            ReadFault::Fails { code } => source_faults::Fault::Fails(code),
            ReadFault::FailsHalfway { code } => source_faults::Fault::FailsHalfway(code),
            ReadFault::DataMissing => source_faults::Fault::DataMissing,
            ReadFault::AnnouncesMore => source_faults::Fault::AnnouncesMore,
            ReadFault::TimeMoves => source_faults::Fault::TimeMoves,
            ReadFault::DataBeyond => source_faults::Fault::DataBeyond,
            ReadFault::Scrambled => source_faults::Fault::Scrambled,
        })
    }
}

impl Source for SimSource {
    fn features(&self) -> SourceFeatures {
        // One batch for all files: it is handed over when all is listed, so that with one thread a side nothing happens at the
        // same time as anything that could make a difference.
        let batch_files = if self.replays { 10_000 } else { 2 };
        SourceFeatures { batch_files, has_metadata: self.metadata, ..self.inner.features() }
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        self.inner.pin()
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let nth = self.lists.fetch_add(1, Ordering::SeqCst) + 1;
        let mut keeping = Keeping { sink, names: BTreeMap::new(), bad: false };
        let listed = match (self.meanwhile(Call::List(nth)), self.list_fault(nth)) {
            (Err(error), _) => Listed::Incomplete(error),
            (Ok(()), Some(fault)) => list_with(&fault, &self.inner, folder, &mut keeping),
            (Ok(()), None) => self.inner.list(folder, &mut keeping),
        };
        let (complete, code) = match &listed {
            Listed::Complete => (!keeping.bad, None),
            Listed::Incomplete(error) => (false, Some(error.code)),
        };
        lock(&self.heard).reported.push(Reported { folder: folder.clone(), complete, code, names: keeping.names });
        listed
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        for (file, wanted) in batch.iter().enumerate() {
            let nth = self.opens.fetch_add(1, Ordering::SeqCst) + 1;
            let withheld = if wanted.metadata { self.withholds(nth, &wanted.path) } else { None };
            let path = if wanted.snapshot.is_none() && !wanted.is_details_only() { Some(&wanted.path) } else { None };
            let mut one = One { source: self, nth, file, path, withheld, stopped: false, sink };
            let mut faulty = Fetcher { sink: &mut one, faults: vec![self.read_fault(nth)] };
            self.inner.fetch(std::slice::from_ref(wanted), &mut faulty);
            if one.stopped {
                return;
            }
        }
    }

    fn snapshots(&self) -> Result<Vec<Timestamp>, Error> {
        self.inner.snapshots()
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        let now = self.links.fetch_add(1, Ordering::SeqCst) + 1;
        for (number, fault) in self.faults.iter().enumerate() {
            if matches!(fault, Fault::ReadLink { nth } if *nth == now) && self.fired.fire(number) {
                return Err(Error::new(Code::SourceEntry, "planned"));
            }
        }
        self.inner.read_link(path)
    }
}

/// Keeps what a listing reported.
struct Keeping<'a> {
    sink: &'a mut dyn ListSink,
    names: BTreeMap<Vec<u8>, Kind>,
    bad: bool,
}

impl ListSink for Keeping<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        // A name that comes twice makes a listing that is not to be believed.
        self.bad |= self.names.insert(entry.name.as_bytes().to_vec(), entry.meta.kind).is_some();
        self.sink.entry(entry)
    }
    fn problem(&mut self, name: &[u8], error: Error) {
        self.bad |= error.code == Code::BadName;
        self.sink.problem(name, error);
    }
    fn restart(&mut self) {
        self.names.clear();
        self.bad = false;
        self.sink.restart();
    }
}

/// One file of a batch, under its own number, and what happens while it is read.
struct One<'a> {
    source: &'a SimSource,
    nth: u64,
    file: usize,
    /// The file that is read as it is now.
    path: Option<&'a RelPath>,
    /// Why nothing is reported of it besides its data.
    withheld: Option<Error>,
    stopped: bool,
    sink: &'a mut dyn FetchSink,
}

impl One<'_> {
    fn note(&mut self, result: Result<(), Stop>) -> Result<(), Stop> {
        self.stopped |= result == Err(Stop::Everything);
        result
    }
}

impl FetchSink for One<'_> {
    fn opened(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        if let Err(error) = self.source.meanwhile(Call::Open(self.nth)) {
            let ended = self.sink.failed(self.file, error);
            let _ = self.note(ended);
            return self.note(Err(Stop::Everything));
        }
        // What somebody put in its place meanwhile is another file: who writes to this one does not write to that.
        self.path = self.path.filter(|path| self.source.tree.id_of(path) == meta.id);
        self.path.iter().for_each(|path| self.source.goes_on(self.nth, path));
        let result = self.sink.opened(self.file, meta);
        self.note(result)?;
        let Some(error) = self.withheld.clone() else { return Ok(()) };
        for part in [Part::Extended, Part::Streams] {
            let result = self.sink.metadata(self.file, Piece::Unknown(part, Some(error.clone())));
            self.note(result)?;
        }
        Ok(())
    }
    fn metadata(&mut self, _: usize, piece: Piece<'_>) -> Result<(), Stop> {
        if self.withheld.is_some() {
            return Ok(());
        }
        let result = self.sink.metadata(self.file, piece);
        self.note(result)
    }
    fn data(&mut self, _: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let result = match self.path.and_then(|path| self.source.written_since(path, offset_bytes, bytes)) {
            Some(torn) => self.sink.data(self.file, offset_bytes, &torn),
            None => self.sink.data(self.file, offset_bytes, bytes),
        };
        self.note(result)
    }
    fn finished(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        let result = self.sink.finished(self.file, meta);
        self.note(result)
    }
    fn failed(&mut self, _: usize, error: Error) -> Result<(), Stop> {
        let stops = error.code.stops_run();
        let result = self.sink.failed(self.file, error);
        self.stopped |= stops;
        self.note(result)
    }
}
