//! A server without its entrance: service, runner, a store on the disk, a clock that a test sets, and folders to mirror.

use octo_api::job::Slot;
use octo_core::Timestamp;
use octo_job::{JobSpec, Policy};
use octo_server::app_state::AppState;
use octo_server::run::{Run, State};
use octo_server::runner::{RunLimits, Runner};
use octo_server::service::{Caller, Service};
use octo_server::store::Store;
use octo_server::vault::Vault;
use octo_server::{Moment, RunOverrides};
use octo_testkit::clock::TestClock;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything; gone with the test.
pub struct World {
    folder: tempfile::TempDir,
    pub clock: Arc<TestClock>,
    pub shared: Arc<AppState>,
    pub service: Service,
    pub runner: Runner,
}

/// Who asks.
pub fn me() -> Caller {
    Caller { name: "test".into() }
}

impl World {
    /// At a moment.
    pub fn at(now: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("src/a"), "one").unwrap();
        World::open(folder, Arc::new(TestClock::at(timestamp(now))))
    }

    /// With a small disk of its own as data directory.
    pub fn on_small_disk(now: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"])
            .arg(folder.path().join("data"))
            .status();
        assert!(mount.unwrap().success());
        World::open(folder, Arc::new(TestClock::at(timestamp(now))))
    }

    /// Ends it, and unmounts its disk.
    pub fn unmount(self) {
        let World { folder, shared, service, runner, clock } = self;
        drop((shared, service, runner, clock));
        assert!(std::process::Command::new("umount").arg(folder.path().join("data")).status().unwrap().success());
    }

    fn open(folder: tempfile::TempDir, clock: Arc<TestClock>) -> World {
        let data = folder.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let store = Store::open(&data.join("db")).unwrap();
        let vault = Vault::open(&data, &store).unwrap();
        let shared = Arc::new(AppState::new(store, vault, clock.clone()));
        let service = Service::new(shared.clone());
        let runner = Runner::new(shared.clone(), RunLimits::default());
        World { folder, clock, shared, service, runner }
    }

    /// Another server on the same data, at a later moment; the one before is gone without a word.
    pub fn restarted_at(self, now: &str) -> World {
        let World { folder, clock, .. } = self;
        clock.set(timestamp(now));
        World::open(folder, clock)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn spec(&self, name: &str, schedule: &str, policy: Policy) -> JobSpec {
        JobSpec {
            name: name.into(),
            source: self.path("src").display().to_string(),
            target: self.path(&format!("mirror-{name}")).display().to_string(),
            schedule: (!schedule.is_empty()).then(|| schedule.into()),
            policy,
            ..JobSpec::default()
        }
    }

    pub fn add(&self, name: &str, schedule: &str, policy: Policy) {
        self.service.add_job(&me(), &self.spec(name, schedule, policy)).unwrap();
    }

    /// Waits until the server calls itself healthy, or says these words.
    #[track_caller]
    pub fn waits_for_health(&self, words: Option<&str>) {
        let begun = std::time::Instant::now();
        loop {
            let said = self.service.is_healthy().map_err(|error| error.detail);
            match (&said, words) {
                (Ok(()), None) => return,
                (Err(why), Some(words)) if why.contains(words) => return,
                _ => assert!(begun.elapsed() < std::time::Duration::from_secs(60), "still {said:?}, not {words:?}"),
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    /// The clock shows `now`, and the runner looks; runs that it starts come to their end.
    pub fn look_at(&self, now: &str) {
        self.clock.set(timestamp(now));
        self.runner.activate().unwrap();
        self.runner.join();
    }

    /// The same, where it need not work.
    pub fn tries_at(&self, now: &str) {
        self.clock.set(timestamp(now));
        let _ = self.runner.activate();
        self.runner.join();
    }

    /// The job's slots, the oldest first, as `21:00 run`.
    pub fn slots(&self, job: &str) -> Vec<String> {
        let slots = self.service.slots(job, None, 500).unwrap();
        let line = |slot: &Slot| format!("{} {}", &slot.due_at.to_string()[5..16], slot.fate);
        slots.iter().rev().map(line).collect()
    }

    pub fn runs(&self) -> Vec<Run> {
        self.service.runs(None, None, 500).unwrap()
    }

    /// Queues a run and puts it into the state in which a server that dies leaves it.
    pub fn claimed(&self, job: &str, once: &RunOverrides) -> i64 {
        let run = self.service.start_run(&me(), job, once).unwrap();
        let now = self.shared.now();
        assert!(self.shared.store.change(|db| octo_server::store::runs::claim(db, run.id, now)).unwrap());
        assert_eq!(self.service.run(run.id).unwrap().run.state, State::Running);
        run.id
    }
}

fn timestamp(text: &str) -> Timestamp {
    let text = format!("{}:00Z", text.replace(' ', "T"));
    let moment: Moment = serde_json::from_value(text.into()).unwrap();
    Timestamp::from_unix(moment.0, 0)
}
