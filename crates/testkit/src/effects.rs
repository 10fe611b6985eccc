//! Any target, with a number for each of its effects: to stop, to fail or to forget at exactly the k-th.

use octo_core::listing::{ListSink, Listed};
use octo_core::ranges::Ranges;
use octo_core::{
    Abilities, Code, Done, Error, Kept, LinkTarget, Meta, Metadata, Name, RelPath, Space, Target, TargetFile, Timestamp,
};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What happens at an effect.
pub trait Trap: Send + Sync {
    /// Before effect number `number` (from 1) of the kind `what`. An error is what the effect fails with.
    fn before(&self, number: u64, what: &str) -> Result<(), Error> {
        let _ = (number, what);
        Ok(())
    }

    /// After it took place.
    fn after(&self, number: u64, what: &str) {
        let _ = (number, what);
    }

    /// Whether effect number `number`, if it is a write, writes only half before it fails.
    fn tears(&self, number: u64) -> bool {
        let _ = number;
        false
    }
}

/// Only counts.
pub struct Count;

impl Trap for Count {}

/// The process dies right after effect `0`, as if it had been killed.
pub struct AbortAfter(pub u64);

impl Trap for AbortAfter {
    fn after(&self, number: u64, _: &str) {
        if number == self.0 {
            std::process::abort();
        }
    }
}

/// One effect fails, or all from it on.
pub struct FailAt {
    /// The first effect that fails.
    pub number: u64,
    /// With what.
    pub code: Code,
    /// Whether those after it fail too, as on a full disk.
    pub and_all_after: bool,
}

impl Trap for FailAt {
    fn before(&self, number: u64, what: &str) -> Result<(), Error> {
        let fails = number == self.number || (self.and_all_after && number > self.number);
        if fails { Err(Error::new(self.code, format!("planned to fail: {what}"))) } else { Ok(()) }
    }
}

/// One write writes only half, then it and everything after it fails: the disk is full, or the process is dying.
pub struct TearAt {
    /// The effect that is torn, if it is a write; otherwise it fails as a whole.
    pub number: u64,
    /// With what.
    pub code: Code,
}

impl Trap for TearAt {
    fn before(&self, number: u64, what: &str) -> Result<(), Error> {
        FailAt { number: self.number, code: self.code, and_all_after: true }.before(number, what)
    }

    fn tears(&self, number: u64) -> bool {
        number == self.number
    }
}

/// A target whose effects are numbered.
pub struct Effects<T, R> {
    inner: T,
    state: Arc<State<R>>,
    boot_id: Option<String>,
    abilities: Abilities,
}

struct State<R> {
    trap: R,
    number: AtomicU64,
    log: Mutex<Vec<String>>,
}

impl<R: Trap> State<R> {
    fn effect<T>(
        &self,
        what: &str,
        path: &dyn std::fmt::Display,
        act: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.effect_or(what, path, act, || ())
    }

    /// As [`State::effect`]; `tear` does half of it.
    fn effect_or<T>(
        &self,
        what: &str,
        path: &dyn std::fmt::Display,
        act: impl FnOnce() -> Result<T, Error>,
        tear: impl FnOnce(),
    ) -> Result<T, Error> {
        let number = self.number.fetch_add(1, Ordering::SeqCst) + 1;
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{what} {path}"));
        if let Err(planned) = self.trap.before(number, what) {
            if self.trap.tears(number) {
                tear();
            }
            return Err(planned);
        }
        let result = act();
        self.trap.after(number, what);
        result
    }
}

impl<T: Target, R: Trap + 'static> Effects<T, R> {
    /// Numbers the effects of `inner`.
    pub fn new(inner: T, trap: R) -> Effects<T, R> {
        let state = State { trap, number: AtomicU64::new(0), log: Mutex::default() };
        let abilities = inner.abilities();
        Effects { inner, state: Arc::new(state), boot_id: None, abilities }
    }

    /// As if the machine had been started again.
    pub fn with_boot_id(mut self, id: &str) -> Effects<T, R> {
        self.boot_id = Some(id.to_owned());
        self
    }

    /// As if the filesystem had no hard links.
    pub fn without_hard_links(mut self) -> Effects<T, R> {
        self.abilities.hard_links = false;
        self
    }

    /// As if it were a filesystem of this name.
    pub fn on_filesystem(mut self, name: &str) -> Effects<T, R> {
        name.clone_into(&mut self.abilities.filesystem);
        self
    }

    /// How many effects there were.
    pub fn count(&self) -> u64 {
        self.state.number.load(Ordering::SeqCst)
    }

    /// What they were, in order.
    pub fn log(&self) -> Vec<String> {
        self.state.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn file(&self, path: &RelPath, inner: Box<dyn TargetFile>) -> Box<dyn TargetFile> {
        Box::new(File { inner, path: path.clone(), state: Arc::clone(&self.state) })
    }
}

struct File<R> {
    inner: Box<dyn TargetFile>,
    path: RelPath,
    state: Arc<State<R>>,
}

