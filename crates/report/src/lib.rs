//! Reports: what is said about a run, built once as a [`Document`] and rendered as text or as HTML for mail.
//!
//! - [`document`]: the model. Its texts cannot carry anything that hides, moves the cursor or turns text around.
//! - [`restore`]: the document of a restore.
//! - [`run`]: the document of a run, from the engine's report and from what a server knows of earlier runs.
//! - [`held`]: the document of a plan of deletions that waits for approval.
//! - [`problem_page`]: the page of the manual with all problem codes.
//! - [`commands`]: which command is recommended to whom.
//! - [`text`] and [`html`]: the renderings. Both show every fact of a document; a test asserts it.
//!
//! Pure: no database, no clock, no files, no network. What is not in the facts that it is given cannot be in a report.

pub mod commands;
pub mod document;
pub mod held;
pub mod html;
mod problem_page;
pub mod restore;
pub mod run;
pub mod text;
pub mod time;
mod unusual;

pub use commands::MadeBy;
pub use document::{Document, Item, Row, Section, Step, Text, Tone};
pub use jiff::tz::TimeZone;
pub use problem_page::problem_page;
pub use run::{EXAMPLES_MAX, History, KnownCause, KnownExample, PastRun, RunFacts};
pub use unusual::unusual;
