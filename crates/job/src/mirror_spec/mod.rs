//! What a mirror is made from and how: the part of a job that `octobackup sync` has too. It is kept in the mirror's
//! marker, so that `held --approve` can start the run again without a server. Never holds a password.

mod choices;
mod connection;
mod limits;
mod origin;

pub use choices::{CompareBy, EncryptWhen, Intent, LiveFiles, MetadataKept, MinDialect};
pub use connection::{Connection, LogonBy};
pub use limits::SourceLimits;
pub use origin::Origin;

use crate::schedule;
use octo_core::guard::MaxDelete;
use octo_core::path::text_to_bytes;
use octo_core::plan::Compare;
use octo_core::retention::{KeepFree, KeepPolicy, KeepVersions, LocalTime};
use octo_core::target::{FILE_MODE, FOLDER_MODE};
use octo_core::{AgentAddress, Code, Error, Filter, FilterBuilder, RelPath, SmbAddress};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The format this version writes.
const FORMAT: u32 = 1;

/// What a mirror is made from, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorSpec {
    /// Format of this text.
    pub format: u32,
    /// Where the files come from.
    pub origin: Origin,
    /// How to connect to a share.
    #[serde(default)]
    pub connection: Connection,
    /// Whether shares are opened with backup intent.
    pub backup_intent: Intent,
    /// Which files, in the order in which they were typed.
    pub rules: Vec<Rule>,
    /// Whether what Windows keeps for itself is left out.
    pub default_excludes: bool,
    /// Entries that cannot be copied, as a person knows: paths below the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<String>,
    /// When a file counts as changed.
    pub compare: CompareBy,
    /// What is kept besides data and last write times.
    #[serde(default)]
    pub metadata: MetadataKept,
    /// What becomes of files that are written all the time.
    #[serde(default)]
    pub live_files: LiveFiles,
    /// Delete nothing.
    pub no_delete: bool,
    /// Replaces the guard's numeric rules.
    pub max_delete: Option<MaxDelete>,
    /// Delete although listings leave out what the account may not read.
    pub trust_listings: bool,
    /// How long versions are kept; `None` for no versions.
    pub keep_versions_secs: Option<u64>,
    /// Which states are kept instead, if it says anything.
    #[serde(default, skip_serializing_if = "KeepPolicy::is_empty")]
    pub keep: KeepPolicy,
    /// How much is to be free after a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_free: Option<KeepFree>,
    /// The zone of the days of which states are kept; the machine's, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Permissions of files.
    pub file_mode: u32,
    /// Permissions of folders.
    pub folder_mode: u32,
    /// The most bytes a second to read.
    pub bandwidth_bytes_per_sec: Option<u64>,
    /// What ends a run whose source has no end.
    #[serde(default, skip_serializing_if = "SourceLimits::are_usual")]
    pub limits: SourceLimits,
}

/// One filter rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Leave out.
    Exclude(String),
    /// Take in again.
    Include(String),
}

/// The filter that rules make.
pub(crate) fn filter(rules: &[Rule], mut builder: FilterBuilder) -> Result<Filter, Error> {
    for rule in rules {
        builder = match rule {
            Rule::Exclude(pattern) => builder.exclude(pattern)?,
            Rule::Include(pattern) => builder.include(pattern)?,
        };
    }
    builder.build()
}

/// Paths below a source, as reports name them; a slash before and behind them is of no meaning.
pub fn paths(texts: &[String]) -> Result<BTreeSet<RelPath>, Error> {
    let path = |text: &String| {
        let text = text.trim_matches('/');
        match RelPath::parse(&text_to_bytes(text).unwrap_or_else(|| text.as_bytes().to_vec())) {
            Ok(path) if !path.is_root() => Ok(path),
            _ => {
                let allowed = "allowed is the path of an entry below the source, such as projects/old";
                Err(Error::new(Code::Usage, format!("{text:?}: {allowed}")))
            }
        }
    };
    texts.iter().map(path).collect()
}

impl MirrorSpec {
    /// A plain mirror spec, as if no option were given.
    pub fn new(origin: Origin) -> MirrorSpec {
        let keep_versions_secs = match KeepVersions::default() {
            KeepVersions::Of(policy) => policy.all_secs,
            KeepVersions::No => None,
        };
        MirrorSpec {
            format: FORMAT,
            origin,
            connection: Connection::default(),
            backup_intent: Intent::default(),
            rules: Vec::new(),
            default_excludes: true,
            acknowledged: Vec::new(),
            compare: CompareBy::default(),
            metadata: MetadataKept::default(),
            live_files: LiveFiles::default(),
            no_delete: false,
            max_delete: None,
            trust_listings: false,
            keep_versions_secs,
            keep: KeepPolicy::default(),
            keep_free: None,
            time_zone: None,
            file_mode: FILE_MODE,
            folder_mode: FOLDER_MODE,
            bandwidth_bytes_per_sec: None,
            limits: SourceLimits::default(),
        }
    }

    /// The filter that the rules make. Shares and folders of Windows machines are matched without
    /// regard to case, as Windows does.
    pub fn filter(&self) -> Result<Filter, Error> {
        let folds_case = match &self.origin {
            Origin::Local { .. } => false,
            Origin::Smb { .. } => true,
            Origin::Agent { address } => AgentAddress::parse(address).is_ok_and(|address| address.is_windows()),
        };
        filter(&self.rules, FilterBuilder::new().case_insensitive(folds_case).defaults(self.default_excludes))
    }

    /// The entries that cannot be copied, as a person knows.
    pub fn acknowledged(&self) -> Result<BTreeSet<RelPath>, Error> {
        paths(&self.acknowledged)
    }

