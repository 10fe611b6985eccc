//! Whether the server can do its work: its database is whole and in place, its key is where the next start looks for it, and
//! what happens can be written down.
//!
//! Anybody may ask at any time, so a finding is reused for some seconds. It must never say that all is well because
//! nothing was looked at.

use crate::moment::Moment;
use crate::store::{Store, settings};
use crate::vault::Vault;
use octo_api::server::Finding;
use octo_core::Clock;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a finding is reused.
const FRESH: Duration = Duration::from_secs(5);
/// All pages of the database are looked through at most so often, and take at most a fiftieth of the time.
const PAGES_EVERY: Duration = Duration::from_secs(15);
const PAGES_SHARE: u32 = 50;
/// As much as a run's first lines and the next change of the database need.
const PROBE_BYTES: usize = 256 << 10;
/// The file that is written to see whether one can be.
const PROBE: &str = "write-probe";
/// The setting that is written to see whether one can be.
const LOOKED_AT: &str = "health-looked-at";

/// What was found last.
#[derive(Default)]
pub struct Health(Mutex<Known>);

#[derive(Default)]
struct Known {
    findings: Vec<Finding>,
    /// By the monotonic clock.
    looked_at: Option<Duration>,
    pages_due_at: Option<Duration>,
}

impl Health {
    /// How things are, at most a few seconds ago.
    pub fn findings(&self, store: &Store, vault: &Vault, clock: &dyn Clock) -> Vec<Finding> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.monotonic();
        if known.looked_at.is_none_or(|at| now.saturating_sub(at) >= FRESH) {
            if known.pages_due_at.is_none_or(|due| now >= due) {
                // What it finds, the store keeps.
                let _ = store.look_through();
                let end = clock.monotonic();
                known.pages_due_at = Some(end + PAGES_EVERY + end.saturating_sub(now).saturating_mul(PAGES_SHARE));
            }
            known.findings = look(store, vault, clock);
            known.looked_at = Some(clock.monotonic());
        }
        known.findings.clone()
    }
}

/// Only what is wrong, in one sentence; nothing if all is well.
pub fn trouble(findings: Vec<Finding>) -> Option<String> {
    let bad: Vec<String> =
        findings.into_iter().filter(|it| !it.is_well).map(|it| format!("{}: {}", it.about, it.detail)).collect();
    (!bad.is_empty()).then(|| bad.join("; "))
}

/// Looks now, except through the pages of the database.
fn look(store: &Store, vault: &Vault, clock: &dyn Clock) -> Vec<Finding> {
    let folder = store.folder();
    let key = vault.check().map(|()| format!("{} is in place", vault.file().display()));
    let writes = writes(folder).map(|()| format!("{} can be written to", folder.display()));
    vec![
        Finding::of("database", database(store, clock)),
        Finding::of("key", key.map_err(|error| error.to_string())),
        Finding::of("data directory", writes),
    ]
}

fn database(store: &Store, clock: &dyn Clock) -> Result<String, String> {
    let path = store.path().display();
    let how = "stop the server and put back a copy made by octobackup backup";
    if !store.is_in_place() {
        return Err(format!("{path} was moved away or replaced under the running server; {how}, or the file itself"));
    }
    if store.is_damaged() {
        return Err(format!("{path} is damaged; {how}. octobackup self-check says where it is damaged"));
    }
    let now = Moment::now(clock).to_string();
    store.change(|db| settings::put(db, LOOKED_AT, &now)).map_err(|why| {
        format!("{path} cannot be written ({why}): no run starts and nothing is recorded; make room on its disk")
    })?;
    Ok(format!("{path} can be read and written"))
}

#[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
fn writes(folder: &Path) -> Result<(), String> {
    let path = folder.join(PROBE);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(&vec![0x6f; PROBE_BYTES])?;
        file.sync_all()
    };
    let written = write();
    // What was half written must not stay.
    let removed = std::fs::remove_file(&path);
    written.and(removed).map_err(|error| {
        let folder = folder.display();
        format!("{folder} cannot be written to ({error}): runs and slots are not recorded; make room on its disk, or mount it writable")
    })
}
