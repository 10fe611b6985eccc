//! A hostile agent and a whole run over a mirror that is there: whatever it says, the report names it, nothing is written
//! outside the mirror, nothing in it is deleted, and memory stays bounded.

use crate::server::fake::{Said, agent, agent_until};
use crate::wire::{EntryBatch, FetchOrder, Frame, FrameCompression, Order};
use bytes::Bytes;
use octo_core::{Cancel, Code, Entry, Kind, Listed, Meta, Name, Outcome, RunReport, Source, Timestamp};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::RunOptions;
use octo_testkit::clock::TestClock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

/// DESIGN rule 8.
const KIB_MAX: u64 = 128 << 10;
const TIME: Timestamp = Timestamp(1_700_000_000 * octo_core::time::TICKS_PER_SEC);

/// A folder within itself.
static DEEP: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "d".repeat(200));

fn file(name: &str, size_bytes: u64) -> Entry {
    Entry { name: Name::new(name.as_bytes()).unwrap(), meta: Meta::new(Kind::File, size_bytes, TIME) }
}

fn folder(name: &str) -> Entry {
    Entry { name: Name::new(name.as_bytes()).unwrap(), meta: Meta::new(Kind::Folder, 0, TIME) }
}

fn entries(entries: &[Entry]) -> Bytes {
    let mut batch = EntryBatch::default();
    assert!(entries.iter().all(|entry| batch.push(entry).is_none()), "more than one frame");
    batch.take().unwrap_or_default()
}

fn complete() -> Bytes {
    Frame::listed(&Listed::Complete)
}

fn say(frames: Vec<Bytes>) -> Said {
    Box::new(frames.into_iter())
}

fn content(path: &str) -> Vec<u8> {
    format!("the content of {path}").into_bytes()
}

fn length(path: &str) -> u64 {
    content(path).len() as u64
}

/// An honest agent with `keep`, `sub/inner` and `sub/other`.
fn honest(what: &str, body: &[u8]) -> Said {
    if what == "/v1/list" {
        let entries_of = match Order::decode(body).unwrap().path.to_string().as_str() {
            "sub" => [file("inner", length("sub/inner")), file("other", length("sub/other"))],
            _ => [file("keep", length("keep")), folder("sub")],
        };
        return say(vec![entries(&entries_of), complete()]);
    }
    let mut frames = Vec::new();
    for (at, wanted) in FetchOrder::decode(body).unwrap().files.iter().enumerate() {
        let content = content(&wanted.path.to_string());
        let meta = Meta::new(Kind::File, content.len() as u64, TIME);
        frames.push(Frame::opened(at, &meta));
        frames.push(Frame::piece(at, 0, &content, FrameCompression::Plain));
        frames.push(Frame::finished(at, &meta, blake3::hash(&content).as_bytes()));
    }
    say(frames)
}

fn run(source: &dyn Source, mirror: &Path, cancel: &Cancel) -> RunReport {
    let target = DiskTarget::open(mirror, DiskOptions { create: true, ..DiskOptions::default() }).unwrap();
    let silent = octo_core::monitor::Silent;
    octo_mirror::run(source, &target, &RunOptions::default(), &silent, &TestClock::real(), cancel).report
}

/// All files below `folder` but what the mirror keeps for itself, and what lies too deep to be named at once.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name() == ".octobackup" || *entry.file_name() == **DEEP {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path(), std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// A mirror of the honest agent within `around`; then a run with this one.
fn after(hostile: impl Fn(&str, &[u8]) -> Said + Send + Sync + 'static) -> (RunReport, tempfile::TempDir) {
    let around = tempfile::tempdir().unwrap();
    let mirror = around.path().join("mirror");
    std::fs::write(around.path().join("outside"), "untouched").unwrap();
    let first = run(&agent(honest), &mirror, &Cancel::new());
    assert_eq!((first.outcome, files(&mirror).len()), (Outcome::Succeeded, 3), "{first:#?}");
    let report = run(&agent(hostile), &mirror, &Cancel::new());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib <= KIB_MAX, "{peak_kib} KiB");
    (report, around)
}

