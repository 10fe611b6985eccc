//! How a job is run: what a person may set for all jobs and for one, and what then holds.
//!
//! Three layers, each over the one before: what is built in, the server's defaults, the job's own. A layer says only what
//! it changes. [`Policy::check`] refuses what makes no sense, with the name of the field.

use crate::mirror_spec::{
    CompareBy, EncryptWhen, Intent, Limits, LiveFiles, LogonBy, MetadataKept, MinDialect, Rule, filter, paths,
};
use crate::report::digest::MaxAge;
use crate::schedule::{CatchUp, Hours, Overlap, Window, machine_zone, zone};
use crate::service_error::ServiceError;
use crate::units::{self, UNLIMITED};
use octo_api::job::{From, Setting};
use octo_core::FilterBuilder;
use octo_mirror::Bandwidth;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a layer says. All of it may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Which files; the last pattern that matches decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    /// Leave out what Windows keeps for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_excludes: Option<bool>,
    /// Entries of the source that cannot be copied, as is known: closed folders, links of DFS, other filesystems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Vec<String>>,
    /// When a file counts as changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareBy>,
    /// What is kept besides data and last write times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<MetadataKept>,
    /// What becomes of files that are written all the time and have no snapshot to be read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_files: Option<LiveFiles>,
    /// Delete nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_delete: Option<bool>,
    /// `500` or `10%`: replaces the numeric limits of deletions; `default` for those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delete: Option<String>,
    /// Delete although the share hides what the account may not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_listings: Option<bool>,
    /// `30d`: how long older versions are kept; `none` for no versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_versions: Option<String>,
    /// `0600,0700`: permissions of files and of folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// `10M`: the most bytes a second to read; `unlimited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<String>,
    /// `mon..fri 08:00-18:00 2M`: when another limit holds, by the schedule's zone; the first that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth_hours: Option<Vec<String>>,
    /// Whether shares are opened with backup intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_intent: Option<Intent>,
    /// Whether messages are encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypt: Option<EncryptWhen>,
    /// The oldest version of SMB that is good enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_dialect: Option<MinDialect>,
    /// How to log on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logon: Option<LogonBy>,
    /// The zone of the schedule, as `Europe/Berlin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What becomes of a slot that passed while the server was down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
    /// What becomes of a slot while the job still runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// `mon..fri 08:00-18:00`: when no run may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blackouts: Option<Vec<String>>,
    /// `10m`: a run starts up to so much after its slot; `0s` for at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_delay: Option<String>,
    /// How often a run that failed for a cause that may pass is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// `5m`: the wait before the first retry; each next one waits twice as long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_wait: Option<String>,
    /// `8h`: a run that takes longer is stopped; `unlimited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<String>,
    /// Entries that one folder of the source may list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_folder_entries: Option<u64>,
    /// `32GiB`: what one folder of the source may take while it is sorted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_folder_bytes: Option<String>,
    /// `15m`: how long a share's server may put off its answer to one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_answer: Option<String>,
    /// `2h`: a run whose source gives nothing for longer, neither an entry nor data, is stopped; `auto`; `unlimited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<String>,
    /// `3d`: how old the newest good backup may be before the job counts as overdue; `auto`; `unlimited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<String>,
}

/// More retries than this would only hide that something is wrong.
const RETRIES_MAX: u32 = 20;
/// More than anybody acknowledges one by one.
const ACKNOWLEDGED_MAX: usize = 1000;
/// More windows than anybody writes.
const WINDOWS_MAX: usize = 100;
/// A random delay or a wait that is longer was mistyped.
const WAIT_SECS_MAX: u64 = 7 * 86_400;
/// The word for no versions.
pub const NONE: &str = "none";
/// The word for a limit that follows the schedule.
pub const AUTO: &str = "auto";
/// The word for the guard's own limits.
pub const DEFAULT: &str = "default";

