//! Copies files in batches: all of a batch is gathered and made durable before any of it gets its name.

use super::decide::{Action, Existing, decide};
use super::place::look;
use super::report::RestoreReport;
use super::sink::{Gather, Holes, Staged};
use crate::codec::Reader;
use crate::spill::SpillLog;
use octo_core::restore_target::{BatchLimits, FolderEnd, LostParts, Placing, is_lost};
use octo_core::{
    Cancel, Change, Code, Error, Event, FetchRequest, Kind, Meta, Monitor, Name, Ranges, RelPath, RestoreBatch,
    RestoreTarget, Source, Target,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Of larger files it is asked what of them is holes, which take no space.
const LARGE_BYTES: u64 = 64 << 20;
/// Folders that get their times and metadata together.
const FOLDERS_AT_ONCE: usize = 64;
/// So often a file may be lost with the connection among others; then it goes alone, as often again.
const LOST_AMONG_OTHERS: u32 = 2;

/// A file that is to be copied.
pub struct Pending {
    pub path: RelPath,
    pub meta: Meta,
    pub place: RelPath,
    pub action: Action,
    pub seen: Option<Meta>,
    /// How often the connection was lost with it.
    pub losses: u32,
}

/// What is restored, and where.
#[derive(Clone, Copy)]
pub struct Ends<'a> {
    /// From where.
    pub state: &'a dyn Source,
    /// To where.
    pub target: &'a dyn RestoreTarget,
    /// Where what is too large for memory waits.
    pub scratch: &'a dyn Target,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
    /// Whether it is to stop.
    pub cancel: &'a Cancel,
}

/// A restore under way.
pub struct Copying<'a> {
    pub ends: Ends<'a>,
    /// The staging folder; `None` if nothing is to be changed.
    pub staging: Option<&'a RelPath>,
    /// Files and bytes that are to be expected.
    pub planned: (u64, u64),
    /// What was done so far.
    pub report: RestoreReport,
    limits: BatchLimits,
    stages: u64,
    pending: Vec<Pending>,
    pending_bytes: u64,
}

/// How writing a file ended: what it is then, and what of its metadata is lost.
type Ended = Result<(Meta, LostParts), Error>;

/// Files that were written together, and wait for their names.
struct Written<'a> {
    batch: Box<dyn RestoreBatch + 'a>,
    files: Vec<(Pending, RelPath, Ended)>,
}

