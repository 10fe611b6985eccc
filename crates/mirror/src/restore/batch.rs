//! Copies files in batches: all of a batch is gathered and made durable before any of it gets its name.

use super::decide::Action;
use super::place::put;
use super::report::RestoreReport;
use super::sink::{Batch, Holes, Staged};
use crate::codec::Reader;
use crate::spill::SpillLog;
use octo_core::metadata::Part;
use octo_core::{
    Change, Code, Error, Event, FetchRequest, Kind, Meta, Metadata, Monitor, Name, Ranges, RelPath, Source, Target,
};

/// Files that are gathered before they are made durable together.
const BATCH_FILES: usize = 512;
/// The same in bytes.
const BATCH_BYTES: u64 = 256 << 20;
/// Of larger files it is asked what of them is holes, which take no space.
const LARGE_BYTES: u64 = 64 << 20;

/// A file that is to be copied.
pub struct Pending {
    pub path: RelPath,
    pub meta: Meta,
    pub place: RelPath,
    pub action: Action,
    pub seen: Option<Meta>,
}

/// What is restored, and where.
pub struct Copying<'a> {
    /// From where.
    pub state: &'a dyn Source,
    /// To where.
    pub target: &'a dyn Target,
    /// Who listens.
    pub monitor: &'a dyn Monitor,
    /// The staging folder; `None` if nothing is to be changed.
    pub staging: Option<&'a RelPath>,
    /// Files and bytes that are to be expected.
    pub planned: (u64, u64),
    /// What was done so far.
    pub report: RestoreReport,
    stages: u64,
    pending: Vec<Pending>,
    pending_bytes: u64,
}

impl<'a> Copying<'a> {
    /// Nothing yet, and only to look.
    pub fn new(state: &'a dyn Source, target: &'a dyn Target, monitor: &'a dyn Monitor) -> Copying<'a> {
        Copying {
            state,
            target,
            monitor,
            staging: None,
            planned: (0, 0),
            report: RestoreReport::default(),
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
        if self.pending.len() >= BATCH_FILES || self.pending_bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
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
        self.state.fetch(&[FetchRequest { metadata: false, ..request(&file.path, &file.meta, None) }], &mut holes);
        file.meta.size_bytes.saturating_sub(holes.0)
    }

    /// Copies what is pending, makes it durable, and gives it its names.
    pub fn flush(&mut self) -> Result<(), Error> {
        let files = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let Some(staging) = self.staging.filter(|_| !files.is_empty()) else { return Ok(()) };
        let stages: Result<Vec<_>, _> = files.iter().map(|_| self.next_stage(staging).map(Staged::at)).collect();
        let mut batch = Batch { target: self.target, files: stages?, failed: None };
        let requests: Vec<_> = files.iter().map(|file| request(&file.path, &file.meta, None)).collect();
        self.state.fetch(&requests, &mut batch);
        if let Some(error) = batch.failed {
            return Err(error);
        }
        let mut ready = Vec::new();
        for (file, staged) in files.into_iter().zip(batch.files) {
            match staged.ended {
                Some(Ok((meta, (metadata, mut lost)))) => {
                    self.keep_metadata(&staged.stage, &metadata, &mut lost)?;
                    if !lost.is_empty() {
                        self.report.lost(self.monitor, &file.path, &lost);
                    }
                    ready.push((file, staged.stage, meta.size_bytes));
                }
                Some(Err(error)) => self.refused(&file.path, &staged.stage, &error)?,
                None => self.refused(&file.path, &staged.stage, &Error::new(Code::NotFound, "it could not be read"))?,
            }
        }
        self.target.checkpoint()?;
        for (file, stage, bytes) in ready {
            match put(self.target, &stage, &file.place, file.action, file.seen.as_ref()) {
                Ok(()) => {
                    self.count(&file, bytes);
                    let change = Change::Created { path: file.place.clone(), kind: Kind::File, size_bytes: bytes };
                    self.monitor.event(&Event::Change(&change));
                }
                Err(error) => self.refused(&file.path, &stage, &error)?,
            }
            self.say(Some(&file.path));
        }
        Ok(())
    }

    fn refused(&mut self, path: &RelPath, stage: &RelPath, error: &Error) -> Result<(), Error> {
        if error.code.stops_run() {
            return Err(error.clone());
        }
        self.target.remove_file(stage)?;
        self.report.problem(self.monitor, path, error);
        Ok(())
    }

    fn keep_metadata(&self, at: &RelPath, metadata: &Metadata, lost: &mut Vec<(Part, Error)>) -> Result<(), Error> {
        let part = if metadata.posix.is_some() { Part::Posix } else { Part::Security };
        match self.target.set_metadata(at, metadata) {
            Ok(kept) if !kept.is_lost => Ok(()),
            Ok(_) => {
                let what = "not all of it can be set there (set-id bits never are)";
                lost.push((part, Error::new(Code::TargetEntry, what)));
                Ok(())
            }
            Err(error) if error.code.stops_run() => Err(error),
            Err(error) => {
                lost.push((part, error));
                Ok(())
            }
        }
    }

    fn folder_metadata(&mut self, path: &RelPath, place: &RelPath, meta: &Meta) -> Result<(), Error> {
        let mut batch = Batch { target: self.target, files: vec![Staged::folder()], failed: None };
        self.state.fetch(&[request(path, meta, Some(Ranges::new()))], &mut batch);
        if let Some(error) = batch.failed {
            return Err(error);
        }
        if let Some(Ok((_, (metadata, mut lost)))) = batch.files.pop().and_then(|staged| staged.ended) {
            self.keep_metadata(place, &metadata, &mut lost)?;
            if !lost.is_empty() {
                self.report.lost(self.monitor, path, &lost);
            }
        }
        Ok(())
    }

    /// Times and metadata of folders, now that nothing in them will change any more.
    pub fn settle(&mut self, folders: &SpillLog) -> Result<(), Error> {
        for record in folders.backward() {
            let record = record?;
            let mut r = Reader(&record);
            let (is_ours, path, place, meta) = (r.u8()? != 0, r.path()?, r.path()?, r.meta()?);
            if is_ours {
                self.folder_metadata(&path, &place, &meta)?;
            }
            match self.target.set_times(&place, meta.write_time, meta.creation_time) {
                Ok(()) => {}
                Err(error) if error.code.stops_run() => return Err(error),
                Err(error) => self.report.problem(self.monitor, &path, &error),
            }
        }
        Ok(())
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
        self.monitor.event(&Event::Progress { counts, planned_files, planned_bytes, listed_all, current });
    }
}

fn request(path: &RelPath, meta: &Meta, parts: Option<Ranges>) -> FetchRequest {
    FetchRequest { path: path.clone(), listed: *meta, parts, snapshot: None, metadata: true }
}
