//! The server's own data: copied while it works, and looked at.
//!
//! A copy is a data directory: database, key, and what agents and browsers know this server by. It gets its name only when
//! all of it is on the disk, so that what has the name is whole. Nothing that exists is ever written to.

use super::{Caller, Service, conflict, unlocked};
use crate::moment::Moment;
use crate::service_error::{Kind, ServiceError};
use crate::store::{audit, credentials, jobs, prune, settings};
use octo_api::server::{Backup, Finding};
use octo_core::Target;
use octo_disk::{DiskOptions, DiskTarget};
use octo_job::Job;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was found: all is well, or what is wrong.
type Answer = Result<String, String>;

/// The setting that records the last copy.
const LAST: &str = "last-backup";
/// What belongs to a data directory besides its database and its key.
const FOLDERS: [&str; 2] = ["agents", "tls"];
/// A copy that is older than this is not the one that somebody would want.
const AGE_MAX_DAYS: i64 = 8;
const DAY_SECS: i64 = 86_400;
/// Mirrors that take longer than this are reported as hanging. Disks that sleep wake up sooner.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
struct Last {
    at: Moment,
    folder: String,
}

impl Service {
    /// Copies everything that the server knows to a folder that does not exist yet. The server goes on meanwhile.
    #[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
    pub fn back_up(&self, caller: &Caller, folder: &str) -> Result<Backup, ServiceError> {
        let path = Path::new(folder);
        let wrong = |why: &str| ServiceError::field("folder", format!("{folder:?}: {why}"));
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(wrong("it must be an absolute path, such as /media/usb/octobackup-2026-08-04"));
        };
        if !path.is_absolute() || folder.contains('\0') {
            return Err(wrong("it must be an absolute path, such as /media/usb/octobackup-2026-08-04"));
        }
        let data = self.shared.store.folder();
        // As the disk sees it: links and `..` lead elsewhere than they look.
        let real = |path: &Path| path.canonicalize().map_err(|e| wrong(&format!("{}: {e}", path.display())));
        if real(parent)?.starts_with(real(data)?) {
            return Err(wrong("a copy inside the data directory is lost with it"));
        }
        octo_disk::marker_above(path)
            .map_err(|e| wrong(&format!("{}; a copy in a mirror is deleted with it", e.detail)))?;
        if path.symlink_metadata().is_ok() {
            return Err(wrong("it exists already; a copy needs a folder of its own"));
        }
        let unfinished = parent.join(format!("{name}.unfinished"));
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::AlreadyExists => {
                conflict(format!("{} is of a copy that did not end; remove it", unfinished.display()))
            }
            _ => wrong(&e.to_string()),
        };
        DirBuilder::new().mode(0o700).create(&unfinished).map_err(failed)?;
        let made = self.write_copy(data, &unfinished).and_then(|made| {
            std::fs::rename(&unfinished, path).and_then(|()| sync_folder(parent)).map_err(failed).map(|()| made)
        });
        let (bytes, has_key) = made.inspect_err(|_| drop(std::fs::remove_dir_all(&unfinished)))?;
        let now = self.shared.now();
        let last = serde_json::to_string(&Last { at: now, folder: folder.to_owned() })?;
        self.shared.store.change(|db| {
            settings::put(db, LAST, &last)?;
            audit::add(db, now, &caller.name, "server.backup", "", folder)
        })?;
        Ok(Backup { folder: folder.to_owned(), bytes, has_key })
    }

    /// Everything into an empty folder, and on the disk. Returns its size, and whether it contains the key.
    fn write_copy(&self, data: &Path, to: &Path) -> Result<(u64, bool), ServiceError> {
        let failed = |e: io::Error| ServiceError::new(Kind::Internal, format!("{}: {e}", to.display()));
        let database = to.join(crate::store::FILE);
        // Made by us, so that it is private from its first byte.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&database).map_err(failed)?;
        self.shared.store.copy_to(&database)?;
        let mut bytes = sync(&database).map_err(failed)?;
        let has_key = self.shared.vault.file().parent() == Some(data);
        if has_key {
            let name = self.shared.vault.file().file_name().unwrap_or_default();
            bytes += copy_file(self.shared.vault.file(), &to.join(name)).map_err(failed)?;
        }
        for folder in FOLDERS {
            bytes += copy_folder(&data.join(folder), &to.join(folder)).map_err(failed)?;
        }
        sync_folder(to).map_err(failed)?;
        Ok((bytes, has_key))
    }

    /// Looks at what the server depends on. Changes nothing.
    pub fn self_check(&self) -> Result<Vec<Finding>, ServiceError> {
        let shared = &self.shared;
        let pages = shared.store.prove().map(|()| "every page and row is whole".into());
        let mut findings = vec![finding("database", pages)];
        // That the pages can be read says nothing of what can be written.
        findings.extend(shared.findings().into_iter().filter(|it| !it.is_well || it.about != "database"));
        let known = shared.store.read(|db| Ok((jobs::list(db)?, credentials::list(db)?, settings::get(db, LAST)?)));
        let (jobs, credentials, last) = match known {
            Ok(known) => known,
            Err(error) => {
                findings.push(finding("jobs", Err(format!("they cannot be read: {error}"))));
                return Ok(findings);
            }
        };
        let doubt = shared.store.read(|db| prune::clock_doubt(db, shared.clock.now()))?;
        let clock = doubt.map_or(Ok("it goes on from where it was".to_owned()), |doubt| Err(doubt.to_string()));
        findings.push(finding("clock", clock));
        for credential in credentials {
            let opened = unlocked(shared, &credential.name, None).map(|_| "its password can be read".to_owned());
            findings.push(finding(&format!("credential {}", credential.name), opened.map_err(|e| e.to_string())));
        }
        findings.push(finding("disk of the data directory", space(shared.store.folder())));
        findings.push(finding("copy of the server's own data", recent(last.as_deref(), shared.now())));
        findings.extend(self.doubled_agents());
        let ask = |job: Job| {
            let about = format!("mirror of {}", job.spec.name);
            (shared.disks.begin(&about, ANSWER_WITHIN, move || Ok(mirror(&job))), about)
        };
        // All are asked before the first is waited for.
        let asked: Vec<_> = jobs.into_iter().map(ask).collect();
        findings.extend(asked.into_iter().map(|(asked, about)| {
            let answer = asked.and_then(|question| question.answer(None));
            finding(&about, answer.unwrap_or_else(|hangs| Err(hangs.detail)))
        }));
        Ok(findings)
    }
}

