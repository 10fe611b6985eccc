//! How long the service takes to answer with 200 jobs and 100,000 runs:
//! `cargo run --release --package octo-server --example history`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for a person")]

use octo_core::{Cancel, Outcome, Timestamp};
use octo_server::job::JobSpec;
use octo_server::launch::{Once, blank_report};
use octo_server::run::{Ended, Reason};
use octo_server::service::{Caller, Service};
use octo_server::shared::Shared;
use octo_server::store::runs::{self, NewRun};
use octo_server::store::slots::{self, Slot};
use octo_server::store::{Store, jobs};
use octo_server::vault::Vault;
use octo_server::{Moment, SystemClock};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const JOBS: i64 = 200;
const RUNS: i64 = 100_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let service = open(folder.path());
    fill(&service, folder.path());
    drop(service);
    let service = timed("start-up (open, migrate, key)", || open(folder.path()));
    for _ in 0..2 {
        timed("all 200 jobs", || service.0.jobs().unwrap());
        timed("100 runs of all jobs", || service.0.runs(None, None, 100).unwrap());
        timed("100 runs of one job", || service.0.runs(Some("job-100"), None, 100).unwrap());
        timed("100 runs, the oldest page", || service.0.runs(None, Some(101), 100).unwrap());
        timed("the next 20 slots", || service.0.upcoming(20).unwrap());
        timed("100 slots of one job", || service.0.slots("job-100", None, 100).unwrap());
        timed("what is told of one run", || service.0.told(RUNS / 2).unwrap());
        timed("metrics", || service.0.metrics().unwrap());
    }
}

struct Opened(Service, Arc<Shared>);

fn open(folder: &Path) -> Opened {
    let store = Store::open(&folder.join("db")).unwrap();
    let vault = Vault::open(folder, &store).unwrap();
    let shared = Arc::new(Shared::new(store, vault, Arc::new(SystemClock::new(Cancel::new()))));
    Opened(Service::new(shared.clone()), shared)
}

fn fill(opened: &Opened, folder: &Path) {
    let Opened(service, shared) = opened;
    let caller = Caller { name: "bench".into() };
    for n in 0..JOBS {
        let spec = JobSpec {
            name: format!("job-{n}"),
            source: folder.join("src").display().to_string(),
            target: folder.join(format!("mirror-{n}")).display().to_string(),
            schedule: Some("mon..fri 20:00".into()),
            ..JobSpec::default()
        };
        service.add_job(&caller, &spec).unwrap();
    }
    let now = shared.now();
    let mut report = blank_report("//fileserver/data", "/srv/mirror", false, Timestamp(0));
    report.outcome = Outcome::Succeeded;
    let once = Once::default();
    let all = shared.store.read(jobs::list).unwrap();
    shared
        .store
        .change(|db| {
            for n in 0..RUNS {
                let job = &all[usize::try_from(n % JOBS).unwrap()];
                let at = Moment(now.0 - (RUNS - n) * 300);
                let run = NewRun {
                    job: job.id,
                    job_name: &job.spec.name,
                    reason: Reason::Schedule,
                    attempt: 0,
                    once: &once,
                    asked_by: "schedule",
                    ignores_blackouts: false,
                    queued_at: at,
                    not_before: at,
                };
                let id = runs::queue(db, &run)?;
                runs::claim(db, id, at)?;
                runs::finish(db, id, Ended::Succeeded, &report, at)?;
                let slot = Slot { due_at: at, fate: "run".into(), why: String::new(), run: Some(id), noticed_at: at };
                slots::add(db, job.id, &slot)?;
            }
            Ok(())
        })
        .unwrap();
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    println!("{what:<34} {:>8.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    done
}
