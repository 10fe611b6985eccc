//! Lists both sides folder by folder, ahead of the merge and many at once, and hands the pairs out in one strict order:
//! depth first, names in the target's order. A source that walks ahead itself is asked in that order.
//!
//! Memory is bounded: at most [`AHEAD_FOLDERS`] listed folders wait, their entries share one pool, and all folders still
//! to be listed lie on one stack that spills to disk, however deep the tree and however many wait on each level. Only so many of the very next folders are listed that there is always room for those
//! inside them, which come first.

mod listing;
mod places;

pub use listing::{FolderSide, ListedEntry, Lister};

use crate::codec::{Reader, Writer};
use crate::spill::{SpillWriter, Stack};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use octo_core::{Error, Kind, Meta, RelPath, Target, Timestamp};
use std::collections::VecDeque;

/// Folders that are listed or being listed ahead of the merge.
const AHEAD_FOLDERS: usize = 128;
/// How many of the next folders are begun at most. A few more than any source has threads that list (SMB, with
/// most, 40), so that none waits for work at the moment when more are begun; many more would only be entries that wait.
const NEXT_FOLDERS: usize = 48;

/// One folder to walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its path on the source.
    pub source: RelPath,
    /// Its path in the mirror.
    pub place: RelPath,
    /// What the source says of it; `None` if the source does not have it. The root has no say of its own.
    pub meta: Option<Meta>,
    /// What the mirror has in its place; `None` if the mirror does not have it, or has it since a moment ago.
    pub old: Option<Meta>,
}

impl Frame {
    /// The root of both sides.
    pub fn root() -> Frame {
        let root = Some(Meta::new(Kind::Folder, 0, Timestamp::default()));
        Frame { source: RelPath::root(), place: RelPath::root(), meta: root, old: root }
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(self.source.as_bytes());
        writer.bytes(self.place.as_bytes());
        for side in [&self.meta, &self.old] {
            writer.u8(u8::from(side.is_some()));
            side.iter().for_each(|meta| writer.meta(meta));
        }
        writer.0
    }

    fn decode(bytes: &[u8]) -> Result<Frame, Error> {
        let mut reader = Reader(bytes);
        let (source, place) = (reader.path()?, reader.path()?);
        let mut side = || Ok::<_, Error>(if reader.u8()? != 0 { Some(reader.meta()?) } else { None });
        Ok(Frame { source, place, meta: side()?, old: side()? })
    }
}

/// Both listings of one folder; `None` for a side that does not have it.
pub struct FolderPair {
    /// The source's.
    pub source: Option<FolderSide>,
    /// The mirror's.
    pub target: Option<FolderSide>,
}

/// Collects the subfolders of the folder being merged, in order.
pub struct Children<'a>(SpillWriter<'a>);

impl<'a> Children<'a> {
    /// None yet.
    pub fn new(target: &'a dyn Target) -> Children<'a> {
        Children(SpillWriter::new(target))
    }

    /// One more.
    pub fn push(&mut self, frame: &Frame) -> Result<(), Error> {
        self.0.push(&frame.encode())
    }
}

/// A folder to list, and where its listings go.
pub type Job = (Frame, Sender<Result<FolderPair, Error>>);

enum ListJob {
    ListedEntry(Box<Frame>, Receiver<Result<FolderPair, Error>>),
    /// How many folders not looked at yet lie on the stack above those of the items that follow.
    More(u64),
}

/// The folders still to come, next first.
pub struct Walk<'a> {
    target: &'a dyn Target,
    items: VecDeque<ListJob>,
    /// The folders of all [`ListJob::More`], the next one on top.
    stack: Stack,
    jobs: Sender<Job>,
}

/// Lists folders until there are no more jobs. Run by as many threads as listings shall be in flight.
/// Once the run is over, the folders that still wait are not asked for: a server that does not answer would hold up the
/// end for each of them.
pub fn list_folders(lister: &Lister<'_>, jobs: &Receiver<Job>, is_over: impl Fn() -> bool) {
    for (frame, answer) in jobs {
        if is_over() {
            // The answer's sender goes with it, so that its receiver does not wait for ever.
            continue;
        }
        // No thread waits for the answer once the run has ended.
        let _ = answer.send(list_pair(lister, &frame));
    }
}

