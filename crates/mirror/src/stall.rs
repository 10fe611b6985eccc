//! Notices a source that gives nothing for too long, so that the run ends by itself.
//!
//! Every request has a limit of its own. But a server that lets each of them run into it, one after the other, would keep a run busy
//! for weeks. What counts here is what came: an entry, a piece of a file, a listing or a file that came to its end. Refusals do
//! not count, and neither does the time that the engine needs for itself: a slow target, a limit on bandwidth, the removal of versions.

use crossbeam_channel::{RecvTimeoutError, bounded};
use octo_core::listing::{ListSink, Listed};
use octo_core::metadata::Piece;
use octo_core::source::{FetchRequest, FetchSink, Stop};
use octo_core::{Clock, Entry, Error, LinkTarget, Meta, Ranges, RelPath, Source, SourceFeatures, SourcePin, Timestamp};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked how long the source has given nothing.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many entries of a listing are counted together: there may be very many.
const TELL_EVERY: u64 = 64;

/// A source, and since when it has given nothing.
pub struct WatchedSource<'a> {
    source: &'a dyn Source,
    clock: &'a dyn Clock,
    wait: Mutex<Wait>,
}

/// How long the source was waited for since something came. Time counts while at least one thread waits.
#[derive(Default)]
struct Wait {
    threads: usize,
    since: Duration,
    before: Duration,
}

impl<'a> WatchedSource<'a> {
    /// The same source, watched.
    pub fn new(source: &'a dyn Source, clock: &'a dyn Clock) -> WatchedSource<'a> {
        WatchedSource { source, clock, wait: Mutex::default() }
    }

    /// Does `work`. Meanwhile, once the source has given nothing for longer than `limit`, calls `stalled`.
    pub fn watch<T>(&self, limit: Option<Duration>, stalled: impl Fn(Duration) + Sync, work: impl FnOnce() -> T) -> T {
        let Some(limit) = limit else { return work() };
        let (working, has_ended) = bounded::<()>(0);
        std::thread::scope(|scope| {
            let stalled = &stalled;
            scope.spawn(move || {
                while has_ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    let waited = self.waited();
                    if waited > limit {
                        return stalled(waited);
                    }
                }
            });
            let done = work();
            drop(working);
            done
        })
    }

    fn wait(&self) -> MutexGuard<'_, Wait> {
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waited(&self) -> Duration {
        let (now, wait) = (self.clock.monotonic(), self.wait());
        wait.before + if wait.threads > 0 { now.saturating_sub(wait.since) } else { Duration::ZERO }
    }

    fn begins(&self) {
        let (now, mut wait) = (self.clock.monotonic(), self.wait());
        if wait.threads == 0 {
            wait.since = now;
        }
        wait.threads += 1;
    }

    fn ends(&self) {
        let (now, mut wait) = (self.clock.monotonic(), self.wait());
        wait.threads = wait.threads.saturating_sub(1);
        if wait.threads == 0 {
            wait.before = wait.before.saturating_add(now.saturating_sub(wait.since));
        }
    }

    /// Something came.
    fn gave(&self) {
        let (now, mut wait) = (self.clock.monotonic(), self.wait());
        (wait.since, wait.before) = (now, Duration::ZERO);
    }

    /// What is asked of the source.
    fn asking<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.begins();
        let answer = ask();
        self.ends();
        answer
    }

    /// What the engine does with an answer while the source waits for us.
    fn taking<T>(&self, take: impl FnOnce() -> T) -> T {
        self.ends();
        let taken = take();
        self.begins();
        taken
    }
}

impl Source for WatchedSource<'_> {
    fn features(&self) -> SourceFeatures {
        self.source.features()
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        self.asking(|| self.source.pin())
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let listed = self.asking(|| self.source.list(folder, &mut Listing { watched: self, entries: 0, sink }));
        if listed == Listed::Complete {
            self.gave();
        }
        listed
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        self.asking(|| self.source.fetch(batch, &mut Fetching { watched: self, sink }));
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        let read = self.asking(|| self.source.read_link(path));
        if read.is_ok() {
            self.gave();
        }
        read
    }

    fn snapshots(&self) -> Result<Vec<Timestamp>, Error> {
        self.asking(|| self.source.snapshots())
    }

    fn clock(&self) -> Option<Timestamp> {
        self.source.clock()
    }

    fn remarks(&self) -> Vec<String> {
        self.source.remarks()
    }
}

