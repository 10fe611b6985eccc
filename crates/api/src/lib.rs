//! The REST API's requests and answers, as types: the server answers them, the client reads them, and so a field has one
//! name and one place.
//!
//! Pure: no SQL, no HTTP, no file, no clock. A type says what goes over the wire and decides nothing; what makes sense is
//! checked by the server. Names of fields and words of variants never change. What a newer server adds, an older client
//! ignores, and words that are going to be more it reads as `Newer`; a [`JobSpec`](job::JobSpec) keeps it, because it is sent back. A server refuses what it does not know: a type that is
//! only sent denies unknown fields, and for those that are answered too the server's reader does.
//!
//! docs/openapi.json says the same for people; the server's tests hold both together.

pub mod access;
pub mod apply;
pub mod credential;
pub mod digest;
pub mod error;
pub mod history;
pub mod host;
pub mod job;
pub mod log;
pub mod moment;
pub mod notify;
pub mod restore;
pub mod run;
pub mod run_overrides;
pub mod server;
pub mod summary;
pub mod words;

pub use error::ApiError;
pub use moment::Moment;
pub use run_overrides::RunOverrides;
pub use words::Word;

/// Rows of one page at most.
pub const PAGE_MAX: u32 = 500;
/// Rows of a page that names no limit.
pub const PAGE_DEFAULT: u32 = 100;
/// Rows that people are shown by default, and slots that are listed by default.
pub const SHOWN_DEFAULT: u32 = 20;
/// Slots that are listed at most.
pub const SLOTS_MAX: u32 = 1000;
/// How many hours a digest covers by default.
pub const DIGEST_HOURS_DEFAULT: u32 = 24;