impl Policy {
    /// What holds where nobody says anything: everything is said.
    pub fn built_in() -> Policy {
        Policy {
            rules: Some(Vec::new()),
            default_excludes: Some(true),
            acknowledged: Some(Vec::new()),
            compare: Some(CompareBy::default()),
            metadata: Some(MetadataKept::default()),
            live_files: Some(LiveFiles::default()),
            no_delete: Some(false),
            max_delete: Some(DEFAULT.into()),
            trust_listings: Some(false),
            keep_versions: Some("30d".into()),
            mode: Some("0600,0700".into()),
            bandwidth: Some(UNLIMITED.into()),
            bandwidth_hours: Some(Vec::new()),
            backup_intent: Some(Intent::default()),
            encrypt: Some(EncryptWhen::default()),
            min_dialect: Some(MinDialect::default()),
            logon: Some(LogonBy::default()),
            time_zone: Some(machine_zone().into()),
            catch_up: Some(CatchUp::default()),
            overlap: Some(Overlap::default()),
            blackouts: Some(Vec::new()),
            random_delay: Some("0s".into()),
            retries: Some(3),
            retry_wait: Some("5m".into()),
            max_duration: Some(UNLIMITED.into()),
            max_folder_entries: Some(Limits::default().folder_entries),
            max_folder_bytes: Some("32GiB".into()),
            max_answer: Some("15m".into()),
            max_idle: Some(AUTO.into()),
            max_age: Some(AUTO.into()),
        }
    }

    /// Refuses what makes no sense. Also for a single layer.
    pub fn check(&self) -> Result<(), ServiceError> {
        filter(self.rules.as_deref().unwrap_or_default(), FilterBuilder::new())
            .map_err(|e| ServiceError::field("policy.rules", e.detail))?;
        let acknowledged = self.acknowledged.as_deref().unwrap_or_default();
        if acknowledged.len() > ACKNOWLEDGED_MAX {
            return Err(ServiceError::field(
                "policy.acknowledged",
                format!("allowed are {ACKNOWLEDGED_MAX}: exclude more"),
            ));
        }
        paths(acknowledged).map_err(|e| ServiceError::field("policy.acknowledged", e.detail))?;
        self.retention()?;
        self.max_delete()?;
        self.modes()?;
        self.bandwidth_bytes_per_sec()?;
        self.bandwidth_hours()?;
        self.zone()?;
        self.blackouts()?;
        self.random_delay_secs()?;
        self.retry_wait_secs()?;
        self.max_duration_secs()?;
        self.limits()?;
        self.max_age()?;
        if self.retries.is_some_and(|retries| retries > RETRIES_MAX) {
            return Err(ServiceError::field("policy.retries", format!("allowed are 0 to {RETRIES_MAX}")));
        }
        Ok(())
    }

    /// How long versions are kept; `None` for no versions.
    pub fn retention(&self) -> Result<Option<u64>, ServiceError> {
        match self.keep_versions.as_deref() {
            Some(NONE) => Ok(None),
            Some(text) => parsed("keep_versions", text, units::duration_secs).map(Some),
            None => Ok(Some(30 * 86_400)),
        }
    }

    /// What replaces the numeric limits of deletions.
    pub fn max_delete(&self) -> Result<Option<octo_core::guard::MaxDelete>, ServiceError> {
        limit("max_delete", self.max_delete.as_deref(), DEFAULT, units::max_delete)
    }

    /// Permissions of files and of folders.
    pub fn modes(&self) -> Result<Option<(u32, u32)>, ServiceError> {
        limit("mode", self.mode.as_deref(), DEFAULT, units::modes)
    }

    /// The most bytes a second to read.
    pub fn bandwidth_bytes_per_sec(&self) -> Result<Option<u64>, ServiceError> {
        limit("bandwidth", self.bandwidth.as_deref(), UNLIMITED, units::bytes)
    }

    /// When another limit holds.
    pub fn bandwidth_hours(&self) -> Result<Vec<Hours>, ServiceError> {
        windows("bandwidth_hours", self.bandwidth_hours.as_deref(), Hours::parse)
    }

    /// The most bytes a second to read, at each moment of a run.
    pub fn pace(&self) -> Result<Bandwidth, ServiceError> {
        let (hours, zone, otherwise) = (self.bandwidth_hours()?, self.zone()?, self.bandwidth_bytes_per_sec()?);
        if hours.is_empty() {
            return Ok(Bandwidth::constant(otherwise));
        }
        Ok(Bandwidth::by_time(move |now| Hours::limit_at(&hours, &zone, now.into(), otherwise)))
    }

    /// The zone of the schedule.
    pub fn zone(&self) -> Result<jiff::tz::TimeZone, ServiceError> {
        parsed("time_zone", self.time_zone.as_deref().unwrap_or(machine_zone()), zone)
    }

    /// When no run may start.
    pub fn blackouts(&self) -> Result<Vec<Window>, ServiceError> {
        windows("blackouts", self.blackouts.as_deref(), Window::parse)
    }

    /// A run starts up to so much after its slot.
    pub fn random_delay_secs(&self) -> Result<u64, ServiceError> {
        wait("random_delay", self.random_delay.as_deref())
    }

