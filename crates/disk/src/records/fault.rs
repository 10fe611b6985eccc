//! What SQLite says went wrong, as an error of ours.

use octo_core::{Code, Error};
use rusqlite::{ErrorCode, ffi};
use std::io::ErrorKind;

/// Whether SQLite failed with this extended code for want of room. It knows a disk that is full, but calls a quota that is
/// used up, or a file that cannot be made any more, a failure of the system. Asked at once, on the thread that met it: the
/// system keeps only the cause of the last failure.
pub fn is_want_of_room(extended_code: i32) -> bool {
    let last = std::io::Error::last_os_error().kind();
    let is_full = matches!(last, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    match extended_code & 0xFF {
        ffi::SQLITE_FULL => true,
        ffi::SQLITE_IOERR => is_full && !matches!(extended_code, ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ),
        ffi::SQLITE_CANTOPEN => is_full,
        _ => false,
    }
}

/// The error of a call to `meta.db`.
pub(super) fn damage(error: &rusqlite::Error) -> Error {
    let wants_room = error.sqlite_error().is_some_and(|error| is_want_of_room(error.extended_code));
    let code = match error.sqlite_error_code() {
        _ if wants_room => Code::NoSpace,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Code::TargetBusy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Code::RecordsDamaged,
        // Rows of another type than ours, or tables of another shape.
        None | Some(ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::ConstraintViolation) => {
            Code::RecordsDamaged
        }
        Some(_) => Code::TargetFailed,
    };
    Error::new(code, format!("meta.db: {error}"))
}
