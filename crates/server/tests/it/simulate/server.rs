//! The real server in a world of its own: service, runner, delivery and a database in memory, with a clock that is set, runs
//! that end when they are told to, and ways to recipients that do as they like. All on one thread.

use super::carrier::{Shared as SharedWays, Ways};
use super::fate::Fate;
use super::step::Scenario;
use octo_core::{Cancel, Clock, Timestamp};
use octo_server::app_state::AppState;
use octo_server::notify::delivery::Delivery;
use octo_server::notify::{MailServer, Security};
use octo_server::runner::{RunLimits, Runner, Task, Workers};
use octo_server::service::{Caller, Service};
use octo_server::store::{FILE, Store};
use octo_server::vault::Vault;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Who asks.
pub fn me() -> Caller {
    Caller { name: "person".into() }
}

/// Seconds of the wall clock and of the monotonic one.
#[derive(Default)]
pub struct WorldClock {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl WorldClock {
    pub fn wall(&self) -> i64 {
        self.wall.load(Ordering::Relaxed)
    }

    pub fn jump(&self, secs: i64) {
        self.wall.fetch_add(secs, Ordering::Relaxed);
    }

    pub fn pass(&self, secs: i64) {
        self.jump(secs);
        self.monotonic.fetch_add(secs, Ordering::Relaxed);
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.wall(), 0)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.monotonic.load(Ordering::Relaxed).unsigned_abs())
    }

    fn sleep(&self, duration: Duration) {
        self.pass(i64::try_from(duration.as_secs()).unwrap_or(0));
    }
}

/// Runs that were claimed and have not ended.
#[derive(Default)]
pub struct Held(Mutex<Vec<Task>>);

impl Held {
    pub fn with<T>(&self, look: impl FnOnce(&mut Vec<Task>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Hands(Arc<Held>);

impl Workers for Hands {
    fn take(&self, task: Task) {
        self.0.with(|tasks| tasks.push(task));
    }

    fn join(&self) {}
}

/// One life of the server.
pub struct Life {
    pub shared: Arc<AppState>,
    pub service: Service,
    pub runner: Runner,
    pub delivery: Delivery,
    pub held: Arc<Held>,
}

pub struct World {
    pub life: Option<Life>,
    pub fate: Arc<Fate>,
    pub clock: Arc<WorldClock>,
    pub ways: Arc<Ways>,
    pub limits: RunLimits,
    /// The person or program that holds the database locked.
    lock: Option<Connection>,
    folder: tempfile::TempDir,
    lives: u32,
    pub is_full: bool,
    pub is_read_only: bool,
}

/// A database with its key, as a first start makes them: made once.
fn template() -> &'static (Vec<u8>, Vec<u8>) {
    static TEMPLATE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = in_memory();
        let path = folder.path().join(FILE);
        let store = Store::open(&path).unwrap();
        let vault = Vault::open(folder.path(), &store).unwrap();
        let clock = Arc::new(WorldClock::default());
        let service = Service::new(Arc::new(AppState::new(store, vault, clock)));
        let (host, from) = ("mail.example.com".to_owned(), "octo@example.com".to_owned());
        let server = MailServer { host, from, port: None, security: Security::None, credential: None };
        service.set_mail_server(&me(), &server).unwrap();
        drop(service);
        (std::fs::read(&path).unwrap(), std::fs::read(folder.path().join("key")).unwrap())
    })
}

fn in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn put_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

impl World {
    pub fn new(scenario: &Scenario) -> World {
        let folder = in_memory();
        std::fs::create_dir(folder.path().join("source")).unwrap();
        std::fs::create_dir(folder.path().join("data-0")).unwrap();
        let (database, key) = template();
        put_private(&folder.path().join("data-0").join(FILE), database);
        put_private(&folder.path().join("data-0/key"), key);
        let clock = Arc::new(WorldClock::default());
        clock.pass(scenario.start);
        let fate = Arc::new(Fate::default());
        let limits = RunLimits {
            runs_max: scenario.runs_max.into(),
            runs_per_host_max: scenario.per_host_max.into(),
            runs_per_disk_max: scenario.per_disk_max.into(),
        };
        let ways = Arc::new(Ways::new(clock.clone(), fate.clone()));
        let (lock, life) = (None, None);
        let mut world =
            World { life, fate, clock, ways, limits, lock, folder, lives: 0, is_full: false, is_read_only: false };
        world.start();
        world
    }

