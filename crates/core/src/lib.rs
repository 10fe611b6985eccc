//! The vocabulary of octoBackup, its ports, and its decisions as pure functions.
//!
//! Nothing here does I/O, knows a runtime or reads a clock. The engine (`octo-mirror`) and the adapters
//! (`octo-disk`, `octo-smb`) meet only through this crate: the ports are [`Source`], [`Target`], [`RestoreTarget`],
//! [`Monitor`] and [`Clock`]; the decisions are [`merge`], [`plan`], [`guard`], [`filter`], [`naming`], [`retention`] and [`snapshot`].

pub mod abilities;
pub mod account;
pub mod address;
pub mod advice;
pub mod clock;
pub mod clock_trust;
pub mod entry;
pub mod error;
pub mod filter;
pub mod guard;
pub mod listing;
pub mod merge;
pub mod metadata;
pub mod monitor;
pub mod naming;
pub mod numbers;
pub mod path;
pub mod plan;
pub mod printable;
pub mod ranges;
pub mod report;
pub mod restore_target;
pub mod retention;
pub mod snapshot;
pub mod source;
pub mod sparse;
pub mod target;
pub mod target_file;
pub mod time;
pub mod wide;

pub use abilities::{Abilities, NameRules};
pub use account::Account;
pub use address::{AgentAddress, SmbAddress};
pub use clock::{Cancel, Clock};
pub use entry::{Entry, FileId, Kind, LinkTarget, LinkType, Meta, windows_kind};
pub use error::{Code, Error, Retry};
pub use filter::{Filter, FilterBuilder};
pub use listing::{FolderLimits, ListSink, Listed};
pub use metadata::{Kept, Metadata, Part, Piece};
pub use monitor::{Change, Event, Monitor, Phase};
pub use path::{Name, RelPath};
pub use ranges::Ranges;
pub use report::{Counts, Outcome, Problem, RunReport};
pub use restore_target::{RestoreBatch, RestoreTarget};
pub use source::{FetchRequest, FetchSink, Source, SourceFeatures, SourcePin, Stop};
pub use target::{Done, FilesLeft, RESERVED, Space, Target};
pub use target_file::TargetFile;
pub use time::{TimeRules, Timestamp};
