//! Removes the contents of a run's versions that no state needs any more.

use crate::codec::{Reader, Writer};
use crate::history::decide::Fact;
use crate::history::table::{Row, Table};
use crate::layout;
use crate::spill::{SpillLog, SpillWriter};
use octo_core::{Done, Entry, Error, Kind, ListSink, Listed, Name, RelPath, Target};
use std::ops::ControlFlow;

/// The versions of one run.
pub struct Sweep<'s> {
    pub target: &'s dyn Target,
    /// The run.
    pub run: u64,
    /// What the records that stay need; `None`: nothing.
    pub needed: Option<&'s Table>,
    /// Only count what would go.
    pub is_for_show: bool,
}

impl Sweep<'_> {
    /// Removes them. Returns how many bytes that frees: those of files that have no other name. Restartable: what is gone stays gone.
    pub fn all(&self) -> Result<u64, Error> {
        let tree = layout::version_tree(self.run);
        if self.target.look(&tree)?.is_none() {
            return Ok(0);
        }
        let mut freed = 0;
        let is_empty = self.folder(&RelPath::root(), &mut freed)?;
        if is_empty && !self.is_for_show && !self.needs_metadata()? {
            self.target.remove_folder(&tree)?;
        }
        Ok(freed)
    }

    /// Whether metadata of the run is needed, wherever: that of the root, too.
    pub fn needs_metadata(&self) -> Result<bool, Error> {
        self.needs_below(&RelPath::root())
    }

    /// Whether nothing is left in it.
    fn folder(&self, place: &RelPath, freed: &mut u64) -> Result<bool, Error> {
        let mut is_empty = true;
        for record in self.entries(place)?.forward() {
            let record = record?;
            let mut r = Reader(&record);
            let name = r.path()?;
            let (child, meta) = (place.join_path(&name), r.meta()?);
            let path = layout::version(self.run, &child);
            if meta.kind == Kind::Folder {
                let goes = self.folder(&child, freed)? && !self.needs(&child)? && !self.needs_below(&child)?;
                is_empty &= goes && (self.is_for_show || self.target.remove_folder(&path)? != Done::NotEmpty);
            } else if self.needs(&child)? {
                is_empty = false;
            } else {
                if !self.is_for_show {
                    self.target.remove_file(&path)?;
                }
                *freed += if meta.links <= 1 { meta.size_bytes } else { 0 };
            }
        }
        Ok(is_empty)
    }

    fn entries(&self, place: &RelPath) -> Result<SpillLog, Error> {
        let mut entries = Entries { kept: SpillWriter::new(self.target), target: self.target, failed: None };
        let listed = self.target.list(&layout::version(self.run, place), &mut entries);
        match (entries.failed, listed) {
            (Some(error), _) | (None, Listed::Incomplete(error)) => Err(error),
            (None, Listed::Complete) => Ok(entries.kept.finish()),
        }
    }

    /// Whether a record says that this was kept, or its metadata.
    fn needs(&self, place: &RelPath) -> Result<bool, Error> {
        self.any(|needed| needed.of_entry(place), |fact| matches!(fact, Fact::Kept(_) | Fact::Metadata))
    }

    /// Metadata is recorded where nothing need be, and goes with the folder above.
    fn needs_below(&self, place: &RelPath) -> Result<bool, Error> {
        self.any(|needed| needed.below(place), |fact| matches!(fact, Fact::Metadata))
    }

    fn any<'r, R: Iterator<Item = Result<Row, Error>> + 'r>(
        &'r self,
        rows: impl Fn(&'r Table) -> R,
        is_it: impl Fn(Fact) -> bool,
    ) -> Result<bool, Error> {
        for row in self.needed.into_iter().flat_map(rows) {
            let row = row?;
            if row.run == self.run && is_it(row.fact) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The entries of one folder.
struct Entries<'a> {
    kept: SpillWriter<'a>,
    target: &'a dyn Target,
    failed: Option<Error>,
}

impl ListSink for Entries<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let mut w = Writer::default();
        w.bytes(entry.name.as_bytes());
        w.meta(&entry.meta);
        match self.kept.push(&w.0) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        let name = Name::new(name.to_vec()).map_or_else(|_| String::new(), |name| name.to_string());
        self.failed.get_or_insert(error.within(name));
    }

    fn restart(&mut self) {
        self.kept = SpillWriter::new(self.target);
    }
}
