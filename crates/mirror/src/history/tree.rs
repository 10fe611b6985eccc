//! Goes through everything below a folder of a state, without holding a folder in memory.

use super::State;
use crate::codec::{Reader, Writer};
use crate::restore::List;
use crate::spill::{SpillWriter, Stack};
use octo_core::{Cancel, Code, Error, Kind, Listed, Meta, Name, RelPath, Source};

/// What is met.
pub enum Walked<'a> {
    /// An entry. A folder comes right before what is in it.
    Entry(&'a RelPath, &'a Meta),
    /// Something could not be read.
    Problem(&'a RelPath, &'a Error),
}

impl State<'_> {
    /// Shows everything below a folder, and not the folder itself. Fails with what `each` fails with, and with what ends all work.
    pub fn walk(
        &self,
        below: &RelPath,
        cancel: &Cancel,
        each: &mut dyn FnMut(Walked<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut folders = Stack::default();
        self.entries(below, cancel, &mut folders, each)?;
        while let Some(folder) = folders.pop()? {
            let mut r = Reader(&folder);
            let (path, meta) = (r.path()?, r.meta()?);
            each(Walked::Entry(&path, &meta))?;
            self.entries(&path, cancel, &mut folders, each)?;
        }
        Ok(())
    }

    fn entries(
        &self,
        folder: &RelPath,
        cancel: &Cancel,
        folders: &mut Stack,
        each: &mut dyn FnMut(Walked<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let scratch = self.scratch();
        let mut list = List { log: SpillWriter::new(scratch), problems: Vec::new(), failed: None };
        let listed = self.list(folder, &mut list);
        if let Some(error) = list.failed {
            return Err(error);
        }
        for (path, error) in &list.problems {
            each(Walked::Problem(&folder.join_path(path), error))?;
        }
        match listed {
            Listed::Incomplete(error) if error.code.stops_run() => return Err(error),
            Listed::Incomplete(error) => each(Walked::Problem(folder, &error))?,
            Listed::Complete => {}
        }
        for record in list.log.finish().forward() {
            if cancel.is_cancelled() {
                return Err(Error::new(Code::Cancelled, ""));
            }
            let record = record?;
            let mut r = Reader(&record);
            let name = Name::new(r.bytes()?.to_vec()).map_err(|bad| Error::new(Code::TargetFailed, bad.reason()))?;
            let (path, meta) = (folder.join(&name), r.meta()?);
            if meta.kind == Kind::Folder {
                let mut w = Writer::default();
                w.bytes(path.as_bytes());
                w.meta(&meta);
                folders.push(scratch, &w.0)?;
            } else {
                each(Walked::Entry(&path, &meta))?;
            }
        }
        Ok(())
    }
}
