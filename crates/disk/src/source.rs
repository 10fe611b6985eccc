//! A local folder as a source.
//!
//! It stays on one filesystem, as `rsync -x` does: a folder on which another one is mounted is listed as a folder,
//! and listing it is incomplete with [`Code::OtherDevice`], once per mount point, so nothing below it is copied and nothing
//! deleted. It never follows a link below its root, and changes nothing there, access times included where it may.

use crate::os::listing::End;
use crate::os::reading::{self, Reading};
use crate::os::root::Root;
use crate::os::{Fault, Handle, fault};
use crate::overlap::AncestorIds;
use crate::overlap::Existing;
use octo_core::{
    Code, Error, FetchRequest, FetchSink, FileId, Kind, LinkTarget, ListSink, Listed, Name, Ranges, RelPath, Source,
    SourceFeatures, SourcePin, Stop,
};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// One read; also the largest piece handed over.
const BUFFER_BYTES: usize = 512 * 1024;

/// A folder this machine can see.
#[derive(Debug)]
pub struct LocalSource {
    reading: Reading,
    /// Absolute and without links.
    path: PathBuf,
    folds_case: bool,
    /// Folders in it of which nothing is read.
    own: Vec<FileId>,
}

impl LocalSource {
    /// Opens the folder at `path`; links in `path` itself are followed, unless a stranger may have put them there.
    pub fn open(path: &Path) -> Result<LocalSource, Error> {
        LocalSource::below(|| Root::open_at(path)).map_err(|fault| missing(path, fault))
    }

    /// Opens the folder at `path` if it is `allowed` or lies in it; `None` if it does not. What is opened is opened below the
    /// handle of `allowed`, through no link: whatever is swapped for what, nothing else is ever reached.
    pub fn open_within(allowed: &Path, path: &Path) -> Result<Option<LocalSource>, Error> {
        let asked = LocalSource::open(path)?.path;
        let failed = |fault| missing(path, fault);
        let allowed = Reading::open(|| Root::open_at(allowed)).map_err(failed)?;
        let real = allowed.path().map_err(failed)?;
        let Some(below) = asked.strip_prefix(&real).ok().and_then(names) else { return Ok(None) };
        LocalSource::below(|| allowed.root_below(&below)).map(Some).map_err(failed)
    }

    /// Where it is, is what the open handle says.
    fn below(root: impl FnOnce() -> Result<Root, Fault>) -> Result<LocalSource, Fault> {
        let reading = Reading::open(root)?;
        let (path, folds_case) = (reading.path()?, reading.folds_case()?);
        Ok(LocalSource { reading, path, folds_case, own: Vec::new() })
    }

    /// Reads nothing of what is in `folder`, which the program keeps for itself, by whatever name it is found: listing it is
    /// incomplete with [`Code::OwnFolder`]. Fails with [`Code::OwnData`] if the source is that folder or lies in it.
    pub fn keeping_out_of(mut self, folder: &Path) -> Result<LocalSource, Error> {
        // What is not there has nothing to keep.
        if Existing::find(folder)?.is_none_or(|there| !there.whole) {
            return Ok(self);
        }
        let own = LocalSource::open(folder)?;
        let (ours, theirs) = (own.ancestor_ids()?, self.ancestor_ids()?);
        let is_above = |one: &AncestorIds, other: &AncestorIds| one.first().is_some_and(|it| other.contains(it));
        if is_above(&ours, &theirs) || self.path.starts_with(&own.path) {
            let what = format!("{} lies in {}, which is kept for itself", self.path.display(), own.path.display());
            return Err(Error::new(Code::OwnData, what));
        }
        if is_above(&theirs, &ours) || own.path.starts_with(&self.path) {
            let failed = |fault: Fault| fault::source(fault, "looking where it is", &RelPath::root());
            let handle = own.reading.open_folder(&RelPath::root()).map_err(failed)?;
            self.own.extend(own.reading.meta(&handle).map_err(failed)?.id);
        }
        Ok(self)
    }

