//! The mirror's store on a local disk: the primitives of `tree`, and beside them the links and names that are only
//! recorded.
//!
//! A recorded link behaves like an entry: nothing can be made where one is, and it can be renamed and removed. Should a
//! crash leave both a record and an entry of the disk under one name, the disk's is what is there, and the record is
//! forgotten with it.

use crate::lazy_records::LazyRecords;
use crate::leftovers;
use crate::options::Modes;
use crate::os::file::DiskFile;
use crate::os::listing::End;
use crate::os::metadata::{self, AttributeSupport};
use crate::os::permissions::Permissions;
use crate::os::root::Root;
use crate::os::stat::Side;
use crate::os::tree::{self, EntryAtPath};
use crate::os::{Handle, fault, filesystem, lock, open, owner, stat};
use crate::records::Records;
use crate::times::TrueTimes;
use octo_core::{
    Abilities, Code, Done, Entry, Error, Kept, Kind, LinkTarget, ListSink, Listed, Meta, Metadata, Name, RelPath,
    Space, Target, TargetFile, Timestamp,
};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

mod opening;

/// Recorded links are handed over in pages of this many.
const PAGE_ENTRIES: usize = 1000;
/// Where folders have to be synced one by one: this many are remembered before they are.
const TOUCHED_MAX: usize = 4096;

/// A mirror's store on a local disk.
#[derive(Debug)]
pub struct DiskTarget {
    root: Root,
    rights: open::Rights,
    /// On the target's filesystem, for its free space; also where the root does not exist yet.
    nearest: Handle,
    modes: Modes,
    permissions: Permissions,
    abilities: Abilities,
    volume: u64,
    records: LazyRecords,
    manner: AttributeSupport,
    /// Folders whose names changed since the last checkpoint; only where the filesystem cannot be synced as a whole.
    touched: Mutex<HashSet<RelPath>>,
}

impl DiskTarget {
    /// What the kernel calls the open folder and each one above it; nothing if it does not exist.
    pub(crate) fn ancestor_ids(&self) -> Result<Option<crate::overlap::AncestorIds>, Error> {
        if !self.root.exists() {
            return Ok(None);
        }
        let ancestor_ids = self.root.handle().and_then(filesystem::ancestor_ids);
        ancestor_ids.map(Some).map_err(|fault| fault::target(fault, "looking where it is", &RelPath::root()))
    }

    fn file(&self, handle: Handle, path: &RelPath) -> Box<dyn TargetFile> {
        Box::new(DiskFile::new(handle, path.clone(), self.abilities.times, self.volume))
    }

    fn entry_at(&self, path: &RelPath) -> Result<EntryAtPath, Error> {
        tree::entry_at(&self.root, path).map_err(|fault| fault::target(fault, "looking at", path))
    }

    /// Whether a link is recorded at `path`.
    fn is_recorded(&self, path: &RelPath) -> Result<bool, Error> {
        Ok(self.records.read(&self.root, |records| records.link(path))?.flatten().is_some())
    }

    /// Whether what is at `path` is a recorded link.
    fn is_only_recorded(&self, path: &RelPath) -> Result<bool, Error> {
        Ok(self.is_recorded(path)? && matches!(self.entry_at(path)?, EntryAtPath::Free))
    }

    /// An entry of the disk was renamed: what is recorded of it goes along.
    fn records_follow(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        self.records.change(&self.root, |records| {
            records.entry_renamed(from, to)?;
            match self.entry_at(to)? {
                EntryAtPath::Taken(stat) if stat::kind(&stat) == Kind::Folder => records.move_folder(from, to),
                _ => Ok(()),
            }
        })?;
        Ok(())
    }

    /// The names in the folder of `path` have changed.
    fn touch(&self, path: &RelPath) -> Result<(), Error> {
        if self.abilities.whole_sync {
            return Ok(());
        }
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.insert(path.parent().unwrap_or_default());
        if touched.len() >= TOUCHED_MAX { self.sync_touched(&mut touched) } else { Ok(()) }
    }

