//! A job: source, destination, schedule and policy, as a person writes it and as the server keeps it.
//!
//! [`JobSpec`] is the form of the API, of `octobackup job` and of a jobs file. [`JobSpec::check`] refuses an invalid
//! one, with the name of the field. It must never hold a secret: it names a credential.

use crate::mirror_spec::{MirrorSpec, Origin};
use crate::schedule::{self, Schedule};
use crate::settings::{EffectivePolicy, Policy};
use octo_api::error::ApiError;
use octo_api::moment::Moment;
use octo_core::address::{is_agent_address, is_share_address};
use octo_core::{Account, AgentAddress, SmbAddress};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Names are part of addresses, and of lines in reports.
const NAME_BYTES_MAX: usize = 64;
/// Longer than any path that a system takes.
const PATH_BYTES_MAX: usize = 4096;

/// Whether a job is paused, as it is said: of a job it is known; a file may leave it open.
pub trait Pause {
    /// Nothing is said.
    fn is_left_out(&self) -> bool;
}

impl Pause for bool {
    fn is_left_out(&self) -> bool {
        false
    }
}

impl Pause for Option<bool> {
    fn is_left_out(&self) -> bool {
        self.is_none()
    }
}

/// What a person says of a job; in a [jobs file](crate::FileJob) without its pause.
///
/// A client reads `octo_api::job::JobSpec` instead. The two promise the opposite: this one knows every field and every setting and
/// refuses all others; the client's keeps what it does not know, field or setting, and sends it back, so that an older command
/// line edits the job of a newer server and loses nothing. One type for both would be this one with everything in it open. That
/// they are the same on the wire is held by a test (`crates/server/src/api/openapi/shape_tests.rs`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec<Paused: Pause = bool> {
    /// What it is called.
    pub name: String,
    /// `//HOST[:PORT]/SHARE[/PATH]`, `agent://HOST/FOLDER`, or a folder of this machine.
    pub source: String,
    /// The folder of this machine that becomes the mirror.
    pub target: String,
    /// The credential for a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// When it is due; never, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Its slots are skipped.
    #[serde(default, skip_serializing_if = "Pause::is_left_out")]
    pub paused: Paused,
    /// Where it differs from the server's defaults.
    #[serde(default)]
    pub policy: Policy,
}

impl<Paused: Pause> JobSpec<Paused> {
    /// The same job with another pause.
    pub(crate) fn with_paused<Other: Pause>(self, paused: Other) -> JobSpec<Other> {
        let JobSpec { name, source, target, credential, schedule, paused: _, policy } = self;
        JobSpec { name, source, target, credential, schedule, paused, policy }
    }
}

/// A job as the server keeps it.
pub type Job = octo_api::job::Job<JobSpec>;

impl JobSpec {
    /// Refuses an invalid job. `defaults` are the server's, over what is built in; `account` is the credential's.
    pub fn check(&self, defaults: &Policy, account: Option<&Account>) -> Result<(), ApiError> {
        check_name(&self.name)?;
        self.policy.check()?;
        self.schedule()?;
        self.mirror_spec(&self.effective_policy(defaults)?, account)?;
        self.target_path()?;
        Ok(())
    }

    /// When it is due.
    pub fn schedule(&self) -> Result<Option<Schedule>, ApiError> {
        let parse = |text: &String| {
            Schedule::parse(text).map_err(|why| ApiError::field("schedule", format!("{text:?}: {why}")))
        };
        self.schedule.as_ref().map(parse).transpose()
    }

    /// The mirror.
    pub fn target_path(&self) -> Result<PathBuf, ApiError> {
        let wrong = |why: &str| Err(ApiError::field("target", format!("{:?}: {why}", self.target)));
        let path = Path::new(&self.target);
        if is_share_address(&self.target) {
            return wrong("the mirror must be a folder of this machine, not a share");
        }
        if !path.is_absolute() || self.target.contains('\0') || self.target.len() > PATH_BYTES_MAX {
            return wrong("it must be an absolute path, such as /srv/mirrors/fileserver");
        }
        if path.parent().is_none() || path.components().any(|part| part == std::path::Component::ParentDir) {
            return wrong("it must be a folder of its own, without .. in its path");
        }
        Ok(path.to_owned())
    }