    /// Fails if an open folder is one of which nothing is read.
    fn keep_out(&self, handle: &Handle, folder: &RelPath) -> Result<(), Error> {
        if self.own.is_empty() {
            return Ok(());
        }
        let meta = self.reading.meta(handle).map_err(|fault| fault::source(fault, "looking into", folder))?;
        if meta.id.is_some_and(|id| self.own.contains(&id)) {
            return Err(Error::new(Code::OwnFolder, folder.to_string()));
        }
        Ok(())
    }

    /// Fails if `path` lies in a folder of which nothing is read. `cleared` is a folder of which this is known not to be so.
    fn keep_out_above(&self, path: &RelPath, cleared: &mut Option<RelPath>) -> Result<(), Error> {
        if self.own.is_empty() || path.parent() == *cleared {
            return Ok(());
        }
        let mut above = path.parent().filter(|folder| !folder.is_root());
        while let Some(folder) = above {
            let failed = |fault| fault::source(fault, "looking into", &folder);
            self.keep_out(&self.reading.open_folder(&folder).map_err(failed)?, &folder)?;
            above = folder.parent().filter(|folder| !folder.is_root());
        }
        *cleared = path.parent();
        Ok(())
    }

    /// Absolute and without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the kernel calls the open folder and each one above it.
    pub(crate) fn ancestor_ids(&self) -> Result<crate::overlap::AncestorIds, Error> {
        let failed = |fault: Fault| fault::source(fault, "looking where it is", &RelPath::root());
        self.reading.ancestor_ids().map_err(failed)
    }

