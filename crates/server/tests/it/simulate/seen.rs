//! What the database says at one moment.

use octo_api::job::Slot;
use octo_api::notify::QueuedMessage;
use octo_core::RunReport;
use octo_job::{Job, Policy};
use octo_server::notify::Recipient;
use octo_server::run::{Run, State};
use octo_server::store::{Store, jobs, outbox, recipients, runs, settings, slots};
use std::collections::BTreeMap;

#[derive(Clone, Default)]
pub struct Seen {
    pub jobs: BTreeMap<i64, Job>,
    pub runs: BTreeMap<i64, Run>,
    pub reports: BTreeMap<i64, RunReport>,
    /// By job and moment.
    pub slots: BTreeMap<i64, BTreeMap<i64, Slot>>,
    pub messages: BTreeMap<i64, QueuedMessage>,
    pub recipients: BTreeMap<String, Recipient>,
    /// What a person has set.
    pub settings: Vec<Option<String>>,
    pub audited: i64,
}

/// Settings that a person sets.
const SETTINGS: [&str; 3] = ["defaults", "mail-server", "digest-schedule"];

impl Seen {
    pub fn look(store: &Store) -> Seen {
        let look = store.read(|db| {
            let mut seen = Seen::default();
            for job in jobs::list(db)? {
                let all = slots::list(db, job.id, None, u32::MAX)?;
                seen.slots.insert(job.id, all.into_iter().map(|slot| (slot.due_at.0, slot)).collect());
                seen.jobs.insert(job.id, job);
            }
            for run in runs::list(db, None, None, u32::MAX)? {
                seen.reports.extend(runs::report(db, run.id)?.map(|report| (run.id, report)));
                seen.runs.insert(run.id, run);
            }
            seen.messages =
                outbox::list(db, None, u32::MAX)?.into_iter().map(|message| (message.id, message)).collect();
            seen.recipients = recipients::list(db)?.into_iter().map(|them| (them.name.clone(), them)).collect();
            seen.settings = SETTINGS.iter().map(|name| settings::get(db, name)).collect::<Result<_, _>>()?;
            seen.audited = db.query_row("SELECT COALESCE(MAX(id), 0) FROM audit", [], |row| row.get(0))?;
            Ok(seen)
        });
        look.expect("a database that can be read")
    }

    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.values().find(|job| job.spec.name == name)
    }

    /// The policy of a job, the server's defaults below it.
    pub fn policy(&self, job: &Job) -> Policy {
        let own: Policy =
            self.settings[0].as_ref().map(|text| serde_json::from_str(text).expect("defaults")).unwrap_or_default();
        job.spec.policy.over(&own.over(&Policy::built_in()))
    }

    pub fn of_job(&self, job: i64) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(move |run| run.job_id == job)
    }

    /// What is new or goes on, without the paths of this machine: for the trace of a world.
    pub fn digest(&self) -> String {
        let jobs = self.jobs.values().map(|job| {
            let spec = &job.spec;
            (job.id, job.revision, &spec.name, &spec.schedule, spec.paused, job.slots_until, &job.dismissed_plan)
        });
        let jobs: Vec<_> = jobs.collect();
        let going: Vec<_> = self.runs.values().filter(|run| run.state != State::Finished).collect();
        let waiting: Vec<_> = self.messages.values().filter(|message| message.next_try_at.is_some()).collect();
        let last = (self.runs.last_key_value(), self.messages.last_key_value());
        let slots: Vec<_> = self.slots.values().map(|slots| (slots.len(), slots.last_key_value())).collect();
        format!("{jobs:?}{going:?}{waiting:?}{last:?}{slots:?}{:?}{}", self.recipients.keys(), self.audited)
    }
}
