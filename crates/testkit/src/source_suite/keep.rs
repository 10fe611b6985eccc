//! Sinks that keep what a source says, and hold it to the order that core promises.

use octo_core::{
    Entry, Error, FetchRequest, FetchSink, Kind, ListSink, Listed, Meta, RelPath, Source, Stop, Timestamp,
};
use std::ops::ControlFlow;

/// A path of the suite's own.
pub fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).expect("the suite's own paths are possible")
}

/// The whole of a file, as if nothing were known of it.
pub fn request(text: &str) -> FetchRequest {
    FetchRequest {
        path: path(text),
        listed: Meta::new(Kind::File, 1, Timestamp(0)),
        parts: None,
        snapshot: None,
        metadata: false,
    }
}

/// A listing, kept.
#[derive(Debug)]
pub struct KeptList {
    /// In the order they came.
    pub entries: Vec<Entry>,
    /// Names that cannot be handed over.
    pub problems: Vec<(Vec<u8>, Error)>,
    /// How it ended.
    pub end: Listed,
}

impl KeptList {
    /// What was listed under this name; panics if it was not.
    pub fn meta(&self, name: &str) -> Meta {
        let entry = self.entries.iter().find(|entry| entry.name.as_bytes() == name.as_bytes());
        entry.unwrap_or_else(|| unreachable!("{name:?} was not listed: {self:?}")).meta
    }

    /// The names, sorted.
    pub fn names(&self) -> Vec<&[u8]> {
        let mut names: Vec<_> = self.entries.iter().map(|entry| entry.name.as_bytes()).collect();
        names.sort_unstable();
        names
    }
}

struct ListKeeper<'a> {
    list: &'a mut KeptList,
    at_most: usize,
}

impl ListSink for ListKeeper<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.list.entries.push(entry);
        if self.list.entries.len() >= self.at_most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
    fn problem(&mut self, name: &[u8], error: Error) {
        self.list.problems.push((name.to_vec(), error));
    }
    fn restart(&mut self) {
        self.list.entries.clear();
        self.list.problems.clear();
    }
}

/// Lists a folder, and wants no more after `at_most` entries.
pub fn keep_list(source: &dyn Source, folder: &RelPath, at_most: usize) -> KeptList {
    let mut list = KeptList { entries: Vec::new(), problems: Vec::new(), end: Listed::Complete };
    let end = source.list(folder, &mut ListKeeper { list: &mut list, at_most });
    KeptList { end, ..list }
}

/// What came of one file.
#[derive(Debug, Default, Clone)]
pub struct KeptFile {
    /// When it was opened.
    pub opened: Option<Meta>,
    /// At its end.
    pub finished: Option<Meta>,
    /// Its failure.
    pub error: Option<Error>,
    /// Its pieces, in the order they came.
    pub pieces: Vec<(u64, Vec<u8>)>,
    /// The sink wants no more of it.
    pub stopped: bool,
}

impl KeptFile {
    /// The pieces put together; panics if they leave a gap or overlap.
    pub fn content(&self) -> Vec<u8> {
        let mut pieces: Vec<_> = self.pieces.iter().filter(|piece| !piece.1.is_empty()).collect();
        pieces.sort_by_key(|piece| piece.0);
        let mut content = Vec::new();
        for (offset_bytes, bytes) in pieces {
            assert_eq!(*offset_bytes, content.len() as u64, "a gap or an overlap");
            content.extend_from_slice(bytes);
        }
        content
    }
}

/// Keeps a batch. Panics as soon as the source breaks the order of events.
#[derive(Debug, Default)]
pub struct Kept {
    /// One for each request.
    pub files: Vec<KeptFile>,
    /// What to say at the first event or the first data of a file.
    pub say: Option<(usize, At, Stop)>,
    all_stopped: bool,
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// When the file was opened.
    Opened,
    /// At its first data.
    Data,
}

impl Kept {
    fn file(&mut self, file: usize) -> &mut KeptFile {
        assert!(!self.all_stopped, "an event of file {file} after everything was stopped");
        let kept = self.files.get_mut(file).unwrap_or_else(|| unreachable!("file {file} was not asked for"));
        assert!(!kept.stopped, "an event of file {file} after it was stopped");
        assert!(kept.finished.is_none() && kept.error.is_none(), "an event of file {file} after its end");
        kept
    }

    fn answer(&mut self, file: usize, now: At) -> Result<(), Stop> {
        let Some((_, _, stop)) = self.say.filter(|(f, at, _)| *f == file && *at == now) else { return Ok(()) };
        self.files[file].stopped = true;
        self.all_stopped = stop == Stop::Everything;
        Err(stop)
    }
}

impl FetchSink for Kept {
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        let kept = self.file(file);
        assert!(kept.opened.replace(meta).is_none(), "file {file} was opened twice");
        self.answer(file, At::Opened)
    }
    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let kept = self.file(file);
        assert!(kept.opened.is_some(), "data of file {file} before it was opened");
        kept.pieces.push((offset_bytes, bytes.to_vec()));
        self.answer(file, At::Data)
    }
    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        let kept = self.file(file);
        assert!(kept.opened.is_some(), "file {file} ended before it was opened");
        kept.finished = Some(meta);
        Ok(())
    }
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.file(file).error = Some(error);
        Ok(())
    }
}

/// Fetches a batch, saying `say` once; each file that was not stopped has ended exactly once.
pub fn fetch(source: &dyn Source, batch: &[FetchRequest], say: Option<(usize, At, Stop)>) -> Vec<KeptFile> {
    let mut kept = Kept { files: vec![KeptFile::default(); batch.len()], say, all_stopped: false };
    source.fetch(batch, &mut kept);
    for (at, file) in kept.files.iter().enumerate() {
        let ended = file.finished.is_some() || file.error.is_some();
        assert!(ended || file.stopped || kept.all_stopped, "no end of file {at}: {}", batch[at].path);
    }
    kept.files
}
