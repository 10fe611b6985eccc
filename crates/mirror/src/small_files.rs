//! Small files of ours that hold what must be true: read whole, and replaced so that after a crash one of both contents is
//! there. On a full disk the ballast gives their space.

use crate::ballast;
use crate::files::ensure_folder;
use octo_core::target::Done;
use octo_core::{Code, Error, Name, RelPath, Target};

/// The largest truth file believed.
const SMALL_BYTES_MAX: u64 = 4 << 20;

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
    put_in_place(target, &new, path)
}

/// Gives a file of ours that is durable the name of another one in the same folder, which it replaces, durably.
pub fn put_in_place(target: &dyn Target, new: &RelPath, path: &RelPath) -> Result<(), Error> {
    match target.rename_over(new, path)? {
        Done::Yes => target.sync_folder(&path.parent().unwrap_or_default()),
        other => Err(Error::new(Code::TargetFailed, format!("{path} could not be replaced: {other}"))),
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
            let Some(file) = ballast::take_file(target, new, bytes.len() as u64)? else { return Err(error) };
            file.write_at(0, bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync()
        }
        done => done,
    }
}
