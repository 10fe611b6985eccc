//! The agent goes through a tree ahead of the server, in the server's order, and tells as it goes.
//!
//! It never holds the tree: only the names of folders that it still has to enter, and of those no more than
//! [`NAMES_BYTES_MAX`]. Where that is too little it ends early, and the server asks again from where it is.

use crate::agent::frames::Frames;
use crate::agent::listing::list_into;
use crate::agent::prefetch::{Prefetch, with_prefetch};
use crate::wire::{Frame, Order};
use octo_core::{Error, Listed, Name, RelPath, Source};

/// What the names of folders still to be entered may take together, with what it takes to keep them.
const NAMES_BYTES_MAX: usize = if cfg!(test) { 2000 } else { 4 << 20 };
/// The server asks for no folder with a longer path.
const PATH_BYTES_MAX: usize = 32 << 10;
/// So many folders that come next in the same folder are listed before the walk is there.
const ANNOUNCED: usize = 4;
/// What keeping a name takes besides its bytes.
const NAME_COST_BYTES: usize = 32;

/// Answers a request to walk. What may not go ahead ends after the first folder.
pub(crate) fn walk(
    order: &Order,
    source: Result<&dyn Source, Error>,
    may_go_ahead: bool,
    out: &mut Frames,
) -> Result<(), Error> {
    match source {
        Ok(source) if !may_go_ahead => {
            out.hand(Frame::folder(&order.path))?;
            list_into(&mut |frame| out.hand(frame), source, &order.path, &mut |_| {})
        }
        Ok(source) => {
            with_prefetch(source, |prefetch| Walker { source, prefetch, out, kept_bytes: 0 }.walk(&order.path))
        }
        Err(error) => {
            out.hand(Frame::folder(&order.path))?;
            out.hand(Frame::listed(&Listed::Incomplete(error)))
        }
    }
}

struct Walker<'a> {
    source: &'a dyn Source,
    prefetch: Prefetch<'a>,
    out: &'a mut Frames,
    /// Of all levels together.
    kept_bytes: usize,
}

impl Walker<'_> {
    fn walk(mut self, from: &RelPath) -> Result<(), Error> {
        let mut around = from.clone();
        // Where we are, and what is still to be entered in each folder on the way there.
        let (mut here, mut levels) = (from.clone(), vec![self.enter(from)?]);
        loop {
            match levels.last_mut() {
                Some(level) => match level.sorted.pop() {
                    Some(name) => {
                        self.kept_bytes -= cost(&name);
                        self.announce(&here, level);
                        let folder = here.join(&name);
                        if is_asked_for(&folder) {
                            levels.push(self.enter(&folder)?);
                            here = folder;
                        }
                    }
                    None if level.last.is_some() => return Ok(()),
                    None => {
                        levels.pop();
                        here = here.parent().unwrap_or_default();
                    }
                },
                // On to what comes after the folder where it began, and after those around it.
                None => {
                    let (Some(parent), Some(name)) = (around.parent(), around.name()) else { return Ok(()) };
                    levels.push(self.beside(&parent, name));
                    (here, around) = (parent.clone(), parent);
                }
            }
        }
    }

    /// Has the next ones listed while we are elsewhere.
    fn announce(&mut self, here: &RelPath, level: &Names) {
        let next = level.sorted.iter().rev().take(ANNOUNCED).map(|name| here.join(name));
        for folder in next.filter(is_asked_for) {
            self.prefetch.announce(folder);
        }
    }

    /// Tells what is in a folder.
    fn enter(&mut self, folder: &RelPath) -> Result<Names, Error> {
        let mut names = Names::new(None, self.kept_bytes);
        self.out.hand(Frame::folder(folder))?;
        match self.prefetch.fetch(folder) {
            Some(fetched) => {
                fetched.folders.iter().for_each(|name| names.push(name));
                self.out.hand(fetched.frames)?;
            }
            None => {
                list_into(&mut |frame| self.out.hand(frame), self.source, folder, &mut |name| names.push(name))?;
            }
        }
        Ok(self.kept(names))
    }

    /// The folders that come after one of them. What else is there was sent already.
    fn beside(&mut self, folder: &RelPath, after: Name) -> Names {
        let mut names = Names::new(Some(after), self.kept_bytes);
        // What cannot be listed now, the server asks for by name.
        let _ = self.source.list(folder, &mut names);
        self.kept(names)
    }

    fn kept(&mut self, mut names: Names) -> Names {
        names.sorted.sort_unstable_by(|a, b| b.cmp(a));
        self.kept_bytes += names.bytes;
        names
    }
}

