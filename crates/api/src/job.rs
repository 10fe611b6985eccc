//! Jobs and their slots: `/jobs` and `/schedule`.

use crate::moment::Moment;
use crate::run::Run;
use crate::words::words;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a person says of a job, as a client reads it: it keeps what it does not know, so that changing one field loses no other.
/// The server's own is `octo_job::JobSpec`; it says why they are two.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JobSpec {
    /// What it is called.
    pub name: String,
    /// `//HOST[:PORT]/SHARE[/PATH]`, `agent://HOST/FOLDER`, or a folder of the server's machine.
    pub source: String,
    /// The folder of the server's machine that becomes the mirror.
    pub target: String,
    /// The credential for a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// When it is due; never, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Its slots are skipped.
    #[serde(default)]
    pub paused: bool,
    /// Its settings by name, where it differs from the server's defaults.
    #[serde(default)]
    pub policy: Map<String, Value>,
    /// What a newer server says besides.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A job as the server keeps it. `S` is what a person said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job<S = JobSpec> {
    /// Never used again.
    pub id: i64,
    /// Counts the changes: a change names the revision that it changes.
    pub revision: i64,
    /// The mirror last seen at the target: how a disk that is not mounted is noticed.
    #[serde(default)]
    pub target_id: Option<String>,
    /// Held deletions that a person has dismissed, and of which no reminder is sent: the id of their plan.
    #[serde(default)]
    pub dismissed_plan: Option<String>,
    /// Every slot up to this moment has its record.
    pub slots_until: Moment,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub changed_at: Moment,
    /// What a person said.
    pub spec: S,
}

/// A job, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView<S = JobSpec> {
    /// The job.
    #[serde(flatten)]
    pub job: Job<S>,
    /// Every setting as it holds, and where it came from.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// The newest run that has ended, however long ago. Dry runs and what never began do not count.
    #[serde(default)]
    pub last_run: Option<Run>,
    /// The run that is under way, or the one that waits; a dry run too.
    #[serde(default)]
    pub current_run: Option<Run>,
    /// When it is due next.
    #[serde(default)]
    pub next_slot: Option<Moment>,
}

/// A change of a job, and the revision that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobChange<S = JobSpec> {
    /// Refused if it is not the newest.
    pub revision: i64,
    /// All that holds from now on.
    pub spec: S,
}

/// Held deletions that stay held, by the id of their plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dismiss {
    /// The plan.
    pub plan: String,
}

words! {
    /// Which layer said it.
    From {
        /// The program.
        BuiltIn = "built-in",
        /// The server's defaults.
        Defaults = "defaults",
        /// The job.
        Job = "job",
    }
}

/// One setting as it holds, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// What holds.
    pub value: Value,
    /// Which layer said it.
    pub from: From,
}

/// One moment at which a job was due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When the job was due.
    pub due_at: Moment,
    /// `run`, `late`, `skipped` or `missed`.
    pub fate: String,
    /// Why it was skipped or missed.
    pub why: String,
    /// The run it got.
    #[serde(default)]
    pub run: Option<i64>,
    /// When it was noticed.
    pub noticed_at: Moment,
}

/// A slot to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    /// The job.
    pub job: String,
    /// When it is due.
    pub due_at: Moment,
    /// How long its last complete run took.
    #[serde(default)]
    pub expected_secs: Option<i64>,
    /// It is paused: the slot will be skipped.
    pub paused: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_newer_server_says_is_ignored_and_of_a_spec_it_is_kept() {
        let spec =
            json!({"name": "n", "source": "/s", "target": "/t", "paused": false, "policy": {"new": 1}, "newer": [1]});
        let said = json!({
            "id": 1, "revision": 2, "slots_until": "2026-08-04T21:00:05Z", "created_at": "2026-08-04T21:00:05Z",
            "changed_at": "2026-08-04T21:00:05Z", "spec": spec, "also": "newer",
        });
        let job: JobView = serde_json::from_value(said).unwrap();
        assert_eq!((job.job.revision, job.next_slot), (2, None));
        assert_eq!(serde_json::to_value(job.job.spec).unwrap(), spec);
    }
}
