//! Inodes and their names, as Linux has them; each method is one primitive of the target port.
//!
//! Where a real filesystem and core's words leave room, it does what the store on the real disk does: a test holds the
//! two together.

use super::details::Details;
use octo_core::{Abilities, Code, Done, Error, FileId, Kind, LinkTarget, LinkType, Meta, Name, RelPath, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The number of an inode. Never used twice.
pub(super) type Ino = u64;
/// The root folder's.
pub(super) const ROOT: Ino = 1;

/// Names by the form in which they are compared.
pub(super) type Names = BTreeMap<Vec<u8>, (Name, Ino)>;

#[derive(Debug, Clone)]
pub(super) enum Content {
    Folder(Names),
    File(Arc<Vec<u8>>),
    /// Made, or, where the filesystem cannot hold it, only recorded.
    Link(LinkTarget, bool),
}

#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) content: Content,
    pub(super) write: Timestamp,
    pub(super) change: Timestamp,
    /// Names it has; an open file may have none.
    pub(super) links: u32,
    /// Handles on it.
    pub(super) open: u32,
    /// What it has besides its data, if it was set.
    pub(super) details: Option<Details>,
}

impl Inode {
    pub(super) fn new(content: Content, now: Timestamp) -> Inode {
        Inode { content, write: now, change: now, links: 1, open: 0, details: None }
    }

    pub(super) fn kind(&self) -> Kind {
        match &self.content {
            Content::Folder(_) => Kind::Folder,
            Content::File(_) => Kind::File,
            Content::Link(..) => Kind::Link,
        }
    }

    fn is_recorded(&self) -> bool {
        matches!(self.content, Content::Link(_, true))
    }

    pub(super) fn size(&self) -> u64 {
        if let Content::File(data) = &self.content { data.len() as u64 } else { 0 }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) inodes: BTreeMap<Ino, Inode>,
    /// Full names recorded for stored ones.
    pub(super) records: BTreeMap<RelPath, Vec<u8>>,
    /// What entries had besides their data, left at paths where nothing need be.
    pub(super) left: BTreeMap<RelPath, Details>,
    pub(super) abilities: Abilities,
    pub(super) capacity_bytes: u64,
    /// The time of the next change.
    pub(super) now: Timestamp,
    next: Ino,
    /// Pairs of folders between which something was renamed since the last checkpoint: a rename is durable in both or
    /// in neither.
    pub(super) renames: Vec<(Ino, Ino)>,
}

fn moved(path: &RelPath, what: &str) -> Error {
    Error::new(Code::TargetMoved, format!("{path}: {what}"))
}

impl Store {
    pub(super) fn new(abilities: Abilities, capacity_bytes: u64) -> Store {
        let root = Inode::new(Content::Folder(Names::new()), Timestamp::default());
        Store {
            inodes: BTreeMap::from([(ROOT, root)]),
            records: BTreeMap::new(),
            left: BTreeMap::new(),
            abilities,
            capacity_bytes,
            now: Timestamp::default(),
            next: ROOT + 1,
            renames: Vec::new(),
        }
    }

    fn key(&self, name: &Name) -> Vec<u8> {
        match self.abilities.names.folds_case {
            true => octo_core::naming::fold(name.as_bytes()),
            false => name.as_bytes().to_vec(),
        }
    }

    pub(super) fn inode(&self, ino: Ino) -> &Inode {
        self.inodes.get(&ino).expect("an inode lives as long as its names and handles")
    }

    pub(super) fn inode_mut(&mut self, ino: Ino) -> &mut Inode {
        self.inodes.get_mut(&ino).expect("an inode lives as long as its names and handles")
    }

    pub(super) fn names(&self, folder: Ino) -> &Names {
        match &self.inode(folder).content {
            Content::Folder(names) => names,
            _ => unreachable!("only folders are asked for names"),
        }
    }

    /// The folder's names, to change them: its times move.
    fn names_mut(&mut self, folder: Ino) -> &mut Names {
        let (write, now) = (self.abilities.times.represent(self.now), self.now);
        let inode = self.inode_mut(folder);
        (inode.write, inode.change) = (write, now);
        match &mut inode.content {
            Content::Folder(names) => names,
            _ => unreachable!("only folders are asked for names"),
        }
    }

    /// The folder that `path` is in; `None` if there is none. A file or a link in the way is an error.
    fn folder_of(&self, path: &RelPath) -> Result<Option<Ino>, Error> {
        let mut at = ROOT;
        for name in path.parent().unwrap_or_default().names() {
            let Some((_, ino)) = self.names(at).get(&self.key(&name)) else { return Ok(None) };
            match &self.inode(*ino).content {
                Content::Folder(_) => at = *ino,
                Content::Link(_, true) => return Ok(None),
                _ => return Err(moved(path, "what it lies in is not a folder")),
            }
        }
        Ok(Some(at))
    }

