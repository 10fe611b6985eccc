//! Small files that only we may read: keys, and what goes with them. Written whole or not at all.

use octo_core::{Code, Error};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// Larger is damaged.
const FILE_BYTES_MAX: u64 = 16 << 20;

fn failed(path: &Path, doing: &str, error: impl std::fmt::Display) -> Error {
    Error::new(Code::Usage, format!("{doing} {}: {error}", path.display()))
}

/// Reads what [`write`] wrote; `None` if there is nothing.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, Error> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "reading", error)),
        Ok(meta) if meta.len() > FILE_BYTES_MAX => return Err(failed(path, "reading", "it is too large")),
        Ok(_) => {}
    }
    let bytes = std::fs::read(path).map_err(|error| failed(path, "reading", error))?;
    // The parser's words could quote a key.
    serde_json::from_slice(&bytes).map(Some).map_err(|_| failed(path, "reading", "it is damaged"))
}

/// Replaces the file: readable for its owner only, and on the disk when this returns.
pub(crate) fn write(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        // Temporary files are made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(content)?)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        #[cfg(unix)]
        std::fs::File::open(folder)?.sync_all()?;
        Ok::<_, std::io::Error>(())
    };
    write().map_err(|error| failed(path, "writing", error))
}
