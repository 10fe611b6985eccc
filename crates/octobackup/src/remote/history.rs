//! The past of a job's mirror, as a server tells it.

use super::answer::{CommandResult, client};
use super::run::watch;
use crate::args::server::ServerArgs;
use octo_api::history::{Differences, Found, KeptState, StateFolder, Version};
#[cfg(unix)]
use octo_api::job::{JobSpec, JobView};
use octo_api::restore::StartRestore;
use octo_api::run::Run;
use octo_api::{ApiError, Moment, PAGE_MAX};
use octo_client::{Client, escaped};
use octo_core::RelPath;
use octo_mirror::history::When;

/// A job of a server, whose mirror is looked into.
pub struct Job {
    client: Client,
    name: String,
}

impl Job {
    /// Of the server that is named.
    pub fn of(server: &ServerArgs, name: &str) -> Result<Job, ApiError> {
        Ok(Job { client: client(server)?, name: name.to_owned() })
    }

    /// Where its mirror is, on the server's machine.
    #[cfg(unix)]
    pub fn target(&self) -> Result<std::path::PathBuf, ApiError> {
        let view: JobView<JobSpec> = self.client.get(&self.path(""))?;
        Ok(view.job.spec.target.into())
    }

    fn path(&self, rest: &str) -> String {
        format!("/jobs/{}{rest}", escaped(&self.name))
    }

    /// All states, the newest first.
    pub fn states(&self) -> Result<Vec<KeptState>, ApiError> {
        let mut all: Vec<KeptState> = Vec::new();
        loop {
            let before = all.last().map(|state| format!("&before={}", state.state)).unwrap_or_default();
            let page: Vec<KeptState> = self.client.get(&self.path(&format!("/states?limit={PAGE_MAX}{before}")))?;
            let is_last = page.len() < PAGE_MAX as usize;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// A folder of a state, page by page.
    pub fn folder(&self, at: &str, folder: &RelPath, mut each: impl FnMut(StateFolder)) -> Result<(), ApiError> {
        let (mut at, mut after) = (at.to_owned(), String::new());
        loop {
            let path = escaped(&folder.to_text());
            let asked = format!("/states/{}/list?path={path}&limit={PAGE_MAX}{after}", escaped(&at));
            let page: StateFolder = self.client.get(&self.path(&asked))?;
            // The next page is of the same state, even if a run ends meanwhile.
            at = page.state.to_string();
            let next = page.next.clone();
            each(page);
            let Some(next) = next else { return Ok(()) };
            after = format!("&after={}", escaped(&next));
        }
    }

    /// All versions of an entry, the newest first.
    pub fn versions(&self, path: &RelPath) -> Result<Vec<Version>, ApiError> {
        self.client.get(&self.path(&format!("/versions?path={}", escaped(&path.to_text()))))
    }

    /// What is called so, page by page.
    pub fn find(
        &self,
        (pattern, ignore_case): (&str, bool),
        below: &RelPath,
        mut each: impl FnMut(&Version),
    ) -> Result<(), ApiError> {
        let (pattern, below) = (escaped(pattern), escaped(&below.to_text()));
        let mut after = String::new();
        loop {
            let asked =
                format!("/find?pattern={pattern}&path={below}&ignore_case={ignore_case}&limit={PAGE_MAX}{after}");
            let page: Found = self.client.get(&self.path(&asked))?;
            page.versions.iter().for_each(&mut each);
            let Some(next) = page.next else { return Ok(()) };
            after = format!("&after={}", escaped(&next));
        }
    }

    /// Restores at the server, and shows it up to its end.
    pub fn restore(&self, asked: &StartRestore, json: bool, quiet: bool) -> CommandResult {
        let run: Run = self.client.post(&self.path("/restores"), asked)?;
        watch(&self.client, &run, json, quiet)
    }

    /// What differs between two states, page by page.
    pub fn diff(
        &self,
        (from, to): (&str, &str),
        below: &RelPath,
        mut each: impl FnMut(&octo_api::history::Difference),
    ) -> Result<(), ApiError> {
        let (mut from, mut to, mut after) = (from.to_owned(), to.to_owned(), 0);
        loop {
            let (path, last) = (escaped(&below.to_text()), escaped(&to));
            let asked = format!("/states/{}/diff?to={last}&path={path}&after={after}&limit={PAGE_MAX}", escaped(&from));
            let page: Differences = self.client.get(&self.path(&asked))?;
            page.differences.iter().for_each(&mut each);
            let Some(next) = page.next else { return Ok(()) };
            (from, to, after) = (page.earlier.to_string(), page.later.to_string(), next);
        }
    }
}

/// A state, as an address calls it.
pub fn state(when: When) -> String {
    match when {
        When::Now => "now".to_owned(),
        When::Number(number) => number.to_string(),
        When::Time(time) => Moment::from(time).to_string(),
    }
}
