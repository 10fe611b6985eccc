//! What a run asked of its source and what it reported to its listener, kept for tests.

use octo_core::{
    Change, Error, Event, FetchRequest, FetchSink, LinkTarget, ListSink, Listed, Meta, Monitor, Phase, Problem,
    RelPath, Source, SourceFeatures, SourcePin, Stop, Timestamp,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a run reported.
#[derive(Debug, Default)]
pub struct RecordingMonitor(Mutex<Observed>);

/// All events but progress.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Parts of the run, in order.
    pub phases: Vec<Phase>,
    /// Changes, in order.
    pub changes: Vec<Change>,
    /// Problems, in order.
    pub problems: Vec<Problem>,
    /// How often progress was reported.
    pub progress: u64,
}

impl RecordingMonitor {
    /// Nothing reported so far.
    pub fn new() -> RecordingMonitor {
        RecordingMonitor::default()
    }

    /// What was reported so far.
    pub fn reported(&self) -> Observed {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Monitor for RecordingMonitor {
    fn event(&self, event: &Event<'_>) {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Phase(phase) => reported.phases.push(*phase),
            Event::Change(change) => reported.changes.push(Change::clone(change)),
            Event::Problem(problem) => reported.problems.push(Problem::clone(problem)),
            Event::Progress { .. } => reported.progress += 1,
        }
    }
}

/// Any source, with a record of what was asked of it.
#[derive(Debug)]
pub struct Recorded<S> {
    inner: S,
    calls: Mutex<Calls>,
}

/// What was asked of a source.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// How often each folder was listed.
    pub lists: BTreeMap<RelPath, u64>,
    /// How often each file was asked for.
    pub fetches: BTreeMap<RelPath, u64>,
    /// Batches they were asked for in.
    pub batches: u64,
    /// Bytes that were handed over.
    pub bytes: u64,
    /// How often each link was read.
    pub links: BTreeMap<RelPath, u64>,
}

impl<S> Recorded<S> {
    /// Records what is asked of `inner`.
    pub fn new(inner: S) -> Recorded<S> {
        Recorded { inner, calls: Mutex::default() }
    }

    /// What was asked so far.
    pub fn calls(&self) -> Calls {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Source> Source for Recorded<S> {
    fn features(&self) -> SourceFeatures {
        self.inner.features()
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        self.inner.pin()
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        *self.lock().lists.entry(folder.clone()).or_default() += 1;
        self.inner.list(folder, sink)
    }
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        {
            let mut calls = self.lock();
            calls.batches += 1;
            batch.iter().for_each(|wanted| *calls.fetches.entry(wanted.path.clone()).or_default() += 1);
        }
        self.inner.fetch(batch, &mut Counting { sink, calls: &self.calls });
    }
    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        *self.lock().links.entry(path.clone()).or_default() += 1;
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

struct Counting<'a> {
    sink: &'a mut dyn FetchSink,
    calls: &'a Mutex<Calls>,
}

impl FetchSink for Counting<'_> {
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.sink.opened(file, meta)
    }
    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).bytes += bytes.len() as u64;
        self.sink.data(file, offset_bytes, bytes)
    }
    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.sink.finished(file, meta)
    }
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.sink.failed(file, error)
    }
}
