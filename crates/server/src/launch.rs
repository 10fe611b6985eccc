//! One run of a mirror spec: opens both sides and starts the engine. The command line and the server start their runs here,
//! so that they cannot differ. It must never swallow an error: what could not begin has a report too.

use crate::run::Run;
use crate::run_overrides::RunOverrides;
use crate::share_access::share_access;
use octo_agent::AgentListener;
use octo_core::AgentAddress;
use octo_core::report::{Cause, Counts, Problem, REPORT_FORMAT};
use octo_core::{Cancel, Clock, Code, Error, Event, Monitor, Outcome, Phase, RelPath, RunReport, Source, Timestamp};
use octo_disk::{BlockingCalls, CancellableSource, DiskOptions, DiskTarget, LocalSource, Modes, Protected};
use octo_job::mirror_spec::{Intent, LiveFiles, MetadataKept, MirrorSpec, Origin};
use octo_mirror::{Bandwidth, RunOptions, RunResult};
use octo_smb::{Password, SmbSource};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

const NO_HUB: &str = "agents are connected to the server: make a job of it and start it with `octobackup run`, and have the \
                      server listen for agents ([agents] in octobackup.toml)";

/// A local source that does not open within this time hangs. Tapes and archives take minutes.
const ANSWERS_WITHIN: Duration = Duration::from_secs(300);

/// One run, ready to begin.
pub struct Launch<'a> {
    /// What the mirror is made from, and how.
    pub mirror_spec: &'a MirrorSpec,
    /// The mirror, absolute.
    pub target: &'a Path,
    /// What is for this run only.
    pub once: &'a RunOverrides,
    /// The account's password, where one is needed.
    pub password: Option<Password>,
    /// Where agents are connected; `None` where there is no server.
    pub agents: Option<&'a AgentListener>,
    /// The id of the mirror that was last seen at this path: how a disk that is not mounted is noticed.
    pub known_target: Option<String>,
    /// The most bytes a second to read, instead of what the mirror spec says.
    pub pace: Option<Bandwidth>,
    /// The server has watched the clock for long and believes it.
    pub clock_is_proven: bool,
    /// What neither source nor target may touch: a server's own data.
    pub protected: &'a Protected,
    /// Called with the mirror's id as soon as it has one, so that even a first run that is killed leaves a path that is
    /// known. Not called by a dry run.
    pub remember: &'a (dyn Fn(&str) + Sync),
}

impl Launch<'_> {
    /// Makes the mirror. `Err` only for an invalid run that was never begun; everything else is in the report.
    pub fn run(self, monitor: &dyn Monitor, clock: &dyn Clock, cancel: &Cancel) -> Result<RunResult, Error> {
        let (mirror_spec, path, once, remember) = (self.mirror_spec, self.target, self.once, self.remember);
        let result = self.begin(cancel).map(|begun| {
            let monitor = RememberEarly { begun: &begun, remember, monitor };
            octo_mirror::run(&*begun.source, &begun.target, &begun.options, &monitor, clock, cancel)
        });
        match result {
            Err(error) if error.code != Code::Usage => Ok(never_begun(mirror_spec, path, once, error, monitor, clock)),
            result => result,
        }
    }

    fn begin(self, cancel: &Cancel) -> Result<Begun, Error> {
        let Launch { mirror_spec, target, once, .. } = self;
        let local = mirror_spec.origin.local_path();
        if let Some(local) = local.clone() {
            let (name, place, protected) = (local.clone(), target.to_owned(), self.protected.clone());
            answered(&name, cancel, move || {
                octo_disk::overlap(&local, &place)?;
                protected.check(&local)
            })?;
        }
        // Before anything is made there.
        self.protected.check(target)?;
        octo_disk::marker_above(target)?;
        let mut options = run_options(mirror_spec, target, once, self.known_target)?;
        options.bandwidth = self.pace.unwrap_or(options.bandwidth);
        options.clock_is_proven = self.clock_is_proven;
        let source = match (&mirror_spec.origin, &local) {
            (Origin::Agent { address }, _) => open_agent(self.agents, address, cancel)?,
            (_, Some(local)) => {
                let (path, protected) = (local.clone(), self.protected.clone());
                let source = answered(local, cancel, move || {
                    let source = LocalSource::open(&path)?;
                    protected.check_source(&source).map(|()| source)
                })?;
                Box::new(CancellableSource::new(source, cancel.clone()))
            }
            _ => open_source(mirror_spec, self.password, cancel)?,
        };
        // A mirror that was here before and is gone must not come into being again as an empty folder.
        let create = !once.dry_run && (options.known_target.is_none() || once.new_target);
        let modes = Modes { file: mirror_spec.file_mode, folder: mirror_spec.folder_mode };
        let opened = DiskTarget::open(target, DiskOptions { create, modes, repair: true, plain: false })?;
        // Somebody may have put another folder there meanwhile.
        self.protected.check_target(&opened, target)?;
        Ok(Begun { source, target: opened, options })
    }
}