/// The run is no success, and all that was there is there still: in the mirror, and around it.
#[track_caller]
fn assert_harmless(what: &str, hostile: impl Fn(&str, &[u8]) -> Said + Send + Sync + 'static) -> RunReport {
    let (report, around) = after(hostile);
    assert!(matches!(report.outcome, Outcome::Failed | Outcome::Warnings), "{what}: {report:#?}");
    assert_eq!((report.counts.deleted, report.counts.folders_deleted), (0, 0), "{what}");
    let found = files(around.path());
    for path in ["keep", "sub/inner", "sub/other"] {
        assert_eq!(found.get(&around.path().join("mirror").join(path)), Some(&content(path)), "{what}: {path}");
    }
    let outside: Vec<_> = found.iter().filter(|(path, _)| !path.starts_with(around.path().join("mirror"))).collect();
    assert_eq!(outside, [(&around.path().join("outside"), &b"untouched".to_vec())], "{what}");
    report
}

fn has(report: &RunReport, code: Code) -> bool {
    report.causes.iter().any(|cause| cause.code == code)
}

/// Lists the root so, and everything else honestly.
fn root(frames: impl Fn() -> Said + Send + Sync + 'static) -> impl Fn(&str, &[u8]) -> Said + Send + Sync + 'static {
    move |what, body| {
        let is_root = what == "/v1/list" && Order::decode(body).unwrap().path.is_root();
        if is_root { frames() } else { honest(what, body) }
    }
}

/// One entry with these bytes as its name: a plain, empty file.
fn raw_name(name: &[u8]) -> Bytes {
    let mut frame = vec![1, 0, 0, u8::try_from(name.len()).unwrap()];
    frame.extend_from_slice(name);
    frame.extend_from_slice(&[0, 0, 0]);
    [&u32::try_from(frame.len()).unwrap().to_le_bytes()[..], &frame].concat().into()
}

#[test]
fn names_that_lead_elsewhere_delete_nothing_and_write_nothing() {
    for name in [&b".."[..], b"../outside", b"/etc/passwd", b"a/../../outside", b"nul\0", b"."] {
        let report = assert_harmless(&format!("{name:?}"), root(move || say(vec![raw_name(name), complete()])));
        assert!(has(&report, Code::BadName), "{report:#?}");
    }
}

#[test]
fn listings_that_are_garbage_cut_short_or_too_large_delete_nothing() {
    let huge = Bytes::from_static(&[0xFF; 64]);
    let long = [&(1u32 << 20).to_le_bytes()[..], &[1, 0]].concat();
    let cases: Vec<(&str, Vec<Bytes>, Code)> = vec![
        ("a huge frame", vec![huge], Code::Protocol),
        ("an unknown frame", vec![Bytes::from_static(&[1, 0, 0, 0, 99])], Code::Protocol),
        ("another answer", vec![Frame::finished(0, &file("x", 0).meta, &[0; 32])], Code::Protocol),
        ("after its end", vec![complete(), complete()], Code::Protocol),
        ("twice one name", vec![entries(&[file("x", 0)]), entries(&[file("x", 0)]), complete()], Code::DuplicateName),
        ("cut short", vec![entries(&[file("keep", 1)])], Code::Unreachable),
        ("half a frame", vec![long.into()], Code::Unreachable),
        ("nothing at all", vec![], Code::Unreachable),
    ];
    for (what, frames, code) in cases {
        let report = assert_harmless(what, root(move || say(frames.clone())));
        assert!(has(&report, code), "{what}: {report:#?}");
    }
}

#[test]
fn a_listing_in_disorder_makes_the_same_mirror() {
    let disorder = root(|| say(vec![entries(&[folder("sub"), file("keep", length("keep"))]), complete()]));
    let (report, _around) = after(disorder);
    assert_eq!((report.outcome, report.counts.unchanged), (Outcome::Succeeded, 3), "{report:#?}");
}

#[test]
fn an_endless_listing_is_a_fault_and_takes_no_more_memory_than_another() {
    let endless = || -> Said {
        Box::new((0u64..).map(|n| {
            let names: Vec<_> =
                (0..1000).map(|k| file(&format!("{:016x}", (n * 1000 + k).reverse_bits()), 1)).collect();
            entries(&names)
        }))
    };
    let report = assert_harmless("endless", root(endless));
    assert!(has(&report, Code::Protocol), "{report:#?}");
    let oddity = Frame::bad_name(b"odd", &octo_core::Error::new(Code::AccessDenied, "no"));
    let many = Bytes::from(oddity.repeat(1000));
    let oddities = move || -> Said { Box::new(std::iter::repeat(many.clone())) };
    let report = assert_harmless("endless problems", root(oddities));
    assert!(has(&report, Code::Protocol), "{report:#?}");
}

#[test]
fn a_folder_within_itself_without_end_ends() {
    let report = assert_harmless("endless depth", |what, body| {
        let deeper = [entries(&[folder(&DEEP)]), complete()];
        let folder = (what == "/v1/list").then(|| Order::decode(body).unwrap().path.to_string());
        match folder.as_deref() {
            Some("sub") => return Box::new(honest(what, body).take(1).chain(deeper)),
            Some(path) if path.starts_with("sub/") => return say(deeper.to_vec()),
            _ => {}
        }
        honest(what, body)
    });
    assert!(has(&report, Code::SourceEntry), "{report:#?}");
}

/// Lists another size for `keep`, so that it is fetched, and answers that so.
fn fetched(
    listed_bytes: u64,
    frames: impl Fn() -> Said + Send + Sync + 'static,
) -> impl Fn(&str, &[u8]) -> Said + Send + Sync + 'static {
    move |what, body| match what {
        "/v1/fetch" => frames(),
        "/v1/list" if Order::decode(body).unwrap().path.is_root() => {
            say(vec![entries(&[file("keep", listed_bytes), folder("sub")]), complete()])
        }
        _ => honest(what, body),
    }
}

