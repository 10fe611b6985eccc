//! Why the service did not do what it was asked: one type for the API, the command line and the tests.
//!
//! The caller sees the text. It names the field and what is allowed, and never holds a secret.

use octo_core::{Code, Error};
use std::fmt;

pub use octo_api::error::Kind;

/// Why something was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// The kind.
    pub kind: Kind,
    /// The field that is wrong, as in `policy.bandwidth`.
    pub field: Option<String>,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

impl ServiceError {
    /// An invalid field.
    pub fn field(field: &str, detail: impl fmt::Display) -> ServiceError {
        ServiceError { kind: Kind::Invalid, field: Some(field.to_owned()), detail: detail.to_string() }
    }

    /// An error that concerns no single field.
    pub fn new(kind: Kind, detail: impl fmt::Display) -> ServiceError {
        ServiceError { kind, field: None, detail: detail.to_string() }
    }

    /// The same, with the job that it concerns.
    pub fn of_job(self, name: &str) -> ServiceError {
        ServiceError { detail: format!("the job {name}: {}", self.detail), ..self }
    }

    /// There is no such thing.
    pub fn not_found(what: &str, name: impl fmt::Display) -> ServiceError {
        ServiceError::new(Kind::NotFound, format!("there is no {what} {name}"))
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl std::error::Error for ServiceError {}

impl From<octo_api::ApiError> for ServiceError {
    fn from(error: octo_api::ApiError) -> ServiceError {
        ServiceError { kind: error.kind, field: error.field, detail: error.detail }
    }
}

impl From<ServiceError> for octo_api::ApiError {
    fn from(error: ServiceError) -> octo_api::ApiError {
        octo_api::ApiError { kind: error.kind, field: error.field, detail: error.detail }
    }
}

/// The disk that the database is on has no room, or the quota there is used up.
pub(crate) const NO_ROOM: &str = "the database: no room is left on its disk, or the quota there is used up";

/// What is said when the database finds itself damaged.
pub(crate) const DAMAGED: &str = "the database is damaged; octobackup self-check says where";

/// Whether the database failed for want of room; asked at once.
pub(crate) fn wants_room(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| octo_disk::is_want_of_room(error.extended_code))
}

impl From<rusqlite::Error> for ServiceError {
    fn from(error: rusqlite::Error) -> ServiceError {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        if wants_room(&error) {
            return ServiceError::new(Kind::Internal, NO_ROOM);
        }
        if matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)) {
            return ServiceError::new(Kind::Internal, DAMAGED);
        }
        // Never what was asked: a statement's values may be somebody's data.
        let why = match error.sqlite_error() {
            Some(error) => error.to_string(),
            None => "a record that is not as expected".to_owned(),
        };
        ServiceError::new(Kind::Internal, format!("the database: {why}"))
    }
}

impl From<serde_json::Error> for ServiceError {
    fn from(error: serde_json::Error) -> ServiceError {
        ServiceError::new(Kind::Internal, format!("a record of the database: {error}"))
    }
}

impl From<ServiceError> for Error {
    fn from(error: ServiceError) -> Error {
        let code = if error.kind == Kind::Internal { Code::InternalError } else { Code::Usage };
        Error::new(code, error.to_string())
    }
}

impl From<Error> for ServiceError {
    fn from(error: Error) -> ServiceError {
        let kind = if error.code == Code::Usage { Kind::Invalid } else { Kind::Internal };
        ServiceError {
            kind,
            field: None,
            detail: if error.code == Code::Usage { error.detail } else { error.to_string() },
        }
    }
}