/// What the engine needs.
struct Begun {
    source: Box<dyn Source>,
    target: DiskTarget,
    options: RunOptions,
}

fn run_options(
    mirror_spec: &MirrorSpec,
    target: &Path,
    once: &RunOverrides,
    known_target: Option<String>,
) -> Result<RunOptions, Error> {
    Ok(RunOptions {
        dry_run: once.dry_run,
        filter: mirror_spec.filter()?,
        acknowledged: mirror_spec.acknowledged()?,
        no_delete: mirror_spec.no_delete,
        max_delete: mirror_spec.max_delete,
        adopt: once.adopt,
        new_target: once.new_target,
        accept_source: once.accept_source,
        keep_versions: mirror_spec.keep_versions(),
        keep_free: mirror_spec.keep_free,
        local_time: mirror_spec.local_time(),
        compare: mirror_spec.compare(),
        metadata: match mirror_spec.metadata {
            _ if once.refresh_metadata => octo_core::metadata::Keep::Refresh,
            MetadataKept::Full => octo_core::metadata::Keep::Full,
            MetadataKept::Basic => octo_core::metadata::Keep::Basic,
            MetadataKept::Refresh => octo_core::metadata::Keep::Refresh,
        },
        live_files: match mirror_spec.live_files {
            LiveFiles::Keep => octo_mirror::LiveFiles::Keep,
            LiveFiles::Copy => octo_mirror::LiveFiles::Copy,
        },
        restamp_shift_secs: once.restamp_shift_secs,
        bandwidth: Bandwidth::constant(mirror_spec.bandwidth_bytes_per_sec),
        require_privilege: mirror_spec.backup_intent == Intent::Require,
        trust_listings: mirror_spec.trust_listings,
        approve: once.approve.clone(),
        release_brake: once.release_brake,
        known_target,
        source_label: mirror_spec.origin.label(),
        target_label: target.display().to_string(),
        job: Some(mirror_spec.to_text()?),
        clock_is_proven: false,
        workers: None,
        folder_limits: mirror_spec.limits.folder(),
        idle_max: mirror_spec.limits.idle(),
    })
}

/// Opens the source of a mirror spec, of this machine or of a share. Once cancelled, it waits for nothing more.
pub fn open_source(
    mirror_spec: &MirrorSpec,
    password: Option<Password>,
    cancel: &Cancel,
) -> Result<Box<dyn Source>, Error> {
    if let Some(path) = mirror_spec.origin.local_path() {
        let source = answered(&path.clone(), cancel, move || LocalSource::open(&path))?;
        return Ok(Box::new(CancellableSource::new(source, cancel.clone())));
    }
    if let Origin::Agent { .. } = &mirror_spec.origin {
        return Err(Error::new(Code::Usage, NO_HUB));
    }
    let (address, credentials, mut options) = share_access(mirror_spec, password)?;
    options.cancel = cancel.clone();
    Ok(Box::new(SmbSource::connect(address, credentials, options)?))
}

