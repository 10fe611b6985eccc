//! A target that already holds a generated tree, without storing it.

use super::{Found, GeneratedTree};
use octo_core::{
    Abilities, Code, Done, Entry, Error, Kind, LinkTarget, ListSink, Listed, Meta, RESERVED, RelPath, Space, Target,
    TargetFile, TimeRules, Timestamp,
};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

/// How the mirror differs from the source's tree. The default: not at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Difference {
    /// Every n-th file is missing; 1 for an empty mirror, whose folders are missing too.
    pub missing_every: Option<u64>,
    /// Every n-th file has an older time.
    pub older_every: Option<u64>,
}

/// A target whose listing is a generated tree. Its reserved folder is a real one, in `inner`; whatever is written
/// beside that is accepted, counted and forgotten.
pub struct GeneratedTarget {
    tree: GeneratedTree,
    difference: Difference,
    inner: Box<dyn Target>,
    forgotten: AtomicU64,
}

impl GeneratedTarget {
    /// A mirror of `tree` but for `difference`; `inner` keeps what belongs into the reserved folder.
    pub fn new(tree: GeneratedTree, difference: Difference, inner: Box<dyn Target>) -> GeneratedTarget {
        GeneratedTarget { tree, difference, inner, forgotten: AtomicU64::new(0) }
    }

    /// Effects on the tree that were accepted and forgotten.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    fn forget(&self) -> Done {
        self.forgotten.fetch_add(1, Ordering::Relaxed);
        Done::Yes
    }

    /// Whether the listing has it, and as what.
    fn shown(&self, found: Found) -> Option<Meta> {
        let mut meta = self.tree.meta(found);
        let is_each = |every: Option<u64>, number: u64| every.is_some_and(|n| number.is_multiple_of(n.max(1)));
        match found {
            Found::Folder(_) if self.difference.missing_every == Some(1) => return None,
            Found::File(number) if is_each(self.difference.missing_every, number) => return None,
            Found::File(number) if is_each(self.difference.older_every, number) => {
                meta.write_time = meta.write_time.plus_secs(-5);
            }
            _ => {}
        }
        Some(meta)
    }

    fn lists_inner(&self, sink: &mut dyn ListSink) -> Listed {
        struct Ours<'a>(&'a mut dyn ListSink);
        impl ListSink for Ours<'_> {
            fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
                if entry.name.as_bytes() == RESERVED.as_bytes() {
                    self.0.entry(entry)
                } else {
                    ControlFlow::Continue(())
                }
            }
            fn problem(&mut self, name: &[u8], error: Error) {
                self.0.problem(name, error);
            }
            fn restart(&mut self) {
                self.0.restart();
            }
        }
        self.inner.list(&RelPath::root(), &mut Ours(sink))
    }

    /// Renames across the border of the reserved folder lose what they carry.
    fn rename(&self, from: &RelPath, to: &RelPath, inside: impl Fn() -> Result<Done, Error>) -> Result<Done, Error> {
        match (is_ours(from), is_ours(to)) {
            (true, true) => inside(),
            (true, false) => match self.inner.remove_file(from)? {
                Done::Yes => Ok(self.forget()),
                other => Ok(other),
            },
            (false, _) => Ok(self.forget()),
        }
    }
}

fn is_ours(path: &RelPath) -> bool {
    path.top().is_some_and(|top| top.as_bytes() == RESERVED.as_bytes())
}

fn no_content(path: &RelPath) -> Error {
    Error::new(Code::TargetEntry, format!("{path}: a generated mirror has no content"))
}

