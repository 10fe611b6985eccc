//! A source that counts what is read from it, tells lies about features and entries, and lets a test act in between.

use octo_core::listing::{ListSink, Listed};
use octo_core::{
    Entry, Error, FetchRequest, FetchSink, LinkTarget, Meta, RelPath, Source, SourceFeatures, SourcePin, Stop,
};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

type Act = Box<dyn FnOnce() + Send>;

/// A source, and what a test wants of it.
pub struct Watched<S> {
    inner: S,
    /// Listings leave out what the account may not read.
    hides_unreadable: bool,
    /// Files of this name are elsewhere.
    not_local: Option<&'static [u8]>,
    before_fetch: Mutex<Option<Act>>,
    after_bytes: Mutex<Option<(u64, Act)>>,
    fetched: AtomicU64,
}

impl<S> Watched<S> {
    pub fn new(inner: S) -> Watched<S> {
        Watched {
            inner,
            hides_unreadable: false,
            not_local: None,
            before_fetch: Mutex::new(None),
            after_bytes: Mutex::new(None),
            fetched: AtomicU64::new(0),
        }
    }

    /// From now on it says that listings leave out what the account may not read.
    pub fn hiding(self) -> Watched<S> {
        Watched { hides_unreadable: true, ..self }
    }

    /// From now on it says that the data of files of this name is elsewhere.
    pub fn without_data_of(self, name: &'static [u8]) -> Watched<S> {
        Watched { not_local: Some(name), ..self }
    }

    /// Acts once, just before the first file is read.
    pub fn before_fetch(self, act: impl FnOnce() + Send + 'static) -> Watched<S> {
        *self.before_fetch.lock().unwrap() = Some(Box::new(act));
        self
    }

    /// Acts once, when so many bytes were read.
    pub fn after(self, bytes: u64, act: impl FnOnce() + Send + 'static) -> Watched<S> {
        *self.after_bytes.lock().unwrap() = Some((bytes, Box::new(act)));
        self
    }

    /// Bytes handed out so far.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::SeqCst)
    }
}

impl<S: Source> Source for Watched<S> {
    fn features(&self) -> SourceFeatures {
        SourceFeatures { hides_unreadable: self.hides_unreadable, ..self.inner.features() }
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        self.inner.pin()
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        self.inner.list(folder, &mut Lister { sink, not_local: self.not_local })
    }
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        let act = self.before_fetch.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
        self.inner.fetch(batch, &mut Fetcher { source: self, sink });
    }
    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        self.inner.read_link(path)
    }
}

struct Lister<'a> {
    sink: &'a mut dyn ListSink,
    not_local: Option<&'static [u8]>,
}

impl ListSink for Lister<'_> {
    fn entry(&mut self, mut entry: Entry) -> ControlFlow<()> {
        entry.meta.is_local &= self.not_local != Some(entry.name.as_bytes());
        self.sink.entry(entry)
    }
    fn problem(&mut self, name: &[u8], error: Error) {
        self.sink.problem(name, error);
    }
    fn restart(&mut self) {
        self.sink.restart();
    }
}

struct Fetcher<'a, S> {
    source: &'a Watched<S>,
    sink: &'a mut dyn FetchSink,
}

impl<S> FetchSink for Fetcher<'_, S> {
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.sink.opened(file, meta)
    }
    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.sink.data(file, offset_bytes, bytes)?;
        let fetched = self.source.fetched.fetch_add(bytes.len() as u64, Ordering::SeqCst) + bytes.len() as u64;
        let mut after = self.source.after_bytes.lock().unwrap();
        if let Some((_, act)) = after.take_if(|(limit, _)| fetched >= *limit) {
            act();
        }
        Ok(())
    }
    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.sink.finished(file, meta)
    }
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.sink.failed(file, error)
    }
}
