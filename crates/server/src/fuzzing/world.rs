//! A server without entrance and runner, for one input: a copy of a small database that has something in every table. Requests
//! go to the real router. Requests that would touch a mirror or call another host are left out.

use crate::api::{Peer, router, routes};
use crate::app_state::AppState;
use crate::clock::SystemClock;
use crate::launch::blank_report;
use crate::moment::Moment;
use crate::run::{Ended, Reason, RunKind};
use crate::run_overrides::RunOverrides;
use crate::service::Service;
use crate::store::{Store, runs};
use crate::vault::{self, Vault};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use octo_core::error::PANICKED;
use octo_core::report::{Cause, Problem};
use octo_core::{Code, Outcome, RelPath, RunReport, Timestamp};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use tower::ServiceExt;

/// Between two requests of one input.
const NEXT: u8 = 0x1e;
const REQUESTS_MAX: usize = 4;
/// An answer of ours is smaller.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// They write elsewhere, or ask other machines.
const LEFT_OUT: &[&str] = &["/backup", "/test"];
/// They do not end.
const ENDLESS: &str = "/events";
const WHEN: i64 = 1_785_800_000;

/// What a new world begins with: the database and its key.
static TEMPLATE: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| made().unwrap_or_default());
static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("threads for requests"));

/// A data directory that is gone with it.
pub struct World(tempfile::TempDir);

impl World {
    /// Without a server.
    pub fn empty() -> World {
        // A database on a disk waits for it many times.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        World(folder.expect("a folder"))
    }

    fn new() -> World {
        let world = World::empty();
        world.write(crate::store::FILE, &TEMPLATE.0);
        world.write(vault::FILE, &TEMPLATE.1);
        world
    }

    pub fn folder(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        let folder = path.parent().unwrap_or(&path);
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, bytes));
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        assert!(written.and_then(|()| std::fs::set_permissions(&path, private)).is_ok(), "a file of the server");
    }

    fn database(&self) -> PathBuf {
        self.0.path().join(crate::store::FILE)
    }

    fn service(&self) -> Result<Service, crate::ServiceError> {
        let store = Store::open(&self.database())?;
        let vault = Vault::open(self.0.path(), &store)?;
        Ok(Service::new(Arc::new(AppState::new(store, vault, Arc::new(SystemClock::default())))))
    }
}

/// A report with something in it.
pub fn report() -> RunReport {
    let path = RelPath::parse(b"a/b").unwrap_or_default();
    let problem = Problem { code: Code::AccessDenied, path: path.clone(), detail: "no".into() };
    RunReport {
        outcome: Outcome::Warnings,
        held_plan: Some("0123456789ab".into()),
        held_because: vec!["too many".into()],
        held_examples: vec![path],
        remarks: vec!["a remark".into()],
        causes: vec![Cause { code: Code::AccessDenied, count: 1, examples: vec![problem] }],
        free_bytes: Some(1 << 40),
        ..blank_report("/data", "/srv/fs1", false, Timestamp::from_unix(WHEN, 0))
    }
}

/// The database, in which no table is strict: who writes into the file need not heed that either.
fn made() -> Result<(Vec<u8>, Vec<u8>), crate::ServiceError> {
    let world = World::empty();
    let service = world.service()?;
    drop(service);
    let (report, now) = (report(), Moment(WHEN));
    let store = Store::open(&world.database())?;
    store.change(|db| {
        db.execute_batch(include_str!("../store/migrations/some_rows.sql"))?;
        db.execute_batch(include_str!("some_more_rows.sql"))?;
        let once = RunOverrides::default();
        let run = runs::NewRun {
            job: 1,
            job_name: "fs1",
            kind: RunKind::Backup,
            restore: None,
            reason: Reason::Manual,
            attempt: 0,
            once: &once,
            asked_by: "root",
            ignores_blackouts: false,
            queued_at: now,
            not_before: now,
        };
        let id = runs::queue(db, &run)?;
        runs::claim(db, id, now)?;
        runs::finish(db, id, Ended::Warnings, &report, now)?;
        let problems: Vec<Problem> = report.causes.iter().flat_map(|cause| cause.examples.clone()).collect();
        runs::add_problems(db, id, &problems)?;
        runs::queue(db, &run)?;
        Ok(())
    })?;
    drop(store);
    let db = Connection::open(world.database())?;
    db.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT, WITHOUT ROWID', ') WITHOUT ROWID'), ') STRICT', ')');",
    )?;
    drop(db);
    let read = |path: &Path| std::fs::read(path).unwrap_or_default();
    Ok((read(&world.database()), read(&world.folder().join(vault::FILE))))
}

