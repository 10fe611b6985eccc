//! Folders that a walk comes to next, listed before it is there, several at once: a disk that has to seek, or a server that is far
//! away, is slow when it is asked one thing at a time.
//!
//! Only small listings are kept, and few of them. What is not here the walk lists by itself, so that nothing depends on it
//! but speed. Nobody may wait for a folder that is further away than the one that the walk is at.

use crate::agent::listing::list_into;
use crate::wire::walk_order;
use bytes::{Bytes, BytesMut};
use octo_core::{Code, Error, Name, RelPath, Source};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What one listing may take while it waits.
const LISTING_BYTES_MAX: usize = if cfg!(test) { 1000 } else { 64 << 10 };
/// What all of them together may take while they wait.
const LISTINGS_BYTES_MAX: usize = 1 << 20;
/// How many of them there may be.
const LISTINGS_MAX: usize = 48;
/// How many listings are made at once, besides that of the walk itself.
const THREADS: usize = 3;

/// A small listing.
#[derive(Default)]
pub(crate) struct Fetched {
    /// As they go to the server, one after the other.
    pub frames: BytesMut,
    /// The folders in it.
    pub folders: Vec<Name>,
    /// What all of it takes.
    bytes: usize,
}

/// The folders that are to be listed, the listings that wait to be fetched, and who makes them.
pub(crate) struct Prefetch<'s> {
    queue: &'s PrefetchQueue,
    coming: HashMap<RelPath, Receiver<Option<Fetched>>>,
}

#[derive(Default)]
struct PrefetchQueue {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    folders: Vec<(RelPath, SyncSender<Option<Fetched>>)>,
    /// Of the listings that wait to be fetched.
    prefetched_bytes: usize,
    is_over: bool,
}

/// Does `work` with prefetch.
pub(crate) fn with_prefetch<T>(source: &dyn Source, work: impl FnOnce(Prefetch<'_>) -> T) -> T {
    let queue = PrefetchQueue::default();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            // With fewer it is only slower.
            let _ = thread::Builder::new().name("scout".into()).spawn_scoped(scope, || queue.follow(source));
        }
        work(Prefetch { queue: &queue, coming: HashMap::new() })
    })
}

impl Prefetch<'_> {
    /// The walk will come to this folder soon. Whatever is announced has to be fetched, or keeps its place to the end.
    pub fn announce(&mut self, folder: RelPath) {
        if self.coming.len() < LISTINGS_MAX && !self.coming.contains_key(&folder) {
            let (sender, receiver) = sync_channel(1);
            self.coming.insert(folder.clone(), receiver);
            self.queue.lock().folders.push((folder, sender));
            self.queue.more.notify_one();
        }
    }

    /// What is in the folder, if it is here or on its way.
    pub fn fetch(&mut self, folder: &RelPath) -> Option<Fetched> {
        let coming = self.coming.remove(folder)?;
        let mut waiting = self.queue.lock();
        if let Some(at) = waiting.folders.iter().position(|(path, _)| path == folder) {
            waiting.folders.swap_remove(at);
            return None;
        }
        drop(waiting);
        let fetched = coming.recv().ok().flatten()?;
        self.queue.lock().prefetched_bytes -= fetched.bytes;
        Some(fetched)
    }
}

impl Drop for Prefetch<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        waiting.is_over = true;
        waiting.folders.clear();
        self.queue.more.notify_all();
    }
}

impl PrefetchQueue {
    /// A thread that panicked left nothing half done: a list lacks an entry, or has one.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists what is wanted, the nearest first, until all is over.
    fn follow(&self, source: &dyn Source) {
        while let Some((folder, tell)) = self.next() {
            // Nobody may be there any more.
            let _ = tell.send(tell_small(source, &folder).filter(|fetched| self.keeps(fetched)));
        }
    }

    /// Whether there is room for one more.
    fn keeps(&self, fetched: &Fetched) -> bool {
        let mut waiting = self.lock();
        let fits = waiting.prefetched_bytes + fetched.bytes <= LISTINGS_BYTES_MAX;
        waiting.prefetched_bytes += if fits { fetched.bytes } else { 0 };
        fits
    }

    fn next(&self) -> Option<(RelPath, SyncSender<Option<Fetched>>)> {
        let mut waiting = self.lock();
        loop {
            if waiting.is_over {
                return None;
            }
            let nearest = (0..waiting.folders.len()).min_by(|&a, &b| {
                let path = |at: usize| &waiting.folders[at].0;
                walk_order(path(a), path(b))
            });
            match nearest {
                Some(at) => return Some(waiting.folders.swap_remove(at)),
                None => waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// The listing, if it is small enough to be kept.
fn tell_small(source: &dyn Source, folder: &RelPath) -> Option<Fetched> {
    let (mut frames, mut folders, mut names_bytes) = (BytesMut::new(), Vec::new(), 0);
    let mut keep = |frame: Bytes| {
        if frames.len() + frame.len() > LISTING_BYTES_MAX {
            return Err(Error::new(Code::Cancelled, "too large to be kept"));
        }
        frames.extend_from_slice(&frame);
        Ok(())
    };
    list_into(&mut keep, source, folder, &mut |name| {
        names_bytes += name.as_bytes().len();
        if names_bytes <= LISTING_BYTES_MAX {
            folders.push(name.clone());
        }
    })
    .ok()?;
    let bytes = frames.len() + names_bytes;
    (names_bytes <= LISTING_BYTES_MAX).then_some(Fetched { frames, folders, bytes })
}
