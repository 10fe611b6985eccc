//! Goes through the files of a mirror, or of one run's versions, with bounded memory: folders and entries that wait are spilled.

use crate::codec::{Reader, Writer};
use crate::layout;
use crate::spill::{SpillLog, SpillWriter, Stack};
use octo_core::listing::{ListSink, Listed};
use octo_core::{Entry, Error, Kind, Meta, Name, RelPath, Target};
use std::ops::ControlFlow;

/// One file that is met.
pub(super) struct File<'f> {
    /// Where it lies in the mirror.
    pub path: &'f RelPath,
    /// The place that it has, or had before the run of whose versions it is one.
    pub place: &'f RelPath,
    /// That run.
    pub version_of: Option<u64>,
    /// What its listing said.
    pub meta: &'f Meta,
}

/// Who goes through it.
pub(super) trait Visit {
    /// A file was met. Fails only with what ends all.
    fn file(&mut self, file: &File<'_>) -> Result<(), Error>;
    /// Something could not be listed.
    fn problem(&mut self, path: &RelPath, error: Error);
    /// Whether no more is wanted.
    fn is_over(&self) -> bool;
}

/// What is gone through.
pub(super) struct Tree {
    version_of: Option<u64>,
    /// The path of its root.
    top: RelPath,
}

impl Tree {
    /// The mirror as it is.
    pub(super) fn current() -> Tree {
        Tree { version_of: None, top: RelPath::root() }
    }

    /// What a run replaced and deleted.
    pub(super) fn versions_of(run: u64) -> Tree {
        Tree { version_of: Some(run), top: layout::version_tree(run) }
    }
}

/// The entries of one folder.
struct Entries<'a> {
    target: &'a dyn Target,
    is_root: bool,
    kept: SpillWriter<'a>,
    problems: Vec<(Vec<u8>, Error)>,
    failed: Option<Error>,
}

impl ListSink for Entries<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let is_ours = layout::is_reserved_name(&entry.name) || self.target.keeps_for_itself(&entry.name);
        if self.is_root && is_ours || !matches!(entry.meta.kind, Kind::File | Kind::Folder) {
            return ControlFlow::Continue(());
        }
        let mut writer = Writer::default();
        writer.bytes(entry.name.as_bytes());
        writer.meta(&entry.meta);
        match self.kept.push(&writer.0) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        self.problems.push((name.to_vec(), error));
    }

    fn restart(&mut self) {
        self.kept = SpillWriter::new(self.target);
        self.problems.clear();
    }
}

/// Goes through all files of a tree. Fails only with what ends all.
pub(super) fn visit(target: &dyn Target, tree: &Tree, visitor: &mut dyn Visit) -> Result<(), Error> {
    if !tree.top.is_root() && target.look(&tree.top)?.is_none() {
        return Ok(());
    }
    let mut folders = Stack::default();
    folders.push(target, RelPath::root().as_bytes())?;
    while let Some(folder) = folders.pop()?.filter(|_| !visitor.is_over()) {
        let folder = RelPath::parse(&folder).unwrap_or_default();
        for record in entries(target, tree, &folder, visitor)?.forward() {
            let record = record?;
            let mut reader = Reader(&record);
            let name = reader.path()?;
            let (place, meta) = (folder.join_path(&name), reader.meta()?);
            if meta.kind == Kind::Folder {
                folders.push(target, place.as_bytes())?;
            } else if !visitor.is_over() {
                let path = tree.top.join_path(&place);
                visitor.file(&File { path: &path, place: &place, version_of: tree.version_of, meta: &meta })?;
            }
        }
    }
    Ok(())
}

/// What lies in one folder. What cannot be listed is reported.
fn entries(target: &dyn Target, tree: &Tree, folder: &RelPath, visitor: &mut dyn Visit) -> Result<SpillLog, Error> {
    let path = tree.top.join_path(folder);
    let is_root = tree.version_of.is_none() && folder.is_root();
    let (kept, problems) = (SpillWriter::new(target), Vec::new());
    let mut entries = Entries { target, is_root, kept, problems, failed: None };
    let listed = target.list(&path, &mut entries);
    let Entries { kept, problems, failed, .. } = entries;
    if let Some(error) = failed {
        return Err(error);
    }
    for (name, error) in problems {
        let at = Name::new(name).map_or_else(|_| path.clone(), |name| path.join(&name));
        visitor.problem(&at, error);
    }
    if let Listed::Incomplete(error) = listed {
        visitor.problem(&path, error);
    }
    Ok(kept.finish())
}
