//! Changes of the source, done to a tree. What cannot be done is left out.

use super::scenario::Change;
use crate::memory::{Details, MemTree};
use octo_core::{Kind, RelPath, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes contents and times of which no two are the same.
#[derive(Default)]
pub(super) struct Contents(AtomicU64);

impl Contents {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Another content than all before.
    pub(super) fn content(&self, bytes: u32, zeros: u32) -> Vec<u8> {
        let mut content = vec![0; zeros as usize];
        let text = format!("content {}.", self.next());
        content.extend(text.bytes().cycle().take((bytes as usize).max(text.len())));
        content
    }

    /// Other permissions and another stream than all before.
    fn details(&self, stream_bytes: u32) -> Details {
        let stream = if stream_bytes == 0 { Vec::new() } else { self.content(stream_bytes, 0) };
        Details { permissions: format!("permissions {}", self.next()).into_bytes(), stream }
    }

    /// Another time than all before, on a step of any filesystem's times.
    fn time(&self) -> Timestamp {
        Timestamp::from_unix(1_600_000_000, 0).plus_secs(10 * self.next() as i64)
    }
}

/// The path that this text means.
pub(super) fn path(text: &str) -> Option<RelPath> {
    RelPath::from_text(text).filter(|path| !path.is_root())
}

/// Makes room for something of this kind: nothing of another kind is there, and only folders are above it.
fn make_room(tree: &MemTree, at: &RelPath, kind: Kind) {
    let mut above = at.parent().unwrap_or_default();
    while !above.is_root() {
        if tree.kind_of(&above).is_some_and(|kind| kind != Kind::Folder) {
            tree.remove(&above);
        }
        above = above.parent().unwrap_or_default();
    }
    if tree.kind_of(at).is_some_and(|there| there != kind) {
        tree.remove(at);
    }
}

/// Does it, if it can be done. It is `now`.
pub(super) fn apply(tree: &MemTree, change: &Change, contents: &Contents, now: Timestamp) -> Option<()> {
    match change {
        Change::Write { path: at, bytes, zeros } => {
            let at = path(at)?;
            make_room(tree, &at, Kind::File);
            tree.write(&at, &contents.content(*bytes, *zeros), contents.time());
            give_details(tree, &at, contents);
        }
        Change::Folder { path: at } => {
            let at = path(at)?;
            make_room(tree, &at, Kind::Folder);
            tree.make_folder(&at, contents.time());
            give_details(tree, &at, contents);
        }
        Change::Link { path: at, to } => {
            let at = path(at)?;
            make_room(tree, &at, Kind::Link);
            tree.make_link(&at, to, contents.time());
        }
        Change::Remove { path: at } => tree.remove(&path(at)?),
        Change::Rename { from, to } => {
            let (from, to) = (path(from)?, path(to)?);
            tree.kind_of(&from)?;
            let parent = to.parent().unwrap_or_default();
            let has_folder = parent.is_root() || tree.kind_of(&parent) == Some(Kind::Folder);
            if !has_folder || to.is_within(&from) || from.is_within(&to) {
                return None;
            }
            tree.rename(&from, &to);
        }
        Change::Restamp { path: at, hours } => {
            let at = path(at)?;
            if tree.kind_of(&at)? == Kind::File {
                tree.alter(&at, |meta| meta.write_time = meta.write_time.plus_secs(hours * 3600));
            }
        }
        Change::Details { path: at, stream_bytes } => tree.set_details(&path(at)?, contents.details(*stream_bytes)),
        Change::Append { path: at, bytes } => append(tree, &path(at)?, contents, *bytes)?,
        Change::Snapshot => tree.take_snapshot(now),
    }
    Some(())
}

/// Something new has permissions of its own.
fn give_details(tree: &MemTree, at: &RelPath, contents: &Contents) {
    if !tree.details().first().is_some_and(|details| details.contains_key(at)) {
        tree.set_details(at, contents.details(0));
    }
}

/// More is written at the end of a file.
pub(super) fn append(tree: &MemTree, at: &RelPath, contents: &Contents, bytes: u32) -> Option<()> {
    let mut content = tree.as_tree().remove(at).filter(|node| node.kind == Kind::File)?.content;
    content.extend(contents.content(bytes, 0));
    tree.write(at, &content, contents.time());
    Some(())
}

/// Whether a link is among what it changes.
pub(super) fn touches_link(tree: &MemTree, change: &Change) -> bool {
    let paths = match change {
        Change::Link { .. } => return true,
        Change::Snapshot => return false,
        Change::Rename { from, to } => vec![from, to],
        Change::Write { path, .. }
        | Change::Folder { path }
        | Change::Remove { path }
        | Change::Details { path, .. }
        | Change::Append { path, .. }
        | Change::Restamp { path, .. } => vec![path],
    };
    let paths: Vec<RelPath> = paths.into_iter().filter_map(|text| path(text)).collect();
    let touches = |at: &RelPath| paths.iter().any(|path| at.is_within(path) || path.is_within(at));
    tree.as_tree().iter().any(|(at, node)| node.kind == Kind::Link && touches(at))
}
