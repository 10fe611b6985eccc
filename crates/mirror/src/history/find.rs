//! Files and folders over all states: the versions of one, and those whose name fits.

use super::{History, State, When};
use crate::spill::{Pool, Sorter, Stack};
use octo_core::{Cancel, Code, Entry, Error, Kind, ListSink, Listed, Meta, Name, RelPath, Source, naming};
use std::ops::ControlFlow;

/// What is sorted in memory.
const SORT_BYTES: usize = 8 << 20;

/// The states in which an entry was the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The first of them that is kept.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// What it was.
    pub meta: Meta,
    /// Whether the mirror has it as it is now.
    pub is_newest: bool,
}

impl<'t> History<'t> {
    /// The versions of one entry, oldest first.
    pub fn spans(&'t self, path: &RelPath) -> Result<Vec<Span>, Error> {
        self.spans_in(&self.all()?, path)
    }

    /// All states whose records are whole.
    fn all(&'t self) -> Result<Vec<State<'t>>, Error> {
        // What a run that began meanwhile makes is no state yet.
        let numbers = self.numbers()?.into_iter().filter(|number| *number < self.marker.next_run);
        let states = numbers.map(|number| self.state(When::Number(number)));
        // Those after a damaged record are.
        let is_told = |state: &Result<_, Error>| !state.as_ref().is_err_and(|error| error.code == Code::RecordsDamaged);
        states.filter(is_told).collect()
    }

    fn spans_in(&self, states: &[State<'_>], path: &RelPath) -> Result<Vec<Span>, Error> {
        let newest = states.last().map(State::number);
        let mut spans: Vec<(Span, RelPath)> = Vec::new();
        let mut before = None;
        for state in states {
            let number = state.number();
            let follows = before.replace(number);
            let Some((meta, content)) = state.content(path)? else { continue };
            let is_newest = newest == Some(number);
            // What was gone meanwhile is another version.
            let same = spans.last_mut().filter(|(span, of)| {
                follows == Some(span.last)
                    && is_same(&span.meta, &meta)
                    && (meta.kind == Kind::Folder || *of == content)
            });
            match same {
                Some((span, _)) => (span.last, span.is_newest) = (number, is_newest),
                None => spans.push((Span { first: number, last: number, meta, is_newest }, content)),
            }
        }
        Ok(spans.into_iter().map(|(span, _)| span).collect())
    }

    /// Every entry below a folder, of any state, whose name fits, with its versions; by path, those that come after one. Once
    /// cancelled, it fails with [`Code::Cancelled`].
    pub fn find(
        &'t self,
        (below, after): (&RelPath, Option<&RelPath>),
        fits: &dyn Fn(&Name) -> bool,
        cancel: &Cancel,
        each: &mut dyn FnMut(&RelPath, &[Span]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let passed = after.map(|after| self.order.entry_key(after));
        let pool = Pool::new(SORT_BYTES);
        let mut sorter = Sorter::new(self.target, &pool);
        let folded = RelPath::parse(&naming::fold(below.as_bytes())).unwrap_or_default();
        let mut found = |path: &RelPath| {
            if cancel.is_cancelled() {
                return Err(Error::new(Code::Cancelled, ""));
            }
            let is_below = match self.order.folds_case {
                true => RelPath::parse(&naming::fold(path.as_bytes())).is_ok_and(|path| path.is_within(&folded)),
                false => path.is_within(below),
            };
            let is_wanted = path.name().is_some_and(|name| fits(&name)) && is_below && path != below;
            if is_wanted { sorter.push(&self.order.entry_key(path), path.as_bytes()) } else { Ok(()) }
        };
        walk(self.target, &self.state(When::Now)?, below, &mut found)?;
        for table in self.all_tables(self.runs()?)? {
            for path in table.paths() {
                found(&original(&path?))?;
            }
        }
        let (sorted, states) = (sorter.finish()?, self.all()?);
        let mut last = None;
        for record in sorted.iter()? {
            let record = record?;
            if cancel.is_cancelled() {
                return Err(Error::new(Code::Cancelled, ""));
            }
            if passed.as_deref().is_some_and(|passed| record.key() <= passed) {
                continue;
            }
            let path = RelPath::parse(record.value()).unwrap_or_default();
            let is_again = |last: &RelPath| match self.order.folds_case {
                true => naming::fold(last.as_bytes()) == naming::fold(path.as_bytes()),
                false => *last == path,
            };
            if last.as_ref().is_some_and(is_again) {
                continue;
            }
            let spans = self.spans_in(&states, &path)?;
            if !spans.is_empty() && each(&path, &spans).is_break() {
                return Ok(());
            }
            last = Some(path);
        }
        Ok(())
    }
}

fn is_same(a: &Meta, b: &Meta) -> bool {
    a.kind == b.kind && (a.kind == Kind::Folder || (a.size_bytes == b.size_bytes && a.write_time == b.write_time))
}

/// The path on the source of what is stored under this one.
fn original(stored: &RelPath) -> RelPath {
    stored.names().fold(RelPath::root(), |folder, name| folder.join(&naming::unescape(&name).unwrap_or(name)))
}

/// Shows every path below a folder of a state.
pub(super) fn walk(
    target: &dyn octo_core::Target,
    state: &State<'_>,
    below: &RelPath,
    found: &mut dyn FnMut(&RelPath) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut folders = Stack::default();
    if state.look(below)?.is_some_and(|meta| meta.kind == Kind::Folder) || below.is_root() {
        folders.push(target, below.as_bytes())?;
    }
    while let Some(folder) = folders.pop()? {
        let folder = RelPath::parse(&folder).unwrap_or_default();
        let mut each = Each { target, folder: &folder, folders: &mut folders, found, failed: None };
        match (state.list(&folder, &mut each), each.failed) {
            (_, Some(error)) | (Listed::Incomplete(error), None) => return Err(error),
            (Listed::Complete, None) => {}
        }
    }
    Ok(())
}

struct Each<'a> {
    target: &'a dyn octo_core::Target,
    folder: &'a RelPath,
    folders: &'a mut Stack,
    found: &'a mut dyn FnMut(&RelPath) -> Result<(), Error>,
    failed: Option<Error>,
}

impl ListSink for Each<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let path = self.folder.join(&entry.name);
        let mut done = (self.found)(&path);
        if entry.meta.kind == Kind::Folder {
            done = done.and_then(|()| self.folders.push(self.target, path.as_bytes()));
        }
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
    fn problem(&mut self, _: &[u8], error: Error) {
        self.failed.get_or_insert(error);
    }
    fn restart(&mut self) {}
}
