//! A whole set of jobs as a person keeps it in a file: what `octobackup export` prints and `octobackup apply` reads.

use crate::settings::Policy;
use crate::spec::JobSpec;
use octo_api::error::{ApiError, Kind};
use serde::{Deserialize, Serialize};

/// What a jobs file says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsFile {
    /// The server's defaults; left out, they stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Policy>,
    /// The jobs.
    #[serde(default, rename = "job")]
    pub jobs: Vec<FileJob>,
}

/// A job in a file. The pause is a state of the moment that a file need not follow: left out, a paused job stays paused and
/// another one goes on.
pub type FileJob = JobSpec<Option<bool>>;

impl JobsFile {
    /// Reads a jobs file. An error names the line.
    pub fn parse(text: &str) -> Result<JobsFile, ApiError> {
        toml::from_str(text).map_err(|e| ApiError::new(Kind::Invalid, e.to_string().trim_end()))
    }

    /// As [`JobsFile::parse`] reads it.
    pub fn to_text(&self) -> Result<String, ApiError> {
        toml::to_string(self).map_err(|e| ApiError::new(Kind::Internal, format!("the jobs cannot be written: {e}")))
    }
}

impl FileJob {
    /// The job that the file describes, where `there` is the job of that name now.
    pub fn over(&self, there: Option<&JobSpec>) -> JobSpec {
        let paused = self.paused.unwrap_or(there.is_some_and(|there| there.paused));
        self.clone().with_paused(paused)
    }
}

impl From<JobSpec> for FileJob {
    /// Only a pause is written.
    fn from(spec: JobSpec) -> FileJob {
        let paused = spec.paused.then_some(true);
        spec.with_paused(paused)
    }
}
