//! The settings of a job: one row each, with its help, its name, how it is kept, what is built in, how it is read, and whether it
//! has an option of its own on the command line.
//!
//! From this table come [`Policy`], which says only what differs from the layer below, [`EffectivePolicy`], in which every setting
//! has a value, and [the command line's options](crate::options). A new setting is a row here, its use, and its line in the manual (a test tells when that is missing).

use crate::keep::{self, Keep};
use crate::kept::{Kept, Row};
use crate::mirror_spec::{
    CompareBy, EncryptWhen, Intent, LiveFiles, LogonBy, MetadataKept, MinDialect, Rule, SourceLimits, filter, paths,
};
use crate::policy::{MaxAge, MaxIdle};
use crate::schedule::{CatchUp, Hours, Overlap, Window, machine_zone, zone};
use crate::units::{self, DEFAULT, UNLIMITED};
use octo_api::error::ApiError;
use octo_core::FilterBuilder;
use octo_core::guard::MaxDelete;
use octo_core::retention::{KeepFree, KeepPolicy, KeepVersions, short_age};
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
/// The word for nothing that is to be kept free.
const NONE: &str = "none";
/// The word for no versions.
pub const NO_VERSIONS: &str = "none";
/// The word for a limit that follows the schedule, or other settings.
pub const AUTO: &str = "auto";

/// The headings of the options in the help.
const WHICH: &str = "Which files";
const HOW: &str = "How";
const SAFETY: &str = "Safety";
const LIMITS: &str = "Limits";

/// The comment is the help. `name: as it is kept = what is built in => as it is used, how it is read`, and for an option `option`, its
/// heading and what its value is called; `as` names the option where it is not called as the setting is.
macro_rules! settings {
    ($(
        $(#[doc = $help:literal])+ $name:ident: $kept:ty = $built_in:expr => $used:ty, $read:expr
        $(, option $heading:ident $value:literal $(as $long:literal)?)?;
    )+) => {
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

            /// The help of each setting, as the table has it.
            pub(crate) const HELP: &[(&str, &[&str])] = &[$( (stringify!($name), &[$($help),+]), )+];

            /// The help of one setting.
            pub(crate) fn help(setting: &str) -> &'static [&'static str] {
                Policy::HELP.iter().find(|(name, _)| *name == setting).map_or(&[], |(_, help)| help)
            }

            /// The options of those settings that have one.
            pub(crate) fn options() -> Vec<clap::Arg> {
                let mut options = Vec::new();
                $( $( {
                    let long: Option<&str> = None $( .or(Some($long)) )?;
                    let name = stringify!($name);
                    let row = Row { name, help: Policy::help(name), long, heading: $heading, value_name: $value };
                    options.push(row.arg::<$kept>(&$built_in));
                } )? )+
                options
            }

            /// What was typed.
            pub(crate) fn typed(matches: &clap::ArgMatches) -> Policy {
                Policy {
                    $( $( $name: { let _: &str = $heading; Kept::typed(&$built_in, matches, stringify!($name)) }, )? )+
                    ..Policy::default()
                }
            }

            /// What holds where nobody says anything: everything is said.
            pub fn built_in() -> Policy {
                Policy { $( $name: Some($built_in), )+ }
            }

            /// This layer over `below`.
            pub fn over(&self, below: &Policy) -> Policy {
                let below = &self.without_its_other_form(below);
                Policy { $( $name: self.$name.clone().or_else(|| below.$name.clone()), )+ }
            }

            /// Refuses what makes no sense, with the name of the setting. Also for a single layer.
            pub fn check(&self) -> Result<(), ApiError> {
                $( if let Some(kept) = &self.$name {
                    read::<$kept, $used>(stringify!($name), kept, $read)?;
                } )+
                self.check_one_form()
            }

            /// Every setting, read; what this layer leaves out is what is built in.
            pub fn resolve(&self) -> Result<EffectivePolicy, ApiError> {
                self.check_one_form()?;
                let whole = self.over(&Policy::built_in());
                Ok(EffectivePolicy {
                    $( $name: read::<$kept, $used>(stringify!($name), &whole.$name.unwrap_or_else(|| $built_in), $read)?, )+
                })
            }
        }
    };
}

