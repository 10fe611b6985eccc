//! The settings of a job: one row each, with its name, how it is kept, what is built in, and how it is read.
//!
//! From this table come [`Policy`], which says only what differs from the layer below, and [`EffectivePolicy`], in which every setting
//! has a value. A new setting is a row here, its use, and its line in the manual (a test tells when that is missing).

use crate::mirror_spec::{
    CompareBy, EncryptWhen, Intent, Limits, LiveFiles, LogonBy, MetadataKept, MinDialect, Rule, filter, paths,
};
use crate::policy::{MaxAge, MaxIdle};
use crate::schedule::{CatchUp, Hours, Overlap, Window, machine_zone, zone};
use crate::units::{self, UNLIMITED};
use octo_api::error::ApiError;
use octo_core::FilterBuilder;
use octo_core::guard::MaxDelete;
use octo_core::retention::KeepVersions;
use octo_core::target::{FILE_MODE, FOLDER_MODE};
use serde::{Deserialize, Serialize};

/// More retries than this would only hide that something is wrong.
const RETRIES_MAX: u32 = 20;
/// More than anybody acknowledges one by one.
const ACKNOWLEDGED_MAX: usize = 1000;
/// More windows than anybody writes.
const WINDOWS_MAX: usize = 100;
/// A random delay or a wait that is longer was mistyped.
const WAIT_SECS_MAX: u64 = 7 * 86_400;
/// The word for no versions.
pub const NO_VERSIONS: &str = "none";
/// The word for a limit that follows the schedule, or other settings.
pub const AUTO: &str = "auto";
/// The word for the guard's own limits, or the usual permissions.
pub const DEFAULT: &str = "default";