    /// What is at `path` itself.
    pub(super) fn find(&self, path: &RelPath) -> Result<Option<Ino>, Error> {
        let Some(name) = path.name() else { return Ok(Some(ROOT)) };
        let Some(folder) = self.folder_of(path)? else { return Ok(None) };
        Ok(self.names(folder).get(&self.key(&name)).map(|(_, ino)| *ino))
    }

    fn add_inode(&mut self, inode: Inode) -> Ino {
        let ino = self.next;
        self.next += 1;
        self.inodes.insert(ino, inode);
        ino
    }

    /// Whether the filesystem can hold this name.
    fn check_name(&self, path: &RelPath) -> Result<(), Error> {
        let (Some(name), rules) = (path.name(), &self.abilities.names) else { return Ok(()) };
        let bytes = name.as_bytes();
        let fits = rules.length(bytes) <= rules.length_max
            && !bytes.iter().any(|b| rules.forbidden.as_bytes().contains(b))
            && (!rules.utf8_only || std::str::from_utf8(bytes).is_ok());
        if fits { Ok(()) } else { Err(Error::new(Code::TargetEntry, format!("{path}: a name that cannot be here"))) }
    }

    /// A new name for a new inode, made only if its place is free.
    pub(super) fn add(&mut self, path: &RelPath, content: Content) -> Result<(Done, Option<Ino>), Error> {
        let Some(name) = path.name() else { return Ok((Done::Exists, None)) };
        let Some(folder) = self.folder_of(path)? else { return Ok((Done::Missing, None)) };
        if self.names(folder).contains_key(&self.key(&name)) {
            return Ok((Done::Exists, None));
        }
        self.check_name(path)?;
        let ino = self.add_inode(Inode::new(content, self.now));
        self.put_name(folder, name, ino);
        Ok((Done::Yes, Some(ino)))
    }

    /// A file that has no name and never will.
    pub(super) fn add_nameless(&mut self) -> Ino {
        let mut inode = Inode::new(Content::File(Arc::default()), self.now);
        inode.links = 0;
        self.add_inode(inode)
    }

    fn put_name(&mut self, folder: Ino, name: Name, ino: Ino) {
        let key = self.key(&name);
        self.names_mut(folder).insert(key, (name, ino));
    }

    fn take_name(&mut self, folder: Ino, name: &Name) {
        let key = self.key(name);
        self.names_mut(folder).remove(&key);
    }

    /// One name less; without names and handles it is gone.
    fn unlink(&mut self, ino: Ino) {
        let now = self.now;
        let inode = self.inode_mut(ino);
        inode.links -= 1;
        inode.change = now;
        self.sweep(ino);
    }

    pub(super) fn sweep(&mut self, ino: Ino) {
        if self.inodes.get(&ino).is_some_and(|inode| inode.links == 0 && inode.open == 0) {
            self.inodes.remove(&ino);
        }
    }

    /// Both places of an operation with two paths, or what stops it: (folder, what is there) of each.
    #[expect(clippy::type_complexity, reason = "two places, taken apart at once by both callers")]
    fn both(&self, from: &RelPath, to: &RelPath) -> Result<Option<((Ino, Ino), (Ino, Option<Ino>))>, Error> {
        let Some(from_folder) = self.folder_of(from)? else { return Ok(None) };
        let Some(to_folder) = self.folder_of(to)? else { return Ok(None) };
        let Some(ino) = self.find(from)? else { return Ok(None) };
        Ok(Some(((from_folder, ino), (to_folder, self.find(to)?))))
    }

    pub(super) fn hard_link(&mut self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        let Some(((_, ino), (folder, there))) = self.both(from, to)? else { return Ok(Done::Missing) };
        if there.is_some() {
            return Ok(Done::Exists);
        }
        let is_recorded = self.inode(ino).is_recorded();
        let is_folder = self.inode(ino).kind() == Kind::Folder;
        if is_folder || !(self.abilities.hard_links || is_recorded) {
            // As link(2) says it of a folder.
            let code = if is_folder { Code::TargetDenied } else { Code::TargetEntry };
            return Err(Error::new(code, format!("{from}: cannot have a second name")));
        }
        self.check_name(to)?;
        let Some(name) = to.name() else { return Ok(Done::Exists) };
        let mut linked = ino;
        if is_recorded {
            linked = self.add_inode(self.inode(ino).clone());
        } else {
            let now = self.now;
            let inode = self.inode_mut(ino);
            inode.links += 1;
            inode.change = now;
        }
        self.put_name(folder, name, linked);
        if let Some(full) = self.records.get(from).cloned() {
            self.records.insert(to.clone(), full);
        }
        Ok(Done::Yes)
    }

