//! One restore: opens the mirror's state and the folder that is restored to, and starts the engine. The command line and the
//! server start their restores here, so that they cannot differ. It must never write where a link leads, into a mirror, or
//! into what a server keeps for itself.

use octo_core::report::{Cause, Counts};
use octo_core::{Cancel, Code, Error, Event, Monitor, Outcome, Problem, RelPath, RunReport, SmbAddress, Target};
use octo_disk::{DiskOptions, DiskTarget, Protected};
use octo_mirror::history::When;
use octo_mirror::restore::{Existing, FolderTarget, RestoreOptions, RestoreReport, restore};
use octo_smb::{Credentials, SmbOptions, SmbRestore};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Problems of each cause that a report names.
const EXAMPLES_MAX: usize = 5;

/// The folder that is restored to.
pub enum To {
    /// A person of this machine names it, and it is made if it is not there.
    Folder(PathBuf),
    /// Below a folder that the server's configuration allows: it is made and opened below its handle, through no link.
    Within {
        /// The allowed one; it must exist.
        allowed: PathBuf,
        /// Below it.
        below: RelPath,
    },
    /// A folder of a share, which is made if it is not there.
    Share(Box<ShareToRestoreTo>),
}

/// A folder of a share, and how to log on to it.
pub struct ShareToRestoreTo {
    /// The folder.
    pub address: SmbAddress,
    /// Who logs on.
    pub credentials: Credentials,
    /// And how.
    pub options: SmbOptions,
}

/// A place that is open.
enum Opened {
    Folder(Box<DiskTarget>),
    Share(Box<SmbRestore>),
}

impl To {
    /// Of a folder of this machine its path, to look at it.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            To::Folder(path) => Some(path.clone()),
            To::Within { allowed, below } => Some(allowed.join(below.to_os())),
            To::Share(_) => None,
        }
    }

    /// Opens it, if it is a place to restore to.
    fn open(&self, mirror: &Path, protected: &Protected, create: bool) -> Result<Opened, Error> {
        if let Some(path) = self.path() {
            demand_elsewhere(mirror, &path)?;
            protected.check(&path)?;
        }
        let options = DiskOptions { create, plain: true, ..DiskOptions::default() };
        let target = match self {
            To::Folder(path) => DiskTarget::open(path, options)?,
            To::Within { allowed, below } => DiskTarget::open_within(allowed, below, options)?,
            To::Share(share) => {
                let ShareToRestoreTo { address, credentials, options } = share.as_ref();
                let share = SmbRestore::connect(address, credentials, options, create)?;
                return Ok(Opened::Share(Box::new(share)));
            }
        };
        if let Some(path) = self.path() {
            protected.check_target(&target, &path)?;
        }
        Ok(Opened::Folder(Box::new(target)))
    }
}

/// One restore, ready to begin.
pub struct RestoreLaunch<'a> {
    /// The mirror, absolute.
    pub mirror: &'a Path,
    /// Which state.
    pub state: When,
    /// Files and folders; everything if there are none.
    pub paths: Vec<RelPath>,
    /// Where to.
    pub to: To,
    /// What becomes of files that are there already.
    pub existing: Existing,
    /// Look, and change nothing.
    pub dry_run: bool,
    /// What must not be touched: a server's own data.
    pub protected: &'a Protected,
}

/// What was restored.
pub struct Restored {
    /// The state.
    pub state: u64,
    /// What was done.
    pub report: RestoreReport,
    /// All problems, by cause.
    pub causes: Vec<Cause>,
}