struct Listing<'a> {
    watched: &'a WatchedSource<'a>,
    entries: u64,
    sink: &'a mut dyn ListSink,
}

impl ListSink for Listing<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        if self.entries.is_multiple_of(TELL_EVERY) {
            self.watched.gave();
        }
        self.entries += 1;
        // What it takes to put it away is next to nothing.
        self.sink.entry(entry)
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        self.watched.taking(|| self.sink.problem(name, error));
    }

    fn restart(&mut self) {
        self.sink.restart();
    }
}

struct Fetching<'a> {
    watched: &'a WatchedSource<'a>,
    sink: &'a mut dyn FetchSink,
}

impl FetchSink for Fetching<'_> {
    fn wants_holes(&self, file: usize) -> bool {
        self.sink.wants_holes(file)
    }

    fn holes(&mut self, file: usize, holes: &Ranges) {
        self.watched.taking(|| self.sink.holes(file, holes));
    }

    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.watched.taking(|| self.sink.opened(file, meta))
    }

    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.watched.gave();
        self.watched.taking(|| self.sink.data(file, offset_bytes, bytes))
    }

    fn hashed(&mut self, file: usize, hash: [u8; 32]) {
        self.watched.taking(|| self.sink.hashed(file, hash));
    }

    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        self.watched.taking(|| self.sink.metadata(file, piece))
    }

    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop> {
        self.watched.gave();
        self.watched.taking(|| self.sink.finished(file, meta))
    }

    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop> {
        self.watched.taking(|| self.sink.failed(file, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_testkit::clock::TestClock;
    use octo_testkit::memory::{MemSource, MemTree};
    use std::sync::atomic::{AtomicU64, Ordering};

    const MS: Duration = Duration::from_millis(1);

    /// A clock that a test moves.
    #[derive(Default)]
    struct ByHand(AtomicU64);

    impl ByHand {
        fn passes(&self, time: Duration) {
            self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
        }
    }

    impl Clock for ByHand {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::SeqCst))
        }
        fn sleep(&self, duration: Duration) {
            self.passes(duration);
        }
    }

    #[test]
    fn only_waiting_for_the_source_counts_and_only_until_something_comes() {
        let (source, clock) = (MemSource::new(&MemTree::new()), ByHand::default());
        let watched = WatchedSource::new(&source, &clock);
        clock.passes(20 * MS);
        assert_eq!(watched.waited(), Duration::ZERO, "no thread waits");
        watched.asking(|| clock.passes(20 * MS));
        assert_eq!(watched.waited(), 20 * MS);
        clock.passes(20 * MS);
        assert_eq!(watched.waited(), 20 * MS, "the engine is busy with something else");
        watched.asking(|| {
            watched.taking(|| clock.passes(20 * MS));
            assert_eq!(watched.waited(), 20 * MS, "what the engine does with an answer does not count");
            clock.passes(5 * MS);
            assert_eq!(watched.waited(), 25 * MS, "refusals add up");
            watched.gave();
            assert_eq!(watched.waited(), Duration::ZERO);
            clock.passes(MS);
            assert_eq!(watched.waited(), MS);
        });
        assert_eq!(watched.waited(), MS);
    }

    #[test]
    fn a_source_that_gives_nothing_is_stalled_of_once_and_one_that_ends_in_time_never() {
        let (source, clock, stalled) = (MemSource::new(&MemTree::new()), TestClock::real(), AtomicU64::new(0));
        let watched = WatchedSource::new(&source, &clock);
        let count = |_| {
            stalled.fetch_add(1, Ordering::SeqCst);
        };
        watched.watch(Some(3600 * 1000 * MS), count, || watched.asking(|| ()));
        watched.watch(None, count, || watched.asking(|| ()));
        assert_eq!(stalled.load(Ordering::SeqCst), 0);
        watched.watch(Some(MS), count, || {
            watched.asking(|| {
                while stalled.load(Ordering::SeqCst) == 0 {
                    std::thread::sleep(MS);
                }
            });
        });
        assert_eq!(stalled.load(Ordering::SeqCst), 1);
    }
}