fn is_asked_for(folder: &RelPath) -> bool {
    folder.as_bytes().len() <= PATH_BYTES_MAX
}

fn cost(name: &Name) -> usize {
    name.as_bytes().len() + NAME_COST_BYTES
}

/// Names of folders, the first ones of those that were seen, as many as there is room for.
struct Names {
    /// Only what comes after this one.
    after: Option<Name>,
    /// In the end sorted, the next one last.
    sorted: Vec<Name>,
    bytes: usize,
    room_bytes: usize,
    /// The last one kept, if there was no room for some after it.
    last: Option<Name>,
}

impl Names {
    fn new(after: Option<Name>, kept_bytes: usize) -> Names {
        let room_bytes = NAMES_BYTES_MAX.saturating_sub(kept_bytes);
        Names { after, sorted: Vec::new(), bytes: 0, room_bytes, last: None }
    }

    fn push(&mut self, name: &Name) {
        let is_before = self.after.as_ref().is_some_and(|after| name <= after);
        if is_before || self.last.as_ref().is_some_and(|last| name > last) {
            return;
        }
        self.bytes += cost(name);
        self.sorted.push(name.clone());
        if self.bytes > self.room_bytes && self.sorted.len() > 1 {
            self.sorted.sort_unstable();
            // There is always one to go on with.
            self.sorted.truncate(self.sorted.len() / 2);
            self.bytes = self.sorted.iter().map(cost).sum();
            self.last = self.sorted.last().cloned();
        }
    }
}

