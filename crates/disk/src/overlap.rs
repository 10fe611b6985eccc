//! Where a source and a target are in relation to each other, by what the kernel says they are and not by their text.

use crate::os::filesystem;
use octo_core::{Code, Error};
use std::path::{Component, Path, PathBuf};

/// Fails with [`Code::Nested`] if one of the two is the other, or contains it; links and mounts of the same folder in
/// two places are seen through. Neither has to exist; a source on a share or drive that is not there at all is
/// [`Code::SourceMissing`].
pub fn overlap(source: &Path, target: &Path) -> Result<(), Error> {
    let missing = || Error::new(Code::SourceMissing, format!("nothing of {} is there", source.display()));
    let (source, target) = (Existing::find(source)?.ok_or_else(missing)?, Existing::of(target)?);
    let nested = |what: &str| {
        Err(Error::new(Code::Nested, format!("{what}: {} and {}", source.path.display(), target.path.display())))
    };
    // What does not exist contains nothing, but would lie in all that its nearest existing folder lies in.
    if source.whole && source.identity()? == target.identity()? && target.whole {
        return nested("source and target are the same folder");
    }
    if source.whole && target.is_within(&source)? {
        return nested("the target lies inside the source");
    }
    if target.whole && source.is_within(&target)? {
        return nested("the source lies inside the target");
    }
    // Neither exists: only their text can tell.
    let (source_text, target_text) = (source.asked(), target.asked());
    if source_text.starts_with(&target_text) || target_text.starts_with(&source_text) {
        return nested("source and target contain each other");
    }
    Ok(())
}

/// Fails with [`Code::Nested`] if a folder above `target` is a mirror: it has a marker of ours.
pub fn marker_above(target: &Path) -> Result<(), Error> {
    let target = Existing::of(target)?;
    // The target itself may well be a mirror.
    let above = if target.whole { 1 } else { 0 };
    for folder in target.path.ancestors().skip(above) {
        let marker = folder.join(octo_core::RESERVED).join("marker.toml");
        match std::fs::symlink_metadata(&marker) {
            Ok(_) => return Err(Error::new(Code::Nested, format!("{} is a mirror", folder.display()))),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(unclear(&marker, &error)),
        }
    }
    Ok(())
}

/// Whether `target` could be the empty folder below a disk that is not mounted: it is no mount point, and nothing is in it.
pub fn may_be_unmounted(target: &Path) -> bool {
    let is_empty = match std::fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    is_empty && !filesystem::is_mount_point(target)
}

/// Device and number of a folder, and then of each folder above it.
pub(crate) type AncestorIds = Vec<(u64, u64)>;

/// The part of a path that exists, without links.
pub(crate) struct Existing {
    path: PathBuf,
    /// Below `path`, what does not exist yet.
    missing: PathBuf,
    /// Whether all of it exists.
    pub(crate) whole: bool,
}

impl Existing {
    pub(crate) fn of(path: &Path) -> Result<Existing, Error> {
        let nothing = || Error::new(Code::Usage, format!("{} has no folder that exists", path.display()));
        Existing::find(path)?.ok_or_else(nothing)
    }

    /// `None` if not even its root is there, as on Windows that of a share or drive may not be.
    pub(crate) fn find(path: &Path) -> Result<Option<Existing>, Error> {
        let path = std::path::absolute(path).map_err(|error| unclear(path, &error))?;
        for ancestor in path.ancestors() {
            match ancestor.canonicalize() {
                Ok(real) => {
                    let missing = path.strip_prefix(ancestor).unwrap_or(Path::new("")).to_path_buf();
                    if missing.components().any(|part| part == Component::ParentDir) {
                        return Err(Error::new(
                            Code::Usage,
                            format!("{} goes through a folder that does not exist", path.display()),
                        ));
                    }
                    return Ok(Some(Existing { path: real, whole: missing.as_os_str().is_empty(), missing }));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(unclear(ancestor, &error)),
            }
        }
        Ok(None)
    }

    pub(crate) fn asked(&self) -> PathBuf {
        self.path.join(&self.missing)
    }

    /// What the kernel calls it and each folder above it.
    pub(crate) fn ancestor_ids(&self) -> Result<AncestorIds, Error> {
        self.path.ancestors().map(identity).collect()
    }

    fn identity(&self) -> Result<(u64, u64), Error> {
        identity(&self.path)
    }

    /// Whether the part that exists is `folder` or lies in it.
    fn is_within(&self, folder: &Existing) -> Result<bool, Error> {
        let wanted = folder.identity()?;
        for ancestor in self.path.ancestors() {
            if identity(ancestor)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn identity(path: &Path) -> Result<(u64, u64), Error> {
    filesystem::folder_identity(path).map_err(|error| unclear(path, &error))
}

pub(crate) fn unclear(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::Usage, format!("cannot find out where {} is: {error}", path.display()))
}