fn list_pair(lister: &Lister<'_>, frame: &Frame) -> Result<FolderPair, Error> {
    let source = if lister.source_walks_ahead() { None } else { list_source(lister, frame)? };
    let target = frame.old.map(|_| lister.target(&frame.place, &frame.source)).transpose()?;
    let source = match source {
        Some(mut source) => {
            lister.settle_places(&frame.place, &mut source, target.as_ref())?;
            Some(source)
        }
        None => None,
    };
    Ok(FolderPair { source, target })
}

/// The source's side of the next folder, if the source walks ahead: it is asked in the order in which the folders are handed
/// out, and by one thread only.
pub fn list_walked(lister: &Lister<'_>, frame: &Frame) -> Result<Option<FolderSide>, Error> {
    if lister.source_walks_ahead() { list_source(lister, frame) } else { Ok(None) }
}

fn list_source(lister: &Lister<'_>, frame: &Frame) -> Result<Option<FolderSide>, Error> {
    frame.meta.map(|_| lister.source(&frame.source)).transpose()
}

impl<'a> Walk<'a> {
    /// A walk that begins with `frames`, and the jobs for [`list_folders`]. Scratch files come from `target`.
    pub fn new(target: &'a dyn Target, frames: Vec<Frame>) -> Result<(Walk<'a>, Receiver<Job>), Error> {
        let (jobs, receiver) = unbounded();
        let mut walk = Walk { target, items: VecDeque::new(), stack: Stack::default(), jobs };
        let first = ListJob::More(frames.len() as u64);
        for frame in frames.into_iter().rev() {
            walk.stack.push(target, &frame.encode())?;
        }
        walk.items.push_front(first);
        Ok((walk, receiver))
    }

    /// The next folder with both its listings; `None` at the end. `walked` is [`list_walked`].
    pub fn next(
        &mut self,
        walked: impl FnOnce(&Frame) -> Result<Option<FolderSide>, Error>,
    ) -> Result<Option<(Frame, FolderPair)>, Error> {
        self.look_ahead()?;
        match self.items.pop_front() {
            Some(ListJob::ListedEntry(frame, answer)) => {
                // Meanwhile a thread lists the mirror.
                let walked = walked(&frame)?;
                let pair = answer
                    .recv()
                    .map_err(|_| Error::new(octo_core::Code::TargetFailed, "a thread that lists folders has ended"))?;
                let FolderPair { source, target } = pair?;
                Ok(Some((*frame, FolderPair { source: walked.or(source), target })))
            }
            _ => Ok(None),
        }
    }

    /// The subfolders of the folder handed out last.
    pub fn descend(&mut self, children: Children<'_>) -> Result<(), Error> {
        let children = children.0.finish();
        for frame in children.backward() {
            self.stack.push(self.target, &frame?)?;
        }
        if children.count() > 0 {
            self.items.push_front(ListJob::More(children.count()));
        }
        Ok(())
    }