    fn sync_touched(&self, touched: &mut HashSet<RelPath>) -> Result<(), Error> {
        for folder in touched.iter() {
            match tree::sync_folder(&self.root, folder) {
                // Gone since, or something else by now; the folder it was in is touched too.
                Ok(()) => {}
                Err(fault) if fault::is_no_folder(fault) => {}
                Err(fault) => return Err(fault::target(fault, "syncing", folder)),
            }
        }
        touched.clear();
        Ok(())
    }

    /// Notes the folders of all `paths` as touched if it was done.
    fn settled(&self, done: Done, paths: &[&RelPath]) -> Result<Done, Error> {
        if done == Done::Yes {
            paths.iter().try_for_each(|path| self.touch(path))?;
        }
        Ok(done)
    }

    fn list_disk(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Result<(), Error> {
        let failed = |fault| fault::target(fault, "listing", folder);
        let true_time = |entry: &Entry| match self.abilities.times.is_end(entry.meta.write_time) {
            true => self.with_true_time(&folder.join(&entry.name), entry.meta),
            false => Ok(entry.meta),
        };
        let mut sink = TrueTimes { true_time: &true_time, sink, fault: None };
        match tree::list(&self.root, folder, self.volume, &self.permissions, &mut sink).map_err(failed)? {
            _ if let Some(error) = sink.fault => Err(error),
            End::All => Ok(()),
            End::Stopped => Err(Error::new(Code::ListingCut, format!("listing {folder}: no more was wanted"))),
            End::Unclear { name, fault } => {
                let name = octo_core::path::bytes_to_text(&name);
                Err(Error::new(fault::target_code(fault), format!("looking at {name} in {folder}: {fault}")))
            }
        }
    }

    /// What the disk says, with the true time of what bears the first or last one that the filesystem knows.
    fn with_true_time(&self, path: &RelPath, mut meta: Meta) -> Result<Meta, Error> {
        if self.abilities.times.is_end(meta.write_time) {
            let kept = self.records.read(&self.root, |records| records.time_beyond(path))?.flatten();
            meta.write_time = kept.unwrap_or(meta.write_time);
        }
        Ok(meta)
    }

    /// The entry got this time, or the nearest that there is.
    fn keep_true_time(&self, path: &RelPath, write: Timestamp) -> Result<(), Error> {
        let times = self.abilities.times;
        if !times.holds(write) && self.records.can_record() {
            return self.records.write(&self.root, |records| records.keep_time_beyond(path, Some(write)));
        }
        if times.is_end(times.stored(write)) {
            self.records.change(&self.root, |records| records.keep_time_beyond(path, None))?;
        }
        Ok(())
    }

    fn list_recorded(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Result<(), Error> {
        let mut after = Vec::new();
        loop {
            let page = self.records.read(&self.root, |records| records.links_in(folder, &after, PAGE_ENTRIES))?;
            let page = page.unwrap_or_default();
            for (name, write) in &page {
                after = name.as_bytes().to_vec();
                if !matches!(self.entry_at(&folder.join(name))?, EntryAtPath::Free) {
                    continue;
                }
                if sink.entry(Entry { name: name.clone(), meta: Meta::new(Kind::Link, 0, *write) }).is_break() {
                    return Err(Error::new(Code::ListingCut, format!("listing {folder}: no more was wanted")));
                }
            }
            if page.len() < PAGE_ENTRIES {
                return Ok(());
            }
        }
    }

    /// Opens a file or folder for its attributes; `None` if nothing is there, or a link.
    fn open_for_metadata(&self, path: &RelPath) -> Result<Option<metadata::Opened>, Error> {
        metadata::open(&self.root, path).map_err(|fault| fault::target(fault, "opening", path))
    }

    /// Renames or copies a link that is only recorded. `Done::Missing` if there is none.
    fn recorded_to(&self, from: &RelPath, to: &RelPath, keep: bool) -> Result<Done, Error> {
        if !self.is_only_recorded(from)? {
            return Ok(Done::Missing);
        }
        match self.entry_at(to)? {
            EntryAtPath::NoFolder => Ok(Done::Missing),
            EntryAtPath::Taken(_) => Ok(Done::Exists),
            EntryAtPath::Free if self.is_recorded(to)? => Ok(Done::Exists),
            EntryAtPath::Free => {
                self.records.write(&self.root, |records| {
                    // The full name first: should the process die in between, the next run takes the link after it.
                    if keep {
                        records.entry_linked(from, to)?;
                        records.copy_link(from, to)
                    } else {
                        records.entry_renamed(from, to)?;
                        records.move_link(from, to)
                    }
                })?;
                Ok(Done::Yes)
            }
        }
    }
}

impl Target for DiskTarget {
    fn abilities(&self) -> Abilities {
        self.abilities.clone()
    }

    fn lock(&self) -> Result<Box<dyn Send>, Error> {
        owner::demand(&self.root)?;
        owner::claim(&self.root)?;
        let lock = lock::take(&self.root)?;
        self.permissions.begin(&self.root);
        self.records.look_again();
        Ok(lock)
    }

    fn space(&self) -> Result<Space, Error> {
        filesystem::space(&self.nearest)
            .map_err(|fault| fault::target(fault, "asking for the free space of", &RelPath::root()))
    }

    fn boot_id(&self) -> String {
        // Without it every unfinished run looks like one from before a crash of the machine, which is the safe side.
        open::boot_id().unwrap_or_default()
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        if !self.root.exists() && folder.is_root() {
            return Listed::Complete;
        }
        match self.list_disk(folder, sink).and_then(|()| self.list_recorded(folder, sink)) {
            Ok(()) => Listed::Complete,
            Err(error) => Listed::Incomplete(error),
        }
    }

    fn keeps_for_itself(&self, name: &Name) -> bool {
        filesystem::keeps_for_itself(&self.root, name)
    }

    fn look(&self, path: &RelPath) -> Result<Option<Meta>, Error> {
        match self.entry_at(path)? {
            EntryAtPath::Taken(stat) => {
                self.with_true_time(path, stat::meta(&stat, Side::Mirror, Some(self.volume))).map(Some)
            }
            EntryAtPath::NoFolder => Ok(None),
            EntryAtPath::Free => {
                let link = self.records.read(&self.root, |records| records.link(path))?.flatten();
                Ok(link.map(|link| Meta::new(Kind::Link, 0, link.write)))
            }
        }
    }

    fn make_folder(&self, path: &RelPath) -> Result<Done, Error> {
        if self.is_recorded(path)? {
            return Ok(Done::Exists);
        }
        let made = tree::make_folder(&self.root, path, self.modes.of_folder(path));
        self.settled(made.map_err(|fault| fault::target(fault, "making", path))?, &[path])
    }

    fn create_file(&self, path: &RelPath) -> Result<Box<dyn TargetFile>, Error> {
        let failed = |fault| fault::target(fault, "creating", path);
        if self.is_recorded(path)? {
            return Err(failed(fault::TAKEN));
        }
        let handle = tree::create_file(&self.root, path, self.modes.of_file()).map_err(failed)?;
        self.touch(path)?;
        Ok(self.file(handle, path))
    }

    fn open_file(&self, path: &RelPath) -> Result<Option<Box<dyn TargetFile>>, Error> {
        let handle = tree::open_file(&self.root, path).map_err(|fault| fault::target(fault, "opening", path))?;
        Ok(handle.map(|handle| self.file(handle, path)))
    }

    fn make_link(&self, path: &RelPath, link: &LinkTarget, write: Timestamp) -> Result<Done, Error> {
        let failed = |fault| fault::target(fault, "making the link", path);
        let write = self.abilities.times.represent(write);
        if self.is_recorded(path)? {
            return Ok(Done::Exists);
        }
        if self.abilities.symlinks && tree::can_link(link) {
            let stored = self.abilities.times.stored(write);
            let made = tree::make_link(&self.root, path, &link.data, stored).map_err(failed)?;
            if made == Done::Yes {
                self.keep_true_time(path, write)?;
            }
            return self.settled(made, &[path]);
        }
        match self.entry_at(path)? {
            EntryAtPath::Taken(_) => Ok(Done::Exists),
            EntryAtPath::NoFolder => Ok(Done::Missing),
            EntryAtPath::Free => {
                self.records.write(&self.root, |records| records.put_link(path, link, write))?;
                Ok(Done::Yes)
            }
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error> {
        let made = tree::read_link(&self.root, path).map_err(|fault| fault::target(fault, "reading the link", path))?;
        if made.is_some() {
            return Ok(made);
        }
        let recorded = self.records.read(&self.root, |records| records.link(path))?.flatten();
        match recorded {
            Some(link) if matches!(self.entry_at(path)?, EntryAtPath::Free) => Ok(Some(link.target)),
            _ => Ok(None),
        }
    }

    fn hard_link(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        if self.is_recorded(to)? {
            return Ok(if self.look(from)?.is_some() { Done::Exists } else { Done::Missing });
        }
        let linked = tree::hard_link(&self.root, from, to).map_err(|fault| fault::target(fault, "linking", from))?;
        match linked {
            Done::Missing => self.recorded_to(from, to, true),
            Done::Yes => {
                self.records.change(&self.root, |records| records.entry_linked(from, to))?;
                self.settled(linked, &[to])
            }
            other => Ok(other),
        }
    }

    fn rename_over(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        let failed = |fault| fault::target(fault, "renaming", from);
        if matches!(self.entry_at(to)?, EntryAtPath::Taken(stat) if stat::kind(&stat) == Kind::Folder) {
            // The kernel would let a folder replace an empty one.
            return if self.look(from)?.is_some() { Err(failed(fault::IS_FOLDER)) } else { Ok(Done::Missing) };
        }
        let covers_record = self.is_recorded(to)?;
        if covers_record {
            // The link's version is a record too, and has to be durable before the link disappears.
            self.records.read(&self.root, |records| records.settle())?;
        }
        if tree::rename_over(&self.root, from, to).map_err(failed)? == Done::Yes {
            if covers_record && from != to {
                self.records.change(&self.root, |records| records.remove_link(to))?;
            }
            self.records_follow(from, to)?;
            return self.settled(Done::Yes, &[from, to]);
        }
        if !self.is_only_recorded(from)? {
            return Ok(Done::Missing);
        }
        if matches!(self.entry_at(to)?, EntryAtPath::NoFolder) {
            return Ok(Done::Missing);
        }
        self.records.write(&self.root, |records| {
            records.entry_renamed(from, to)?;
            records.move_link(from, to)?;
            records.settle()
        })?;
        tree::remove_file(&self.root, to).map_err(failed)?;
        self.settled(Done::Yes, &[to])
    }

    fn rename_new(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        if self.is_recorded(to)? {
            return Ok(if self.look(from)?.is_some() { Done::Exists } else { Done::Missing });
        }
        let renamed = tree::rename_new(&self.root, from, to, self.abilities.rename_noreplace)
            .map_err(|fault| fault::target(fault, "renaming", from))?;
        match renamed {
            Done::Missing => self.recorded_to(from, to, false),
            Done::Yes => {
                self.records_follow(from, to)?;
                self.settled(renamed, &[from, to])
            }
            other => Ok(other),
        }
    }

    fn remove_file(&self, path: &RelPath) -> Result<Done, Error> {
        let removed = tree::remove_file(&self.root, path).map_err(|fault| fault::target(fault, "removing", path))?;
        let forget = || {
            self.records.change(&self.root, |records| {
                records.entry_removed(path)?;
                records.remove_link(path)
            })
        };
        match removed {
            Done::Missing if self.is_only_recorded(path)? && forget()? == Some(true) => Ok(Done::Yes),
            Done::Yes => {
                forget()?;
                self.settled(removed, &[path])
            }
            other => Ok(other),
        }
    }

    fn remove_folder(&self, path: &RelPath) -> Result<Done, Error> {
        if self.records.read(&self.root, |records| records.has_links_in(path))? == Some(true) {
            let exists = matches!(self.entry_at(path)?, EntryAtPath::Taken(_));
            return Ok(if exists { Done::NotEmpty } else { Done::Missing });
        }
        let removed = tree::remove_folder(&self.root, path).map_err(|fault| fault::target(fault, "removing", path))?;
        if removed == Done::Yes {
            self.records.change(&self.root, |records| {
                records.entry_removed(path)?;
                records.remove_times_in(path)?;
                records.remove_details_in(path)
            })?;
        }
        self.settled(removed, &[path])
    }

    fn set_times(&self, path: &RelPath, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Error> {
        let failed = |fault| fault::target(fault, "setting the time of", path);
        let write = self.abilities.times.represent(write);
        let stored = self.abilities.times.stored(write);
        if tree::set_time(&self.root, path, stored, creation).map_err(failed)? == Done::Yes {
            return self.keep_true_time(path, write);
        }
        let set = self.is_only_recorded(path)?
            && self.records.change(&self.root, |records| records.set_link_time(path, write))? == Some(true);
        if set { Ok(()) } else { Err(failed(fault::MISSING)) }
    }

    fn checkpoint(&self) -> Result<(), Error> {
        let failed = |fault| fault::target(fault, "syncing", &RelPath::root());
        self.records.read(&self.root, |records| records.settle())?;
        if self.abilities.whole_sync {
            return self.root.sync_whole().map_err(failed);
        }
        self.sync_touched(&mut self.touched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sync_folder(&self, path: &RelPath) -> Result<(), Error> {
        tree::sync_folder(&self.root, path).map_err(|fault| fault::target(fault, "syncing", path))
    }

    fn set_metadata(&self, path: &RelPath, metadata: &Metadata) -> Result<Kept, Error> {
        let failed = |fault| fault::target(fault, "setting the attributes of", path);
        let handle = self.open_for_metadata(path)?;
        let handle = handle.ok_or_else(|| Error::new(Code::TargetMoved, format!("{path}: it is gone, or a link")))?;
        // As the owner keeps it: root alone could use attributes that the owner can never change again.
        let set = self.root.as_owner(|| self.manner.set(&handle, metadata));
        let leftovers = set.map_err(failed)?.map_err(failed)?;
        if !self.records.can_record() {
            let is_lost = !metadata::apply_posix(&handle, metadata) || !leftovers.is_empty();
            return Ok(Kept { in_records: false, is_lost });
        }
        let in_records = if leftovers.is_empty() && !leftovers::has_unseen(metadata) {
            // Most mirrors record nothing; then there is nothing to be replaced either.
            let there = self.records.read(&self.root, |records| records.detail(path))?.flatten();
            let replace = |records: &mut Records| leftovers::record(records, path, metadata, &leftovers);
            there.is_some() && self.records.change(&self.root, replace)? == Some(true)
        } else {
            self.records.write(&self.root, |records| leftovers::record(records, path, metadata, &leftovers))?
        };
        Ok(Kept { in_records, is_lost: false })
    }

    fn metadata(&self, path: &RelPath) -> Result<Option<Metadata>, Error> {
        let recorded = self.records.read(&self.root, |records| records.detail(path))?.flatten();
        let on_disk = match recorded {
            Some(detail) if detail.is_whole => None,
            _ => match self.open_for_metadata(path)? {
                Some(handle) => metadata::read(&handle, || self.scratch())
                    .map_err(|fault| fault::target(fault, "reading the attributes of", path))?,
                None => return Ok(None),
            },
        };
        let Some(detail) = recorded else { return Ok(on_disk) };
        let mut metadata = on_disk.unwrap_or_default();
        self.records.read(&self.root, |records| leftovers::add(records, detail, &mut metadata, || self.scratch()))?;
        Ok(Some(metadata))
    }

    fn leave_metadata(&self, from: &RelPath, version: &RelPath) -> Result<(), Error> {
        let Some(metadata) = self.metadata(from)? else { return Ok(()) };
        self.records.write(&self.root, |records| match records.detail(version)? {
            Some(_) => Ok(()),
            None => leftovers::record_whole(records, version, &metadata),
        })
    }

    fn remarks(&self) -> Vec<String> {
        [self.rights.remarks(), self.manner.remarks(), self.permissions.remarks()].concat()
    }

    fn record_name(&self, stored: &RelPath, original: &[u8]) -> Result<(), Error> {
        self.records.write(&self.root, |records| records.put_name(stored, original))
    }

    fn recorded_name(&self, stored: &RelPath) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.records.read(&self.root, |records| records.name(stored))?.flatten())
    }

    fn scratch(&self) -> Result<Box<dyn TargetFile>, Error> {
        let path = crate::reserved("tmp");
        let made = open::scratch(&self.root, &path);
        let handle = made.map_err(|fault| fault::target(fault, "making a temporary file in", &path))?;
        Ok(self.file(handle, &path))
    }
}
