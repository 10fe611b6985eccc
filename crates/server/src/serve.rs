//! `octobackup serve`: puts the rooms of a server together, and takes them apart in order.

use crate::agent_hosts::{self, DatabaseHosts};
use crate::api::Http;
use crate::app_state::AppState;
use crate::clock::SystemClock;
use crate::config::{Agents, Config};
use crate::event_log::{EventLog, LogEvent};
use crate::notify::delivery::Delivery;
use crate::runner::Runner;
use crate::service::Service;
use crate::service_error::{Kind, ServiceError};
use crate::setup;
use crate::store::{self, Store};
use crate::vault::{self, Vault};
use octo_agent::{AgentListener, OnAdmission};
use octo_core::Cancel;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

/// The kind of the first note: everybody who asks from now on is answered.
pub const READY: &str = "ready";

/// Serves until it is stopped. Runs under way are stopped cleanly, and go on at the next start.
pub fn serve(config: &Config, stop: &Cancel, journal: Arc<dyn EventLog>) -> Result<(), ServiceError> {
    make_private(&config.data_dir)?;
    let _lease = lease(&config.data_dir)?;
    keeps_its_database(&config.data_dir)?;
    let store = Store::open(&config.data_dir.join(store::FILE))?;
    let vault = Vault::open(&config.data_dir, &store)?;
    let mut shared = AppState::new(store, vault, Arc::new(SystemClock::new()));
    config.protect(&mut shared.protected);
    shared.restore_folders.get_or_init(|| config.restore.clone());
    let shared = Arc::new(shared);
    let listen = |agents: Agents| {
        let folder = config.data_dir.join("agents");
        agent_hosts::take_over(&shared, &folder)?;
        let hosts = Arc::new(DatabaseHosts(Arc::downgrade(&shared)));
        Ok::<_, ServiceError>(AgentListener::open_with(&folder, hosts, agents.listen, note_admissions(&shared))?)
    };
    let heard = config.agents.map(listen).transpose()?;
    let heard = heard.map(|agents| shared.agents.get_or_init(|| agents).address());
    let runner = Runner::new(shared.clone(), config.limits);
    let delivery = Delivery::new(shared.clone());
    let service = Service::new(shared.clone());
    let http = Http::start(service.clone(), &config.socket(), config.http.listen(&config.data_dir)?)?;
    let url = http.address().map(|address| config.http.url(address));
    let link = shared.setup_link.get_or_init(|| config.setup_link());
    let awaits_setup = setup::offer(|| service.setup_code(), link, url.as_deref())?;
    let journal = shared.journal.get_or_init(|| journal);
    let socket = config.socket().display().to_string();
    journal.record(&LogEvent::info(READY, format!("octobackup serves at {socket}")).with("socket", socket));
    if let Some(address) = heard {
        let event = LogEvent::info("hears-agents", format!("listens for agents at {address}"));
        journal.record(&event.with("address", address.to_string()));
    }
    if let Some(url) = url {
        journal.record(&LogEvent::info("answers", format!("answers at {url}")).with("url", url));
    }
    if awaits_setup {
        let link = link.display().to_string();
        let message = format!("there is no administrator yet; the link to create the first one is in {link}");
        journal.record(&LogEvent::info("awaits-setup", message).with("file", link));
    }
    let complain = |error: &ServiceError| journal.record(&LogEvent::trouble(error));
    std::thread::scope(|threads| {
        threads.spawn(|| delivery.work(stop, &complain));
        runner.work(stop, &complain);
    });
    http.stop();
    journal.record(&LogEvent::info("stopped", "octobackup has stopped"));
    Ok(())
}

/// Who pairs as an agent and who is refused comes to the audit log.
fn note_admissions(shared: &Arc<AppState>) -> OnAdmission {
    // What is shared has the agents, and that has this.
    let shared = Arc::downgrade(shared);
    Arc::new(move |admission, from| {
        let Some(shared) = shared.upgrade() else { return };
        let noted = Service::new(shared.clone()).note_admission(admission, from);
        if let (Err(error), Some(journal)) = (noted, shared.journal.get()) {
            journal.record(&LogEvent::trouble(&error));
        }
    })
}

/// A server that has lost its database must not start as a new one. Looked at before a database would be made.
fn keeps_its_database(dir: &Path) -> Result<(), ServiceError> {
    let database = dir.join(store::FILE);
    if std::fs::metadata(&database).is_ok_and(|meta| meta.len() > 0) {
        return Ok(());
    }
    let traces = [vault::FILE, "agents", "logs"].map(|name| dir.join(name));
    traces.iter().find(|path| path.exists()).map_or(Ok(()), |trace| Err(vault::lost_database(&database, trace)))
}

/// Everything in it is private: the database names what there is to steal.
fn make_private(dir: &Path) -> Result<(), ServiceError> {
    let failed = |why: String| ServiceError {
        field: Some("data_dir".into()),
        ..ServiceError::new(Kind::Invalid, format!("{}: {why}", dir.display()))
    };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| failed(e.to_string()))?;
    let mode = std::fs::metadata(dir).map_err(|e| failed(e.to_string()))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(failed(format!("others may look into it (its mode is {mode:04o}); chmod 700 makes it private")));
    }
    Ok(())
}

/// One server to a data directory: the holder of the lock is the only one that works on its runs.
fn lease(dir: &Path) -> Result<File, ServiceError> {
    let path = dir.join("lock");
    let failed = |why: String| ServiceError::new(Kind::Conflict, format!("{}: {why}", path.display()));
    let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|e| failed(e.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(failed("another octobackup serves this data directory".into())),
        Err(TryLockError::Error(e)) => Err(failed(e.to_string())),
    }
}
