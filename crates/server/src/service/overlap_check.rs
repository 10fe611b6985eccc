//! Whether jobs stay out of each other's mirrors and out of the server's own data, asked of the disks and not of the text of
//! paths. A disk that hangs is not waited for: the run looks again.

use crate::app_state::AppState;
use crate::service_error::ServiceError;
use octo_core::advice::{Place, advice};
use octo_core::{Code, Error};
use octo_disk::FolderLocation;
use octo_job::{Job, JobSpec};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Disks that sleep wake up sooner.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What the disks said.
#[derive(Default)]
pub(super) struct OverlapCheck(Arc<Mutex<Found>>);

#[derive(Default)]
struct Found {
    /// Where each target is.
    targets: BTreeMap<String, FolderLocation>,
    /// Sources and targets that overlap with the server's own data.
    own: BTreeMap<String, Error>,
}

impl OverlapCheck {
    /// Asks where everything of `new` is, and where the targets of `others` are.
    pub(super) fn look<'a>(
        shared: &AppState,
        new: impl Iterator<Item = &'a JobSpec>,
        others: impl Iterator<Item = &'a JobSpec>,
    ) -> OverlapCheck {
        let found: Arc<Mutex<Found>> = Arc::default();
        let mut asked = BTreeMap::new();
        for (spec, is_new) in new.map(|spec| (spec, true)).chain(others.map(|spec| (spec, false))) {
            let source = spec.local_source().filter(|_| is_new);
            for (text, path, is_target) in
                [(&spec.source, source, false), (&spec.target, spec.target_path().ok(), true)]
            {
                let Some(path) = path else { continue };
                let (text, protected, found) = (text.clone(), shared.protected.clone(), found.clone());
                let about = format!("the place of {} {text}", if is_target { "the target" } else { "the source" });
                let look = move || {
                    let own = protected.check(&path).err().filter(|error| error.code == Code::OwnData);
                    let place = if is_target { FolderLocation::of(&path).ok() } else { None };
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    own.map(|error| found.own.insert(text.clone(), error));
                    place.map(|place| found.targets.insert(text, place));
                    Ok(())
                };
                asked.entry(about).or_insert_with_key(|about| shared.disks.begin(about, ANSWER_WITHIN, look));
            }
        }
        for question in asked.into_values().flatten() {
            // Who does not answer is judged by text, and by the run.
            let _ = question.answer(None);
        }
        OverlapCheck(found)
    }

    /// Two jobs with one target would delete each other's files; the engine refuses too, but only at night. `me` is the job's
    /// own id.
    pub(super) fn check(&self, spec: &JobSpec, all: &[Job], me: Option<i64>) -> Result<(), ServiceError> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (field, text) in [("source", &spec.source), ("target", &spec.target)] {
            if let Some(error) = found.own.get(text) {
                return Err(ServiceError::field(
                    field,
                    format!("{}. {}", error.detail, advice(error.code, &spec.source, Place::Job(&spec.name))),
                ));
            }
        }
        let mine = spec.target_path()?;
        for other in all.iter().filter(|job| Some(job.id) != me) {
            let theirs: PathBuf = other.spec.target_path()?;
            let (one, another) = (found.targets.get(&spec.target), found.targets.get(&other.spec.target));
            let are_one = one.zip(another).is_some_and(|(one, another)| one.overlaps(another));
            if are_one || mine.starts_with(&theirs) || theirs.starts_with(&mine) {
                let (name, target) = (&other.spec.name, &other.spec.target);
                return Err(ServiceError::field(
                    "target",
                    format!("it overlaps with {target}, the target of job {name}"),
                ));
            }
        }
        Ok(())
    }
}
