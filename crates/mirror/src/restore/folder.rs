//! A folder of this machine as the place that a restore writes to, by the primitives of [`Target`].

use crate::files;
use octo_core::metadata::Part;
use octo_core::restore_target::{BatchLimits, FolderEnd, LostParts, Placing};
use octo_core::{
    Abilities, Code, Done, Error, LinkTarget, Meta, Metadata, RelPath, RestoreBatch, RestoreTarget, Space, Target,
    TargetFile,
};

/// What one checkpoint makes durable costs the same for one file and for thousands, and under load it takes seconds.
const LIMITS: BatchLimits = BatchLimits { files: 8192, bytes: 1 << 30, files_at_once: 128, batches_at_once: 2 };

/// A folder that is no mirror.
pub struct FolderTarget<'t>(pub &'t dyn Target);

impl RestoreTarget for FolderTarget<'_> {
    fn abilities(&self) -> Abilities {
        self.0.abilities()
    }

    fn space(&self) -> Result<Space, Error> {
        self.0.space()
    }

    fn limits(&self) -> BatchLimits {
        LIMITS
    }

    fn look(&self, paths: &[RelPath]) -> Vec<Result<Option<Meta>, Error>> {
        paths.iter().map(|path| self.0.look(path)).collect()
    }

    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error> {
        self.0.read_link(path)
    }

    fn make_folder(&self, path: &RelPath) -> Result<Done, Error> {
        self.0.make_folder(path)
    }

    fn begin_staging(&self, staging: &RelPath) -> Result<(), Error> {
        files::remove_tree(self.0, staging)?;
        files::ensure_folder(self.0, staging)
    }

    fn end_staging(&self, staging: &RelPath) -> Result<(), Error> {
        files::remove_tree(self.0, staging).map(drop)
    }

    fn place_link(&self, link: &LinkTarget, meta: &Meta, placing: &Placing) -> Result<(), Error> {
        let made = self.0.make_link(&placing.stage, link, meta.write_time).and_then(|_| place(self.0, placing));
        if made.as_ref().is_err_and(|error| !error.code.stops_run()) {
            self.0.remove_file(&placing.stage)?;
        }
        made
    }

    fn batch(&self) -> Box<dyn RestoreBatch + '_> {
        Box::new(FolderBatch { target: self.0, files: Vec::new() })
    }

    fn end_folders(&self, folders: Vec<FolderEnd>) -> Vec<Result<LostParts, Error>> {
        let end = |folder: FolderEnd| {
            let mut lost = Vec::new();
            if let Some(metadata) = &folder.metadata {
                lost = keep_metadata(self.0, &folder.place, metadata)?;
            }
            self.0.set_times(&folder.place, folder.meta.write_time, folder.meta.creation_time)?;
            Ok(lost)
        };
        folders.into_iter().map(end).collect()
    }

    fn checkpoint(&self) -> Result<(), Error> {
        self.0.checkpoint()
    }
}

struct FolderBatch<'t> {
    target: &'t dyn Target,
    files: Vec<Option<Staged>>,
}

struct Staged {
    stage: RelPath,
    /// `None` once it is finished: what is open cannot be renamed everywhere.
    file: Option<Box<dyn TargetFile>>,
}

impl FolderBatch<'_> {
    fn open(&self, file: usize) -> Result<&dyn TargetFile, Error> {
        let staged = self.files.get(file).and_then(Option::as_ref).and_then(|staged| staged.file.as_deref());
        staged.ok_or_else(|| Error::new(Code::TargetFailed, "a file that was never begun"))
    }

    fn finish_one(&mut self, file: usize, meta: &Meta, metadata: &Metadata) -> Result<LostParts, Error> {
        self.open(file)?.set_times(meta.write_time, meta.creation_time)?;
        let Some(Some(staged)) = self.files.get_mut(file) else { return Ok(Vec::new()) };
        staged.file = None;
        keep_metadata(self.target, &staged.stage, metadata)
    }
}

impl RestoreBatch for FolderBatch<'_> {
    fn create(&mut self, file: usize, stage: &RelPath, _: &Meta) -> Result<(), Error> {
        let made = self.target.create_file(stage)?;
        if self.files.len() <= file {
            self.files.resize_with(file + 1, || None);
        }
        self.files[file] = Some(Staged { stage: stage.clone(), file: Some(made) });
        Ok(())
    }

    fn set_len(&mut self, file: usize, size_bytes: u64) -> Result<(), Error> {
        self.open(file)?.set_len(size_bytes)
    }

    fn write_at(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        self.open(file)?.write_at(offset_bytes, bytes)
    }

    fn finish(&mut self, files: Vec<(usize, Meta, Metadata)>) -> Vec<Result<LostParts, Error>> {
        files.into_iter().map(|(file, meta, metadata)| self.finish_one(file, &meta, &metadata)).collect()
    }

    fn place(&mut self, files: &[(usize, Placing)]) -> Vec<Result<LostParts, Error>> {
        files.iter().map(|(_, placing)| place(self.target, placing).map(|()| Vec::new())).collect()
    }

    fn discard(&mut self, file: usize) {
        if let Some(staged) = self.files.get_mut(file).and_then(Option::take) {
            drop(staged.file);
            // If it stays, it goes with the staging folder.
            let _ = self.target.remove_file(&staged.stage);
        }
    }
}

/// The last look and the rename.
fn place(target: &dyn Target, Placing { stage, place, replaces }: &Placing) -> Result<(), Error> {
    let moved = |what: &str| Err(Error::new(Code::TargetMoved, format!("{place}: {what}")));
    let done = match (target.look(place)?, replaces) {
        (Some(there), Some(seen)) if there.is_still(seen) => target.rename_over(stage, place)?,
        (_, Some(_)) => return moved("it was changed there while the restore was under way"),
        (Some(_), None) => return moved("something was put there while the restore was under way"),
        (None, None) if target.abilities().rename_noreplace => target.rename_new(stage, place)?,
        (None, None) => target.rename_over(stage, place)?,
    };
    match done {
        Done::Yes => Ok(()),
        Done::Exists => moved("something was put there while the restore was under way"),
        Done::Missing | Done::NotEmpty => moved("the folder that it goes into is gone"),
    }
}

fn keep_metadata(target: &dyn Target, at: &RelPath, metadata: &Metadata) -> Result<LostParts, Error> {
    let part = if metadata.posix.is_some() { Part::Posix } else { Part::Security };
    match target.set_metadata(at, metadata) {
        Ok(kept) if !kept.is_lost => Ok(Vec::new()),
        Ok(_) => {
            let what = "not all of it can be set there (set-id bits never are)";
            Ok(vec![(part, Error::new(Code::TargetEntry, what))])
        }
        Err(error) if error.code.stops_run() => Err(error),
        Err(error) => Ok(vec![(part, error)]),
    }
}
