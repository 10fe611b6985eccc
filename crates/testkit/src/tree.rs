//! Trees as plain values, to say in one line that two sides are the same, wherever they are.

use octo_core::{
    Code, Entry, Error, FetchRequest, FetchSink, Kind, ListSink, Listed, Meta, Name, RESERVED, RelPath, Source, Stop,
    Target, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// One entry: what it is, its bytes (of a link, its text), its last write time.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Content, or where a link points to.
    pub content: Vec<u8>,
    /// Last write time.
    pub write_time: Timestamp,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = octo_core::path::bytes_to_text(&self.content[..self.content.len().min(40)]);
        write!(f, "{:?} {shown:?} ({} bytes) at {}", self.kind, self.content.len(), self.write_time.0)
    }
}

/// Every entry below a root.
pub type Tree = BTreeMap<RelPath, Node>;

/// Fails with the entries in which two trees differ.
#[track_caller]
pub fn assert_same_tree(is: &Tree, should_be: &Tree, context: &str) {
    let paths: BTreeSet<_> = is.keys().chain(should_be.keys()).collect();
    let different: Vec<_> = paths
        .into_iter()
        .filter(|path| is.get(path) != should_be.get(path))
        .map(|path| format!("{path}: is {:?}, should be {:?}", is.get(path), should_be.get(path)))
        .collect();
    assert!(different.is_empty(), "{context}:\n{}", different.join("\n"));
}

/// What a real folder holds, without following links. What is ours at its root is left out. Panics if it cannot be read.
pub fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![RelPath::root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(folder.to_os())).expect("a folder that can be listed") {
            let name = entry.expect("a listing that ends well").file_name();
            let path = folder
                .join(&Name::new(octo_core::path::os_bytes(name.as_ref())).expect("the kernel's names are names"));
            if is_ours(&path) {
                continue;
            }
            let full = root.join(path.to_os());
            let meta = std::fs::symlink_metadata(&full).expect("an entry that stays");
            let (kind, content) = if meta.is_dir() {
                folders.push(path.clone());
                (Kind::Folder, Vec::new())
            } else if meta.is_symlink() {
                (Kind::Link, std::fs::read_link(&full).expect("a link").into_os_string().into_encoded_bytes())
            } else {
                (Kind::File, std::fs::read(&full).expect("a file that can be read"))
            };
            let write_time = timestamp(meta.modified().expect("a time"));
            tree.insert(path, Node { kind, content, write_time });
        }
    }
    tree
}

fn timestamp(time: SystemTime) -> Timestamp {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Timestamp((after.as_nanos() / 100) as i64),
        Err(before) => Timestamp(-(before.duration().as_nanos().div_ceil(100) as i64)),
    }
}

/// What a target holds below `folder`; paths are below it too. What is ours at its root is left out. Panics if it
/// cannot be read.
pub fn target_tree(target: &dyn Target, folder: &RelPath) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![RelPath::root()];
    while let Some(below) = folders.pop() {
        let mut list = List::default();
        let place = folder.join_path(&below);
        assert_eq!(target.list(&place, &mut list), Listed::Complete, "{place}");
        for Entry { name, meta } in list.0 {
            let path = place.join(&name);
            if is_ours(&path) {
                continue;
            }
            let content = match meta.kind {
                Kind::Link => target.read_link(&path).expect("a link").expect("a link that stays").data,
                Kind::File => read_file(target, &path),
                _ => Vec::new(),
            };
            let path = below.join(&name);
            if meta.kind == Kind::Folder {
                folders.push(path.clone());
            }
            tree.insert(path, Node { kind: meta.kind, content, write_time: meta.write_time });
        }
    }
    tree
}

/// All of a target's file. Panics if it cannot be read.
pub fn read_file(target: &dyn Target, path: &RelPath) -> Vec<u8> {
    let file = target.open_file(path).expect("a file that can be opened").expect("a file that stays");
    let (mut content, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let read = file.read_at(content.len() as u64, &mut buffer).expect("a file that can be read");
        if read == 0 {
            return content;
        }
        content.extend_from_slice(&buffer[..read]);
    }
}

/// What a source holds. Panics if it cannot be read.
pub fn source_tree(source: &dyn Source) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![RelPath::root()];
    while let Some(folder) = folders.pop() {
        let mut list = List::default();
        assert_eq!(source.list(&folder, &mut list), Listed::Complete, "{folder}");
        for Entry { name, meta } in list.0 {
            let path = folder.join(&name);
            let mut content = Vec::new();
            match meta.kind {
                Kind::Link => content = source.read_link(&path).expect("a link").data,
                Kind::Folder => folders.push(path.clone()),
                _ => {
                    let wanted =
                        FetchRequest { path: path.clone(), listed: meta, parts: None, snapshot: None, metadata: false };
                    source.fetch(&[wanted], &mut Whole(&mut content));
                }
            }
            tree.insert(path, Node { kind: meta.kind, content, write_time: meta.write_time });
        }
    }
    tree
}

fn is_ours(path: &RelPath) -> bool {
    path.as_bytes() == RESERVED.as_bytes()
}

#[derive(Default)]
struct List(Vec<Entry>);

impl ListSink for List {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.0.push(entry);
        ControlFlow::Continue(())
    }
    fn problem(&mut self, name: &[u8], error: Error) {
        unreachable!("{}: {error}", octo_core::path::bytes_to_text(name));
    }
    fn restart(&mut self) {
        self.0.clear();
    }
}

struct Whole<'a>(&'a mut Vec<u8>);

impl FetchSink for Whole<'_> {
    fn opened(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        self.0.resize(usize::try_from(meta.size_bytes).expect("a file that fits into memory"), 0);
        Ok(())
    }
    fn data(&mut self, _: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        let start = usize::try_from(offset_bytes).expect("a place within the file");
        self.0[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Ok(())
    }
    /// What a power cut tore, and became a version so, is called damaged once all of it was handed over.
    fn failed(&mut self, _: usize, error: Error) -> Result<(), Stop> {
        assert_eq!(error.code, Code::ContentDamaged, "a file that can be read: {error}");
        Ok(())
    }
}