    /// Which versions are kept.
    pub fn keep_versions(&self) -> KeepVersions {
        match self.keep_versions_secs {
            None => KeepVersions::No,
            Some(_) if !self.keep.is_empty() => KeepVersions::Of(self.keep),
            Some(secs) => KeepVersions::secs(secs),
        }
    }

    /// When the days begin of which states are kept.
    pub fn local_time(&self) -> LocalTime {
        // Of a zone that this machine does not know, its own is nearest.
        let named = self.time_zone.as_deref().and_then(|name| schedule::zone(name).ok());
        schedule::local_time(
            named.unwrap_or_else(|| schedule::zone(schedule::machine_zone()).unwrap_or(schedule::TimeZone::UTC)),
        )
    }

    /// When a file counts as changed.
    pub fn compare(&self) -> Compare {
        match self.compare {
            CompareBy::Time => Compare::TimeAndSize,
            CompareBy::ChangeTime => Compare::ChangeTime,
            CompareBy::Content => Compare::Content,
        }
    }

    /// For the marker.
    pub fn to_text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|e| Error::new(Code::Usage, format!("the job cannot be kept: {e}")))
    }

    /// From the marker. What is read is checked as what is typed.
    pub fn from_text(text: &str) -> Result<MirrorSpec, Error> {
        let damaged =
            |why: String| Error::new(Code::RecordsDamaged, format!("the job in .octobackup/marker.toml: {why}"));
        let mirror_spec: MirrorSpec = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
        if mirror_spec.format > FORMAT {
            return Err(Error::new(
                Code::NewerFormat,
                format!("the job's format is {}, this version knows {FORMAT}", mirror_spec.format),
            ));
        }
        match &mirror_spec.origin {
            Origin::Smb { address, .. } => drop(SmbAddress::parse(address).map_err(|e| damaged(e.detail))?),
            Origin::Agent { address } => drop(AgentAddress::parse(address).map_err(|e| damaged(e.detail))?),
            Origin::Local { .. } => {
                if !mirror_spec.origin.local_path().is_some_and(|path| path.is_absolute()) {
                    return Err(damaged("its folder is not an absolute path".into()));
                }
            }
        }
        mirror_spec.filter().map_err(|e| damaged(e.detail))?;
        mirror_spec.acknowledged().map_err(|e| damaged(e.detail))?;
        mirror_spec.connection.check(&mirror_spec.origin).map_err(|e| damaged(e.detail))?;
        Ok(mirror_spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Account;
    use octo_core::path::os_path;

    fn mirror_spec() -> MirrorSpec {
        let account = Account::parse("CORP\\backup").unwrap();
        MirrorSpec {
            rules: vec![Rule::Exclude("*.tmp".into()), Rule::Include("keep.tmp".into())],
            max_delete: Some(MaxDelete::Percent(10)),
            connection: Connection {
                reconnect_secs: Some(300),
                min_dialect: MinDialect::Smb311,
                encrypt: EncryptWhen::Require,
                logon: LogonBy::Kerberos,
                kdc: Some("dc:88".into()),
            },
            ..MirrorSpec::new(Origin::Smb { address: "//fs:4450/d$/a b".into(), account })
        }
    }

    #[test]
    fn a_job_survives_the_marker() {
        assert_eq!(MirrorSpec::from_text(&mirror_spec().to_text().unwrap()), Ok(mirror_spec()));
        let odd = os_path(b"/srv/100%\xFF\n".to_vec()).unwrap();
        let local = MirrorSpec::from_text(&MirrorSpec::new(Origin::local(&odd)).to_text().unwrap()).unwrap();
        assert_eq!(local.origin.local_path(), Some(odd));
    }

    #[test]
    fn a_job_from_before_there_were_connections_is_read() {
        let plain = MirrorSpec { connection: Connection::default(), ..mirror_spec() };
        let text = plain.to_text().unwrap();
        let (start, end) = (text.find("\"connection\":").unwrap(), text.find("\"backup_intent\"").unwrap());
        assert_eq!(MirrorSpec::from_text(&format!("{}{}", &text[..start], &text[end..])), Ok(plain));
    }

    #[test]
    fn a_damaged_or_newer_job_is_refused() {
        let text = mirror_spec().to_text().unwrap();
        let newer = text.replace("\"format\":1", "\"format\":2");
        assert_eq!(MirrorSpec::from_text(&newer).map_err(|e| e.code), Err(Code::NewerFormat));
        for bad in
            ["", "{}", &text.replace("//fs:4450/d$/a b", "//fs:0/x"), &text.replace("*.tmp", "[z-a]{"), &text[..40]]
        {
            assert_eq!(MirrorSpec::from_text(bad).map_err(|e| e.code), Err(Code::RecordsDamaged), "{bad}");
        }
        let relative = MirrorSpec::new(Origin::Local { path: "etc".into() }).to_text().unwrap();
        assert!(MirrorSpec::from_text(&relative).is_err());
    }

    #[test]
    fn the_order_of_rules_decides() {
        let excluded = |mirror_spec: &MirrorSpec, path: &str| {
            mirror_spec.filter().unwrap().excludes(&octo_core::RelPath::parse(path.as_bytes()).unwrap(), false)
        };
        let mut mirror_spec = mirror_spec();
        assert!(excluded(&mirror_spec, "x/A.TMP") && !excluded(&mirror_spec, "x/Keep.tmp"));
        mirror_spec.rules.reverse();
        assert!(excluded(&mirror_spec, "x/keep.tmp"));
    }
}
