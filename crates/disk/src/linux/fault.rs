//! What an error of the operating system means for a mirror, and for a source.
//!
//! The tables here decide which errors end a run. A wrong entry either stops runs for one odd file or lets a run go on
//! over a dying disk, so each side has its own table.

use octo_core::{Code, Error, RelPath};
use rustix::io::Errno;

/// Something is there already.
pub(crate) const TAKEN: Errno = Errno::EXIST;
/// Nothing is there.
pub(crate) const MISSING: Errno = Errno::NOENT;
/// A folder is there, where a file or link should be.
pub(crate) const IS_FOLDER: Errno = Errno::ISDIR;
/// The filesystem does not keep last write times.
pub(crate) const NO_TIMES: Errno = Errno::NOTSUP;

/// Nothing is there, or not even its folder.
pub(crate) fn is_missing(errno: Errno) -> bool {
    errno == Errno::NOENT
}

/// An error met on the way to a folder that a person named.
pub(crate) fn of_path(errno: Errno) -> String {
    match errno {
        Errno::LOOP => {
            "a link on the way there belongs to another user and lies in a folder in which others may write, so it \
                        is not followed: name the folder that it leads to, or make it a link of root"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// There is no such folder any more.
pub(crate) fn is_no_folder(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}

/// What a filesystem can do cannot be tried out by who may not write there, or where nothing can be written.
pub(crate) fn forbids_trying(errno: Errno) -> bool {
    matches!(errno, Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::NOSPC | Errno::DQUOT | Errno::NOENT)
}

/// An error met while working on the mirror. `doing` is a gerund, such as `renaming`.
pub(crate) fn target(errno: Errno, doing: &str, path: &RelPath) -> Error {
    Error::new(target_code(errno), format!("{doing} {path}: {}", words(errno)))
}

/// An error met while reading a source.
pub(crate) fn source(errno: Errno, doing: &str, path: &RelPath) -> Error {
    Error::new(source_code(errno), format!("{doing} {path}: {}", words(errno)))
}

/// What a mirror makes of an error.
pub(crate) fn target_code(errno: Errno) -> Code {
    match errno {
        // A link or something that is no folder stands where a folder was; what was listed is gone or replaced.
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NOENT | Errno::EXIST | Errno::NOTEMPTY => Code::TargetMoved,
        Errno::XDEV => Code::OtherDevice,
        Errno::NOSPC | Errno::DQUOT => Code::NoSpace,
        Errno::FBIG => Code::DoesNotFit,
        Errno::MFILE | Errno::NFILE => Code::TooManyOpenFiles,
        Errno::ACCESS | Errno::PERM => Code::TargetDenied,
        // The disk, or the machine's own resources: every other entry would fail the same way.
        Errno::ROFS
        | Errno::IO
        | Errno::NODEV
        | Errno::STALE
        | Errno::SHUTDOWN
        | Errno::UCLEAN
        | Errno::NOTCONN
        | Errno::TIMEDOUT
        | Errno::HOSTDOWN
        | Errno::REMOTEIO
        | Errno::NOSYS
        | Errno::NOMEM => Code::TargetFailed,
        _ => Code::TargetEntry,
    }
}

fn source_code(errno: Errno) -> Code {
    match errno {
        Errno::ACCESS | Errno::PERM => Code::AccessDenied,
        // `EAGAIN`: another program holds a lease (a Samba client, for one) and was not waited for.
        Errno::BUSY | Errno::TXTBSY | Errno::AGAIN => Code::Locked,
        Errno::NOENT => Code::NotFound,
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO | Errno::INVAL => Code::KindMoved,
        Errno::XDEV => Code::OtherDevice,
        Errno::MFILE | Errno::NFILE => Code::TooManyOpenFiles,
        Errno::NAMETOOLONG => Code::PathTooLong,
        _ => Code::SourceEntry,
    }
}

fn words(errno: Errno) -> String {
    match errno {
        Errno::LOOP => "a link is in the way".to_owned(),
        Errno::XDEV => "another filesystem is mounted there".to_owned(),
        Errno::FBIG => "the filesystem cannot hold files of this size".to_owned(),
        Errno::BUSY => "it is in use by the system, or something is mounted on it".to_owned(),
        Errno::NOSYS => "openat2 is not available; Linux 5.8 or newer is needed".to_owned(),
        _ => errno.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_machines_fault_or_the_paths_is_called_so() {
        for errno in [Errno::MFILE, Errno::NFILE] {
            assert_eq!((source_code(errno), target_code(errno)), (Code::TooManyOpenFiles, Code::TooManyOpenFiles));
        }
        assert_eq!(source_code(Errno::NAMETOOLONG), Code::PathTooLong);
        for errno in [Errno::ACCESS, Errno::PERM] {
            assert_eq!((source_code(errno), target_code(errno)), (Code::AccessDenied, Code::TargetDenied));
        }
    }
}
