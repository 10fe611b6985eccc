//! What an error of Windows means for a mirror, and for a source.
//!
//! The tables here decide which errors end a run. A wrong entry either stops runs for one odd file or lets a run go on
//! over a dying disk, so each side has its own table.

use octo_core::{Code, Error, RelPath};
use std::fmt;
use windows_sys::Win32::Foundation as win;
use windows_sys::Win32::Foundation::{NTSTATUS, RtlNtStatusToDosError};

/// What the operating system says went wrong: a Win32 error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) u32);

/// Something is there already.
pub(crate) const TAKEN: Fault = Fault(win::ERROR_ALREADY_EXISTS);
/// Nothing is there.
pub(crate) const MISSING: Fault = Fault(win::ERROR_FILE_NOT_FOUND);
/// A folder is there, where a file or link should be.
pub(crate) const IS_FOLDER: Fault = Fault(win::ERROR_DIRECTORY_NOT_SUPPORTED);
/// A file is there, where a folder should be.
pub(crate) const NO_FOLDER: Fault = Fault(win::ERROR_DIRECTORY);
/// A link is there, where a folder or file should be.
pub(crate) const LINK_IN_WAY: Fault = Fault(win::ERROR_STOPPED_ON_SYMLINK);
/// The filesystem does not keep last write times.
pub(crate) const NO_TIMES: Fault = Fault(win::ERROR_NOT_SUPPORTED);
/// No file of Windows can have this name.
pub(crate) const BAD_NAME: Fault = Fault(win::ERROR_INVALID_NAME);
/// An argument makes no sense.
pub(crate) const BAD_ARGUMENT: Fault = Fault(win::ERROR_INVALID_PARAMETER);
/// What the system said is not what it says elsewhere.
pub(crate) const BAD_DATA: Fault = Fault(win::ERROR_INVALID_DATA);
/// May not be done.
pub(crate) const DENIED: Fault = Fault(win::ERROR_ACCESS_DENIED);

impl Fault {
    /// From a status of the kernel. Those that Win32 lumps together with "access denied" stay apart.
    pub(crate) fn of_status(status: NTSTATUS) -> Fault {
        match status {
            win::STATUS_FILE_IS_A_DIRECTORY => IS_FOLDER,
            win::STATUS_DELETE_PENDING => Fault(win::ERROR_DELETE_PENDING),
            #[expect(unsafe_code, reason = "a table lookup: a number in, a number out")]
            other => Fault(unsafe { RtlNtStatusToDosError(other) }),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        let code = error.raw_os_error().and_then(|code| u32::try_from(code).ok());
        Fault(code.unwrap_or(win::ERROR_GEN_FAILURE))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LINK_IN_WAY => f.write_str("a link is in the way"),
            IS_FOLDER => f.write_str("a folder is there"),
            NO_FOLDER => f.write_str("it is not a folder"),
            Fault(code) => std::io::Error::from_raw_os_error(code.cast_signed()).fmt(f),
        }
    }
}

/// Nothing is there, or not even its folder.
pub(crate) fn is_missing(fault: Fault) -> bool {
    matches!(fault.0, win::ERROR_FILE_NOT_FOUND | win::ERROR_PATH_NOT_FOUND)
}

/// There is no such folder any more.
pub(crate) fn is_no_folder(fault: Fault) -> bool {
    is_missing(fault) || fault == NO_FOLDER || fault == LINK_IN_WAY
}

/// What a filesystem can do cannot be tried out by who may not write there, or where nothing can be written.
pub(crate) fn forbids_trying(fault: Fault) -> bool {
    is_missing(fault) || is_full(fault) || matches!(fault.0, win::ERROR_ACCESS_DENIED | win::ERROR_WRITE_PROTECT)
}

/// No space or quota is left.
pub(crate) fn is_full(fault: Fault) -> bool {
    matches!(
        fault.0,
        win::ERROR_DISK_FULL
            | win::ERROR_HANDLE_DISK_FULL
            | win::ERROR_DISK_QUOTA_EXCEEDED
            | win::ERROR_NOT_ENOUGH_QUOTA
    )
}

/// An error met on the way to a folder that a person named.
pub(crate) fn of_path(fault: Fault) -> String {
    fault.to_string()
}

/// An error met while working on the mirror. `doing` is a gerund, such as `renaming`.
pub(crate) fn target(fault: Fault, doing: &str, path: &RelPath) -> Error {
    Error::new(target_code(fault), format!("{doing} {path}: {fault}"))
}

/// An error met while reading a source.
pub(crate) fn source(fault: Fault, doing: &str, path: &RelPath) -> Error {
    Error::new(source_code(fault), format!("{doing} {path}: {fault}"))
}