impl<'a> Copying<'a> {
    /// Nothing yet, and only to look.
    pub fn new(ends: Ends<'a>) -> Copying<'a> {
        Copying {
            ends,
            staging: None,
            planned: (0, 0),
            report: RestoreReport::default(),
            limits: ends.target.limits(),
            stages: 0,
            pending: Vec::new(),
            pending_bytes: 0,
        }
    }

    /// A file that is to be restored.
    pub fn file(&mut self, file: Pending) -> Result<(), Error> {
        if self.staging.is_none() {
            let bytes = if file.meta.size_bytes < LARGE_BYTES { file.meta.size_bytes } else { self.data_bytes(&file) };
            self.count(&file, bytes);
            return Ok(());
        }
        self.pending_bytes += file.meta.size_bytes;
        self.pending.push(file);
        let is_full = self.pending.len() >= self.limits.files || self.pending_bytes >= self.limits.bytes;
        if is_full { self.flush() } else { Ok(()) }
    }

    fn count(&mut self, file: &Pending, bytes: u64) {
        let counts = &mut self.report.counts;
        counts.copied_bytes += bytes;
        counts.created += u64::from(file.action != Action::Replace);
        counts.replaced += u64::from(file.action == Action::Replace);
        self.report.beside += u64::from(file.action == Action::Beside);
    }

    /// The size of a file without its holes.
    fn data_bytes(&self, file: &Pending) -> u64 {
        let mut holes = Holes(0);
        self.ends.state.fetch(&[FetchRequest { metadata: false, ..request(&file.path, &file.meta, None) }], &mut holes);
        file.meta.size_bytes.saturating_sub(holes.0)
    }

    /// Copies what is pending, makes it durable, and gives it its names. What is lost with a connection is copied again.
    pub fn flush(&mut self) -> Result<(), Error> {
        let mut files = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let Some(staging) = self.staging else { return Ok(()) };
        while !files.is_empty() && !self.ends.cancel.is_cancelled() {
            let (alone, among): (Vec<_>, Vec<_>) = files.into_iter().partition(|it| it.losses >= LOST_AMONG_OTHERS);
            let mut lost = self.copy(staging, among, self.limits.files_at_once)?;
            lost.append(&mut self.copy(staging, alone, 1)?);
            files = self.still_wanted(lost)?;
        }
        self.report.cancelled |= !files.is_empty();
        Ok(())
    }

    /// Copies files, so many in one batch. Gives back what was lost.
    fn copy(&mut self, staging: &RelPath, files: Vec<Pending>, at_once: usize) -> Result<Vec<Pending>, Error> {
        let mut staged = Vec::with_capacity(files.len());
        for file in files {
            staged.push((file, self.next_stage(staging)?));
        }
        let wanted = staged.len();
        let written = write_all(self.ends, staged, (at_once, self.limits.batches_at_once))?;
        self.report.cancelled |= written.iter().map(|it| it.files.len()).sum::<usize>() < wanted;
        if written.is_empty() {
            return Ok(Vec::new());
        }
        self.ends.target.checkpoint()?;
        let mut lost = Vec::new();
        for written in written {
            self.place(written, &mut lost)?;
        }
        Ok(lost)
    }

    fn place(&mut self, written: Written<'_>, lost: &mut Vec<Pending>) -> Result<(), Error> {
        let Written { mut batch, files } = written;
        let placing = |(number, (file, stage, ended)): (usize, &(Pending, RelPath, Ended))| {
            let replaces = file.seen.filter(|_| file.action == Action::Replace);
            let placing = Placing { stage: stage.clone(), place: file.place.clone(), replaces };
            ended.is_ok().then_some((number, placing))
        };
        let wanted: Vec<_> = files.iter().enumerate().filter_map(placing).collect();
        let mut placed = batch.place(&wanted).into_iter();
        for (number, (file, _, ended)) in files.into_iter().enumerate() {
            let ended = ended.and_then(|(meta, mut parts)| {
                let placed = placed.next().unwrap_or_else(|| Err(Error::new(Code::TargetFailed, "it got no answer")));
                parts.extend(placed?);
                Ok((meta, parts))
            });
            match ended {
                Ok((meta, parts)) => {
                    if !parts.is_empty() {
                        self.report.lost(self.ends.monitor, &file.path, &parts);
                    }
                    self.placed(&file, meta.size_bytes);
                }
                Err(error) => {
                    batch.discard(number);
                    self.refused(file, error, lost)?;
                }
            }
        }
        Ok(())
    }

    fn placed(&mut self, file: &Pending, bytes: u64) {
        self.count(file, bytes);
        let change = Change::Created { path: file.place.clone(), kind: Kind::File, size_bytes: bytes };
        self.ends.monitor.event(&Event::Change(&change));
        self.say(Some(&file.path));
    }

    fn refused(&mut self, mut file: Pending, error: Error, lost: &mut Vec<Pending>) -> Result<(), Error> {
        if is_lost(&error) {
            file.losses += 1;
            if file.losses < 2 * LOST_AMONG_OTHERS {
                lost.push(file);
                return Ok(());
            }
            let error = Error::new(Code::ServerFails, error.to_string());
            self.report.problem(self.ends.monitor, &file.path, &error);
            return Ok(());
        }
        if error.code.stops_run() {
            return Err(error);
        }
        self.report.problem(self.ends.monitor, &file.path, &error);
        Ok(())
    }

    /// Of what was lost with a connection it is not known whether it has its name already.
    fn still_wanted(&mut self, lost: Vec<Pending>) -> Result<Vec<Pending>, Error> {
        let abilities = self.ends.target.abilities();
        let mut wanted = Vec::new();
        for file in lost {
            let there = match look(self.ends.target, &file.place) {
                Err(error) if !error.code.stops_run() => {
                    self.report.problem(self.ends.monitor, &file.path, &error);
                    continue;
                }
                there => there?,
            };
            let is_there = decide(Existing::Keep, &file.meta, there.as_ref(), &abilities) == Action::Same;
            if is_there { self.placed(&file, file.meta.size_bytes) } else { wanted.push(file) }
        }
        Ok(wanted)
    }

    /// Times and metadata of folders, now that nothing in them will change any more.
    pub fn settle(&mut self, folders: &SpillLog) -> Result<(), Error> {
        let mut ends: Vec<(RelPath, FolderEnd)> = Vec::new();
        for record in folders.backward() {
            let record = record?;
            let mut r = Reader(&record);
            let (is_ours, path, place, meta) = (r.u8()? != 0, r.path()?, r.path()?, r.meta()?);
            let metadata = if is_ours { self.folder_metadata(&path, &meta)? } else { None };
            ends.push((path, FolderEnd { place, meta, metadata }));
            if ends.len() >= FOLDERS_AT_ONCE {
                self.end_folders(std::mem::take(&mut ends))?;
            }
        }
        self.end_folders(ends)
    }

    fn end_folders(&mut self, folders: Vec<(RelPath, FolderEnd)>) -> Result<(), Error> {
        let (paths, ends): (Vec<_>, Vec<_>) = folders.into_iter().unzip();
        for (path, ended) in paths.iter().zip(self.ends.target.end_folders(ends)) {
            match ended {
                Ok(lost) if lost.is_empty() => {}
                Ok(lost) => self.report.lost(self.ends.monitor, path, &lost),
                Err(error) if error.code.stops_run() => return Err(error),
                Err(error) => self.report.problem(self.ends.monitor, path, &error),
            }
        }
        Ok(())
    }

    fn folder_metadata(&mut self, path: &RelPath, meta: &Meta) -> Result<Option<octo_core::Metadata>, Error> {
        let Ends { state, scratch, monitor, .. } = self.ends;
        let mut gather = Gather { to: None, scratch, files: vec![Staged::default()], failed: None };
        state.fetch(&[request(path, meta, Some(Ranges::new()))], &mut gather);
        if let Some(error) = gather.failed {
            return Err(error);
        }
        let (metadata, lost) = match gather.files.pop().and_then(|staged| staged.ended) {
            Some(Ok((_, gathered))) => gathered,
            ended => {
                let error = ended.and_then(Result::err).unwrap_or_else(|| Error::new(Code::NotFound, ""));
                let error = error.and("its permissions and attributes were not restored");
                self.report.problem(monitor, path, &error);
                return Ok(None);
            }
        };
        if !lost.is_empty() {
            self.report.lost(monitor, path, &lost);
        }
        Ok(Some(metadata))
    }

    /// A new name in staging.
    pub fn next_stage(&mut self, staging: &RelPath) -> Result<RelPath, Error> {
        self.stages += 1;
        let name = Name::new(self.stages.to_string().into_bytes());
        name.map(|name| staging.join(&name)).map_err(|bad| Error::new(Code::TargetFailed, bad.reason()))
    }

    /// Says how far it is.
    pub fn say(&self, current: Option<&RelPath>) {
        let (planned_files, planned_bytes) = self.planned;
        let counts = &self.report.counts;
        let listed_all = self.staging.is_some();
        self.ends.monitor.event(&Event::Progress { counts, planned_files, planned_bytes, listed_all, current });
    }
}

/// Writes files into staging, several batches at the same time. Fails with what ends all work.
fn write_all(
    ends: Ends<'_>,
    files: Vec<(Pending, RelPath)>,
    (at_once, batches): (usize, usize),
) -> Result<Vec<Written<'_>>, Error> {
    let mut chunks: Vec<Mutex<Option<Vec<_>>>> = Vec::new();
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() {
        chunks.push(Mutex::new(Some(files.by_ref().take(at_once.max(1)).collect())));
    }
    let (next, written) = (AtomicUsize::new(0), Mutex::new(Ok(Vec::new())));
    let work = || {
        while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::SeqCst)) {
            let Some(files) = chunk.lock().unwrap_or_else(PoisonError::into_inner).take() else { continue };
            if ends.cancel.is_cancelled() {
                return;
            }
            let done = write(ends, files);
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            match (written.as_mut(), done) {
                (Ok(all), Ok(done)) => all.push(done),
                (Ok(_), Err(error)) => *written = Err(error),
                (Err(_), _) => return,
            }
        }
    };
    let threads = batches.min(chunks.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    written.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the files of one batch.
fn write<'a>(ends: Ends<'a>, files: Vec<(Pending, RelPath)>) -> Result<Written<'a>, Error> {
    let mut batch = ends.target.batch();
    let staged = files.iter().map(|(_, stage)| Staged::at(stage.clone())).collect();
    let requests: Vec<_> = files.iter().map(|(file, _)| request(&file.path, &file.meta, None)).collect();
    let mut gather = Gather { to: Some(batch.as_mut()), scratch: ends.scratch, files: staged, failed: None };
    ends.state.fetch(&requests, &mut gather);
    if let Some(error) = gather.failed {
        return Err(error);
    }
    let mut whole = Vec::new();
    let mut results: Vec<Ended> = Vec::new();
    for (number, staged) in gather.files.into_iter().enumerate() {
        results.push(match staged.ended {
            Some(Ok((meta, (metadata, lost)))) => {
                whole.push((number, meta, metadata));
                Ok((meta, lost))
            }
            Some(Err(error)) => Err(error),
            None => Err(Error::new(Code::NotFound, "it could not be read")),
        });
    }
    let numbers: Vec<_> = whole.iter().map(|(number, ..)| *number).collect();
    for (number, finished) in numbers.into_iter().zip(batch.finish(whole)) {
        match (&mut results[number], finished) {
            (Ok((_, lost)), Ok(more)) => lost.extend(more),
            (result, Err(error)) => *result = Err(error),
            (Err(_), Ok(_)) => {}
        }
    }
    let files = files.into_iter().zip(results).map(|((file, stage), result)| (file, stage, result)).collect();
    Ok(Written { batch, files })
}

fn request(path: &RelPath, meta: &Meta, parts: Option<Ranges>) -> FetchRequest {
    FetchRequest { path: path.clone(), listed: *meta, parts, snapshot: None, metadata: true }
}
