//! Looks into a mirror's past, and brings it back: states, what is in them, versions of a file, differences, restore.
//!
//! All of it works on a mirror's folder and changes nothing in it. Where a job is named, its mirror's folder is read if it is on
//! this machine and this account may; else the server is asked.

pub mod diff;
pub mod find;
pub mod list;
pub mod restore;
pub mod retention;
pub mod states;
pub mod versions;

use crate::args::server::ServerArgs;
use crate::remote::history::Job;
pub use crate::typed::{path, when};
use crate::{remote, settings};
use octo_api::ApiError;
use octo_core::{Code, Error, Kind, RelPath};
use octo_disk::{DiskOptions, DiskTarget};
use std::path::{Path, PathBuf};

/// Why it could not be done.
pub enum Failed {
    /// Here.
    Here(Error),
    /// At a server.
    There(ApiError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Here(error)
    }
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Failed {
        Failed::There(error)
    }
}

/// The exit code; what a server said is said here.
pub fn ended(done: Result<u8, Failed>) -> Result<u8, Error> {
    match done {
        Ok(code) => Ok(code),
        Err(Failed::Here(error)) => Err(error),
        Err(Failed::There(error)) => Ok(remote::refused(&error)),
    }
}

/// Where a mirror's past is to be had.
pub enum Place {
    /// The mirror's folder, absolute.
    Folder(PathBuf),
    /// The server that has the job.
    Job(Box<Job>),
}

/// What MIRROR|JOB means: a folder; or a job, whose mirror is read here if that is possible.
pub fn place(named: &Path, server: &ServerArgs) -> Result<Place, Failed> {
    let name = named.to_str().filter(|name| !name.contains(['/', '\\']));
    if let Some(name) = name.filter(|_| server.url.is_some()) {
        return Ok(Place::Job(Box::new(Job::of(server, name)?)));
    }
    let path = settings::target(named)?;
    if path.is_dir() {
        return Ok(Place::Folder(path));
    }
    let none = |why: String| Error::new(Code::Usage, format!("MIRROR {}: {why}", named.display()));
    let Some(name) = name else { return Err(none("there is no such folder".to_owned()).into()) };
    let unknown =
        |error: ApiError| none(format!("there is no such folder, and no job of this name was found: {error}"));
    let job = Job::of(server, name).map_err(unknown)?;
    #[cfg(unix)]
    {
        let target = job.target().map_err(unknown)?;
        let marker = target.join(octo_core::RESERVED).join("marker.toml");
        if std::fs::File::open(marker).is_ok() {
            return Ok(Place::Folder(target));
        }
    }
    Ok(Place::Job(Box::new(job)))
}

/// The job of this name, at the server.
pub fn job(named: &Path, server: &ServerArgs) -> Result<Place, Failed> {
    match named.to_str().filter(|name| !name.contains(['/', '\\'])) {
        Some(name) => Ok(Place::Job(Box::new(Job::of(server, name)?))),
        None => {
            let what =
                format!("{}: --to source and --credential need a job of the server, not a folder", named.display());
            Err(Error::new(Code::Usage, what).into())
        }
    }
}

/// Opens a mirror to look at it.
pub fn open(folder: &Path) -> Result<DiskTarget, Error> {
    DiskTarget::open(folder, DiskOptions::default())
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

/// A file's size, or what else it is.
pub fn size_words(kind: Kind, size_bytes: u64) -> String {
    match kind {
        Kind::File => octo_core::numbers::thousands(size_bytes),
        Kind::Folder => "<folder>".to_owned(),
        Kind::Link => "<link>".to_owned(),
        Kind::Other => "<device>".to_owned(),
    }
}

/// A path of an answer, safe for a terminal.
pub fn shown(path: &str) -> String {
    RelPath::from_text(path).map_or_else(|| octo_core::printable::printable(path), |path| path.to_string())
}

/// A line for a program.
pub fn as_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