/// Requests, one after the other: a line with method, address and perhaps `remote`, lines with headers, an empty line, the body.
pub fn requests(bytes: &[u8]) {
    let world = World::new();
    let service = world.service().expect("the template is whole");
    for request in bytes.split(|byte| *byte == NEXT).take(REQUESTS_MAX) {
        if let Some(request) = read_request(request) {
            ask(&service, request);
        }
    }
}

fn read_request(bytes: &[u8]) -> Option<Request<Body>> {
    let at = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let body = bytes.get(at + 2..).unwrap_or_default().to_vec();
    let mut lines = std::str::from_utf8(&bytes[..at]).ok()?.lines();
    let mut words = lines.next()?.split(' ');
    let (method, address, from) = (words.next()?, words.next()?, words.next());
    let path = address.split('?').next().unwrap_or_default();
    if LEFT_OUT.iter().any(|end| path.trim_end_matches('/').ends_with(end)) || path.contains('%') {
        return None;
    }
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).ok()?).uri(address);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let mut request = request.body(Body::from(body)).ok()?;
    let peer = match from {
        Some(_) => Peer::Remote { address: ([192, 0, 2, 1], 7).into(), is_encrypted: true },
        None => Peer::Local(Some(0)),
    };
    request.extensions_mut().insert(ConnectInfo(peer));
    Some(request)
}

/// Asks, and looks at the whole answer.
fn ask(service: &Service, request: Request<Body>) {
    let is_endless = request.uri().path().ends_with(ENDLESS);
    let asked = format!("{} {}", request.method(), request.uri());
    RUNTIME.block_on(async {
        let Ok(answer) = router(service.clone()).oneshot(request).await;
        if !is_endless {
            let body = axum::body::to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
            let body = body.expect("an answer that ends");
            assert!(
                !body.windows(PANICKED.len()).any(|part| part == PANICKED.as_bytes()),
                "{asked}: {}",
                String::from_utf8_lossy(&body)
            );
        }
    });
}

