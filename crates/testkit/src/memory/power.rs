//! What of a store is on the disk, and what a power loss leaves of the rest.

use super::details::Details;
use super::store::{Content, Ino, Inode, Names, ROOT, Store};
use octo_core::RelPath;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a power loss takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerLoss {
    /// Everything that was neither part of a checkpoint nor synced by itself.
    Forgets,
    /// Only data: names, sizes and times are there, data that was not synced is zeros. So ext4 and xfs may leave it.
    LeavesZeros,
    /// As [`PowerLoss::LeavesZeros`], but the data of some files, which this number chooses, is there too.
    LeavesSome(u64),
}

/// What is on the disk for certain.
#[derive(Debug)]
pub(super) struct Durable {
    inodes: BTreeMap<Ino, Inode>,
    records: BTreeMap<RelPath, Vec<u8>>,
    left: BTreeMap<RelPath, Details>,
}

impl Durable {
    pub(super) fn of(store: &Store) -> Durable {
        Durable { inodes: store.inodes.clone(), records: store.records.clone(), left: store.left.clone() }
    }

    /// A file's data and times, under whichever name.
    pub(super) fn sync_file(&mut self, store: &Store, ino: Ino) {
        self.inodes.insert(ino, store.inode(ino).clone());
    }

    /// The names in a folder, and the way to it; and those in folders with which it has exchanged some: a rename is
    /// durable in both or in neither. What the names lead to is there, but of its data and names only what was synced
    /// by itself.
    pub(super) fn sync_folder(&mut self, store: &Store, folder: Ino) {
        let parents = parents(store);
        let (mut whole, mut next) = (BTreeSet::new(), vec![folder]);
        while let Some(folder) = next.pop() {
            // One that was removed since is not there to be synced.
            if !store.inodes.contains_key(&folder) || !whole.insert(folder) {
                continue;
            }
            let partner = |(a, b): &(Ino, Ino)| if *a == folder { Some(*b) } else { (*b == folder).then_some(*a) };
            next.extend(store.renames.iter().filter_map(partner));
            let mut at = folder;
            while let Some((parent, key)) = parents.get(&at) {
                if !self.leads_to(store, *parent, key) {
                    // Another one had that name: where it went has to be known too.
                    next.push(*parent);
                }
                at = *parent;
            }
        }
        for folder in whole {
            for (_, ino) in store.names(folder).values() {
                self.inodes.entry(*ino).or_insert_with(|| bare(store.inode(*ino)));
            }
            self.inodes.insert(folder, store.inode(folder).clone());
        }
    }

    /// Makes one name in `parent` durable, unless it leads elsewhere there.
    fn leads_to(&mut self, store: &Store, parent: Ino, key: &[u8]) -> bool {
        let Some((name, ino)) = store.names(parent).get(key) else { return false };
        let durable = self.inodes.entry(parent).or_insert_with(|| bare(store.inode(parent)));
        let Content::Folder(names) = &mut durable.content else { return false };
        let leads_to = names.entry(key.to_vec()).or_insert_with(|| (name.clone(), *ino)).1 == *ino;
        self.inodes.entry(*ino).or_insert_with(|| bare(store.inode(*ino)));
        leads_to
    }

    /// The store as it is found after the power is back.
    pub(super) fn after(&self, store: &Store, loss: PowerLoss) -> Store {
        let mut after = store.clone();
        match loss {
            PowerLoss::Forgets => {
                after.inodes = self.inodes.clone();
                after.inodes.entry(ROOT).or_insert_with(|| bare(store.inode(ROOT)));
            }
            PowerLoss::LeavesZeros | PowerLoss::LeavesSome(_) => {
                for (ino, inode) in &mut after.inodes {
                    if matches!(loss, PowerLoss::LeavesSome(chosen) if (chosen >> (ino % 64)) & 1 == 1) {
                        continue;
                    }
                    if let Content::File(data) = &mut inode.content {
                        *data = Arc::new(self.written(*ino, data.len()));
                    }
                }
            }
        }
        after.records = self.records.clone();
        after.left = self.left.clone();
        keep_reachable(&mut after);
        after
    }

    fn written(&self, ino: Ino, size: usize) -> Vec<u8> {
        let mut written = match self.inodes.get(&ino).map(|inode| &inode.content) {
            Some(Content::File(data)) => data.as_ref().clone(),
            _ => Vec::new(),
        };
        written.resize(size, 0);
        written
    }
}

/// Where each folder is: in which, under which key.
fn parents(store: &Store) -> BTreeMap<Ino, (Ino, Vec<u8>)> {
    let mut parents = BTreeMap::new();
    for (folder, inode) in &store.inodes {
        let Content::Folder(names) = &inode.content else { continue };
        for (key, (_, ino)) in names {
            if matches!(store.inode(*ino).content, Content::Folder(_)) {
                parents.insert(*ino, (*folder, key.clone()));
            }
        }
    }
    parents
}

/// An inode of which nothing was synced but that it exists.
fn bare(inode: &Inode) -> Inode {
    let content = match &inode.content {
        Content::Folder(_) => Content::Folder(Names::new()),
        Content::File(_) => Content::File(Arc::default()),
        link => link.clone(),
    };
    Inode { content, ..inode.clone() }
}

/// Counts the names again, and forgets what has none: nobody has it open any more.
fn keep_reachable(store: &mut Store) {
    let mut links = BTreeMap::from([(ROOT, 1)]);
    let mut folders = vec![ROOT];
    while let Some(folder) = folders.pop() {
        for (_, ino) in store.names(folder).values() {
            *links.entry(*ino).or_insert(0) += 1;
            if matches!(store.inode(*ino).content, Content::Folder(_)) {
                folders.push(*ino);
            }
        }
    }
    store.inodes.retain(|ino, _| links.contains_key(ino));
    for (ino, inode) in &mut store.inodes {
        (inode.links, inode.open) = (links[ino], 0);
    }
    store.renames.clear();
}