    /// The wait before the first retry.
    pub fn retry_wait_secs(&self) -> Result<u64, ServiceError> {
        wait("retry_wait", self.retry_wait.as_deref())
    }

    /// A run that takes longer is stopped.
    pub fn max_duration_secs(&self) -> Result<Option<u64>, ServiceError> {
        limit("max_duration", self.max_duration.as_deref(), UNLIMITED, units::duration_secs)
    }

    /// What ends a run whose source has no end.
    pub fn limits(&self) -> Result<Limits, ServiceError> {
        let usual = Limits::default();
        let folder_entries = self.max_folder_entries.unwrap_or(usual.folder_entries);
        if folder_entries == 0 {
            return Err(ServiceError::field("policy.max_folder_entries", "it must be more than 0".to_owned()));
        }
        let given = |field: &str, text: Option<&str>, parse: fn(&str) -> Result<u64, String>, usual: u64| {
            text.map_or(Ok(usual), |text| parsed(field, text, parse))
        };
        let answer_secs = given("max_answer", self.max_answer.as_deref(), units::wait_secs, usual.answer_secs)?;
        let parse_idle = |text: &str| units::wait_secs(text).map_err(|why| format!("{why}; or {AUTO:?}"));
        Ok(Limits {
            folder_entries,
            folder_bytes: given(
                "max_folder_bytes",
                self.max_folder_bytes.as_deref(),
                units::bytes,
                usual.folder_bytes,
            )?,
            answer_secs,
            idle_secs: match self.max_idle.as_deref() {
                None | Some(AUTO) => Some(Limits::usual_idle_secs(answer_secs, None)),
                text => limit("max_idle", text, UNLIMITED, parse_idle)?,
            },
        })
    }

    /// How old the newest good backup may be.
    pub fn max_age(&self) -> Result<MaxAge, ServiceError> {
        match self.max_age.as_deref() {
            None | Some(AUTO) => Ok(MaxAge::Auto),
            text => Ok(limit("max_age", text, UNLIMITED, units::duration_secs)
                .map_err(|refusal| ServiceError { detail: format!("{}; or {AUTO:?}", refusal.detail), ..refusal })?
                .map_or(MaxAge::Unlimited, MaxAge::Secs)),
        }
    }

    /// This layer over `below`.
    pub fn over(&self, below: &Policy) -> Result<Policy, ServiceError> {
        let mut all = below.said()?;
        all.append(&mut self.said()?);
        Ok(serde_json::from_value(Value::Object(all))?)
    }

    /// What holds for a job with this layer, and where each value came from.
    pub fn explained(&self, defaults: &Policy) -> Result<BTreeMap<String, Setting>, ServiceError> {
        let mut settings = BTreeMap::new();
        for (layer, from) in [(&Policy::built_in(), From::BuiltIn), (defaults, From::Defaults), (self, From::Job)] {
            settings.extend(layer.said()?.into_iter().map(|(name, value)| (name, Setting { value, from })));
        }
        Ok(settings)
    }

    fn said(&self) -> Result<Map<String, Value>, ServiceError> {
        match serde_json::to_value(self)? {
            Value::Object(fields) => Ok(fields),
            _ => Ok(Map::new()),
        }
    }
}

fn parsed<T>(field: &str, text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, ServiceError> {
    parse(text).map_err(|why| ServiceError::field(&format!("policy.{field}"), format!("{text:?}: {why}")))
}

fn windows<T>(
    field: &str,
    texts: Option<&[String]>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, ServiceError> {
    let texts = texts.unwrap_or_default();
    if texts.len() > WINDOWS_MAX {
        return Err(ServiceError::field(&format!("policy.{field}"), format!("allowed are {WINDOWS_MAX}")));
    }
    texts.iter().map(|text| parsed(field, text, &parse)).collect()
}

fn limit<T>(
    field: &str,
    text: Option<&str>,
    none: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, ServiceError> {
    match text {
        Some(text) if text != none => {
            parsed(field, text, |text| parse(text).map_err(|why| format!("{why}; or {none:?}"))).map(Some)
        }
        _ => Ok(None),
    }
}

fn wait(field: &str, text: Option<&str>) -> Result<u64, ServiceError> {
    let within = |text: &str| match units::duration_secs(text)? {
        secs if secs > WAIT_SECS_MAX => Err("allowed is at most a week".to_owned()),
        secs => Ok(secs),
    };
    text.map_or(Ok(0), |text| parsed(field, text, within))
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
