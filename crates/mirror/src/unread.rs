//! Folders that could not be read: what is missing elsewhere may have been moved into them, so deletions wait
//! (DESIGN section 7, "Unread folders").
//!
//! A person who approves deletions that wait for such a folder accepts that it stays unread: it holds nothing any more,
//! until a run has read it. So does a person who acknowledged the folder. Nothing else accepts one; a lost or damaged list accepts none.

use crate::context::Context;
use crate::spill::Stack;
use crate::{layout, small_files};
use octo_core::guard;
use octo_core::listing::{ListSink, Listed};
use octo_core::{Code, Entry, Error, Kind, Name, RelPath, Source, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Folders remembered by name. Those beyond hold deletions too, and cannot be accepted.
const FOLDERS_MAX: usize = 5000;
/// What their paths may take together; well below what is believed of a small file.
const PATH_BYTES_MAX: usize = 1 << 20;
/// Folders named in a reason.
const EXAMPLES_MAX: usize = 3;
/// How many folders that seem to have gone are looked for once more; those beyond are taken for unread.
const LOOKS_MAX: usize = 1000;

/// One folder that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct UnreadFolder {
    /// Its path on the source.
    path: RelPath,
    /// Why.
    code: Code,
    /// A person approved deletions although it could not be read.
    accepted: bool,
}

/// The folders that a run could not read, on the source or in the mirror.
#[derive(Debug, Default)]
pub struct UnreadFolders {
    folders: Vec<UnreadFolder>,
    path_bytes: usize,
    /// How many there are beyond those.
    more: u64,
}

impl UnreadFolders {
    /// One more, by its path on the source.
    pub fn push(&mut self, path: &RelPath, code: Code) {
        let len = path.as_bytes().len();
        if self.folders.last().is_some_and(|last| last.path == *path) {
            return;
        }
        if self.folders.len() == FOLDERS_MAX || self.path_bytes + len > PATH_BYTES_MAX {
            self.more += 1;
            return;
        }
        self.path_bytes += len;
        self.folders.push(UnreadFolder { path: path.clone(), code, accepted: false });
    }

    /// Looks whether a folder that takes the place of something else can be read, with all that is in it. It is made and copied
    /// after the deletions; but what is missing elsewhere may have been moved into it.
    pub fn look_into(&mut self, context: &Context<'_>, folder: &RelPath) -> Result<(), Error> {
        let mut folders = Stack::default();
        folders.push(context.target, folder.as_bytes())?;
        while let Some(path) = folders.pop()? {
            let folder = RelPath::parse(&path).map_err(|e| Error::new(Code::RecordsDamaged, e.reason()))?;
            let mut inside = Inside { context, folder: &folder, folders: &mut folders, failed: None, bad: None };
            let listed = context.source.list(&folder, &mut inside);
            let (failed, bad) = (inside.failed, inside.bad);
            if let Some(error) = failed {
                return Err(error);
            }
            match (listed, bad) {
                (Listed::Incomplete(error), _) if error.code.stops_run() => return Err(error),
                (Listed::Incomplete(Error { code, .. }), _) | (Listed::Complete, Some(code)) => {
                    self.push(&folder, code)
                }
                (Listed::Complete, None) => {}
            }
            if context.is_over() {
                break;
            }
        }
        Ok(())
    }

    /// Once all is listed: forgets the folders that were deleted or renamed while the run was under way, and looks up which
    /// of the others were accepted: an approval accepts those of the run that it is about. Returns those that were not accepted.
    pub fn judge(&mut self, context: &Context<'_>) -> guard::Unread {
        let approves = context.options.approve.is_some();
        let mut looks = LOOKS_MAX;
        self.folders.retain(|folder| {
            if context.is_over() || looks == 0 || !matches!(folder.code, Code::NotFound | Code::KindMoved) {
                return true;
            }
            looks -= 1;
            !is_gone(context.source, &folder.path)
        });
        let accepted: BTreeSet<RelPath> = read(context.target)
            .into_iter()
            .filter(|folder| folder.accepted || approves)
            .map(|folder| folder.path)
            .collect();
        self.folders.iter_mut().for_each(|folder| folder.accepted = accepted.contains(&folder.path));
        // Not kept: it holds for as long as the acknowledgement does.
        let is_known = |folder: &UnreadFolder| context.is_acknowledged(&folder.path, folder.code);
        let waiting = || self.folders.iter().filter(|folder| !folder.accepted && !is_known(folder));
        let example = |folder: &UnreadFolder| format!("{} ({})", folder.path, folder.code.title());
        guard::Unread {
            folders: waiting().count() as u64 + self.more,
            examples: waiting().take(EXAMPLES_MAX).map(example).collect(),
        }
    }

    /// Remembers them for the next run, durably.
    pub fn write(&self, target: &dyn Target) -> Result<(), Error> {
        if self.folders.is_empty() {
            return target.remove_file(&layout::unread_folders()).map(drop);
        }
        let text = serde_json::to_vec(&self.folders).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))?;
        small_files::write_durable(target, &layout::unread_folders(), &text)
    }
}

/// Collects the folders in a folder.
struct Inside<'a, 'c> {
    context: &'a Context<'c>,
    folder: &'a RelPath,
    folders: &'a mut Stack,
    failed: Option<Error>,
    bad: Option<Code>,
}

impl ListSink for Inside<'_, '_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let is_folder = entry.meta.kind == Kind::Folder;
        if is_folder && !self.context.options.filter.excludes_in(self.folder, &entry.name, true) {
            let pushed = self.folders.push(self.context.target, self.folder.join(&entry.name).as_bytes());
            self.failed = pushed.err();
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
    fn problem(&mut self, _: &[u8], error: Error) {
        if error.code == Code::BadName {
            self.bad = Some(error.code);
        }
    }
    fn restart(&mut self) {
        self.bad = None;
    }
}

/// The folders of the last run. A list that cannot be read is none: then each folder holds deletions again.
fn read(target: &dyn Target) -> Vec<UnreadFolder> {
    let bytes = small_files::read_small(target, &layout::unread_folders()).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Whether the folder above provably does not have it any more. A folder that cannot be opened under a name that is still
/// listed is not gone: its path may be longer than the server can open.
fn is_gone(source: &dyn Source, folder: &RelPath) -> bool {
    struct Looking {
        name: Name,
        found: bool,
    }
    impl ListSink for Looking {
        fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
            self.found |= entry.name == self.name && entry.meta.kind == Kind::Folder;
            if self.found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        fn problem(&mut self, _: &[u8], _: Error) {
            self.found = true;
        }
        fn restart(&mut self) {
            self.found = false;
        }
    }
    let (Some(parent), Some(name)) = (folder.parent(), folder.name()) else { return false };
    let mut looking = Looking { name, found: false };
    source.list(&parent, &mut looking) == Listed::Complete && !looking.found
}