    /// The source, if it is a folder of this machine.
    pub fn local_source(&self) -> Option<PathBuf> {
        let is_elsewhere = is_share_address(&self.source) || is_agent_address(&self.source);
        Some(PathBuf::from(&self.source)).filter(|path| !is_elsewhere && path.is_absolute())
    }

    /// The whole policy: this job's own over the server's defaults.
    pub fn effective_policy(&self, defaults: &Policy) -> Result<EffectivePolicy, ApiError> {
        self.policy.over(defaults).resolve()
    }

    /// The next slots after `after`, at most `count`.
    pub fn next_slots(&self, defaults: &Policy, after: Moment, count: usize) -> Result<Vec<Moment>, ApiError> {
        let Some(schedule) = self.schedule()? else { return Ok(Vec::new()) };
        Ok(schedule::next_slots(&schedule, &self.effective_policy(defaults)?.time_zone, after, count))
    }

    /// What a run is made from, by the whole policy.
    pub fn mirror_spec(&self, policy: &EffectivePolicy, account: Option<&Account>) -> Result<MirrorSpec, ApiError> {
        let mirror_spec = policy.mirror_spec(self.origin(account)?);
        mirror_spec.filter().map_err(|e| ApiError::field("policy.rules", e.detail))?;
        mirror_spec.connection.check(&mirror_spec.origin).map_err(|e| ApiError::field("credential", e.detail))?;
        Ok(mirror_spec)
    }

    /// The machine with an agent; `None` for other sources.
    pub fn agent(&self) -> Option<AgentAddress> {
        AgentAddress::parse(&self.source).ok()
    }

    /// The source's host, for the limit of runs per host; `None` for a folder of this machine.
    pub fn host(&self) -> Option<String> {
        if let Some(address) = self.agent() {
            return Some(address.host.to_lowercase());
        }
        is_share_address(&self.source)
            .then(|| SmbAddress::parse(&self.source).ok().map(|(address, _)| address.host.to_lowercase()))
            .flatten()
    }

    fn origin(&self, account: Option<&Account>) -> Result<Origin, ApiError> {
        let wrong = |why: String| ApiError::field("source", format!("{:?}: {why}", self.source));
        if self.source.len() > PATH_BYTES_MAX || self.source.contains('\0') {
            return Err(wrong("it is too long, or holds a NUL".into()));
        }
        if is_share_address(&self.source) {
            let (address, named) = SmbAddress::parse(&self.source).map_err(|e| wrong(e.detail))?;
            if named.is_some() {
                return Err(wrong("the account belongs to the credential; leave USER@ out".into()));
            }
            return Ok(Origin::Smb { address: address.to_string(), account: account.cloned().unwrap_or_default() });
        }
        if self.credential.is_some() {
            return Err(ApiError::field(
                "credential",
                "only a share needs one, and the source is none (--unset credential)",
            ));
        }
        if is_agent_address(&self.source) {
            let address = AgentAddress::parse(&self.source).map_err(|e| wrong(e.detail))?;
            return Ok(Origin::Agent { address: address.to_string() });
        }
        let path = Path::new(&self.source);
        if !path.is_absolute() {
            return Err(wrong(
                "allowed are //HOST/SHARE[/PATH], smb://HOST/SHARE, agent://HOST/FOLDER and the absolute path of a folder".into(),
            ));
        }
        Ok(Origin::local(path))
    }
}

