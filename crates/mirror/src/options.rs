//! What a run is asked to do.

use octo_core::guard::MaxDelete;
use octo_core::metadata;
use octo_core::plan::Compare;
use octo_core::retention::{KeepFree, KeepVersions, LocalTime};
use octo_core::{Filter, FolderLimits, RelPath, Timestamp};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a run is asked to do. The default is a plain mirror with versions of 30 days.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Entries of the source of which a person knows that they cannot be copied: where that lasts, it is a note.
    pub acknowledged: BTreeSet<RelPath>,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// What belongs to the job.
    pub filter: Filter,
    /// Delete nothing.
    pub no_delete: bool,
    /// Replaces the guard's numeric rules.
    pub max_delete: Option<MaxDelete>,
    /// Take over a folder that has files and no marker.
    pub adopt: bool,
    /// Start a new mirror at this path.
    pub new_target: bool,
    /// The source is another one than last time, and that is intended.
    pub accept_source: bool,
    /// Which versions are kept.
    pub keep_versions: KeepVersions,
    /// How much is to be free after a run; the oldest versions go for it.
    pub keep_free: Option<KeepFree>,
    /// When days, months and the like begin.
    pub local_time: LocalTime,
    /// When a file counts as changed.
    pub compare: Compare,
    /// Files whose source time is exactly this much later are only restamped.
    pub restamp_shift_secs: Option<i64>,
    /// Whether metadata is read and kept.
    pub metadata: metadata::Keep,
    /// What becomes of files that are written all the time.
    pub live_files: LiveFiles,
    /// The most bytes a second to read.
    pub bandwidth: Bandwidth,
    /// Any access denied makes the run fail.
    pub require_privilege: bool,
    /// Delete although listings leave out what the account may not read.
    pub trust_listings: bool,
    /// The id of a held plan whose deletions are approved.
    pub approve: Option<String>,
    /// A person has looked at the suspicious replacements.
    pub release_brake: bool,
    /// The target id remembered for this path.
    pub known_target: Option<String>,
    /// The source as the user named it, without secrets.
    pub source_label: String,
    /// The target as the user named it.
    pub target_label: String,
    /// Kept in the marker so that the job can be started again; without secrets.
    pub job: Option<String>,
    /// The caller has watched the clock for long and believes it ([`octo_core::clock_trust`]).
    pub clock_is_proven: bool,
    /// Threads that list and threads that copy, instead of what the source recommends.
    pub workers: Option<usize>,
    /// How large a folder of the source may be.
    pub folder_limits: FolderLimits,
    /// A run whose source gives nothing for longer has failed; `None` for never.
    pub idle_max: Option<Duration>,
}

/// What becomes of a file that is written all the time, and has no snapshot to be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveFiles {
    /// The last whole copy of it stays.
    #[default]
    Keep,
    /// Its beginning is copied, as far as it went at one moment, if it is only appended to.
    Copy,
}

type LimitAt = dyn Fn(Timestamp) -> Option<u64> + Send + Sync;

/// The most bytes a second to read, which may be another at another time. The default is no limit.
#[derive(Clone, Default)]
pub struct Bandwidth(Option<Arc<LimitAt>>);

impl Bandwidth {
    /// The same at all times; `None` for no limit.
    pub fn constant(bytes_per_sec: Option<u64>) -> Bandwidth {
        match bytes_per_sec {
            Some(limit) => Bandwidth::by_time(move |_| Some(limit)),
            None => Bandwidth(None),
        }
    }

    /// What `limit_at` says of the moment.
    pub fn by_time(limit_at: impl Fn(Timestamp) -> Option<u64> + Send + Sync + 'static) -> Bandwidth {
        Bandwidth(Some(Arc::new(limit_at)))
    }

    /// Whether there may ever be a limit.
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// The limit at this moment; `None` for none.
    pub fn at(&self, now: Timestamp) -> Option<u64> {
        self.0.as_ref().and_then(|limit_at| limit_at(now)).filter(|limit| *limit > 0)
    }
}

impl fmt::Debug for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_limited() { "Bandwidth(limited)" } else { "Bandwidth(unlimited)" })
    }
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            acknowledged: BTreeSet::new(),
            dry_run: false,
            filter: Filter::everything(),
            no_delete: false,
            max_delete: None,
            adopt: false,
            new_target: false,
            accept_source: false,
            keep_versions: KeepVersions::default(),
            keep_free: None,
            local_time: LocalTime::default(),
            compare: Compare::default(),
            restamp_shift_secs: None,
            metadata: metadata::Keep::default(),
            live_files: LiveFiles::default(),
            bandwidth: Bandwidth::default(),
            require_privilege: false,
            trust_listings: false,
            approve: None,
            release_brake: false,
            known_target: None,
            source_label: String::new(),
            target_label: String::new(),
            job: None,
            clock_is_proven: false,
            workers: None,
            folder_limits: FolderLimits::default(),
            idle_max: None,
        }
    }
}
