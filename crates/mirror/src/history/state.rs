//! One state as a source.

use super::History;
use super::locate::{Located, Places};
use super::pieces::{Ended, hand_over};
use super::reading::Reading;
use octo_core::{
    Code, Error, FetchRequest, FetchSink, Kind, LinkTarget, ListSink, Listed, Meta, Ranges, RelPath, Source,
    SourceFeatures, SourcePin, Stop, TargetFile,
};

/// A file that a run replaces at this moment is looked for again.
const LOOKS_MAX: u32 = 4;

/// The mirror as it was.
pub struct State<'t> {
    places: Places<'t>,
    number: u64,
}

impl<'t> State<'t> {
    pub(super) fn new(history: &'t History<'t>, number: u64, before: u64, since: u64) -> State<'t> {
        State { places: Places::before(history, before, since), number }
    }

    /// The number of the last run whose changes are in it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where what is too large for memory can wait.
    pub(super) fn scratch(&self) -> &'t dyn octo_core::Target {
        self.places.history.target
    }

    /// What is at a path; `None` if nothing was.
    pub fn look(&self, path: &RelPath) -> Result<Option<Meta>, Error> {
        Ok(self.places.locate(path)?.map(|located| located.meta))
    }

    /// What it was, and where its content is in the mirror now; `None` if nothing was there.
    pub(super) fn content(&self, path: &RelPath) -> Result<Option<(Meta, RelPath)>, Error> {
        Ok(self.places.locate(path)?.map(|located| (located.meta, located.content)))
    }

    /// The path under which it is, or was, stored in the mirror; `None` if nothing was there.
    pub fn stored_path(&self, path: &RelPath) -> Result<Option<RelPath>, Error> {
        Ok(self.places.locate(path)?.map(|located| located.place))
    }

    fn fetch_file(&self, file: usize, request: &FetchRequest, sink: &mut dyn FetchSink) -> Result<(), Ended> {
        let path = &request.path;
        let wanted = if request.is_details_only() { request.listed.kind } else { Kind::File };
        let (located, handle) = self.open(path, wanted)?;
        let mut meta = located.meta;
        if let Some(handle) = &handle {
            meta.size_bytes = handle.meta()?.size_bytes;
        }
        let kept = if request.metadata { self.places.history.target.metadata(&located.metadata)? } else { None };
        if let Some(kept) = &kept {
            meta.attributes = kept.attributes;
            meta.creation_time = kept.creation_time.or(meta.creation_time);
        }
        let mut parts = request.parts.clone().unwrap_or_else(|| Ranges::new().missing(meta.size_bytes));
        if let Some(handle) = &handle
            && !parts.is_empty()
            && sink.wants_holes(file)
        {
            let holes = parts.common(&handle.holes()?);
            if !holes.is_empty() {
                parts = parts.minus(&holes);
                sink.holes(file, &holes);
            }
        }
        sink.opened(file, meta)?;
        if let Some(handle) = &handle {
            let mut read = Reading { path, content: &located.content, handle: &**handle, hash: None, at: 0 };
            if request.parts.is_none() {
                let hashes = &self.places.history.hashes;
                read.hash = hashes.find(&located.place, located.version_of, &handle.meta()?)?;
            }
            read.all(&parts, meta.size_bytes, |at, bytes| sink.data(file, at, bytes))?;
        }
        if let Some(kept) = &kept {
            hand_over(kept, file, sink)?;
        }
        Ok(sink.finished(file, meta)?)
    }

    /// Opens what a file of the state was. A run may replace it between the look and the open: then it is a version.
    fn open(&self, path: &RelPath, wanted: Kind) -> Result<(Located, Option<Box<dyn TargetFile>>), Error> {
        let gone = || Error::new(Code::NotFound, format!("{path} is not in state {}", self.number));
        let mut before: Option<RelPath> = None;
        for _ in 0..LOOKS_MAX {
            let located = self.places.locate(path)?.ok_or_else(gone)?;
            if located.meta.kind != wanted {
                return Err(Error::new(Code::KindMoved, format!("{path} is something else in state {}", self.number)));
            }
            if wanted != Kind::File {
                return Ok((located, None));
            }
            let handle = self.places.history.target.open_file(&located.content)?;
            // Records come before effects: if none moved it after it was opened, this is it.
            let again = self.places.locate(path)?.ok_or_else(gone)?;
            if handle.is_some() && again.content == located.content {
                return Ok((located, handle));
            }
            before = Some(located.content);
        }
        let place = before.map_or_else(String::new, |place| format!(": {place} is gone"));
        Err(Error::new(Code::NotFound, format!("{path} is no longer in state {}{place}", self.number)))
    }
}

/// The mirror is what is read here. A place of it that cannot be read concerns what is there, and ends nothing else.
fn of_source(error: Error) -> Error {
    let code = match error.code {
        Code::TargetFailed | Code::TargetEntry | Code::TargetMoved => Code::SourceEntry,
        Code::TargetDenied => Code::AccessDenied,
        code => code,
    };
    Error { code, ..error }
}

impl Source for State<'_> {
    fn features(&self) -> SourceFeatures {
        SourceFeatures {
            walks_ahead: false,
            listings_in_flight: 4,
            fetches_in_flight: 4,
            batch_files: 64,
            folds_case: self.places.history.marker.abilities.names.folds_case,
            invents_creation_times: false,
            stable_ids: false,
            hides_unreadable: false,
            has_metadata: true,
            tells_hashes: false,
        }
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        Ok(SourcePin {
            kind: "state".to_owned(),
            server: String::new(),
            path: self.number.to_string(),
            volume: self.places.history.marker.target_id.clone(),
        })
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let listed = self.places.locate(folder).and_then(|located| match located {
            Some(located) if located.meta.kind == Kind::Folder => self.places.each_entry(&located, sink),
            Some(_) => Err(Error::new(Code::KindMoved, format!("{folder} is not a folder in state {}", self.number))),
            None => Err(Error::new(Code::NotFound, format!("{folder} is not in state {}", self.number))),
        });
        listed.map_or_else(|error| Listed::Incomplete(of_source(error)), |()| Listed::Complete)
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        for (file, request) in batch.iter().enumerate() {
            let ended = match self.fetch_file(file, request, sink) {
                Ok(()) => Ok(()),
                Err(Ended::Stopped(stop)) => Err(stop),
                Err(Ended::Failed(error)) => sink.failed(file, of_source(error)),
            };
            if ended == Err(Stop::Everything) {
                return;
            }
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        let gone = || Error::new(Code::NotFound, format!("{path} is not a link in state {}", self.number));
        let located = self.places.locate(path)?.ok_or_else(gone)?;
        self.places.history.target.read_link(&located.content)?.ok_or_else(gone)
    }
}