#[test]
fn content_that_is_not_what_was_announced_replaces_nothing() {
    let meta = |size| file("keep", size).meta;
    let piece = |at, size: usize| Frame::piece(0, at, &vec![7; size], FrameCompression::Plain);
    let cases: Vec<(&str, Vec<Bytes>)> = vec![
        ("too much", vec![Frame::opened(0, &meta(10)), piece(0, 11)]),
        ("beyond its end", vec![Frame::opened(0, &meta(10)), piece(1 << 40, 1)]),
        ("too little", vec![Frame::opened(0, &meta(10)), Frame::finished(0, &meta(10), blake3::hash(b"").as_bytes())]),
        ("another hash", vec![Frame::opened(0, &meta(10)), piece(0, 10), Frame::finished(0, &meta(10), &[0; 32])]),
        ("another file", vec![Frame::opened(1, &meta(10))]),
        ("a listing", vec![entries(&[file("keep", 1)]), complete()]),
        ("no answer", vec![]),
    ];
    for (what, frames) in cases {
        assert_harmless(what, fetched(10, move || say(frames.clone())));
    }
}

#[test]
fn a_stream_of_content_without_end_is_left_when_it_exceeds_what_was_announced() {
    let endless = || -> Said {
        let opened = Frame::opened(0, &file("keep", 5 << 20).meta);
        let pieces = (0u64..).map(|n| Frame::piece(0, n << 20, &vec![7; 1 << 20], FrameCompression::Plain));
        Box::new(std::iter::once(opened).chain(pieces))
    };
    assert!(has(&assert_harmless("endless content", fetched(5 << 20, endless)), Code::Protocol));
}

#[test]
fn a_run_is_cancelled_while_an_agent_says_nothing() {
    let (cancel, around) = (Cancel::new(), tempfile::tempdir().unwrap());
    let ((says_nothing, is_silent), (over, until_over)) = (mpsc::channel(), mpsc::channel::<()>());
    let until_over = Arc::new(Mutex::new(until_over));
    // A listing that has begun, and of which nothing more comes before the run is over.
    let source = agent_until(cancel.clone(), move |_, _| {
        let (says_nothing, until_over) = (says_nothing.clone(), Arc::clone(&until_over));
        Box::new(std::iter::once(entries(&[file("keep", 1)])).chain(std::iter::from_fn(move || {
            let _ = says_nothing.send(());
            let _ = until_over.lock().unwrap().recv();
            None
        })))
    });
    let report = std::thread::scope(|scope| {
        let cancelling = cancel.clone();
        scope.spawn(move || {
            is_silent.recv().unwrap();
            cancelling.cancel();
        });
        run(&source, &around.path().join("mirror"), &cancel)
    });
    drop(over);
    assert_eq!(report.outcome, Outcome::Cancelled, "{report:#?}");
}
