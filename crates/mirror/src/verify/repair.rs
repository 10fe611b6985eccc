//! Puts a good copy in the place of a file that the disk has damaged, if the mirror holds one: the same place had the same content
//! in another state.
//!
//! What is damaged is kept in `damaged/`, as far as it can be read, before anything takes its place. A copy that does not have
//! the recorded hash never gets the place. Whenever the process dies, the name has its old content or the right one.

use super::reading::{READ_BYTES, read};
use super::walk::File;
use crate::hashes::{Content, Hashes};
use crate::{files, layout};
use octo_core::{Code, Done, Error, Kind, Meta, Name, RelPath, Target};
use std::ops::ControlFlow;

/// Where a good copy was found, and where the damaged one is kept.
pub(super) struct Repaired {
    pub from: RelPath,
    pub kept_at: RelPath,
}

/// A mirror in which damaged files are repaired.
pub(super) struct Repair<'r> {
    pub target: &'r dyn Target,
    pub hashes: &'r Hashes<'r>,
    /// All runs that have versions.
    pub versions: &'r [u64],
}

impl Repair<'_> {
    /// Repairs a file that had this content, since this run; `None` if the mirror has no good copy of it.
    pub fn repair(&self, file: &File<'_>, wanted: &Content, run: u32) -> Result<Option<Repaired>, Error> {
        let stage = layout::repair_stage();
        for from in self.elsewhere(file) {
            let Some(meta) = self.target.look(&from)?.filter(|meta| is_candidate(meta, file.meta, wanted)) else {
                continue;
            };
            if self.stage(&from, &meta, wanted, &stage)? {
                let kept_at = self.put(&stage, file, wanted, run)?;
                return Ok(Some(Repaired { from, kept_at }));
            }
        }
        self.target.remove_file(&stage)?;
        Ok(None)
    }

    /// Where the same place may have had the same content: in the mirror, and in the newest versions first.
    fn elsewhere<'f>(&'f self, file: &'f File<'_>) -> impl Iterator<Item = RelPath> + 'f {
        let versions = self.versions.iter().rev().map(|run| layout::version(*run, file.place));
        std::iter::once(file.place.clone()).chain(versions).filter(|path| path != file.path)
    }

    /// A copy of it in staging. False if it has another content, or cannot be read.
    fn stage(&self, from: &RelPath, meta: &Meta, wanted: &Content, stage: &RelPath) -> Result<bool, Error> {
        files::ensure_folder(self.target, &layout::tmp())?;
        self.target.remove_file(stage)?;
        let staged = self.target.create_file(stage)?;
        staged.set_len(meta.size_bytes)?;
        let Some(open) = self.target.open_file(from)? else { return Ok(false) };
        let mut failed = None;
        let hash = read(&*open, meta.size_bytes, &mut vec![0; READ_BYTES], &mut |at, bytes| {
            failed = staged.write_at(at, bytes).err();
            Ok(if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        match failed {
            Some(error) => Err(error),
            // What cannot be read is no good copy.
            None if hash.is_ok_and(|hash| hash == Some(wanted.hash)) => staged.sync().map(|()| true),
            None => Ok(false),
        }
    }

    /// Gives the staged copy everything that the damaged one has, and then its place.
    fn put(&self, stage: &RelPath, file: &File<'_>, wanted: &Content, run: u32) -> Result<RelPath, Error> {
        let target = self.target;
        if let Some(metadata) = target.metadata(file.path)? {
            target.set_metadata(stage, &metadata)?;
        }
        target.set_times(stage, file.meta.write_time, file.meta.creation_time)?;
        let Some(copy) = target.look(stage)? else { return Err(moved(stage)) };
        self.hashes.checked(
            file.place,
            run,
            Content::new(&Meta { write_time: file.meta.write_time, ..copy }, wanted.hash),
        )?;
        let kept_at = self.keep(file)?;
        let full_name = target.recorded_name(file.path)?;
        self.hashes.sync()?;
        target.checkpoint()?;
        if target.rename_over(stage, file.path)? != Done::Yes {
            return Err(moved(file.path));
        }
        if let Some(full_name) = full_name {
            target.record_name(file.path, &full_name)?;
        }
        target.sync_folder(&file.path.parent().unwrap_or_default())?;
        Ok(kept_at)
    }

    /// The damaged file has a second name, or a copy of what can be read of it. What was kept before, of another file that had its
    /// place then, stays, too.
    fn keep(&self, file: &File<'_>) -> Result<RelPath, Error> {
        let first = layout::damaged_copy(file.version_of, file.place);
        files::ensure_folder(self.target, &first.parent().unwrap_or_default())?;
        let (mut kept_at, mut number) = (first.clone(), 1);
        while let Some(there) = self.target.look(&kept_at)? {
            if there.id.is_some() && there.id == file.meta.id {
                return Ok(kept_at);
            }
            number += 1;
            let name = [first.name_bytes(), format!(".{number}").as_bytes()].concat();
            let name = Name::new(name).map_err(|e| Error::new(Code::TargetEntry, e.reason()))?;
            kept_at = first.parent().unwrap_or_default().join(&name);
        }
        if self.target.abilities().hard_links {
            let linked = self.target.hard_link(file.path, &kept_at)?;
            return if linked == Done::Yes { Ok(kept_at) } else { Err(moved(file.path)) };
        }
        let (Some(open), kept) = (self.target.open_file(file.path)?, self.target.create_file(&kept_at)?) else {
            return Err(moved(file.path));
        };
        kept.set_len(file.meta.size_bytes)?;
        let mut buffer = vec![0; READ_BYTES];
        let mut at = 0;
        while at < file.meta.size_bytes {
            // What the disk cannot read stays zeros.
            let n = open.read_at(at, &mut buffer).unwrap_or(0);
            kept.write_at(at, &buffer[..n])?;
            at += if n == 0 { READ_BYTES as u64 } else { n as u64 };
        }
        kept.sync()?;
        Ok(kept_at)
    }
}

/// Whether it may have this content; another name of the damaged file has not.
fn is_candidate(meta: &Meta, damaged: &Meta, wanted: &Content) -> bool {
    let is_same_file = meta.id.is_some() && meta.id == damaged.id;
    meta.kind == Kind::File && meta.size_bytes == wanted.size_bytes && !is_same_file
}

fn moved(path: &RelPath) -> Error {
    Error::new(Code::TargetMoved, format!("{path}: it is gone, or a folder is in its place"))
}
