//! Files that are written all the time, with a real writer.

use crate::pair::Pair;
use crate::support::mirror;
use octo_core::listing::{ListSink, Listed};
use octo_core::report::Problem;
use octo_core::{
    Code, Error, FetchRequest, FetchSink, Meta, Outcome, Piece, RelPath, RunReport, Source, SourceFeatures, SourcePin,
    Stop,
};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::{LiveFiles, RunOptions};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Writes to a file without a pause until it is dropped.
struct Writer {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn new(path: &Path, mut write: impl FnMut(&mut fs::File, u64) + Send + 'static) -> Writer {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut file = fs::File::options().write(true).open(path).unwrap();
        let (stopped, written) = (Arc::clone(&stop), Arc::clone(&rounds));
        let thread = std::thread::spawn(move || {
            for n in 0.. {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                write(&mut file, n);
                written.fetch_add(1, Ordering::SeqCst);
            }
        });
        Writer { stop, rounds, thread: Some(thread) }
    }

    /// Appends lines that tell their number.
    fn appending(path: &Path) -> Writer {
        Writer::new(path, |file, n| {
            file.seek(SeekFrom::End(0)).unwrap();
            writeln!(file, "line {n}").unwrap();
            // So that the file does not grow by gigabytes.
            std::thread::yield_now();
        })
    }

    /// The source, read while it is written to: each piece waits until more was written.
    fn run(&self, pair: &Pair, options: &RunOptions) -> RunReport {
        let source = Busy { inner: LocalSource::open(&pair.source).unwrap(), rounds: Arc::clone(&self.rounds) };
        let target = DiskTarget::open(&pair.target, DiskOptions::default()).unwrap();
        mirror(&source, &target, options).report
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

struct Busy {
    inner: LocalSource,
    rounds: Arc<AtomicU64>,
}

impl Source for Busy {
    fn features(&self) -> SourceFeatures {
        self.inner.features()
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        self.inner.pin()
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        self.inner.list(folder, sink)
    }
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        self.inner.fetch(batch, &mut Waiting { sink, rounds: &self.rounds });
    }
}

struct Waiting<'s> {
    sink: &'s mut dyn FetchSink,
    rounds: &'s AtomicU64,
}

impl FetchSink for Waiting<'_> {
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.sink.opened(file, meta)
    }
    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.sink.data(file, offset_bytes, bytes)?;
        let (before, begun) = (self.rounds.load(Ordering::SeqCst), Instant::now());
        while self.rounds.load(Ordering::SeqCst) < before + 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody writes");
            std::thread::yield_now();
        }
        Ok(())
    }
    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        self.sink.metadata(file, piece)
    }
    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.sink.finished(file, meta)
    }
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.sink.failed(file, error)
    }
}

fn copying() -> RunOptions {
    RunOptions { live_files: LiveFiles::Copy, ..RunOptions::default() }
}

fn of(report: &RunReport, code: Code) -> Option<Problem> {
    report.causes.iter().find(|cause| cause.code == code).map(|cause| cause.examples[0].clone())
}

#[test]
fn the_beginning_of_a_file_that_is_only_appended_to_is_copied_and_copied_again() {
    let pair = Pair::new();
    pair.write("log", "first line of the log\n".repeat(50_000).as_bytes(), 1_000_000);
    pair.write("other", b"other", 1_000_000);
    let (log, copy) = (pair.source.join("log"), pair.target.join("log"));
    let writer = Writer::appending(&log);

    let kept = writer.run(&pair, &RunOptions::default());
    assert!(of(&kept, Code::ChangedWhileRead).is_some() && !copy.exists(), "nothing is copied unasked: {kept:#?}");

    let mut sizes = Vec::new();
    for _ in 0..2 {
        let report = writer.run(&pair, &copying());
        assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
        let told = of(&report, Code::LiveCopy).unwrap();
        let (has, now) = (fs::read(&copy).unwrap(), fs::read(&log).unwrap());
        assert!(now.starts_with(&has) && has.len() < now.len(), "{} of {}", has.len(), now.len());
        assert_eq!(told.path.to_string(), "log");
        assert!(told.detail.starts_with(&format!("its first {} bytes", has.len())), "{told:?}");
        sizes.push(has.len());
    }
    assert!(sizes[0] < sizes[1], "a newer beginning takes the place of the older: {sizes:?}");
    drop(writer);

    // The copy must not be taken for the file, even if the file should come to have just its size.
    let size = fs::metadata(&copy).unwrap().len();
    let time = fs::metadata(&log).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(&log).unwrap();
    file.set_len(size).unwrap();
    file.write_all_at(b"FIRST", 0).unwrap();
    file.set_modified(time).unwrap();
    let last = pair.run(&copying());
    assert_eq!((last.outcome, last.counts.replaced), (Outcome::Succeeded, 1), "{last:#?}");
    assert_eq!(of(&last, Code::LiveCopy), None);
    pair.assert_equal();
    assert_eq!(pair.run(&copying()).counts.replaced, 0);
}

#[test]
fn a_file_whose_inside_changes_all_the_time_is_not_copied() {
    let pair = Pair::new();
    pair.write("data", &vec![0; 3 << 20], 1_000_000);
    assert_eq!(pair.run(&copying()).outcome, Outcome::Succeeded);
    let before = fs::read(pair.target.join("data")).unwrap();
    // Grows, too.
    let writer = Writer::new(&pair.source.join("data"), |file, n| {
        for at in (0..3 << 20).step_by(256 << 10) {
            file.write_all_at(&n.to_le_bytes(), at).unwrap();
        }
        file.write_all_at(b"more", (3 << 20) + 4 * n).unwrap();
    });
    let report = writer.run(&pair, &copying());
    drop(writer);
    assert_eq!((report.outcome, of(&report, Code::LiveCopy)), (Outcome::Warnings, None), "{report:#?}");
    let told = of(&report, Code::ChangedWhileRead).unwrap();
    assert!(told.detail.contains("not only appended to") && told.detail.contains("the copy in the mirror"), "{told:?}");
    assert_eq!(fs::read(pair.target.join("data")).unwrap(), before, "the old copy stays");
}
