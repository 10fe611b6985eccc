//! The one service layer: everything that may be done with a server, whoever asks. REST, command line and web pages sit on
//! it and add nothing but form.
//!
//! Every method checks its input before it changes anything, and every change is in the audit log, in the same
//! transaction. Secrets go in and never come out.

mod access;
mod apart;
mod apply;
mod backup;
mod credential_uses;
mod credentials;
mod digest;
mod hosts;
mod jobs;
mod notify;
mod page;
mod runs;

pub use access::{LoggedOn, NewToken, UserView};
pub use apply::{Change, Field, What, Wish};
pub use backup::{Backup, Finding};
pub(crate) use credential_uses::{check as check_credential_use, use_of};
pub use credentials::CredentialView;
pub use credentials::Tested;
pub(crate) use credentials::{account, unlocked};
pub use hosts::{HostView, Invitation};
pub use jobs::{JobView, Upcoming};
pub use page::{ByName, PAGE};
pub use runs::{LogPart, RunView};

use crate::job::{JobSpec, Policy};
use crate::moment::Moment;
use crate::refusal::{Kind, Refusal};
use crate::shared::Shared;
use crate::store::audit::Entry;
use crate::store::{audit, jobs as stored_jobs, settings};
use rusqlite::Connection;
use std::sync::Arc;

/// The setting that holds the server's defaults.
const DEFAULTS: &str = "defaults";
/// Rows of one page.
pub const PAGE_MAX: u32 = 500;

/// Who asks. Whether they may ask at all was decided at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// For the audit log.
    pub name: String,
}

/// The service.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

impl Service {
    /// Over what a server has.
    pub fn new(shared: Arc<Shared>) -> Service {
        Service { shared }
    }

    /// What goes on at this moment.
    pub fn live(&self) -> &crate::live::Live {
        &self.shared.live
    }

    /// The server's defaults, without what is built in.
    pub fn defaults(&self) -> Result<Policy, Refusal> {
        self.shared.store.read(own_defaults)
    }

    /// Sets the server's defaults. Refused if a job would make no sense with them.
    pub fn set_defaults(&self, caller: &Caller, policy: &Policy) -> Result<(), Refusal> {
        policy.check()?;
        let holds = policy.over(&Policy::built_in())?;
        self.shared.store.change(|db| {
            for job in crate::store::jobs::list(db)? {
                jobs::check(db, &job.spec, &holds).map_err(|refusal| Refusal {
                    detail: format!("the job {} would make no sense: {}", job.spec.name, refusal.detail),
                    ..refusal
                })?;
            }
            put_defaults(db, caller, policy, self.shared.now())
        })?;
        self.shared.nudge();
        Ok(())
    }

    /// Who changed what, the newest first.
    pub fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<Entry>, Refusal> {
        self.write_refusals()?;
        self.shared.store.read(|db| audit::list(db, before, limit.min(PAGE_MAX)))
    }

    /// Fails, with what is wrong and what to do, if the server cannot do its work.
    pub fn is_healthy(&self) -> Result<(), Refusal> {
        let trouble = self.shared.health.trouble(&self.shared);
        trouble.map_or(Ok(()), |why| Err(Refusal::new(Kind::Internal, why)))
    }
}

fn own_defaults(db: &Connection) -> Result<Policy, Refusal> {
    Ok(settings::get(db, DEFAULTS)?.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default())
}

/// Where they name another zone, the slots of the jobs that follow it begin now, as those of a job that is given another zone.
fn put_defaults(db: &Connection, caller: &Caller, policy: &Policy, now: Moment) -> Result<(), Refusal> {
    if policy.over(&Policy::built_in())?.zone()? != defaults(db)?.zone()? {
        for job in stored_jobs::list(db)?.iter().filter(|job| job.spec.policy.time_zone.is_none()) {
            stored_jobs::set_slots_until(db, job.id, now)?;
        }
    }
    let text = serde_json::to_string(policy)?;
    settings::put(db, DEFAULTS, &text)?;
    audit::add(db, now, &caller.name, "defaults.set", "", &text)
}

/// The server's defaults over what is built in.
pub(crate) fn defaults(db: &Connection) -> Result<Policy, Refusal> {
    own_defaults(db)?.over(&Policy::built_in())
}

/// The whole policy of a job.
pub(crate) fn holds(spec: &JobSpec, defaults: &Policy) -> Result<Policy, Refusal> {
    spec.policy.over(defaults)
}

fn conflict(detail: impl std::fmt::Display) -> Refusal {
    Refusal::new(Kind::Conflict, detail)
}