/// Tables and their columns, as a tampering hand finds them.
fn columns(db: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid";
    db.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Cells that somebody wrote: of each the number of its column, the kind of its value, the length of what follows.
pub fn rows(bytes: &[u8]) {
    let world = World::new();
    let db = Connection::open(world.database()).expect("the template");
    let columns = columns(&db).expect("its columns");
    let _ =
        db.execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF");
    let mut rest = bytes;
    while let [column, kind, length, after @ ..] = rest {
        let (value, next) = after.split_at(usize::from(*length).min(after.len()));
        rest = next;
        let (table, column) = &columns[usize::from(*column) % columns.len()];
        let value = match kind % 5 {
            0 => Value::Null,
            1 => Value::Integer(value.iter().rev().take(8).fold(0, |n, byte| n << 8 | i64::from(*byte))),
            2 => Value::Real(value.first().map_or(f64::INFINITY, |byte| f64::from(*byte) * 1e300)),
            3 => Value::Text(String::from_utf8_lossy(value).into_owned()),
            _ => Value::Blob(value.to_vec()),
        };
        // What cannot be there is not.
        let _ = db.execute(&format!("UPDATE \"{table}\" SET \"{column}\" = ?1"), [value]);
    }
    drop(db);
    let Ok(service) = world.service() else { return };
    for route in routes().iter().filter(|route| route.method == Method::GET) {
        for (name, id) in [("fs1", "1"), ("corp", "3")] {
            let address = route.path.replace("{name}", name).replace("{id}", id);
            let request = read_request(format!("GET {address}").as_bytes());
            let _ = request.map(|request| ask(&service, request));
            if address == route.path {
                break;
            }
        }
    }
    let token = read_request(b"GET /api/v1/jobs remote\nauthorization: Bearer octo_0000000000000000000000000000000000000000000000000000000000000000");
    let _ = token.map(|request| ask(&service, request));
}

/// One request for every route, and bodies for what has them.
#[cfg(test)]
pub fn request_seeds() -> Vec<Vec<u8>> {
    let job = r#"{"name":"fs2","source":"/data","target":"/srv/fs2","schedule":"daily 21:00","policy":{"retries":2}}"#;
    let bodies = [
        ("POST /api/v1/jobs", job.to_owned()),
        ("PUT /api/v1/jobs/fs1", format!(r#"{{"revision":2,"spec":{job}}}"#)),
        ("POST /api/v1/jobs/fs1/dismiss", r#"{"plan":"0123456789ab"}"#.into()),
        ("POST /api/v1/jobs/fs1/runs", r#"{"dry_run":true,"approve":"0123456789ab"}"#.into()),
        ("PUT /api/v1/credentials/corp", r#"{"account":"CORP\\b","secret":"x"}"#.into()),
        ("PUT /api/v1/credentials/corp/uses", r#"{"uses":[{"purpose":"smb","host":"fs1"}]}"#.into()),
        (
            "POST /api/v1/jobs-file",
            r#"{"file":{"job":[{"name":"a","source":"/a","target":"/b"}]},"dry_run":true}"#.into(),
        ),
        ("POST /api/v1/hosts", r#"{"name":"host"}"#.into()),
        ("PUT /api/v1/recipients/ops", r#"{"mail":["a@example.com"],"when":"always"}"#.into()),
        ("PUT /api/v1/digest/schedule", r#"{"schedule":"daily 07:00"}"#.into()),
        ("PUT /api/v1/mail-server", r#"{"server":"mail","port":25,"security":"none","from":"a@example.com"}"#.into()),
        ("PUT /api/v1/defaults", r#"{"retries":3,"blackouts":["08:00-18:00"]}"#.into()),
        ("POST /api/v1/session", r#"{"name":"a","password":"b"}"#.into()),
        ("POST /api/v1/tokens", r#"{"name":"t","role":"viewer","days":3}"#.into()),
        ("PUT /api/v1/users/a", r#"{"role":"operator","password":"long enough for anybody"}"#.into()),
    ];
    let mut seeds: Vec<Vec<u8>> = bodies.iter().map(|(line, body)| format!("{line}\n\n{body}").into_bytes()).collect();
    for route in routes() {
        let line = format!("{} {}", route.method, route.path.replace("{name}", "fs1").replace("{id}", "3"));
        if !bodies.iter().any(|(other, _)| *other == line) {
            seeds.push(line.into_bytes());
        }
    }
    seeds.push(
        b"GET /api/v1/runs?limit=2&before=9 remote\ncookie: octobackup_session=octo_00; x=y\nx-csrf-token: 7".to_vec(),
    );
    seeds.push([&b"POST /api/v1/jobs/fs1/runs\n\n{}"[..], &[NEXT], b"POST /api/v1/runs/4/cancel"].concat());
    seeds
}

/// Each column once, with a value that is far off.
#[cfg(test)]
pub fn row_seeds() -> Vec<Vec<u8>> {
    let cell =
        |column: u8, kind: u8, value: &[u8]| [&[column, kind, u8::try_from(value.len()).unwrap_or(0)], value].concat();
    let all = |kind: u8, value: &[u8]| (0..120).flat_map(|column| cell(column, kind, value)).collect::<Vec<u8>>();
    let mut seeds = vec![all(1, &[0xFF; 8]), all(1, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])];
    seeds.extend((0..120).step_by(8).map(|first| {
        let cells = (first..first + 8).map(|column| cell(column, column % 5, b"{\"a\":1}"));
        cells.flatten().collect::<Vec<u8>>()
    }));
    seeds
}