/// What a mirror makes of an error.
pub(crate) fn target_code(fault: Fault) -> Code {
    if is_full(fault) {
        return Code::NoSpace;
    }
    if is_no_folder(fault) || fault == IS_FOLDER || is_network(fault) {
        return if is_network(fault) { Code::TargetFailed } else { Code::TargetMoved };
    }
    match fault.0 {
        win::ERROR_ALREADY_EXISTS | win::ERROR_FILE_EXISTS | win::ERROR_DIR_NOT_EMPTY => Code::TargetMoved,
        win::ERROR_NOT_SAME_DEVICE => Code::OtherDevice,
        win::ERROR_FILE_TOO_LARGE => Code::DoesNotFit,
        // The disk, or the machine's own resources: every other entry would fail the same way.
        win::ERROR_WRITE_PROTECT
        | win::ERROR_NOT_READY
        | win::ERROR_CRC
        | win::ERROR_IO_DEVICE
        | win::ERROR_SEEK
        | win::ERROR_SECTOR_NOT_FOUND
        | win::ERROR_MEDIA_CHANGED
        | win::ERROR_NO_MEDIA_IN_DRIVE
        | win::ERROR_FILE_CORRUPT
        | win::ERROR_DISK_CORRUPT
        | win::ERROR_UNRECOGNIZED_VOLUME
        | win::ERROR_FILE_INVALID
        | win::ERROR_NO_SUCH_DEVICE
        | win::ERROR_DEVICE_NOT_CONNECTED
        | win::ERROR_DEVICE_REMOVED
        | win::ERROR_NOT_ENOUGH_MEMORY
        | win::ERROR_OUTOFMEMORY
        | win::ERROR_NO_SYSTEM_RESOURCES => Code::TargetFailed,
        win::ERROR_TOO_MANY_OPEN_FILES => Code::TooManyOpenFiles,
        win::ERROR_ACCESS_DENIED | win::ERROR_PRIVILEGE_NOT_HELD => Code::TargetDenied,
        _ => Code::TargetEntry,
    }
}

fn source_code(fault: Fault) -> Code {
    if is_missing(fault) {
        return Code::NotFound;
    }
    if is_network(fault) {
        return Code::ConnectionLost;
    }
    match fault.0 {
        win::ERROR_ACCESS_DENIED | win::ERROR_PRIVILEGE_NOT_HELD => Code::AccessDenied,
        win::ERROR_SHARING_VIOLATION | win::ERROR_LOCK_VIOLATION => Code::Locked,
        win::ERROR_DELETE_PENDING => Code::NotFound,
        win::ERROR_STOPPED_ON_SYMLINK | win::ERROR_DIRECTORY | win::ERROR_DIRECTORY_NOT_SUPPORTED => Code::KindMoved,
        win::ERROR_NOT_SAME_DEVICE => Code::OtherDevice,
        win::ERROR_FILE_OFFLINE
        | win::ERROR_CLOUD_FILE_PROVIDER_NOT_RUNNING
        | win::ERROR_CLOUD_FILE_NETWORK_UNAVAILABLE => Code::NotLocal,
        win::ERROR_TOO_MANY_OPEN_FILES => Code::TooManyOpenFiles,
        win::ERROR_FILENAME_EXCED_RANGE => Code::PathTooLong,
        _ => Code::SourceEntry,
    }
}

/// The folder is on another machine, and the way to it is cut.
fn is_network(fault: Fault) -> bool {
    matches!(
        fault.0,
        win::ERROR_BAD_NETPATH
            | win::ERROR_BAD_NET_NAME
            | win::ERROR_NETNAME_DELETED
            | win::ERROR_UNEXP_NET_ERR
            | win::ERROR_DEV_NOT_EXIST
            | win::ERROR_SEM_TIMEOUT
            | win::ERROR_NETWORK_UNREACHABLE
            | win::ERROR_HOST_UNREACHABLE
            | win::ERROR_CONNECTION_ABORTED
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_that_win32_lumps_together_stay_apart() {
        assert_eq!(Fault::of_status(win::STATUS_OBJECT_NAME_NOT_FOUND), MISSING);
        assert_eq!(Fault::of_status(win::STATUS_OBJECT_NAME_COLLISION), TAKEN);
        assert_eq!(Fault::of_status(win::STATUS_FILE_IS_A_DIRECTORY), IS_FOLDER);
        assert_eq!(Fault::of_status(win::STATUS_NOT_A_DIRECTORY), NO_FOLDER);
        assert_eq!(Fault::of_status(win::STATUS_ACCESS_DENIED), DENIED);
        assert_eq!(Fault::of_status(win::STATUS_SHARING_VIOLATION), Fault(win::ERROR_SHARING_VIOLATION));
    }

    #[test]
    fn a_dying_disk_ends_the_run_and_one_odd_file_does_not() {
        for fatal in [win::ERROR_IO_DEVICE, win::ERROR_NOT_READY, win::ERROR_NETNAME_DELETED, win::ERROR_DISK_FULL] {
            assert!(target_code(Fault(fatal)).stops_run(), "{fatal}");
        }
        for odd in [DENIED, MISSING, TAKEN, LINK_IN_WAY, Fault(win::ERROR_SHARING_VIOLATION)] {
            assert!(!target_code(odd).stops_run() && !source_code(odd).stops_run(), "{odd:?}");
        }
        assert_eq!(source_code(Fault(win::ERROR_SHARING_VIOLATION)), Code::Locked);
        assert_eq!((source_code(DENIED), target_code(DENIED)), (Code::AccessDenied, Code::TargetDenied));
    }
}