impl Target for GeneratedTarget {
    fn abilities(&self) -> Abilities {
        Abilities { times: TimeRules::EXACT, ..self.inner.abilities() }
    }
    fn lock(&self) -> Result<Box<dyn Send>, Error> {
        self.inner.lock()
    }
    fn space(&self) -> Result<Space, Error> {
        self.inner.space()
    }
    fn boot_id(&self) -> String {
        self.inner.boot_id()
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        if is_ours(folder) {
            return self.inner.list(folder, sink);
        }
        if folder.is_root()
            && let incomplete @ Listed::Incomplete(_) = self.lists_inner(sink)
        {
            return incomplete;
        }
        let Some(found) = self.tree.find(folder) else {
            return Listed::Incomplete(Error::new(Code::NotFound, folder.to_string()));
        };
        let Some(entries) = self.tree.entries(found) else {
            return Listed::Incomplete(Error::new(Code::KindMoved, folder.to_string()));
        };
        for (found, entry) in entries {
            let Some(meta) = self.shown(found) else { continue };
            if sink.entry(Entry { meta, ..entry }).is_break() {
                return Listed::Incomplete(Error::new(Code::ListingCut, "no more was wanted"));
            }
        }
        Listed::Complete
    }

    fn look(&self, path: &RelPath) -> Result<Option<Meta>, Error> {
        if is_ours(path) {
            return self.inner.look(path);
        }
        Ok(self.tree.find(path).and_then(|found| match found {
            // Folders that were made are not remembered, but their times are settled later.
            Found::Root | Found::Folder(_) => Some(self.tree.meta(found)),
            Found::File(_) => self.shown(found),
        }))
    }

    fn make_folder(&self, path: &RelPath) -> Result<Done, Error> {
        if is_ours(path) { self.inner.make_folder(path) } else { Ok(self.forget()) }
    }
    fn create_file(&self, path: &RelPath) -> Result<Box<dyn TargetFile>, Error> {
        if is_ours(path) { self.inner.create_file(path) } else { Err(no_content(path)) }
    }
    fn open_file(&self, path: &RelPath) -> Result<Option<Box<dyn TargetFile>>, Error> {
        match is_ours(path) {
            true => self.inner.open_file(path),
            false if self.look(path)?.is_some_and(|meta| meta.kind == Kind::File) => Err(no_content(path)),
            false => Ok(None),
        }
    }
    fn make_link(&self, path: &RelPath, link: &LinkTarget, write: Timestamp) -> Result<Done, Error> {
        if is_ours(path) { self.inner.make_link(path, link, write) } else { Ok(self.forget()) }
    }
    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error> {
        if is_ours(path) { self.inner.read_link(path) } else { Ok(None) }
    }
    fn hard_link(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        if is_ours(from) && is_ours(to) { self.inner.hard_link(from, to) } else { Ok(self.forget()) }
    }
    fn rename_over(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        self.rename(from, to, || self.inner.rename_over(from, to))
    }
    fn rename_new(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        self.rename(from, to, || self.inner.rename_new(from, to))
    }
    fn remove_file(&self, path: &RelPath) -> Result<Done, Error> {
        if is_ours(path) { self.inner.remove_file(path) } else { Ok(self.forget()) }
    }
    fn remove_folder(&self, path: &RelPath) -> Result<Done, Error> {
        if is_ours(path) { self.inner.remove_folder(path) } else { Ok(self.forget()) }
    }
    fn set_times(&self, path: &RelPath, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Error> {
        if is_ours(path) {
            return self.inner.set_times(path, write, creation);
        }
        self.forget();
        Ok(())
    }
    fn checkpoint(&self) -> Result<(), Error> {
        self.inner.checkpoint()
    }
    fn sync_folder(&self, path: &RelPath) -> Result<(), Error> {
        if is_ours(path) { self.inner.sync_folder(path) } else { Ok(()) }
    }
    fn record_name(&self, stored: &RelPath, original: &[u8]) -> Result<(), Error> {
        self.inner.record_name(stored, original)
    }
    fn recorded_name(&self, stored: &RelPath) -> Result<Option<Vec<u8>>, Error> {
        self.inner.recorded_name(stored)
    }
    fn scratch(&self) -> Result<Box<dyn TargetFile>, Error> {
        self.inner.scratch()
    }
}
