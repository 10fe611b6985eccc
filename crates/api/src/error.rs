//! Errors of the API: their kinds, and the problem details (RFC 9457) as the client reads them.

use octo_core::{Code, Error};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The media type of problem details.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The kind of an error. The text of a kind never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Invalid input.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// Somebody else was faster, or the thing is not in a state for this.
    Conflict,
    /// Not authenticated.
    Unauthenticated,
    /// Authenticated, but not allowed.
    Forbidden,
    /// The address knows no such method.
    NoSuchMethod,
    /// What was sent is larger than anything that makes sense.
    TooLarge,
    /// It was tried too often.
    TooOften,
    /// The server failed.
    Internal,
}

impl Kind {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Kind::Invalid => 422,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::Unauthenticated => 401,
            Kind::Forbidden => 403,
            Kind::NoSuchMethod => 405,
            Kind::TooLarge => 413,
            Kind::TooOften => 429,
            Kind::Internal => 500,
        }
    }

    /// The kind in a few plain words.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Invalid => "invalid input",
            Kind::NotFound => "not found",
            Kind::Conflict => "conflict",
            Kind::Unauthenticated => "not authenticated",
            Kind::Forbidden => "not allowed",
            Kind::NoSuchMethod => "method not allowed",
            Kind::TooLarge => "too large",
            Kind::TooOften => "too many requests",
            Kind::Internal => "internal error",
        }
    }
}

/// Why a request was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiError {
    /// The kind.
    pub kind: Kind,
    /// The field that is wrong, as in `policy.bandwidth`.
    #[serde(default)]
    pub field: Option<String>,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

impl ApiError {
    /// An invalid field.
    pub fn field(field: &str, detail: impl fmt::Display) -> ApiError {
        ApiError { kind: Kind::Invalid, field: Some(field.to_owned()), detail: detail.to_string() }
    }

    /// An error that concerns no single field.
    pub fn new(kind: Kind, detail: impl fmt::Display) -> ApiError {
        ApiError { kind, field: None, detail: detail.to_string() }
    }

    /// There is no such thing.
    pub fn not_found(what: &str, name: impl fmt::Display) -> ApiError {
        ApiError::new(Kind::NotFound, format!("there is no {what} {name}"))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl std::error::Error for ApiError {}

impl From<Error> for ApiError {
    fn from(error: Error) -> ApiError {
        match error.code {
            Code::Usage => ApiError::new(Kind::Invalid, error.detail),
            _ => ApiError::new(Kind::Internal, error),
        }
    }
}
