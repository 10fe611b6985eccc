//! The past of a job's mirror: its states, and what is in them. Nothing here changes anything.

use super::{PAGE_MAX, Service};
use crate::history::{self, FindAsked};
use crate::service_error::{Kind, ServiceError};
use octo_api::history as api;
use octo_core::path::text_to_bytes;
use octo_core::{Cancel, Code, Error, Kind as EntryKind, Name, Target};
use octo_mirror::history::{History, NamePattern};
use std::path::PathBuf;

/// What is looked for in all states.
#[derive(Debug, Clone, Default)]
pub struct FindNames {
    /// A name; `*` matches any characters, `?` exactly one.
    pub pattern: String,
    /// Only below this folder.
    pub below: String,
    /// Whatever the case.
    pub ignore_case: bool,
    /// Only what comes after this one.
    pub after: Option<String>,
    /// The most entries.
    pub limit: u32,
}

/// Which differences.
#[derive(Debug, Clone, Default)]
pub struct DiffAsked {
    /// The earlier state.
    pub from: String,
    /// The later one.
    pub to: String,
    /// Only below this folder.
    pub below: String,
    /// So many are left out.
    pub after: u64,
    /// The most.
    pub limit: u32,
}

impl Service {
    /// The states of a job's mirror, the newest first; those before `before`.
    pub fn states(&self, job: &str, before: Option<u64>, limit: u32) -> Result<Vec<api::KeptState>, ServiceError> {
        self.look_back(job, |_, history| {
            let states = history::states(history)?;
            let older = states.into_iter().filter(|it| before.is_none_or(|before| it.state < before));
            Ok(older.take(limit.min(PAGE_MAX) as usize).collect())
        })
    }

    /// A page of a folder of a state: what comes after a name.
    pub fn state_folder(
        &self,
        job: &str,
        state: &str,
        path: &str,
        (after, limit): (Option<&str>, u32),
    ) -> Result<api::StateFolder, ServiceError> {
        let path = history::path(path).map_err(wrong("path"))?;
        let after = after.map(name).transpose()?;
        self.look_back(job, |_, history| {
            let state = history.state(history::when(state).map_err(wrong("state"))?).map_err(of("state"))?;
            if let Some(meta) = history::demand(history, &state, &path).map_err(of("path"))?
                && meta.kind != EntryKind::Folder
            {
                let what = format!("{path} is not a folder in state {}", state.number());
                return Err(ServiceError::field("path", what));
            }
            Ok(history::folder(&state, &path, after.as_ref(), rows(limit))?)
        })
    }

    /// A page of what is called so in any state, with all versions.
    pub fn find_names(&self, job: &str, asked: &FindNames, cancel: &Cancel) -> Result<api::Found, ServiceError> {
        let none = || ServiceError::field("pattern", "a name is needed; * matches any characters, ? exactly one");
        let pattern = text_to_bytes(&asked.pattern).filter(|bytes| !bytes.is_empty()).ok_or_else(none)?;
        let pattern = NamePattern::new(&pattern, asked.ignore_case);
        let below = history::path(&asked.below).map_err(wrong("path"))?;
        let after = asked.after.as_deref().map(history::path).transpose().map_err(wrong("after"))?;
        let wanted = FindAsked { pattern: &pattern, below: &below, after: after.as_ref() };
        self.look_back(job, |_, history| Ok(history::find(history, &wanted, rows(asked.limit), cancel)?))
    }

    /// All versions of an entry, the newest first.
    pub fn versions(&self, job: &str, path: &str) -> Result<Vec<api::Version>, ServiceError> {
        let path = history::path(path).map_err(wrong("path"))?;
        self.look_back(job, |_, history| history::versions(history, &path).map_err(of("path")))
    }

    /// A page of what differs between two states.
    pub fn differences(&self, job: &str, asked: &DiffAsked, cancel: &Cancel) -> Result<api::Differences, ServiceError> {
        let below = history::path(&asked.below).map_err(wrong("path"))?;
        self.look_back(job, |_, history| {
            let earlier = history.state(history::when(&asked.from).map_err(wrong("state"))?).map_err(of("state"))?;
            let later = history.state(history::when(&asked.to).map_err(wrong("to"))?).map_err(of("to"))?;
            let part = (asked.after, rows(asked.limit));
            Ok(history::differences(history, [&earlier, &later], &below, part, cancel)?)
        })
    }

    /// Looks into the past of a job's mirror.
    pub(super) fn look_back<T>(
        &self,
        job: &str,
        look: impl FnOnce(&dyn Target, &History<'_>) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let mirror = self.mirror_of(job)?;
        let unclear = |error: Error| match error.code {
            Code::Usage | Code::NotMounted => super::conflict(format!("{}: {}", mirror.display(), error.detail)),
            _ => error.into(),
        };
        let target = history::open(&mirror).map_err(unclear)?;
        look(&target, &history::of(&target).map_err(unclear)?)
    }

    /// Where the mirror of a job is.
    pub(super) fn mirror_of(&self, job: &str) -> Result<PathBuf, ServiceError> {
        let job = self.shared.store.read(|db| super::jobs::find(db, job))?;
        Ok(job.spec.target_path()?)
    }
}

/// Rows of a page.
fn rows(limit: u32) -> usize {
    limit.clamp(1, PAGE_MAX) as usize
}

/// What there is not, is not found; what it says names what there is instead.
fn of(field: &'static str) -> impl Fn(Error) -> ServiceError {
    move |error| match error.code {
        Code::Usage => {
            ServiceError { field: Some(field.to_owned()), ..ServiceError::new(Kind::NotFound, error.detail) }
        }
        _ => error.into(),
    }
}

/// What no path or state can be.
fn wrong(field: &'static str) -> impl Fn(Error) -> ServiceError {
    move |error| ServiceError::field(field, error.detail)
}

fn name(text: &str) -> Result<Name, ServiceError> {
    let wrong = || ServiceError::field("after", format!("{text:?} is not a name"));
    let bytes = text_to_bytes(text).ok_or_else(wrong)?;
    Name::new(bytes).map_err(|_| wrong())
}
