//! A tree in memory, which can be changed while it is read.

use super::details::Details;
use crate::tree::{Node, Tree};
use octo_core::{Code, Entry, Error, FileId, Kind, Meta, RelPath, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone)]
pub(super) enum Content {
    Folder,
    File(Arc<Vec<u8>>),
    Link(Vec<u8>),
}

#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<RelPath, (Content, Meta)>,
    denied: BTreeSet<RelPath>,
    locked: BTreeSet<RelPath>,
    said: BTreeMap<RelPath, Vec<Vec<u8>>>,
    pub(super) snapshots: BTreeMap<Timestamp, BTreeMap<RelPath, (Content, Meta)>>,
    /// What entries have besides their data, by their id.
    details: BTreeMap<u128, Details>,
    ids: u128,
    /// Moves with each change; the change time of what was changed.
    ticks: i64,
}

impl Nodes {
    fn tick(&mut self) -> Timestamp {
        self.ticks += 1;
        Timestamp::from_unix(1_700_000_000, 0).plus_secs(self.ticks)
    }

    /// Missing folders on the way are made. What was there keeps its id if it stays of the same kind.
    fn put(&mut self, path: &RelPath, content: Content, write_time: Timestamp) {
        let parent = path.parent().unwrap_or_default();
        if !parent.is_root() && !self.nodes.contains_key(&parent) {
            self.put(&parent, Content::Folder, Timestamp(0));
        }
        let (kind, size) = match &content {
            Content::Folder => (Kind::Folder, 0),
            Content::File(data) => (Kind::File, data.len()),
            Content::Link(_) => (Kind::Link, 0),
        };
        let now = self.tick();
        let old = self.nodes.get(path).map(|(_, meta)| *meta).filter(|meta| meta.kind == kind);
        let id = old.and_then(|old| old.id).unwrap_or_else(|| {
            self.ids += 1;
            FileId { volume: 1, id: self.ids }
        });
        let mut meta = Meta::new(kind, size as u64, write_time);
        (meta.id, meta.change_time) = (Some(id), Some(now));
        meta.creation_time = Some(old.and_then(|old| old.creation_time).unwrap_or(now));
        self.nodes.insert(path.clone(), (content, meta));
    }

    /// What is there; nothing is found through a link or a file.
    pub(super) fn get(&self, path: &RelPath) -> Result<(&Content, Meta), Error> {
        if self.denied.contains(path) {
            return Err(Error::new(Code::AccessDenied, path.to_string()));
        }
        if path.is_root() {
            return Ok((&Content::Folder, Meta::new(Kind::Folder, 0, Timestamp(0))));
        }
        let found = self.nodes.get(path).map(|(content, meta)| (content, *meta));
        found.ok_or_else(|| Error::new(Code::NotFound, path.to_string()))
    }
}

/// A tree that is built tersely and changed at will. Clones are handles on the same tree. The methods panic on a path
/// that cannot be one.
#[derive(Debug, Clone, Default)]
pub struct MemTree(Arc<Mutex<Nodes>>);

impl MemTree {
    /// An empty tree.
    pub fn new() -> MemTree {
        MemTree::default()
    }

    /// With this file.
    pub fn file(self, path: &str, content: &[u8], write_time: Timestamp) -> MemTree {
        self.write(&parse(path), content, write_time);
        self
    }

    /// With this folder.
    pub fn folder(self, path: &str, write_time: Timestamp) -> MemTree {
        self.make_folder(&parse(path), write_time);
        self
    }

    /// With this POSIX link.
    pub fn link(self, path: &str, text: &str, write_time: Timestamp) -> MemTree {
        self.make_link(&parse(path), text, write_time);
        self
    }

    /// Makes a file, or gives it other content; it keeps its id.
    pub fn write(&self, path: &RelPath, content: &[u8], write_time: Timestamp) {
        self.nodes().put(path, Content::File(Arc::new(content.to_vec())), write_time);
    }

    /// Makes a folder, or sets its time.
    pub fn make_folder(&self, path: &RelPath, write_time: Timestamp) {
        self.nodes().put(path, Content::Folder, write_time);
    }

    /// Makes a POSIX link, or lets it point elsewhere.
    pub fn make_link(&self, path: &RelPath, text: &str, write_time: Timestamp) {
        self.nodes().put(path, Content::Link(text.as_bytes().to_vec()), write_time);
    }

    /// Removes something with all that is in it.
    pub fn remove(&self, path: &RelPath) {
        let mut nodes = self.nodes();
        nodes.tick();
        nodes.nodes.retain(|other, _| !other.is_within(path));
    }

    /// Gives something, with all that is in it, another name. Ids stay. What was there under that name is gone.
    pub fn rename(&self, from: &RelPath, to: &RelPath) {
        let mut nodes = self.nodes();
        let now = nodes.tick();
        nodes.nodes.retain(|other, _| other.is_within(from) || !other.is_within(to));
        let below: Vec<RelPath> = nodes.nodes.keys().filter(|path| path.is_within(from)).cloned().collect();
        for path in below {
            let rest = path.as_bytes()[from.as_bytes().len()..].strip_prefix(b"/").unwrap_or_default();
            let rest = RelPath::parse(rest).expect("the rest of a path is one");
            if let Some((content, mut meta)) = nodes.nodes.remove(&path) {
                if rest.is_root() {
                    meta.change_time = Some(now);
                }
                nodes.nodes.insert(to.join_path(&rest), (content, meta));
            }
        }
    }

    /// What is at a path; nothing, or a file, a folder, a link.
    pub fn kind_of(&self, path: &RelPath) -> Option<Kind> {
        self.nodes().nodes.get(path).map(|(_, meta)| meta.kind)
    }