/// Refuses names that would need quoting somewhere.
pub fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || !name.bytes().all(plain)
        || !name.as_bytes()[0].is_ascii_alphanumeric()
    {
        return Err(ApiError::field(
            "name",
            format!(
                "{name:?}: allowed are 1 to {NAME_BYTES_MAX} letters, digits, - _ and ., and the first is a letter or digit"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> JobSpec {
        JobSpec { name: "fs1".into(), source: "//fs1/d$".into(), target: "/srv/fs1".into(), ..JobSpec::default() }
    }

    #[test]
    fn bad_input_names_the_field() {
        let account = Account::parse("me").unwrap();
        let check = |spec: JobSpec| spec.check(&Policy::built_in(), Some(&account));
        check(spec()).unwrap();
        let table = [
            (JobSpec { name: "a/b".into(), ..spec() }, "name"),
            (JobSpec { name: String::new(), ..spec() }, "name"),
            (JobSpec { name: ".x".into(), ..spec() }, "name"),
            (JobSpec { name: "x".repeat(65), ..spec() }, "name"),
            (JobSpec { source: "relative".into(), ..spec() }, "source"),
            (JobSpec { source: "//fs1".into(), ..spec() }, "source"),
            (JobSpec { source: "smb://me@fs1/d".into(), ..spec() }, "source"),
            (JobSpec { source: "http://x/y".into(), ..spec() }, "source"),
            (JobSpec { source: "agent://h".into(), ..spec() }, "source"),
            (JobSpec { source: "agent://h/srv/../etc".into(), ..spec() }, "source"),
            (JobSpec { source: "agent://h/d".into(), credential: Some("x".into()), ..spec() }, "credential"),
            (JobSpec { target: "srv".into(), ..spec() }, "target"),
            (JobSpec { target: "/".into(), ..spec() }, "target"),
            (JobSpec { target: "/srv/../etc".into(), ..spec() }, "target"),
            (JobSpec { target: "//fs1/e".into(), ..spec() }, "target"),
            (JobSpec { source: "/data".into(), credential: Some("x".into()), ..spec() }, "credential"),
            (JobSpec { schedule: Some("sometimes".into()), ..spec() }, "schedule"),
        ];
        for (bad, field) in table {
            let error = check(bad.clone()).expect_err(field);
            assert_eq!(error.field.as_deref(), Some(field), "{bad:?}: {error}");
        }
        assert_eq!(spec().check(&Policy::built_in(), None).unwrap_err().field.as_deref(), Some("credential"));
    }

    #[test]
    fn what_the_policy_says_reaches_the_run() {
        let policy: Policy = serde_json::from_str(
            r#"{"rules":[{"exclude":"*.tmp"}],"max_delete":"10%","keep_versions":"none","bandwidth":"1M","mode":"0640,0750",
                "no_delete":true,"trust_listings":true,"compare":"content","metadata":"basic","backup_intent":"require","encrypt":"off"}"#,
        )
        .unwrap();
        let policy = policy.resolve().unwrap();
        let account = Account::parse("CORP\\me").unwrap();
        let mirror_spec = spec().mirror_spec(&policy, Some(&account)).unwrap();
        assert_eq!(mirror_spec.rules.len(), 1);
        assert_eq!(mirror_spec.max_delete, Some(octo_core::guard::MaxDelete::Percent(10)));
        assert_eq!((mirror_spec.keep_versions_secs, mirror_spec.bandwidth_bytes_per_sec), (None, Some(1_000_000)));
        assert_eq!((mirror_spec.file_mode, mirror_spec.folder_mode), (0o640, 0o750));
        assert!(mirror_spec.no_delete && mirror_spec.trust_listings);
        assert_eq!(mirror_spec.metadata, crate::mirror_spec::MetadataKept::Basic);
        assert_eq!(mirror_spec.connection.encrypt, crate::mirror_spec::EncryptWhen::Off);
    }

    #[test]
    fn hosts_are_the_same_however_they_are_written() {
        for source in ["//FS1/d", "smb://fs1/e", r"\\Fs1\x", "//fs1:445/d"] {
            assert_eq!(JobSpec { source: source.into(), ..spec() }.host().as_deref(), Some("fs1"), "{source}");
        }
        assert_eq!(JobSpec { source: "agent://FS1/d".into(), ..spec() }.host().as_deref(), Some("fs1"));
        assert_eq!(JobSpec { source: "/data".into(), ..spec() }.host(), None);
    }
}
