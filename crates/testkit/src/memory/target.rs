//! A mirror's store in memory.

use super::details::Details;
use super::power::{Durable, PowerLoss};
use super::store::{Content, Ino, Store};
use octo_core::{
    Abilities, Clock, Code, Done, Entry, Error, Kept, Kind, LinkTarget, ListSink, Listed, Meta, Metadata, RelPath,
    Space, Target, TargetFile, Timestamp,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A mirror's store in memory. Clones are handles on the same store.
#[derive(Clone)]
pub struct MemTarget {
    disk: Arc<Disk>,
}

struct Disk {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

struct State {
    store: Store,
    durable: Durable,
    /// How often the machine was started. Handles and locks of an earlier start are worth nothing.
    boots: u64,
    lock: Arc<AtomicBool>,
}

impl MemTarget {
    /// An empty store that can do everything, with all the space there is.
    pub fn new(clock: Arc<dyn Clock>) -> MemTarget {
        MemTarget::with(Abilities::full("memory"), u64::MAX, clock)
    }

    /// An empty store with these abilities and so much room for data.
    pub fn with(abilities: Abilities, capacity_bytes: u64, clock: Arc<dyn Clock>) -> MemTarget {
        let store = Store::new(abilities, capacity_bytes);
        let state = State { durable: Durable::of(&store), store, boots: 1, lock: Arc::default() };
        MemTarget { disk: Arc::new(Disk { state: Mutex::new(state), clock }) }
    }

    /// A store of its own that holds the same, and has room for so many bytes altogether. Handles and locks stay behind.
    pub fn fork(&self, capacity_bytes: u64) -> MemTarget {
        let state = self.state();
        let mut store = state.store.clone();
        store.inodes.retain(|_, inode| inode.links > 0);
        store.inodes.values_mut().for_each(|inode| inode.open = 0);
        store.capacity_bytes = capacity_bytes;
        let state = State { durable: Durable::of(&store), store, boots: state.boots, lock: Arc::default() };
        MemTarget { disk: Arc::new(Disk { state: Mutex::new(state), clock: Arc::clone(&self.disk.clock) }) }
    }

    /// The power is gone and comes back: of what was not durable, the rest of `loss` is left.
    pub fn power_loss(&self, loss: PowerLoss) {
        let mut state = self.state();
        state.store = state.durable.after(&state.store, loss);
        state.durable = Durable::of(&state.store);
        state.boots += 1;
        state.lock = Arc::default();
    }

    /// The machine is shut down in good order and started again.
    pub fn boot(&self) {
        let mut state = self.state();
        state.durable = Durable::of(&state.store);
        drop(state);
        self.power_loss(PowerLoss::Forgets);
    }

    /// From now on there is so much room for data.
    pub fn set_capacity(&self, capacity_bytes: u64) {
        self.state().store.capacity_bytes = capacity_bytes;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.disk.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.store.now = self.disk.clock.now();
        state
    }

    fn file(&self, mut state: MutexGuard<'_, State>, ino: Ino) -> Box<dyn TargetFile> {
        state.store.inode_mut(ino).open += 1;
        Box::new(MemFile { target: self.clone(), ino, boots: state.boots })
    }

    fn details(&self, path: &RelPath) -> Result<Option<Details>, Error> {
        let state = self.state();
        Ok(match state.store.find(path)? {
            Some(ino) => state.store.inode(ino).details.clone(),
            None => state.store.left.get(path).cloned(),
        })
    }

    fn list_all(&self, folder: &RelPath) -> Result<Vec<Entry>, Error> {
        let state = self.state();
        let folder_ino = state.store.find(folder)?.ok_or_else(|| moved(folder, "it is not there"))?;
        match &state.store.inode(folder_ino).content {
            Content::Folder(names) => {
                let entry = |(name, ino): &(_, Ino)| Entry { name: Clone::clone(name), meta: state.store.meta(*ino) };
                Ok(names.values().rev().map(entry).collect())
            }
            _ => Err(moved(folder, "it is not a folder")),
        }
    }
}

fn moved(path: &RelPath, what: &str) -> Error {
    Error::new(Code::TargetMoved, format!("{path}: {what}"))
}

/// Held until it is dropped.
struct Lock(Arc<AtomicBool>);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Target for MemTarget {
    fn abilities(&self) -> Abilities {
        self.state().store.abilities.clone()
    }

    fn lock(&self) -> Result<Box<dyn Send>, Error> {
        let reserved = RelPath::parse(octo_core::RESERVED.as_bytes()).unwrap_or_default();
        self.make_folder(&reserved)?;
        let lock = Arc::clone(&self.state().lock);
        match lock.swap(true, Ordering::SeqCst) {
            true => Err(Error::new(Code::TargetBusy, "another run has the lock")),
            false => Ok(Box::new(Lock(lock))),
        }
    }

    fn space(&self) -> Result<Space, Error> {
        let state = self.state();
        let total_bytes = state.store.capacity_bytes;
        Ok(Space { free_bytes: total_bytes.saturating_sub(state.store.used_bytes()), total_bytes, files: None })
    }

    fn boot_id(&self) -> String {
        format!("start {}", self.state().boots)
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        // Not under the lock: a sink may ask the target something.
        let entries = match self.list_all(folder) {
            Ok(entries) => entries,
            Err(error) => return Listed::Incomplete(error),
        };
        for entry in entries {
            if sink.entry(entry).is_break() {
                return Listed::Incomplete(Error::new(Code::ListingCut, "no more was wanted"));
            }
        }
        Listed::Complete
    }

    fn look(&self, path: &RelPath) -> Result<Option<Meta>, Error> {
        let state = self.state();
        Ok(state.store.find(path)?.map(|ino| state.store.meta(ino)))
    }

    fn make_folder(&self, path: &RelPath) -> Result<Done, Error> {
        self.state().store.add(path, Content::Folder(Default::default())).map(|(done, _)| done)
    }

    fn create_file(&self, path: &RelPath) -> Result<Box<dyn TargetFile>, Error> {
        let mut state = self.state();
        match state.store.add(path, Content::File(Arc::default()))? {
            (_, Some(ino)) => Ok(self.file(state, ino)),
            _ => Err(moved(path, "something is there, or its folder is not")),
        }
    }

    fn open_file(&self, path: &RelPath) -> Result<Option<Box<dyn TargetFile>>, Error> {
        let state = self.state();
        let Some(ino) = state.store.find(path)? else { return Ok(None) };
        match &state.store.inode(ino).content {
            Content::File(_) => Ok(Some(self.file(state, ino))),
            Content::Link(_, true) => Ok(None),
            _ => Err(moved(path, "it is no file")),
        }
    }

    fn make_link(&self, path: &RelPath, link: &LinkTarget, write: Timestamp) -> Result<Done, Error> {
        let mut state = self.state();
        let recorded = state.store.records_link(link);
        let (done, ino) = state.store.add(path, Content::Link(link.clone(), recorded))?;
        if let Some(ino) = ino {
            state.store.set_times(ino, write);
        }
        Ok(done)
    }

    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error> {
        let state = self.state();
        Ok(state.store.find(path)?.and_then(|ino| match &state.store.inode(ino).content {
            Content::Link(link, _) => Some(link.clone()),
            _ => None,
        }))
    }

    fn hard_link(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        self.state().store.hard_link(from, to)
    }

    fn rename_over(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        self.state().store.rename(from, to, true)
    }

    fn rename_new(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        self.state().store.rename(from, to, false)
    }

    fn remove_file(&self, path: &RelPath) -> Result<Done, Error> {
        self.state().store.remove(path, false)
    }

    fn remove_folder(&self, path: &RelPath) -> Result<Done, Error> {
        self.state().store.remove(path, true)
    }

    fn set_times(&self, path: &RelPath, write: Timestamp, _: Option<Timestamp>) -> Result<(), Error> {
        let mut state = self.state();
        let ino = state.store.find(path)?.ok_or_else(|| moved(path, "it is not there"))?;
        state.store.set_times(ino, write);
        Ok(())
    }

    fn set_metadata(&self, path: &RelPath, metadata: &Metadata) -> Result<Kept, Error> {
        // Not under the lock: what is large lies in a file of ours.
        let mut details = self.details(path)?.unwrap_or_default();
        details.keep(metadata);
        let mut state = self.state();
        let ino = state.store.find(path)?.ok_or_else(|| moved(path, "it is not there"))?;
        state.store.inode_mut(ino).details = Some(details);
        Ok(Kept::default())
    }

    fn metadata(&self, path: &RelPath) -> Result<Option<Metadata>, Error> {
        Ok(self.details(path)?.map(|details| details.metadata()))
    }

    fn leave_metadata(&self, from: &RelPath, version: &RelPath) -> Result<(), Error> {
        let details = self.details(from)?.unwrap_or_default();
        self.state().store.left.entry(version.clone()).or_insert(details);
        Ok(())
    }

    fn checkpoint(&self) -> Result<(), Error> {
        let mut state = self.state();
        state.store.renames.clear();
        state.durable = Durable::of(&state.store);
        Ok(())
    }

    fn sync_folder(&self, path: &RelPath) -> Result<(), Error> {
        let mut guard = self.state();
        let state = &mut *guard;
        match state.store.find(path)? {
            Some(ino) if state.store.inode(ino).kind() == Kind::Folder => state.durable.sync_folder(&state.store, ino),
            _ => return Err(moved(path, "it is not a folder")),
        }
        Ok(())
    }

    fn record_name(&self, stored: &RelPath, original: &[u8]) -> Result<(), Error> {
        self.state().store.records.insert(stored.clone(), original.to_vec());
        Ok(())
    }

    fn recorded_name(&self, stored: &RelPath) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.state().store.records.get(stored).cloned())
    }

    fn scratch(&self) -> Result<Box<dyn TargetFile>, Error> {
        let mut state = self.state();
        let ino = state.store.add_nameless();
        Ok(self.file(state, ino))
    }
}