    /// The id of what is at a path.
    pub fn id_of(&self, path: &RelPath) -> Option<FileId> {
        self.nodes().nodes.get(path)?.1.id
    }

    /// Everything there is, as a plain value.
    pub fn as_tree(&self) -> Tree {
        self.nodes().nodes.iter().map(|(path, it)| (path.clone(), node(it))).collect()
    }

    /// Changes what is known of an entry behind its back: attributes, times, id, whether its data is there.
    pub fn alter(&self, path: &RelPath, change: impl FnOnce(&mut Meta)) {
        let mut nodes = self.nodes();
        let now = nodes.tick();
        let (_, meta) = nodes.nodes.get_mut(path).expect("what is altered is there");
        meta.change_time = Some(now);
        change(meta);
    }

    /// Gives a file or folder these permissions and this stream, as its change time tells.
    pub fn set_details(&self, path: &RelPath, details: Details) {
        let mut nodes = self.nodes();
        let now = nodes.tick();
        let Some((_, meta)) = nodes.nodes.get_mut(path) else { return };
        meta.change_time = Some(now);
        if let Some(id) = meta.id {
            nodes.details.insert(id.id, details);
        }
    }

    /// What each entry has besides its data, where it has something: now, and in each snapshot.
    pub fn details(&self) -> Vec<BTreeMap<RelPath, Details>> {
        let nodes = self.nodes();
        let of = |meta: &Meta| nodes.details.get(&meta.id?.id).cloned();
        let all = std::iter::once(&nodes.nodes).chain(nodes.snapshots.values());
        all.map(|all| all.iter().filter_map(|(path, (_, meta))| Some((path.clone(), of(meta)?))).collect()).collect()
    }

    /// Makes a file or folder unreadable.
    pub fn deny(&self, path: &RelPath) {
        self.nodes().denied.insert(path.clone());
    }

    /// Makes it readable again.
    pub fn allow(&self, path: &RelPath) {
        self.nodes().denied.remove(path);
    }

    /// Another program has this file open and does not share it; or does so no more.
    pub fn lock(&self, path: &RelPath, is_locked: bool) {
        let mut nodes = self.nodes();
        if is_locked {
            nodes.locked.insert(path.clone())
        } else {
            nodes.locked.remove(path)
        };
    }

    /// Keeps everything as it is now, as the snapshot of this moment.
    pub fn take_snapshot(&self, taken: Timestamp) {
        let mut nodes = self.nodes();
        let now = nodes.nodes.clone();
        nodes.snapshots.insert(taken, now);
    }

    /// What snapshots hold.
    pub fn snapshots(&self) -> Vec<Tree> {
        let tree = |then: &BTreeMap<_, _>| then.iter().map(|(at, it)| (RelPath::clone(at), node(it))).collect();
        self.nodes().snapshots.values().map(tree).collect()
    }

    /// Makes listings of a folder begin with these names.
    pub fn say(&self, folder: &RelPath, names: &[&[u8]]) {
        let names = names.iter().map(|name| name.to_vec()).collect();
        self.nodes().said.insert(folder.clone(), names);
    }

    pub(super) fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file as it is now, or as it was.
    pub(super) fn open(&self, path: &RelPath, snapshot: Option<Timestamp>) -> Result<(Arc<Vec<u8>>, Meta), Error> {
        let nodes = self.nodes();
        let (content, meta) = match snapshot {
            None if nodes.locked.contains(path) => return Err(Error::new(Code::Locked, "locked by the test")),
            None => nodes.get(path)?,
            Some(taken) => {
                let then = nodes.snapshots.get(&taken).and_then(|then| then.get(path));
                let (content, meta) = then.ok_or_else(|| Error::new(Code::NotFound, "not in that snapshot"))?;
                (content, *meta)
            }
        };
        match content {
            Content::File(content) => Ok((Arc::clone(content), meta)),
            _ => Err(Error::new(Code::KindMoved, format!("{path} is no file"))),
        }
    }

    pub(super) fn details_of(&self, meta: &Meta) -> Details {
        meta.id.and_then(|id| self.nodes().details.get(&id.id).cloned()).unwrap_or_default()
    }

    /// What a listing of `folder` says, in its order.
    pub(super) fn listed(&self, folder: &RelPath) -> Result<(Vec<Vec<u8>>, Vec<Entry>), Error> {
        let nodes = self.nodes();
        if !matches!(nodes.get(folder)?.0, Content::Folder) {
            return Err(Error::new(Code::KindMoved, format!("{folder} is not a folder")));
        }
        let said = nodes.said.get(folder).cloned().unwrap_or_default();
        let below = nodes.nodes.range(folder.clone()..).take_while(|(path, _)| path.is_within(folder));
        let entries = below.filter(|(path, _)| path.parent().as_ref() == Some(folder));
        let entries = entries.filter_map(|(path, (_, meta))| Some(Entry { name: path.name()?, meta: *meta }));
        // Not in our order: the engine has to sort.
        let mut entries: Vec<Entry> = entries.collect();
        entries.reverse();
        Ok((said, entries))
    }
}

fn node((content, meta): &(Content, Meta)) -> Node {
    let content = match content {
        Content::Folder => Vec::new(),
        Content::File(data) => data.as_ref().clone(),
        Content::Link(text) => text.clone(),
    };
    Node { kind: meta.kind, content, write_time: meta.write_time }
}

fn parse(path: &str) -> RelPath {
    RelPath::parse(path.as_bytes()).expect("a test's own paths are possible")
}