    fn list_folder(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Result<(), Error> {
        let failed = |fault| match fault {
            fault if fault::is_missing(fault) && folder.is_root() => {
                Error::new(Code::SourceMissing, self.path.display().to_string())
            }
            other => fault::source(other, "listing", folder),
        };
        let handle = self.reading.open_folder(folder).map_err(failed)?;
        self.keep_out(&handle, folder)?;
        let cut = |why: String| Error::new(Code::ListingCut, format!("listing {folder}: {why}"));
        match self.reading.list(&handle, sink) {
            Ok(End::All) => Ok(()),
            Ok(End::Stopped) => Err(cut("no more was wanted".to_owned())),
            Ok(End::Unclear { name, fault }) => {
                let name = octo_core::path::bytes_to_text(&name);
                Err(fault::source(fault, "looking into", folder).within(name))
            }
            // A folder that was removed while it was open ends this way.
            Err(fault) if fault::is_missing(fault) => Err(failed(fault)),
            Err(fault) => Err(cut(fault.to_string())),
        }
    }

    fn fetch_file(
        &self,
        file: usize,
        request: &FetchRequest,
        buffer: &mut Vec<u8>,
        sink: &mut dyn FetchSink,
    ) -> Result<(), Ended> {
        let path = &request.path;
        if request.snapshot.is_some() {
            let what = format!("{path}: a local folder has no snapshots");
            return Err(Ended::Failed(Error::new(Code::NotFound, what)));
        }
        let failed = |fault| Ended::Failed(fault::source(fault, "reading", path));
        let is_folder = request.is_details_only() && request.listed.kind == Kind::Folder;
        let opened = if is_folder { self.reading.open_folder(path) } else { self.reading.open_file(path) };
        let handle = opened.map_err(failed)?;
        let meta = self.reading.meta(&handle).map_err(failed)?;
        if meta.kind != if is_folder { Kind::Folder } else { Kind::File } {
            return Err(Ended::Failed(Error::new(Code::KindMoved, format!("{path} is something else now"))));
        }
        let size = meta.size_bytes;
        let mut parts = request.parts.clone().unwrap_or_else(|| Ranges::new().missing(size));
        if !is_folder && !parts.is_empty() && sink.wants_holes(file) {
            let holes = parts.common(&self.reading.holes(&handle));
            if !holes.is_empty() {
                parts = parts.minus(&holes);
                sink.holes(file, &holes);
            }
        }
        sink.opened(file, meta)?;
        if size > BUFFER_BYTES as u64 {
            self.reading.expect_sequential(&handle);
        }
        let mut read = |range| self.read_range(&handle, path, range, buffer, |at, bytes| sink.data(file, at, bytes));
        parts.iter().try_for_each(&mut read)?;
        if request.metadata {
            self.reading.metadata(&handle, path, &mut |piece| sink.metadata(file, piece))?;
        }
        sink.finished(file, self.reading.meta(&handle).map_err(failed)?)?;
        Ok(())
    }

    fn read_range(
        &self,
        handle: &Handle,
        path: &RelPath,
        range: Range<u64>,
        buffer: &mut Vec<u8>,
        mut hand_over: impl FnMut(u64, &[u8]) -> Result<(), Stop>,
    ) -> Result<(), Ended> {
        let mut at = range.start;
        while at < range.end {
            let wanted = usize::try_from(range.end - at).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
            if buffer.len() < wanted {
                buffer.resize(wanted, 0);
            }
            let piece = &mut buffer[..wanted];
            let read = self
                .reading
                .read_at(handle, piece, at)
                .map_err(|fault| Ended::Failed(fault::source(fault, "reading", path)))?;
            if read == 0 {
                let what = format!("{path} ended after {at} bytes, before what its handle had announced");
                return Err(Ended::Failed(Error::new(Code::ChangedWhileRead, what)));
            }
            hand_over(at, &piece[..read])?;
            at += read as u64;
        }
        Ok(())
    }
}

fn missing(path: &Path, fault: Fault) -> Error {
    if path.is_file() {
        let what = format!("{}: it is a file; a source is a folder, so name the folder that it is in", path.display());
        return Error::new(Code::SourceMissing, what);
    }
    Error::new(Code::SourceMissing, format!("{}: {}", path.display(), fault::of_path(fault)))
}

/// A path below a folder, in our words.
fn names(path: &Path) -> Option<RelPath> {
    path.components().try_fold(RelPath::root(), |folder, part| match part {
        Component::Normal(name) => Some(folder.join(&Name::new(octo_core::path::os_bytes(Path::new(name))).ok()?)),
        _ => None,
    })
}

/// Why a file was not fetched to its end.
enum Ended {
    Failed(Error),
    Stopped(Stop),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Ended {
        Ended::Stopped(stop)
    }
}

impl Source for LocalSource {
    fn features(&self) -> SourceFeatures {
        SourceFeatures {
            walks_ahead: false,
            listings_in_flight: 4,
            fetches_in_flight: 4,
            batch_files: 64,
            folds_case: self.folds_case,
            invents_creation_times: false,
            stable_ids: self.reading.has_stable_ids(),
            hides_unreadable: false,
            has_metadata: true,
            tells_hashes: false,
        }
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        Ok(SourcePin {
            kind: "local".to_owned(),
            server: String::new(),
            path: octo_core::path::bytes_to_text(&reading::path_bytes(&self.path)),
            volume: self.reading.volume_identity(),
        })
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        match self.list_folder(folder, sink) {
            Ok(()) => Listed::Complete,
            Err(error) => Listed::Incomplete(error),
        }
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        let (mut buffer, mut cleared) = (Vec::new(), None);
        for (file, request) in batch.iter().enumerate() {
            let may = self.keep_out_above(&request.path, &mut cleared).map_err(Ended::Failed);
            let answer = match may.and_then(|()| self.fetch_file(file, request, &mut buffer, sink)) {
                Ok(()) => Ok(()),
                Err(Ended::Stopped(stop)) => Err(stop),
                Err(Ended::Failed(error)) => sink.failed(file, error),
            };
            if answer == Err(Stop::Everything) {
                return;
            }
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        self.keep_out_above(path, &mut None)?;
        self.reading.read_link(path).map_err(|fault| fault::source(fault, "reading the link", path))
    }

    fn remarks(&self) -> Vec<String> {
        self.reading.remarks()
    }
}