impl RestoreLaunch<'_> {
    /// Restores. Fails before anything is changed if a path is not in the state, or if the place is not one to restore to.
    pub fn run(self, monitor: &dyn Monitor, cancel: &Cancel) -> Result<Restored, Error> {
        let mirror = crate::history::open(self.mirror)?;
        // Nobody changes the mirror meanwhile, and nobody else restores from it.
        let _lock = if self.dry_run { None } else { lock(&mirror)? };
        let history = crate::history::of(&mirror)?;
        let state = history.state(self.state)?;
        for path in &self.paths {
            crate::history::demand(&history, &state, path)?;
        }
        let to = self.to.open(self.mirror, self.protected, !self.dry_run)?;
        let beside = format!(" (state {})", state.number());
        let RestoreLaunch { paths, existing, dry_run, .. } = self;
        let options = RestoreOptions { paths, existing, beside, dry_run };
        let counted = ByCause { monitor, causes: Mutex::default() };
        let report = match &to {
            Opened::Folder(target) => {
                let target = target.as_ref();
                restore(&state, (&FolderTarget(target), target), &options, &counted, cancel)
            }
            Opened::Share(share) => restore(&state, (share.as_ref(), &mirror), &options, &counted, cancel),
        }?;
        let causes = counted.causes.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Restored { state: state.number(), report, causes })
    }
}

impl Restored {
    /// The same in the form that the reports of all runs have. What it has no number for are remarks.
    pub fn report(&self, blank: RunReport) -> RunReport {
        let RestoreReport { counts, beside, left, newer, cancelled, .. } = &self.report;
        let outcome = match () {
            () if *cancelled => Outcome::Cancelled,
            () if counts.problems > 0 => Outcome::Warnings,
            () => Outcome::Succeeded,
        };
        let mut remarks = Vec::new();
        let mut say = |number: u64, words: &str| {
            if number > 0 {
                remarks.push(format!("{} {words}", octo_core::numbers::count(number, "file")));
            }
        };
        say(*beside, "got another name beside a file of the same name");
        say(*left, "of the state not restored, because others are there");
        say(*newer, "there were written later than in this state");
        let (counts, causes) = (Counts { ..*counts }, self.causes.clone());
        RunReport { outcome, counts, causes, remarks, ..blank }
    }
}

/// A mirror that this account, or nobody, can write is read without the lock.
fn lock(mirror: &DiskTarget) -> Result<Option<Box<dyn Send>>, Error> {
    match mirror.lock() {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.code == Code::TargetBusy => {
            let what = "a run, a verify or another restore works on this mirror: wait for its end, or cancel it (octobackup cancel JOB)";
            Err(Error::new(Code::TargetBusy, what))
        }
        Err(_) => Ok(None),
    }
}

/// A mirror is never restored into: the next run would take back what was restored.
fn demand_elsewhere(mirror: &Path, to: &Path) -> Result<(), Error> {
    let refused = |why: &str| {
        let what = format!("{}: {why}; restore to another folder", to.display());
        Err(Error::new(Code::Usage, what))
    };
    if octo_disk::overlap(mirror, to).is_err_and(|error| error.code == Code::Nested) {
        return refused("it is the mirror, or one contains the other");
    }
    if to.join(octo_core::RESERVED).join("marker.toml").exists() || octo_disk::marker_above(to).is_err() {
        return refused("it is a mirror, or lies in one, and its next run would take back what is restored");
    }
    Ok(())
}

/// Counts problems by their cause.
struct ByCause<'a> {
    monitor: &'a dyn Monitor,
    causes: Mutex<Vec<Cause>>,
}

impl ByCause<'_> {
    fn count(&self, problem: &Problem) {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let at = causes.iter().position(|cause| cause.code == problem.code).unwrap_or(causes.len());
        if at == causes.len() {
            causes.push(Cause { code: problem.code, count: 0, examples: Vec::new() });
        }
        let cause = &mut causes[at];
        cause.count += 1;
        if cause.examples.len() < EXAMPLES_MAX {
            cause.examples.push(problem.clone());
        }
    }
}

impl Monitor for ByCause<'_> {
    fn event(&self, event: &Event<'_>) {
        if let Event::Problem(problem) = event {
            self.count(problem);
        }
        self.monitor.event(event);
    }
}