/// What is found out about a local source, which may lie on a mount that hangs. Once cancelled it is not waited for.
fn answered<T: Send + 'static>(
    path: &Path,
    cancel: &Cancel,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    static SOURCES: LazyLock<BlockingCalls> = LazyLock::new(BlockingCalls::default);
    SOURCES.ask(&path.display().to_string(), ANSWERS_WITHIN, Some(cancel), work)
}

fn open_agent(agents: Option<&AgentListener>, address: &str, cancel: &Cancel) -> Result<Box<dyn Source>, Error> {
    let AgentAddress { host, root } = AgentAddress::parse(address)?;
    let agents = agents.ok_or_else(|| Error::new(Code::Usage, NO_HUB))?;
    Ok(Box::new(agents.source(&host, &root, cancel.clone())?))
}

/// The report of a run that failed, or was cancelled, before the engine could begin: silence is never success.
pub fn never_begun(
    mirror_spec: &MirrorSpec,
    target: &Path,
    once: &RunOverrides,
    error: Error,
    monitor: &dyn Monitor,
    clock: &dyn Clock,
) -> RunResult {
    let problem = Problem { code: error.code, path: RelPath::root(), detail: error.detail };
    monitor.event(&Event::Problem(&problem));
    let took = clock.monotonic();
    let started = clock.now().plus_secs(-i64::try_from(took.as_secs()).unwrap_or(0));
    let mut report = blank_report(&mirror_spec.origin.label(), &target.display().to_string(), once.dry_run, started);
    report.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    report.counts.problems = 1;
    if problem.code == Code::Cancelled {
        report.outcome = Outcome::Cancelled;
    }
    report.causes = vec![Cause { code: problem.code, count: 1, examples: vec![problem] }];
    RunResult { report, target_id: None }
}

/// The report of a run that did nothing, and says `failed` until somebody knows better.
pub fn blank_report(source: &str, target: &str, dry_run: bool, started: Timestamp) -> RunReport {
    RunReport {
        format: REPORT_FORMAT,
        run: 0,
        outcome: Outcome::Failed,
        dry_run,
        source: source.to_owned(),
        target: target.to_owned(),
        started,
        duration_ms: 0,
        counts: Counts::default(),
        held_because: Vec::new(),
        held_kinds: Vec::new(),
        held_examples: Vec::new(),
        held_plan: None,
        remarks: Vec::new(),
        causes: Vec::new(),
        free_bytes: None,
    }
}

/// The report of a run that was cancelled before it began.
pub fn never_began(now: Timestamp, run: &Run, why: &str) -> RunReport {
    let mut report = blank_report("", "", run.once.dry_run, now);
    report.outcome = Outcome::Cancelled;
    report.remarks.push(why.to_owned());
    report.remarks.extend(what_is_paused(run));
    report
}

/// The jobs that were paused for a restore, and what to do. Whatever became of the restore: nobody else resumes them.
pub fn what_is_paused(run: &Run) -> Vec<String> {
    let why = "is paused, because of a restore to its source; when all is as it should be there";
    let pauses = run.restore.iter().flat_map(|restore| &restore.pauses);
    pauses.map(|job| format!("{job} {why}: octobackup job resume {job}")).collect()
}

/// Passes on the mirror's id once its marker is there: it is before the first file.
struct RememberEarly<'a> {
    begun: &'a Begun,
    remember: &'a (dyn Fn(&str) + Sync),
    monitor: &'a dyn Monitor,
}

impl Monitor for RememberEarly<'_> {
    fn event(&self, event: &Event<'_>) {
        if let Event::Phase(Phase::Copy) = event
            && !self.begun.options.dry_run
            && let Ok(Some(id)) = octo_mirror::target_id(&self.begun.target)
        {
            (self.remember)(&id);
        }
        self.monitor.event(event);
    }
}