impl octo_core::ListSink for Names {
    fn entry(&mut self, entry: octo_core::Entry) -> std::ops::ControlFlow<()> {
        if entry.meta.kind == octo_core::Kind::Folder {
            self.push(&entry.name);
        }
        std::ops::ControlFlow::Continue(())
    }
    fn problem(&mut self, _: &[u8], _: Error) {}
    fn restart(&mut self) {
        *self = Names { sorted: Vec::new(), bytes: 0, last: None, after: self.after.take(), ..*self };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::walk_order;
    use crate::wire::{Answer, Decoder};
    use octo_disk::LocalSource;
    use std::path::Path;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    /// The folders that a walk from here tells, and how many entries in each.
    fn walked(source: &dyn Source, from: &RelPath) -> Vec<(RelPath, usize)> {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(10_000);
        let mut out = Frames::new(sender);
        walk(&Order { root: String::new(), path: from.clone() }, Ok(source), true, &mut out).unwrap();
        out.flush().unwrap();
        let mut decoder = Decoder::default();
        while let Ok(bytes) = receiver.try_recv() {
            decoder.push(&bytes);
        }
        let (mut found, mut is_whole) = (Vec::new(), true);
        while let Some(frame) = decoder.next().unwrap() {
            match Answer::decode(&frame).unwrap() {
                Answer::Folder(path) => {
                    assert!(std::mem::take(&mut is_whole));
                    found.push((path, 0));
                }
                Answer::Entries(mut entries) => {
                    while entries.next().unwrap().is_some() {
                        found.last_mut().unwrap().1 += 1;
                    }
                }
                Answer::Listed(listed) => {
                    assert_eq!(listed, Listed::Complete);
                    is_whole = true;
                }
                _ => panic!("another frame"),
            }
        }
        assert!(is_whole);
        found
    }

    /// Every folder below, in the order of a walk, and how many entries in each.
    fn folders(root: &Path, below: RelPath) -> Vec<(RelPath, usize)> {
        let entries: Vec<_> = std::fs::read_dir(root.join(below.to_os())).unwrap().map(Result::unwrap).collect();
        let mut found = vec![(below.clone(), entries.len())];
        for entry in entries.iter().filter(|entry| entry.file_type().unwrap().is_dir()) {
            let name = Name::new(entry.file_name().into_encoded_bytes()).unwrap();
            found.extend(folders(root, below.join(&name)));
        }
        found.sort_by(|(a, _), (b, _)| walk_order(a, b));
        found
    }

    fn tree() -> (tempfile::TempDir, LocalSource) {
        let root = tempfile::tempdir().unwrap();
        for folder in ["a/b/c", "a/b.d", "a/b-", "a/b/z", "ab", "b/deep/er", "B", "z"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
            std::fs::write(root.path().join(folder).join("file"), "x").unwrap();
        }
        std::os::unix::fs::symlink("a", root.path().join("link")).unwrap();
        let source = LocalSource::open(root.path()).unwrap();
        (root, source)
    }

    #[test]
    fn a_walk_from_any_folder_tells_it_and_all_that_come_after_it_in_the_order_of_the_merge() {
        let (root, source) = tree();
        let all = folders(root.path(), RelPath::root());
        assert_eq!(all.len(), 13);
        for (at, (from, _)) in all.iter().enumerate() {
            assert_eq!(walked(&source, from), all[at..], "from {from}");
        }
        let merged: Vec<Vec<Name>> = all.iter().map(|(path, _)| path.names().collect()).collect();
        assert!(merged.is_sorted(), "{merged:?}");
    }

    #[test]
    fn what_is_too_much_to_keep_ends_a_walk_and_another_one_from_there_brings_the_next() {
        let (root, source) = tree();
        for n in 0..500 {
            std::fs::create_dir(root.path().join(format!("b/{n:03}"))).unwrap();
        }
        let all = folders(root.path(), RelPath::root());
        let (mut found, mut walks) = (Vec::new(), 0);
        while found.len() < all.len() {
            let part = walked(&source, &all[found.len()].0);
            assert_eq!(part, all[found.len()..found.len() + part.len()]);
            found.extend(part);
            walks += 1;
        }
        assert!((8..100).contains(&walks), "{walks} walks: is the memory for names bounded?");
    }

    /// A source that notices how many listings are made at once, and has the first ones wait for each other.
    struct Meeting {
        source: LocalSource,
        /// Now, and at most.
        listings: Mutex<(usize, usize)>,
        more: Condvar,
    }

    impl Source for Meeting {
        fn features(&self) -> octo_core::SourceFeatures {
            self.source.features()
        }
        fn pin(&self) -> Result<octo_core::SourcePin, Error> {
            self.source.pin()
        }
        fn list(&self, folder: &RelPath, sink: &mut dyn octo_core::ListSink) -> Listed {
            let mut listings = self.listings.lock().unwrap();
            listings.0 += 1;
            listings.1 = listings.1.max(listings.0);
            self.more.notify_all();
            if !folder.is_root() {
                let patience = Duration::from_secs(60);
                let waited = self.more.wait_timeout_while(listings, patience, |listings| listings.1 < 2).unwrap();
                listings = waited.0;
            }
            drop(listings);
            let listed = self.source.list(folder, sink);
            self.listings.lock().unwrap().0 -= 1;
            listed
        }
        fn fetch(&self, _: &[octo_core::FetchRequest], _: &mut dyn octo_core::FetchSink) {}
    }

    #[test]
    fn folders_that_come_next_are_listed_while_another_one_is() {
        let (root, source) = tree();
        let source = Meeting { source, listings: Mutex::default(), more: Condvar::new() };
        assert_eq!(walked(&source, &RelPath::root()), folders(root.path(), RelPath::root()));
        assert!(source.listings.lock().unwrap().1 >= 2);
    }

    #[test]
    fn a_walk_that_nobody_waits_for_any_more_ends() {
        let (_root, source) = tree();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        drop(receiver);
        let mut out = Frames::new(sender);
        let order = Order { root: String::new(), path: RelPath::root() };
        // What fits into one message is only noticed by the sender.
        let ended = walk(&order, Ok(&source), true, &mut out).and_then(|()| out.flush());
        assert_eq!(ended.unwrap_err().code, octo_core::Code::Cancelled);
    }
}
