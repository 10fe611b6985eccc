//! How long a server with 200 jobs and 100,000 runs takes to start and to answer: `cargo xtask bench history`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for a person")]

use octo_api::job::Slot;
use octo_client::Client;
use octo_core::{Outcome, Timestamp};
use octo_job::JobSpec;
use octo_server::RunOverrides;
use octo_server::api::Http;
use octo_server::app_state::AppState;
use octo_server::launch::blank_report;
use octo_server::run::{Ended, Reason, RunKind};
use octo_server::runner::{RunLimits, Runner};
use octo_server::service::{Caller, Service};
use octo_server::store::runs::{self, NewRun};
use octo_server::store::slots;
use octo_server::store::{Store, jobs};
use octo_server::vault::Vault;
use octo_server::{Moment, SystemClock};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const JOBS: i64 = 200;
const RUNS: i64 = 100_000;
/// What is asked for.
const ANSWERS: [(&str, &str); 11] = [
    ("100 jobs", "/jobs"),
    ("all 200 jobs", "/jobs?limit=500"),
    ("one job", "/jobs/job-100"),
    ("100 runs of all jobs", "/runs"),
    ("100 runs of one job", "/runs?job=job-100"),
    ("100 runs, the oldest page", "/runs?before=101"),
    ("the next 20 slots", "/schedule"),
    ("100 slots of one job", "/jobs/job-100/slots"),
    ("what is told of one run", "/runs/50000/summary"),
    ("the digest of a day", "/digest"),
    ("100 lines of the audit log", "/audit"),
];

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let service = open(folder.path());
    fill(&service, folder.path());
    drop(service);
    let socket = folder.path().join("socket");
    println!("200 jobs, 100,000 runs; wanted: start-up within 2000 ms, each answer within 50 ms");
    let (http, client, opened) = timed("start-up, to the first look for what is due", || {
        let opened = open(folder.path());
        let http = Http::start(opened.0.clone(), &socket, None).unwrap();
        Runner::new(opened.1.clone(), RunLimits::default()).activate().unwrap();
        (http, Client::local(&socket).unwrap(), opened)
    });
    for time in ["first", "second"] {
        println!("each for the {time} time, over the socket:");
        for (what, path) in ANSWERS {
            timed(what, || client.get::<Value>(path).unwrap());
        }
        timed("metrics (inside)", || opened.0.metrics().unwrap());
    }
    http.stop();
}

struct Opened(Service, Arc<AppState>);

fn open(folder: &Path) -> Opened {
    let store = Store::open(&folder.join("db")).unwrap();
    let vault = Vault::open(folder, &store).unwrap();
    let shared = Arc::new(AppState::new(store, vault, Arc::new(SystemClock::new())));
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
    let once = RunOverrides::default();
    let all = shared.store.read(jobs::list).unwrap();
    shared
        .store
        .change(|db| {
            for n in 0..RUNS {
                let job = &all[usize::try_from(n % JOBS).unwrap()];
                // Within the 90 days that history is kept.
                let at = Moment(now.0 - (RUNS - n) * 70);
                let run = NewRun {
                    job: job.id,
                    job_name: &job.spec.name,
                    kind: RunKind::Backup,
                    restore: None,
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
    println!("{what:<44} {:>8.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    done
}