fn finding(about: &str, found: Answer) -> Finding {
    Finding::of(about, found)
}

fn space(folder: &Path) -> Answer {
    let space = DiskTarget::open(folder, DiskOptions::default()).and_then(|disk| disk.space());
    let space = space.map_err(|e| e.to_string())?;
    let free = octo_core::numbers::size(space.free_bytes);
    if space.free_bytes < space.reserve_bytes() {
        return Err(format!("only {free} are free; make room, or no run can be written down"));
    }
    Ok(format!("{free} are free"))
}

fn recent(last: Option<&str>, now: Moment) -> Answer {
    let how = "make one with: octobackup backup FOLDER";
    let last = last.and_then(|text| serde_json::from_str::<Last>(text).ok());
    let Last { at, folder } = last.ok_or_else(|| format!("there is none; {how}"))?;
    if now.0.saturating_sub(at.0) > AGE_MAX_DAYS * DAY_SECS {
        return Err(format!("the last one is of {at} ({folder}); {how}"));
    }
    Ok(format!("made {at} ({folder})"))
}

/// Whether what is at a job's target is the mirror that was last seen there.
fn mirror(job: &Job) -> Answer {
    let target = job.spec.target_path().map_err(|e| e.to_string())?;
    let Some(known) = &job.target_id else { return Ok("there was no run yet".to_owned()) };
    let found = DiskTarget::open(&target, DiskOptions::default()).and_then(|disk| octo_mirror::target_id(&disk));
    match found.map_err(|e| e.to_string())? {
        Some(id) if id == *known => Ok(format!("it is at {}", target.display())),
        Some(_) => Err(format!("another mirror is at {}; is the right disk mounted?", target.display())),
        None => Err(format!("it is not at {}; is its disk mounted?", target.display())),
    }
}

/// Returns the size.
fn sync(file: &Path) -> io::Result<u64> {
    let file = File::open(file)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let bytes = io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()?;
    Ok(bytes)
}

/// Files and folders, and nothing else; what is not there has nothing to copy.
fn copy_folder(from: &Path, to: &Path) -> io::Result<u64> {
    if !from.exists() {
        return Ok(0);
    }
    DirBuilder::new().mode(0o700).create(to)?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, place): (_, PathBuf) = (entry.file_type()?, to.join(entry.file_name()));
        // A file with this ending is about to get another's name.
        if kind.is_file() && place.extension().is_none_or(|ending| ending != "new") {
            bytes += copy_file(&entry.path(), &place)?;
        } else if kind.is_dir() {
            bytes += copy_folder(&entry.path(), &place)?;
        }
    }
    sync_folder(to)?;
    Ok(bytes)
}
