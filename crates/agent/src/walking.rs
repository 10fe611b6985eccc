//! The agent goes through a tree ahead of the server, in the server's order, and tells as it goes.
//!
//! It never holds the tree: only the names of folders that it still has to enter, and of those no more than
//! [`NAMES_BYTES_MAX`]. Where that is too little it ends early, and the server asks anew from where it is.

use crate::serving::{Frames, list_into};
use crate::wire::{Frame, Order};
use octo_core::{Error, Listed, Name, RelPath, Source};

/// What the names of folders still to be entered may take together, with what it takes to keep them.
const NAMES_BYTES_MAX: usize = if cfg!(test) { 2000 } else { 8 << 20 };
/// What keeping a name takes besides its bytes.
const NAME_COST_BYTES: usize = 32;

/// Answers a request to walk.
pub(crate) fn walk(order: &Order, source: Result<&dyn Source, Error>, out: &mut Frames) -> Result<(), Error> {
    match source {
        Ok(source) => Walker { source, out, kept_bytes: 0 }.walk(&order.path),
        Err(error) => {
            out.hand(Frame::folder(&order.path))?;
            out.hand(Frame::listed(&Listed::Incomplete(error)))
        }
    }
}

struct Walker<'a> {
    source: &'a dyn Source,
    out: &'a mut Frames,
    /// Of all levels together.
    kept_bytes: usize,
}

/// A folder in which we are.
struct Level {
    folder: RelPath,
    names: Names,
}

impl Walker<'_> {
    fn walk(mut self, from: &RelPath) -> Result<(), Error> {
        let mut around = from.clone();
        let mut levels = vec![self.enter(from.clone())?];
        loop {
            match levels.last_mut() {
                Some(level) => match level.names.sorted.pop() {
                    Some(name) => {
                        self.kept_bytes -= cost(&name);
                        let folder = level.folder.join(&name);
                        levels.push(self.enter(folder)?);
                    }
                    None if level.names.last.is_some() => return Ok(()),
                    None => drop(levels.pop()),
                },
                // On to what comes after the folder where it began, and after those around it.
                None => {
                    let (Some(parent), Some(name)) = (around.parent(), around.name()) else { return Ok(()) };
                    levels.push(self.beside(parent.clone(), name));
                    around = parent;
                }
            }
        }
    }

    /// Tells what is in a folder.
    fn enter(&mut self, folder: RelPath) -> Result<Level, Error> {
        let mut names = Names::new(None, self.kept_bytes);
        self.out.hand(Frame::folder(&folder))?;
        list_into(self.out, self.source, &folder, &mut |name| names.push(name))?;
        Ok(self.level(folder, names))
    }

    /// The folders that come after one of them. It was told already what else is there.
    fn beside(&mut self, folder: RelPath, after: Name) -> Level {
        let mut names = Names::new(Some(after), self.kept_bytes);
        // What cannot be listed now, the server asks for by name.
        let _ = self.source.list(&folder, &mut names);
        self.level(folder, names)
    }

    fn level(&mut self, folder: RelPath, mut names: Names) -> Level {
        names.sorted.sort_unstable_by(|a, b| b.cmp(a));
        self.kept_bytes += names.bytes;
        Level { folder, names }
    }
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
