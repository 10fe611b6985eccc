//! Folders of ours: made with their parents, listed, removed with all that is in them.

use octo_core::listing::{ListSink, Listed};
use octo_core::target::Done;
use octo_core::{Code, Entry, Error, Kind, RelPath, Target};
use std::ops::ControlFlow;

/// Entries removed from a folder between two listings of it.
const REMOVE_CHUNK: usize = 4096;
/// Listings of a folder's last entries. FUSE and NFS give a removed file that is open another name in the same folder.
const LAST_LISTINGS_MAX: u32 = 8;

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
                other => Err(Error::new(Code::TargetEntry, format!("{folder} could not be made: {other}"))),
            }
        }
        Err(error) => Err(error),
    }
}

/// Removes a folder of ours with all that is in it. Restartable: what is gone stays gone. Returns how many bytes are free now:
/// those of files that had no other name.
pub fn remove_tree(target: &dyn Target, folder: &RelPath) -> Result<u64, Error> {
    let (mut freed_bytes, mut last_listings) = (0, 0);
    if target.look(folder)?.is_none() {
        return Ok(0);
    }
    let not_emptied = || Error::new(Code::TargetEntry, format!("{folder} cannot be emptied"));
    loop {
        let mut chunk = Chunk::default();
        match target.list(folder, &mut chunk) {
            Listed::Complete => {}
            Listed::Incomplete(error) if chunk.0.is_empty() => return Err(error),
            Listed::Incomplete(_) => {}
        }
        if chunk.0.is_empty() {
            // What cannot even be listed is still in it: an error, or the removal of the folder above would be tried for ever.
            return match target.remove_folder(folder)? {
                Done::NotEmpty => Err(not_emptied()),
                _ => Ok(freed_bytes),
            };
        }
        last_listings += u32::from(chunk.0.len() < REMOVE_CHUNK);
        if last_listings > LAST_LISTINGS_MAX {
            return Err(not_emptied());
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
