//! How a job is run: what a person may set for all jobs and for one, and the effective policy.
//!
//! Three layers, each over the one before: what is built in, the server's defaults, the job's own. A layer ([`Policy`]) says only
//! what it changes; the settings themselves are in [`settings`](crate::settings).

use crate::mirror_spec::{Connection, MirrorSpec, Origin, SourceLimits};
use crate::schedule::{Hours, machine_zone, zone};
use crate::settings::{EffectivePolicy, Policy};
use jiff::tz::TimeZone;
use octo_api::error::{ApiError, Kind};
use octo_api::job::{From, Setting};
use octo_api::moment::Moment;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How long a source may give nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxIdle {
    /// As the other limits suggest.
    Auto,
    /// After this many seconds.
    Secs(u64),
    /// For ever.
    Unlimited,
}

/// How long a job may be without a good backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxAge {
    /// As its schedule suggests.
    Auto,
    /// After this many seconds.
    Secs(u64),
    /// For ever.
    Unlimited,
}

impl EffectivePolicy {
    /// The most bytes a second to read at this moment; `None` for no limit.
    pub fn bandwidth_at(&self, moment: Moment) -> Option<u64> {
        Hours::limit_at(&self.bandwidth_hours, &self.time_zone, moment, self.bandwidth)
    }

    /// What ends a run whose source has no end. `reconnect_secs` is how long a server that is gone is waited for.
    pub fn limits(&self, reconnect_secs: Option<u64>) -> SourceLimits {
        SourceLimits {
            folder_entries: self.max_folder_entries,
            folder_bytes: self.max_folder_bytes,
            answer_secs: self.max_answer,
            idle_secs: match self.max_idle {
                MaxIdle::Auto => Some(SourceLimits::usual_idle_secs(self.max_answer, reconnect_secs)),
                MaxIdle::Secs(secs) => Some(secs),
                MaxIdle::Unlimited => None,
            },
        }
    }

    /// What a run from `origin` is made from.
    pub fn mirror_spec(&self, origin: Origin) -> MirrorSpec {
        let mut spec = MirrorSpec::new(origin);
        // Settings for shares concern nothing else.
        if matches!(spec.origin, Origin::Smb { .. }) {
            spec.connection = Connection {
                min_dialect: self.min_dialect,
                encrypt: self.encrypt,
                logon: self.logon,
                ..Connection::default()
            };
        }
        if let Some((file, folder)) = self.mode {
            (spec.file_mode, spec.folder_mode) = (file, folder);
        }
        let limits = self.limits(spec.connection.reconnect_secs);
        // Every field, so that the compiler asks for a new one here.
        let MirrorSpec { format, origin, connection, file_mode, folder_mode, .. } = spec;
        MirrorSpec {
            format,
            origin,
            connection,
            file_mode,
            folder_mode,
            backup_intent: self.backup_intent,
            rules: self.rules.clone(),
            default_excludes: self.default_excludes,
            acknowledged: self.acknowledged.clone(),
            compare: self.compare,
            metadata: self.metadata,
            live_files: self.live_files,
            no_delete: self.no_delete,
            max_delete: self.max_delete,
            trust_listings: self.trust_listings,
            keep_versions_secs: self.keep_versions,
            keep: self.keep,
            keep_free: self.keep_free,
            time_zone: self.time_zone.iana_name().filter(|_| !self.keep.is_empty()).map(str::to_owned),
            bandwidth_bytes_per_sec: self.bandwidth,
            limits,
        }
    }
}

impl Policy {
    /// The zone of the schedule alone: messages go out whatever else is wrong in stored settings.
    pub fn zone(&self) -> Result<TimeZone, ApiError> {
        let name = self.time_zone.as_deref().unwrap_or(machine_zone());
        zone(name).map_err(|why| ApiError::field("policy.time_zone", format!("{name:?}: {why}")))
    }

    /// What holds for a job with this layer, and where each value came from.
    pub fn explained(&self, defaults: &Policy) -> Result<BTreeMap<String, Setting>, ApiError> {
        let mut settings = BTreeMap::new();
        for (layer, from) in [(&Policy::built_in(), From::BuiltIn), (defaults, From::Defaults), (self, From::Job)] {
            settings.extend(layer.said()?.into_iter().map(|(name, value)| (name, Setting { value, from })));
        }
        Ok(settings)
    }

    fn said(&self) -> Result<Map<String, Value>, ApiError> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Ok(Map::new()),
            Err(why) => Err(ApiError::new(Kind::Internal, why)),
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