/// `name: as it is kept = what is built in => as it is used, how it is read`.
macro_rules! settings {
    ($( $(#[doc = $help:literal])+ $name:ident: $kept:ty = $built_in:expr => $used:ty, $read:expr; )+) => {
        /// What a layer says. All of it may be left out.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Policy {
            $( $(#[doc = $help])+ #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$kept>, )+
        }

        /// What holds for a job: every setting, read.
        #[derive(Debug, Clone)]
        pub struct EffectivePolicy {
            $( $(#[doc = $help])+ pub $name: $used, )+
        }

        impl Policy {
            /// The names of all settings.
            pub const NAMES: &[&str] = &[$( stringify!($name), )+];

            /// What holds where nobody says anything: everything is said.
            pub fn built_in() -> Policy {
                Policy { $( $name: Some($built_in), )+ }
            }

            /// This layer over `below`.
            pub fn over(&self, below: &Policy) -> Policy {
                Policy { $( $name: self.$name.clone().or_else(|| below.$name.clone()), )+ }
            }

            /// Refuses what makes no sense, with the name of the setting. Also for a single layer.
            pub fn check(&self) -> Result<(), ApiError> {
                $( if let Some(kept) = &self.$name {
                    read::<$kept, $used>(stringify!($name), kept, $read)?;
                } )+
                Ok(())
            }

            /// Every setting, read; what this layer leaves out is what is built in.
            pub fn resolve(&self) -> Result<EffectivePolicy, ApiError> {
                let whole = self.over(&Policy::built_in());
                Ok(EffectivePolicy {
                    $( $name: read::<$kept, $used>(stringify!($name), &whole.$name.unwrap_or_else(|| $built_in), $read)?, )+
                })
            }
        }
    };
}

settings! {
    /// Which files; the last pattern that matches decides.
    rules: Vec<Rule> = Vec::new() => Vec<Rule>, |rules| {
        filter(rules, FilterBuilder::new()).map_err(|error| error.detail)?;
        Ok(rules.clone())
    };
    /// Leave out what Windows keeps for itself.
    default_excludes: bool = true => bool, same;
    /// Entries of the source that cannot be copied, as is known: closed folders, links of DFS, other filesystems.
    acknowledged: Vec<String> = Vec::new() => Vec<String>, |acknowledged| {
        if acknowledged.len() > ACKNOWLEDGED_MAX {
            return Err(format!("allowed are {ACKNOWLEDGED_MAX}: exclude more"));
        }
        paths(acknowledged).map_err(|error| error.detail)?;
        Ok(acknowledged.clone())
    };
    /// When a file counts as changed.
    compare: CompareBy = CompareBy::default() => CompareBy, same;
    /// What is kept besides data and last write times.
    metadata: MetadataKept = MetadataKept::default() => MetadataKept, same;
    /// What becomes of files that are written all the time and have no snapshot to be read from.
    live_files: LiveFiles = LiveFiles::default() => LiveFiles, same;
    /// Delete nothing.
    no_delete: bool = false => bool, same;
    /// `500` or `10%`: replaces the numeric limits of deletions; `default` for those.
    max_delete: String = DEFAULT.into() => Option<MaxDelete>, |text| unless(text, DEFAULT, units::max_delete);
    /// Delete although the share hides what the account may not read.
    trust_listings: bool = false => bool, same;
    /// `30d`: how long older versions are kept; `none` for no versions.
    keep_versions: String = usual_keep_versions() => Option<u64>, |text| unless(text, NO_VERSIONS, units::duration_secs);
    /// `0600,0700`: permissions of files and of folders.
    mode: String = format!("{FILE_MODE:04o},{FOLDER_MODE:04o}") => Option<(u32, u32)>, |text| unless(text, DEFAULT, units::modes);
    /// `10M`: the most bytes a second to read; `unlimited`.
    bandwidth: String = UNLIMITED.into() => Option<u64>, |text| unless(text, UNLIMITED, units::bytes);
    /// `mon..fri 08:00-18:00 2M`: when another limit holds, by the schedule's zone; the first that fits.
    bandwidth_hours: Vec<String> = Vec::new() => Vec<Hours>, |texts| windows(texts, Hours::parse);
    /// Whether shares are opened with backup intent.
    backup_intent: Intent = Intent::default() => Intent, same;
    /// Whether messages are encrypted.
    encrypt: EncryptWhen = EncryptWhen::default() => EncryptWhen, same;
    /// The oldest version of SMB that is good enough.
    min_dialect: MinDialect = MinDialect::default() => MinDialect, same;
    /// How to log on.
    logon: LogonBy = LogonBy::default() => LogonBy, same;
    /// The zone of the schedule, as `Europe/Berlin`.
    time_zone: String = machine_zone().into() => jiff::tz::TimeZone, |text| quoted(text, zone);
    /// What becomes of a slot that passed while the server was down.
    catch_up: CatchUp = CatchUp::default() => CatchUp, same;
    /// What becomes of a slot while the job still runs.
    overlap: Overlap = Overlap::default() => Overlap, same;
    /// `mon..fri 08:00-18:00`: when no run may start.
    blackouts: Vec<String> = Vec::new() => Vec<Window>, |texts| windows(texts, Window::parse);
    /// `10m`: a run starts up to so much after its slot; `0s` for at once.
    random_delay: String = "0s".into() => u64, |text| quoted(text, wait);
    /// How often a run that failed for a cause that may pass is tried again.
    retries: u32 = 3 => u32, |retries| {
        if *retries <= RETRIES_MAX { Ok(*retries) } else { Err(format!("allowed are 0 to {RETRIES_MAX}")) }
    };
    /// `5m`: the wait before the first retry; each next one waits twice as long.
    retry_wait: String = "5m".into() => u64, |text| quoted(text, wait);
    /// `8h`: a run that takes longer is stopped; `unlimited`.
    max_duration: String = UNLIMITED.into() => Option<u64>, |text| unless(text, UNLIMITED, units::duration_secs);
    /// Entries that one folder of the source may list.
    max_folder_entries: u64 = Limits::default().folder_entries => u64, |entries| {
        if *entries > 0 { Ok(*entries) } else { Err("it must be more than 0".to_owned()) }
    };
    /// `32GiB`: what one folder of the source may take while it is sorted.
    max_folder_bytes: String = "32GiB".into() => u64, |text| quoted(text, units::bytes);
    /// `15m`: how long a share's server may put off its answer to one request.
    max_answer: String = "15m".into() => u64, |text| quoted(text, units::wait_secs);
    /// `2h`: a run whose source gives nothing for longer, neither an entry nor data, is stopped; `auto`; `unlimited`.
    max_idle: String = AUTO.into() => MaxIdle, |text| match text.as_str() {
        AUTO => Ok(MaxIdle::Auto),
        _ => unless(text, UNLIMITED, |text| units::wait_secs(text).map_err(|why| format!("{why}; or {AUTO:?}")))
            .map(|secs| secs.map_or(MaxIdle::Unlimited, MaxIdle::Secs)),
    };
    /// `3d`: how old the newest good backup may be before the job counts as overdue; `auto`; `unlimited`.
    max_age: String = AUTO.into() => MaxAge, |text| match text.as_str() {
        AUTO => Ok(MaxAge::Auto),
        _ => unless(text, UNLIMITED, |text| units::duration_secs(text).map_err(|why| format!("{why}; or {AUTO:?}")))
            .map(|secs| secs.map_or(MaxAge::Unlimited, MaxAge::Secs)),
    };
}

/// Reads one setting; an error names it.
fn read<K, U>(name: &str, kept: &K, read: impl FnOnce(&K) -> Result<U, String>) -> Result<U, ApiError> {
    read(kept).map_err(|why| ApiError::field(&format!("policy.{name}"), why))
}

/// What needs no reading.
fn same<T: Clone>(kept: &T) -> Result<T, String> {
    Ok(kept.clone())
}

/// Reads a text; an error repeats it.
fn quoted<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    parse(text).map_err(|why| format!("{text:?}: {why}"))
}

/// Reads a text that may also be the word for no value.
fn unless<T>(text: &str, none: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text == none {
        return Ok(None);
    }
    quoted(text, |text| parse(text).map_err(|why| format!("{why}; or {none:?}"))).map(Some)
}

fn windows<T>(texts: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    if texts.len() > WINDOWS_MAX {
        return Err(format!("allowed are {WINDOWS_MAX}"));
    }
    texts.iter().map(|text| quoted(text, &parse)).collect()
}

fn wait(text: &str) -> Result<u64, String> {
    match units::duration_secs(text)? {
        secs if secs > WAIT_SECS_MAX => Err("allowed is at most a week".to_owned()),
        secs => Ok(secs),
    }
}

fn usual_keep_versions() -> String {
    match KeepVersions::default() {
        KeepVersions::Secs(secs) => format!("{}d", secs / 86_400),
        KeepVersions::No => NO_VERSIONS.to_owned(),
    }
}
