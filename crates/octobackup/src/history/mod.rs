//! Looks into a mirror's past, and brings it back: states, what is in them, versions of a file, differences, restore.
//!
//! All of it works on a mirror's folder and changes nothing in it. A server is asked only where a mirror is, if a job is named.

pub mod diff;
pub mod find;
pub mod list;
pub mod restore;
pub mod states;
pub mod versions;

use crate::{settings, zone};
use octo_core::{Code, Error, Meta, RelPath};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::history::When;
use std::path::{Component, Path, PathBuf};

/// Opens a mirror to look at it: a folder, or the target of a job of this machine's server.
pub fn open(named: &Path) -> Result<DiskTarget, Error> {
    DiskTarget::open(&folder(named)?, DiskOptions::default())
}

/// The folder of a mirror, absolute.
pub fn folder(named: &Path) -> Result<PathBuf, Error> {
    let path = settings::target(named)?;
    if path.is_dir() {
        return Ok(path);
    }
    let of_job = match named.to_str().filter(|name| !name.contains(['/', '\\'])) {
        Some(name) => of_job(name),
        None => Ok(None),
    };
    let why = match of_job {
        Ok(Some(target)) if target.is_dir() => return Ok(target),
        Ok(Some(target)) => format!("the mirror of this job, {}, is not there: is its disk mounted?", target.display()),
        Ok(None) => "there is no such folder".to_owned(),
        Err(error) => format!("there is no such folder, and no job of this name was found: {error}"),
    };
    Err(Error::new(Code::Usage, format!("MIRROR {}: {why}", named.display())))
}

#[cfg(unix)]
fn of_job(name: &str) -> Result<Option<PathBuf>, octo_api::ApiError> {
    crate::remote::target_of_job(name).map(Some)
}

/// No server runs on Windows yet.
#[cfg(not(unix))]
fn of_job(_: &str) -> Result<Option<PathBuf>, octo_api::ApiError> {
    Ok(None)
}

/// What `--at` means: a number is a state, everything else a moment.
pub fn when(text: Option<&str>) -> Result<When, Error> {
    let Some(text) = text.filter(|text| *text != "now") else { return Ok(When::Now) };
    if let Ok(number) = text.parse() {
        return Ok(When::Number(number));
    }
    let refused =
        |why| Error::new(Code::Usage, format!("WHEN {text}: {why}, or a state's number (see octobackup states)"));
    octo_report::time::read(text, &zone::shown()).map(When::Time).map_err(refused)
}

/// A path on the source, as a person types it: either slash on Windows, and neither at the ends.
pub fn path(typed: &Path) -> Result<RelPath, Error> {
    let wrong = || {
        Error::new(
            Code::Usage,
            format!("PATH {}: it must be a path on the source, such as projects/2026", typed.display()),
        )
    };
    let mut path = RelPath::root();
    for part in typed.components() {
        match part {
            Component::Normal(name) => {
                let name = octo_core::Name::new(octo_core::path::os_bytes(Path::new(name))).map_err(|_| wrong())?;
                path = path.join(&name);
            }
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(wrong()),
        }
    }
    Ok(path)
}

/// A file's size or what else it is, right-aligned.
pub fn size_words(meta: &Meta) -> String {
    match meta.kind {
        octo_core::Kind::File => octo_core::numbers::thousands(meta.size_bytes),
        octo_core::Kind::Folder => "<folder>".to_owned(),
        octo_core::Kind::Link => "<link>".to_owned(),
        octo_core::Kind::Other => "<device>".to_owned(),
    }
}
