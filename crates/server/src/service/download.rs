//! Downloads of what is in a state. Each is in the audit log: it hands out contents.

use super::{Caller, Service};
use crate::download::{Download, Format, Head};
use crate::history;
use crate::service_error::{Kind, ServiceError};
use crate::store::audit;
use octo_core::{Cancel, Code, Error};
use std::io::Write;

/// What is to be downloaded.
#[derive(Debug, Clone)]
pub struct DownloadAsked {
    /// A file or a folder; nothing for the whole state.
    pub path: String,
    /// How a folder is packed: `zip` or `tar.zst`.
    pub format: String,
}

impl Service {
    /// Sends a file or a folder of a state to what `begin` makes, once it is sure that it is there. How many entries of an archive
    /// are not whole.
    pub fn download<W: Write>(
        &self,
        caller: &Caller,
        (job, state): (&str, &str),
        asked: &DownloadAsked,
        begin: impl FnOnce(Head) -> W,
    ) -> Result<u64, ServiceError> {
        let allowed = || ServiceError::field("format", format!("{:?}: allowed are zip and tar.zst", asked.format));
        let format = Format::read(&asked.format).ok_or_else(allowed)?;
        let usage = |field: &'static str, kind: Kind| {
            move |error: Error| match error.code {
                Code::Usage => ServiceError { kind, ..ServiceError::field(field, error.detail) },
                _ => error.into(),
            }
        };
        let path = history::path(&asked.path).map_err(usage("path", Kind::Invalid))?;
        let when = history::when(state).map_err(usage("state", Kind::Invalid))?;
        self.look_back(job, |target, mirror| {
            let state = mirror.state(when).map_err(usage("state", Kind::NotFound))?;
            let download = Download::of((target, mirror, &state), path, format, job);
            let (download, head) = download.map_err(usage("path", Kind::NotFound))?;
            let what = format!("state {}: {}", state.number(), asked.path);
            let now = self.shared.now();
            self.shared.store.change(|db| audit::add(db, now, &caller.name, "download", job, &what))?;
            Ok(download.send(job, begin(head), &Cancel::new())?)
        })
    }
}