    pub fn life(&self) -> &Life {
        self.life.as_ref().expect("a server that lives")
    }

    pub fn store(&self) -> &Store {
        &self.life().shared.store
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join(format!("data-{}", self.lives))
    }

    /// The server starts, as `serve` does it.
    fn start(&mut self) {
        let data = self.data();
        let store = Store::open(&data.join(FILE)).unwrap();
        store.read(|db| Ok(db.busy_timeout(Duration::ZERO)?)).unwrap();
        self.fate.bind(&store);
        let vault = Vault::open(&data, &store).unwrap();
        let shared = Arc::new(AppState::new(store, vault, self.clock.clone()));
        let held = Arc::new(Held::default());
        let runner = Runner::with_workers(shared.clone(), self.limits, Box::new(Hands(held.clone())));
        let delivery = Delivery::with_carrier(shared.clone(), Box::new(SharedWays(self.ways.clone())));
        let service = Service::new(shared.clone());
        self.life = Some(Life { shared, service, runner, delivery, held });
        self.mend();
        // What `work` begins with.
        let _ = self.life().delivery.hurry();
    }

    /// The server is gone without a word, and another one finds what it left: the database and its log as they are.
    pub fn die_and_start(&mut self) {
        self.lock = None;
        let old = self.data();
        self.lives += 1;
        let new = self.data();
        std::fs::create_dir(&new).unwrap();
        for name in [FILE.to_owned(), format!("{FILE}-wal"), "key".to_owned()] {
            if old.join(&name).exists() {
                put_private(&new.join(&name), &std::fs::read(old.join(&name)).unwrap());
            }
        }
        let _ = std::fs::rename(old.join("logs"), new.join("logs"));
        self.forget();
        let _ = std::fs::remove_dir_all(old);
        self.start();
    }

    /// The server is stopped cleanly, after its runs have ended, and another one starts.
    pub fn start_again(&mut self) {
        self.lock = None;
        self.forget();
        self.start();
    }

    fn forget(&mut self) {
        if let Some(life) = self.life.take() {
            life.held.with(Vec::clear);
        }
    }

    fn pragma(&self, name: &str, value: i64) {
        let set = || self.store().read(|db| Ok(db.pragma_update_and_check(None, name, value, |_| Ok(()))?));
        self.fate.aside(set).unwrap();
    }

    pub fn fill(&mut self) {
        let count = || self.store().read(|db| Ok(db.pragma_query_value(None, "page_count", |row| row.get(0))?));
        let pages = self.fate.aside(count).unwrap();
        self.pragma("max_page_count", pages);
        self.is_full = true;
    }

    pub fn make_read_only(&mut self) {
        self.set_read_only(true);
    }

    fn set_read_only(&mut self, read_only: bool) {
        let set = || self.store().read(|db| Ok(db.pragma_update(None, "query_only", read_only)?));
        self.fate.aside(set).unwrap();
        self.is_read_only = read_only;
    }

    /// Somebody else holds the database locked.
    pub fn lock(&mut self) {
        let other = Connection::open(self.store().path()).unwrap();
        other.busy_timeout(Duration::ZERO).unwrap();
        if other.execute_batch("BEGIN IMMEDIATE").is_ok() {
            self.lock = Some(other);
        }
    }

    pub fn mend(&mut self) {
        self.lock = None;
        self.pragma("max_page_count", 1 << 30);
        self.set_read_only(false);
        self.is_full = false;
    }

    pub fn is_ill(&self) -> bool {
        self.is_full || self.is_read_only || self.lock.is_some()
    }

    /// Runner and delivery look. Whether all went well.
    pub fn look(&self) -> Result<(), String> {
        let Life { runner, delivery, .. } = self.life();
        let looked = runner.activate();
        let posted = delivery.activate(&Cancel::new());
        looked.and(posted).map_err(|error| error.to_string())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.forget();
    }
}