impl<R: Trap> TargetFile for File<R> {
    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        let write = || self.inner.write_at(offset_bytes, bytes);
        let tear = || drop(self.inner.write_at(offset_bytes, &bytes[..bytes.len() / 2]));
        self.state.effect_or("write_at", &self.path, write, tear)
    }
    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        self.inner.read_at(offset_bytes, buffer)
    }
    fn set_len(&self, size_bytes: u64) -> Result<(), Error> {
        self.state.effect("set_len", &self.path, || self.inner.set_len(size_bytes))
    }
    fn can_have_holes(&self) -> bool {
        self.inner.can_have_holes()
    }
    fn clear(&self, range: Range<u64>) -> Result<(), Error> {
        self.state.effect("clear", &self.path, || self.inner.clear(range))
    }
    fn write_zeros(&self, range: Range<u64>) -> Result<(), Error> {
        self.state.effect("write_zeros", &self.path, || self.inner.write_zeros(range))
    }
    fn holes(&self) -> Result<Ranges, Error> {
        self.inner.holes()
    }
    fn forget_cached(&self) {
        self.inner.forget_cached();
    }

    fn sync_soon(&self) {
        self.inner.sync_soon();
    }
    fn sync(&self) -> Result<(), Error> {
        self.state.effect("sync", &self.path, || self.inner.sync())
    }
    fn set_times(&self, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Error> {
        self.state.effect("set_times", &self.path, || self.inner.set_times(write, creation))
    }
    fn meta(&self) -> Result<Meta, Error> {
        self.inner.meta()
    }
}

impl<T: Target, R: Trap + 'static> Target for Effects<T, R> {
    fn abilities(&self) -> Abilities {
        self.abilities.clone()
    }
    fn lock(&self) -> Result<Box<dyn Send>, Error> {
        self.state.effect("lock", &"", || self.inner.lock())
    }
    fn space(&self) -> Result<Space, Error> {
        self.inner.space()
    }
    fn boot_id(&self) -> String {
        self.boot_id.clone().unwrap_or_else(|| self.inner.boot_id())
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        self.inner.list(folder, sink)
    }
    fn keeps_for_itself(&self, name: &Name) -> bool {
        self.inner.keeps_for_itself(name)
    }
    fn look(&self, path: &RelPath) -> Result<Option<Meta>, Error> {
        self.inner.look(path)
    }
    fn make_folder(&self, path: &RelPath) -> Result<Done, Error> {
        self.state.effect("make_folder", path, || self.inner.make_folder(path))
    }
    fn create_file(&self, path: &RelPath) -> Result<Box<dyn TargetFile>, Error> {
        let file = self.state.effect("create_file", path, || self.inner.create_file(path))?;
        Ok(self.file(path, file))
    }
    fn open_file(&self, path: &RelPath) -> Result<Option<Box<dyn TargetFile>>, Error> {
        Ok(self.inner.open_file(path)?.map(|file| self.file(path, file)))
    }
    fn make_link(&self, path: &RelPath, link: &LinkTarget, write: Timestamp) -> Result<Done, Error> {
        self.state.effect("make_link", path, || self.inner.make_link(path, link, write))
    }
    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error> {
        self.inner.read_link(path)
    }
    fn hard_link(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        self.state.effect("hard_link", to, || self.inner.hard_link(from, to))
    }
    fn rename_over(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        self.state.effect("rename_over", to, || self.inner.rename_over(from, to))
    }
    fn rename_new(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        self.state.effect("rename_new", to, || self.inner.rename_new(from, to))
    }
    fn remove_file(&self, path: &RelPath) -> Result<Done, Error> {
        self.state.effect("remove_file", path, || self.inner.remove_file(path))
    }
    fn remove_folder(&self, path: &RelPath) -> Result<Done, Error> {
        self.state.effect("remove_folder", path, || self.inner.remove_folder(path))
    }
    fn set_times(&self, path: &RelPath, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Error> {
        self.state.effect("set_times", path, || self.inner.set_times(path, write, creation))
    }
    fn checkpoint(&self) -> Result<(), Error> {
        self.state.effect("checkpoint", &"", || self.inner.checkpoint())
    }
    fn sync_folder(&self, path: &RelPath) -> Result<(), Error> {
        self.state.effect("sync_folder", path, || self.inner.sync_folder(path))
    }
    fn set_metadata(&self, path: &RelPath, metadata: &Metadata) -> Result<Kept, Error> {
        self.state.effect("set_metadata", path, || self.inner.set_metadata(path, metadata))
    }
    fn metadata(&self, path: &RelPath) -> Result<Option<Metadata>, Error> {
        self.inner.metadata(path)
    }
    fn leave_metadata(&self, from: &RelPath, version: &RelPath) -> Result<(), Error> {
        self.state.effect("leave_metadata", from, || self.inner.leave_metadata(from, version))
    }
    fn remarks(&self) -> Vec<String> {
        self.inner.remarks()
    }
    fn record_name(&self, stored: &RelPath, original: &[u8]) -> Result<(), Error> {
        self.state.effect("record_name", stored, || self.inner.record_name(stored, original))
    }
    fn recorded_name(&self, stored: &RelPath) -> Result<Option<Vec<u8>>, Error> {
        self.inner.recorded_name(stored)
    }
    fn scratch(&self) -> Result<Box<dyn TargetFile>, Error> {
        self.inner.scratch()
    }
}
