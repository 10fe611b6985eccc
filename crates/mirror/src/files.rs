//! Small helpers over the target's primitives: folders with their parents, truth files, whole subtrees of ours.

use crate::ballast;
use octo_core::source::{ListSink, Listed};
use octo_core::target::Done;
use octo_core::{Code, Entry, Error, Kind, Name, RelPath, Target};
use std::ops::ControlFlow;

/// The largest truth file believed.
const SMALL_BYTES_MAX: u64 = 4 << 20;
/// Entries removed from a folder between two listings of it.
const REMOVE_CHUNK: usize = 4096;

/// Makes `folder` and what is missing above it.
pub fn ensure_folder(target: &dyn Target, folder: &RelPath) -> Result<(), Error> {
    if folder.is_root() {
        return Ok(());
    }
    match target.make_folder(folder) {
        Ok(Done::Yes | Done::Exists) => Ok(()),
        Ok(Done::Missing | Done::NotEmpty) => {
            ensure_folder(target, &folder.parent().unwrap_or_default())?;
            match target.make_folder(folder)? {
                Done::Yes | Done::Exists => Ok(()),
                other => Err(Error::new(Code::TargetEntry, format!("{folder} could not be made ({other:?})"))),
            }
        }
        Err(error) => Err(error),
    }
}

/// The whole content of a small file of ours; `None` if it is not there.
pub fn read_small(target: &dyn Target, path: &RelPath) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = target.open_file(path)? else { return Ok(None) };
    let size = file.meta()?.size_bytes;
    if size > SMALL_BYTES_MAX {
        return Err(Error::new(Code::RecordsDamaged, format!("{path} has {size} bytes")));
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let mut at = 0;
    while at < bytes.len() {
        match file.read_at(at as u64, &mut bytes[at..])? {
            0 => break,
            n => at += n,
        }
    }
    bytes.truncate(at);
    Ok(Some(bytes))
}

/// Replaces a small file of ours so that after a crash at any instant either the old or the new content is there:
/// new file, fsync, rename, fsync of the folder.
pub fn write_durable(target: &dyn Target, path: &RelPath, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or_default();
    ensure_folder(target, &folder)?;
    let mut name = path.name().map(|n| n.as_bytes().to_vec()).unwrap_or_default();
    name.extend_from_slice(b".new");
    let new = Name::new(name).map(|n| folder.join(&n)).map_err(|e| Error::new(Code::TargetEntry, e.reason()))?;
    write_new(target, &new, bytes)?;
    match target.rename_over(&new, path)? {
        Done::Yes => target.sync_folder(&folder),
        other => Err(Error::new(Code::TargetFailed, format!("{path} could not be replaced ({other:?})"))),
    }
}

/// Writes a new file of ours, durably; on a full disk into a file of the ballast.
pub fn write_new(target: &dyn Target, new: &RelPath, bytes: &[u8]) -> Result<(), Error> {
    let write = || {
        target.remove_file(new)?;
        let file = target.create_file(new)?;
        file.write_at(0, bytes)?;
        file.sync()
    };
    match write() {
        Err(error) if error.code == Code::NoSpace => {
            let Some(file) = ballast::take(target, new, bytes.len() as u64)? else { return Err(error) };
            file.write_at(0, bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync()
        }
        done => done,
    }
}

/// Removes a folder of ours with all that is in it. Restartable: what is gone stays gone. Tells how many bytes are free now:
/// those of files that had no other name.
pub fn remove_tree(target: &dyn Target, folder: &RelPath) -> Result<u64, Error> {
    let mut freed_bytes = 0;
    if target.look(folder)?.is_none() {
        return Ok(0);
    }
    loop {
        let mut chunk = Chunk::default();
        match target.list(folder, &mut chunk) {
            Listed::Complete => {}
            Listed::Incomplete(error) if chunk.0.is_empty() => return Err(error),
            Listed::Incomplete(_) => {}
        }
        if chunk.0.is_empty() {
            // What cannot even be listed is still in it: an error, or whoever removes the folder above would try for ever.
            return match target.remove_folder(folder)? {
                Done::NotEmpty => Err(Error::new(Code::TargetEntry, format!("{folder} cannot be emptied"))),
                _ => Ok(freed_bytes),
            };
        }
        for Entry { name, meta } in chunk.0 {
            let path = folder.join(&name);
            if meta.kind == Kind::Folder {
                freed_bytes += remove_tree(target, &path)?;
            } else {
                target.remove_file(&path)?;
                freed_bytes += if meta.links <= 1 { meta.size_bytes } else { 0 };
            }
        }
    }
}

/// Some of the names in a folder; a folder of ours may hold millions.
#[derive(Default)]
struct Chunk(Vec<Entry>);

impl ListSink for Chunk {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.0.push(entry);
        if self.0.len() < REMOVE_CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn problem(&mut self, _: &[u8], _: Error) {}

    fn restart(&mut self) {
        self.0.clear();
    }
}

/// All entries of a small folder of ours; empty if it is not there.
pub fn list_small(target: &dyn Target, folder: &RelPath) -> Result<Vec<Entry>, Error> {
    #[derive(Default)]
    struct All(Vec<Entry>);
    impl ListSink for All {
        fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
            self.0.push(entry);
            ControlFlow::Continue(())
        }
        fn problem(&mut self, _: &[u8], _: Error) {}
        fn restart(&mut self) {
            self.0.clear();
        }
    }
    if target.look(folder)?.is_none() {
        return Ok(Vec::new());
    }
    let mut all = All::default();
    match target.list(folder, &mut all) {
        Listed::Complete => Ok(all.0),
        Listed::Incomplete(error) => Err(error),
    }
}