/// An open file. After a power loss it is worth nothing.
struct MemFile {
    target: MemTarget,
    ino: Ino,
    boots: u64,
}

impl MemFile {
    fn state(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.target.state();
        match state.boots == self.boots {
            true => Ok(state),
            false => Err(Error::new(Code::TargetFailed, "a handle from before the power loss")),
        }
    }
}

/// What is new is zeros. Most worlds spend their time here, and `resize` sets byte by byte in a build for tests.
fn set_len(data: &mut Vec<u8>, size: usize) {
    match size.checked_sub(data.len()) {
        Some(more) => data.append(&mut vec![0; more]),
        None => data.truncate(size),
    }
}

fn place(offset_bytes: u64) -> Result<usize, Error> {
    usize::try_from(offset_bytes).map_err(|_| Error::new(Code::TargetEntry, "a place that no file reaches"))
}

impl TargetFile for MemFile {
    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        let start = place(offset_bytes)?;
        let end = start.checked_add(bytes.len()).ok_or_else(|| Error::new(Code::TargetEntry, "too large"))?;
        self.state()?.store.write(self.ino, end as u64, |data| {
            if start == data.len() {
                return data.extend_from_slice(bytes);
            }
            set_len(data, end.max(data.len()));
            data[start..end].copy_from_slice(bytes);
        })
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let state = self.state()?;
        let Content::File(data) = &state.store.inode(self.ino).content else { return Ok(0) };
        let rest = data.get(place(offset_bytes)?..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn set_len(&self, size_bytes: u64) -> Result<(), Error> {
        let size = place(size_bytes)?;
        self.state()?.store.write(self.ino, size_bytes, |data| set_len(data, size))
    }

    fn sync(&self) -> Result<(), Error> {
        let mut guard = self.state()?;
        let state = &mut *guard;
        state.durable.sync_file(&state.store, self.ino);
        Ok(())
    }

    fn set_times(&self, write: Timestamp, _: Option<Timestamp>) -> Result<(), Error> {
        self.state()?.store.set_times(self.ino, write);
        Ok(())
    }

    fn meta(&self) -> Result<Meta, Error> {
        Ok(self.state()?.store.meta(self.ino))
    }
}

impl Drop for MemFile {
    fn drop(&mut self) {
        if let Ok(mut state) = self.state() {
            state.store.inode_mut(self.ino).open -= 1;
            state.store.sweep(self.ino);
        }
    }
}
