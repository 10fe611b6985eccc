//! What lies below a folder, by way of the filesystem alone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One entry.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub kind: char,
    /// Of a file; of a link its text.
    pub content: Vec<u8>,
    /// The last write time, to 100 ns.
    pub ticks: i64,
}

pub(super) type Tree = BTreeMap<PathBuf, Node>;

/// Everything below `root` but what is our own in a mirror. An empty tree where there is no root.
pub(super) fn read(root: &Path) -> Result<Tree, String> {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder == root => return Ok(tree),
            listed => listed.map_err(|e| said(&folder, &e))?,
        };
        for entry in listed {
            let path = entry.map_err(|e| said(&folder, &e))?.path();
            if folder == root && path.ends_with(".octobackup") {
                continue;
            }
            let Some(node) = node(&path).map_err(|e| said(&path, &e))? else { continue };
            if node.kind == 'd' {
                folders.push(path.clone());
            }
            let path = path.strip_prefix(root).unwrap_or(&path).to_owned();
            tree.insert(path, node);
        }
    }
    Ok(tree)
}

/// Nothing for what is no file, folder or link: a mirror has none of it.
fn node(path: &Path) -> io::Result<Option<Node>> {
    let meta = fs::symlink_metadata(path)?;
    let ticks = meta.mtime() * 10_000_000 + meta.mtime_nsec() / 100;
    let (kind, content) = if meta.is_dir() {
        ('d', Vec::new())
    } else if meta.is_symlink() {
        ('l', fs::read_link(path)?.as_os_str().as_bytes().to_vec())
    } else if meta.is_file() {
        ('f', fs::read(path)?)
    } else {
        return Ok(None);
    };
    Ok(Some(Node { kind, content, ticks }))
}

fn said(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// What is different first, in words.
pub(super) fn difference(found: &Tree, expected: &Tree) -> Option<String> {
    for (path, node) in expected {
        match found.get(path) {
            None => return Some(format!("{path:?} is missing")),
            Some(other) if other.kind != node.kind => return Some(format!("{path:?} has another kind")),
            Some(other) if other.content != node.content => {
                let lengths = (other.content.len(), node.content.len());
                return Some(format!("{path:?} has other content: {} bytes and not {}", lengths.0, lengths.1));
            }
            Some(other) if other.ticks != node.ticks => {
                return Some(format!("{path:?} has another time: {} and not {}", other.ticks, node.ticks));
            }
            Some(_) => {}
        }
    }
    let surplus = found.keys().find(|path| !expected.contains_key(*path))?;
    Some(format!("{surplus:?} is too much"))
}