settings! {
    /// Patterns of what to leave out and of what to include again; the last one that matches decides.
    rules: Vec<Rule> = Vec::new() => Vec<Rule>, |rules| {
        filter(rules, FilterBuilder::new()).map_err(|error| error.detail)?;
        Ok(rules.clone())
    };
    /// Leave out $RECYCLE.BIN, System Volume Information, pagefile.sys and the like.
    default_excludes: bool = true => bool, same,
        option WHICH "";
    /// Known entries that cannot be copied (a folder the account may not read, a DFS link): from now on notes, not problems.
    acknowledged: Vec<String> = Vec::new() => Vec<String>, |acknowledged| {
        if acknowledged.len() > ACKNOWLEDGED_MAX {
            return Err(format!("allowed are {ACKNOWLEDGED_MAX}: exclude more"));
        }
        paths(acknowledged).map_err(|error| error.detail)?;
        Ok(acknowledged.clone())
    },
        option WHICH "PATH" as "acknowledge";
    /// When a file counts as changed.
    compare: CompareBy = CompareBy::default() => CompareBy, same,
        option WHICH "HOW";
    /// What is kept besides data and last write times.
    metadata: MetadataKept = MetadataKept::default() => MetadataKept, same,
        option HOW "WHAT";
    /// What to do with files that are always being written and have no snapshot.
    live_files: LiveFiles = LiveFiles::default() => LiveFiles, same,
        option HOW "WHAT";
    /// Delete nothing.
    no_delete: bool = false => bool, same,
        option SAFETY "";
    /// Hold deletions when there are more than N files, or more than P% of the mirror.
    max_delete: String = DEFAULT.into() => Option<MaxDelete>, |text| unless(text, DEFAULT, units::max_delete),
        option SAFETY "N|P%";
    /// Delete although the share hides what the account may not read.
    trust_listings: bool = false => bool, same,
        option SAFETY "";
    /// Which states are kept, instead of keep_versions: all of some time, and the last of so many days, weeks, months and years.
    keep: Keep = Keep::default() => KeepPolicy, Keep::read,
        option SAFETY "RULES";
    /// Remove the oldest states while less than this is free on the target's disk, down to the last 3 or what `keep` says: `10%`,
    /// `500G`, or `none`.
    keep_free: String = NONE.into() => Option<KeepFree>, |text| unless(text, NONE, keep::keep_free),
        option SAFETY "SIZE|P%";
    /// How long the older versions of files are kept, or `none`.
    keep_versions: String = usual_keep_versions() => Option<u64>, |text| unless(text, NO_VERSIONS, units::duration_secs),
        option SAFETY "TIME";
    /// Permissions of files and folders in the mirror.
    mode: String = format!("{FILE_MODE:04o},{FOLDER_MODE:04o}") => Option<(u32, u32)>, |text| unless(text, DEFAULT, units::modes),
        option HOW "FILES,FOLDERS";
    /// Limit reading, in bytes a second: `10M`, `500KiB`.
    bandwidth: String = UNLIMITED.into() => Option<u64>, |text| unless(text, UNLIMITED, units::bytes),
        option HOW "RATE";
    /// When another limit holds, by the schedule's zone: `mon..fri 08:00-18:00 2M`; the first that fits.
    bandwidth_hours: Vec<String> = Vec::new() => Vec<Hours>, |texts| windows(texts, Hours::parse);
    /// Open files with backup intent, which lets a backup operator read everything. `require`: fail if it does not work.
    backup_intent: Intent = Intent::default() => Intent, same,
        option HOW "WHEN";
    /// Encrypt wherever the server can, refuse servers that cannot, or only where the server demands it.
    encrypt: EncryptWhen = EncryptWhen::default() => EncryptWhen, same;
    /// The oldest version of SMB that is good enough.
    min_dialect: MinDialect = MinDialect::default() => MinDialect, same;
    /// How to log on.
    logon: LogonBy = LogonBy::default() => LogonBy, same;
    /// The zone of the schedule: `Europe/Berlin`.
    time_zone: String = machine_zone().into() => jiff::tz::TimeZone, |text| quoted(text, zone);
    /// What to do about a slot that passed while the server was down.
    catch_up: CatchUp = CatchUp::default() => CatchUp, same;
    /// What to do about a slot while the job still runs.
    overlap: Overlap = Overlap::default() => Overlap, same;
    /// When no run may start: `mon..fri 08:00-18:00`.
    blackouts: Vec<String> = Vec::new() => Vec<Window>, |texts| windows(texts, Window::parse);
    /// Start a run up to this long after its slot: `10m`.
    random_delay: String = "0s".into() => u64, |text| quoted(text, wait);
    /// How often a run that failed for a cause that may pass is tried again.
    retries: u32 = 3 => u32, |retries| {
        if *retries <= RETRIES_MAX { Ok(*retries) } else { Err(format!("allowed are 0 to {RETRIES_MAX}")) }
    };
    /// The wait before the first retry; each next one waits twice as long.
    retry_wait: String = "5m".into() => u64, |text| quoted(text, wait);
    /// Stop a run that takes longer: `8h`.
    max_duration: String = UNLIMITED.into() => Option<u64>, |text| unless(text, UNLIMITED, units::duration_secs);
    /// A folder of SRC that lists more entries is not listed to its end.
    max_folder_entries: u64 = SourceLimits::default().folder_entries => u64, |entries| {
        if *entries > 0 { Ok(*entries) } else { Err("it must be more than 0".to_owned()) }
    },
        option LIMITS "N";
    /// A folder of SRC that takes more while it is sorted, on DST's disk, is not listed to its end.
    max_folder_bytes: String = "32GiB".into() => u64, |text| quoted(text, units::bytes),
        option LIMITS "SIZE";
    /// How long to wait for an answer that a share's server puts off.
    max_answer: String = "15m".into() => u64, |text| quoted(text, units::wait_secs),
        option LIMITS "TIME";
    /// Fail when SRC delivers nothing for this long, neither an entry nor data; `unlimited`, or `auto`: 2h, or longer to fit the
    /// other limits.
    max_idle: String = AUTO.into() => MaxIdle, |text| match text.as_str() {
        AUTO => Ok(MaxIdle::Auto),
        _ => unless(text, UNLIMITED, |text| units::wait_secs(text).map_err(|why| format!("{why}; or {AUTO:?}")))
            .map(|secs| secs.map_or(MaxIdle::Unlimited, MaxIdle::Secs)),
    },
        option LIMITS "TIME";
    /// How old the newest good backup may be before the job counts as overdue: `3d`, `unlimited`, or `auto`: by its schedule.
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
        KeepVersions::Of(policy) => short_age(policy.all_secs.unwrap_or_default()),
        KeepVersions::No => NO_VERSIONS.to_owned(),
    }
}