    /// Starts listings, next folders first. The very next one is always started.
    ///
    /// Half of the room that is left, so that the folders inside the next one find some in turn, however deep the tree.
    /// Many at once, and then for a while none: the threads that list are not woken again for each folder.
    fn look_ahead(&mut self) -> Result<(), Error> {
        let is_listing = |item: &ListJob| matches!(item, ListJob::ListedEntry(..));
        let listing = self.items.iter().filter(|item| is_listing(item)).count();
        let next = (AHEAD_FOLDERS.saturating_sub(listing) / 2).clamp(1, NEXT_FOLDERS);
        let begun = self.items.iter().take_while(|item| is_listing(item)).count();
        if begun > next / 2 {
            return Ok(());
        }
        let mut at = begun;
        while at < self.items.len().min(next) {
            match &mut self.items[at] {
                ListJob::ListedEntry(..) => at += 1,
                ListJob::More(0) => drop(self.items.remove(at)),
                ListJob::More(left) => {
                    *left -= 1;
                    let listing = self.begin()?;
                    self.items.insert(at, listing);
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// Has the uppermost folder of the stack listed.
    fn begin(&mut self) -> Result<ListJob, Error> {
        let missing = || Error::new(octo_core::Code::RecordsDamaged, "a folder that waits to be listed is missing");
        let frame = Frame::decode(&self.stack.pop()?.ok_or_else(missing)?)?;
        let (answer, receiver) = bounded(1);
        // Without a thread left to list, `next` finds the answer's sender gone.
        let _ = self.jobs.send((frame.clone(), answer));
        Ok(ListJob::ListedEntry(Box::new(frame), receiver))
    }

    /// What is kept in memory of the folders that wait or are being listed.
    #[cfg(test)]
    fn memory_bytes(&self) -> usize {
        let of_item = |item: &ListJob| match item {
            ListJob::ListedEntry(frame, _) => {
                size_of::<Frame>() + frame.source.as_bytes().len() + frame.place.as_bytes().len()
            }
            ListJob::More(_) => 0,
        };
        self.items.capacity() * size_of::<ListJob>()
            + self.items.iter().map(of_item).sum::<usize>()
            + self.stack.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Name;
    use octo_disk::{DiskOptions, DiskTarget};
    use std::path::Path;

    fn frame(path: &str) -> Frame {
        Frame { source: RelPath::parse(path.as_bytes()).unwrap(), ..Frame::root() }
    }

    /// Answers everything that was asked for so far.
    fn answer(jobs: &Receiver<Job>) -> Vec<RelPath> {
        let answer = |(frame, answer): Job| {
            answer.send(Ok(FolderPair { source: None, target: None })).unwrap();
            frame.source
        };
        jobs.try_iter().map(answer).collect()
    }

    #[test]
    fn the_folders_inside_the_next_one_are_listed_many_at_once_however_deep_and_however_many_wait_beside_it() {
        let target = DiskTarget::open(Path::new("/nonexistent/octobackup"), DiskOptions::default()).unwrap();
        let (mut walk, jobs) = Walk::new(&target, (0..500).map(|n| frame(&format!("{n:03}"))).collect()).unwrap();
        let mut listed = 0;
        for depth in 1..6 {
            walk.look_ahead().unwrap();
            let asked = answer(&jobs);
            listed += asked.len();
            let inside = asked.iter().filter(|path| path.names().count() == depth).count();
            assert!(inside >= AHEAD_FOLDERS >> (depth + 1).min(5), "{inside} at depth {depth}");
            assert!(listed <= AHEAD_FOLDERS, "{listed} listed at depth {depth}");
            let (next, _) = walk.next(|_| Ok(None)).unwrap().unwrap();
            assert_eq!(next.source.names().count(), depth);
            listed -= 1;
            let mut children = Children::new(&target);
            for n in 0..500 {
                let name = Name::new(format!("{n:03}").into_bytes()).unwrap();
                children.push(&Frame { source: next.source.join(&name), ..Frame::root() }).unwrap();
            }
            walk.descend(children).unwrap();
        }
    }

    #[test]
    fn memory_does_not_grow_with_depth_times_folders_beside_it_times_length_of_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let target = DiskTarget::open(folder.path(), DiskOptions::default()).unwrap();
        let (mut walk, jobs) = Walk::new(&target, vec![Frame::root()]).unwrap();
        // As deep as Windows can name, 40 folders on each level: together more than 100 MB of paths.
        let (mut deepest, mut most) = (0, 0);
        for depth in 1..=160 {
            walk.look_ahead().unwrap();
            answer(&jobs);
            let (next, _) = walk.next(|_| Ok(None)).unwrap().unwrap();
            deepest = next.source.as_bytes().len();
            let mut children = Children::new(&target);
            for n in 0..40 {
                let name = Name::new(format!("{n:02}{}", "x".repeat(198)).into_bytes()).unwrap();
                let (source, place) = (next.source.join(&name), next.place.join(&name));
                children.push(&Frame { source, place, ..Frame::root() }).unwrap();
            }
            walk.descend(children).unwrap();
            assert!(depth < 3 || next.source.names().count() == depth - 1, "depth first");
            most = most.max(walk.memory_bytes());
        }
        assert!(deepest > 31 << 10, "{deepest}");
        assert!(most < AHEAD_FOLDERS * (2 * deepest + 1024) + (1 << 20), "{most} bytes");
    }

    #[test]
    fn a_thread_that_lists_is_not_woken_for_each_folder_anew() {
        let target = DiskTarget::open(Path::new("/nonexistent/octobackup"), DiskOptions::default()).unwrap();
        let (mut walk, jobs) = Walk::new(&target, (0..1000).map(|n| frame(&format!("{n:03}"))).collect()).unwrap();
        let mut batches = 0;
        for _ in 0..1000 {
            walk.look_ahead().unwrap();
            batches += usize::from(!answer(&jobs).is_empty());
            assert!(walk.next(|_| Ok(None)).unwrap().is_some());
        }
        assert!(walk.next(|_| Ok(None)).unwrap().is_none());
        assert!(batches < 60, "{batches}");
    }
}