    pub(super) fn rename(&mut self, from: &RelPath, to: &RelPath, over: bool) -> Result<Done, Error> {
        if over {
            // Looked at first: what is to be replaced.
            self.folder_of(to)?;
        }
        let Some(((from_folder, ino), (to_folder, there))) = self.both(from, to)? else { return Ok(Done::Missing) };
        let (Some(from_name), Some(to_name)) = (from.name(), to.name()) else {
            return Err(moved(from, "the root has no other name"));
        };
        if there.is_some() && !over {
            return Ok(Done::Exists);
        }
        let is_folder = self.inode(ino).kind() == Kind::Folder;
        let same_name = from_folder == to_folder && self.key(&from_name) == self.key(&to_name);
        let replaced = there.filter(|_| !same_name);
        if replaced.is_some_and(|there| self.inode(there).kind() == Kind::Folder) {
            return Err(moved(to, "a folder cannot be replaced"));
        }
        if is_folder && !same_name && to.is_within(from) {
            return Err(Error::new(Code::TargetEntry, format!("{to}: it would lie in itself")));
        }
        if is_folder && replaced.is_some_and(|there| !self.inode(there).is_recorded()) {
            return Err(moved(to, "a folder cannot take the place of a file"));
        }
        if there == Some(ino) && (!same_name || from_name == to_name) {
            // Two names of one file, or one name: POSIX says that nothing happens.
            return if is_folder { Err(moved(to, "a folder cannot be replaced")) } else { Ok(Done::Yes) };
        }
        self.check_name(to)?;
        self.take_name(from_folder, &from_name);
        if let Some(there) = replaced {
            self.unlink(there);
        }
        self.put_name(to_folder, to_name, ino);
        self.inode_mut(ino).change = self.now;
        self.renames.push((from_folder, to_folder));
        self.records_follow(from, to);
        Ok(Done::Yes)
    }

    /// A name without a record leaves that of the place it takes: a new content has the old one's full name.
    fn records_follow(&mut self, from: &RelPath, to: &RelPath) {
        let below: Vec<RelPath> = self.records.keys().filter(|path| path.is_within(from)).cloned().collect();
        for path in below {
            let rest = path.as_bytes()[from.as_bytes().len()..].strip_prefix(b"/").unwrap_or_default();
            let rest = RelPath::parse(rest).unwrap_or_default();
            if let Some(full) = self.records.remove(&path) {
                self.records.insert(to.join_path(&rest), full);
            }
        }
    }

    pub(super) fn remove(&mut self, path: &RelPath, folder: bool) -> Result<Done, Error> {
        let (Some(at), Some(name)) = (self.folder_of(path)?, path.name()) else { return Ok(Done::Missing) };
        let Some(ino) = self.find(path)? else { return Ok(Done::Missing) };
        let inode = self.inode(ino);
        match &inode.content {
            Content::Link(_, true) if folder => return Ok(Done::Missing),
            Content::Folder(names) if folder && !names.is_empty() => return Ok(Done::NotEmpty),
            _ if (inode.kind() == Kind::Folder) != folder => return Err(moved(path, "it is of another kind")),
            _ => {}
        }
        self.take_name(at, &name);
        self.unlink(ino);
        self.records.remove(path);
        self.left.retain(|left, _| !left.is_within(path));
        Ok(Done::Yes)
    }

    pub(super) fn set_times(&mut self, ino: Ino, write: Timestamp) {
        let (write, now) = (self.abilities.times.represent(write), self.now);
        let inode = self.inode_mut(ino);
        (inode.write, inode.change) = (write, now);
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.inodes.values().map(Inode::size).sum()
    }

    /// Changes a file's data; `size_bytes` is what it will then have at least.
    pub(super) fn write(&mut self, ino: Ino, size_bytes: u64, act: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        let more = size_bytes.saturating_sub(self.inode(ino).size());
        if self.used_bytes().saturating_add(more) > self.capacity_bytes {
            return Err(Error::new(Code::NoSpace, format!("{} bytes are all there are", self.capacity_bytes)));
        }
        let now = self.abilities.times.represent(self.now);
        let inode = self.inode_mut(ino);
        (inode.write, inode.change) = (now, now);
        if let Content::File(data) = &mut inode.content {
            act(Arc::make_mut(data));
        }
        Ok(())
    }

    pub(super) fn meta(&self, ino: Ino) -> Meta {
        let inode = self.inode(ino);
        let mut meta = Meta::new(inode.kind(), inode.size(), inode.write);
        if !inode.is_recorded() {
            meta.change_time = Some(inode.change);
            meta.id = Some(FileId { volume: 1, id: ino.into() });
            meta.links = inode.links;
        }
        meta
    }

    /// Whether a link has to be recorded instead of made.
    pub(super) fn records_link(&self, link: &LinkTarget) -> bool {
        !self.abilities.symlinks || link.kind != LinkType::Posix || link.data.is_empty() || link.data.contains(&0)
    }
}
