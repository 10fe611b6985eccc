//! A generated tree as a source.

use super::{Found, GeneratedTree};
use octo_core::{
    Code, Error, FetchRequest, FetchSink, ListSink, Listed, RelPath, Source, SourceFeatures, SourcePin, Stop,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes handed over at once.
const PIECE_BYTES: u64 = 64 * 1024;

/// A generated tree as a source. Listings and contents are made while they are read.
#[derive(Debug)]
pub struct GeneratedSource {
    tree: GeneratedTree,
    fetched: AtomicU64,
}

impl GeneratedSource {
    /// A source that has exactly this tree.
    pub fn new(tree: GeneratedTree) -> GeneratedSource {
        GeneratedSource { tree, fetched: AtomicU64::new(0) }
    }

    /// Files that were fetched so far.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    fn fetch_one(&self, at: usize, request: &FetchRequest, sink: &mut dyn FetchSink) -> Result<(), Stop> {
        let number = match self.tree.find(&request.path) {
            Some(Found::File(number)) => number,
            Some(_) => return sink.failed(at, Error::new(Code::KindMoved, format!("{} is a folder", request.path))),
            None => return sink.failed(at, Error::new(Code::NotFound, request.path.to_string())),
        };
        self.fetched.fetch_add(1, Ordering::Relaxed);
        let meta = self.tree.file(number).meta;
        sink.opened(at, meta)?;
        let whole = octo_core::Ranges::new().missing(meta.size_bytes);
        let mut piece = Vec::new();
        for range in request.parts.as_ref().unwrap_or(&whole).iter() {
            if range.end > meta.size_bytes {
                return sink.failed(at, Error::new(Code::ChangedWhileRead, "shorter than the parts asked for"));
            }
            for start in range.clone().step_by(usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX)) {
                piece.clear();
                piece.extend((start..range.end.min(start + PIECE_BYTES)).map(|o| GeneratedTree::byte(number, o)));
                sink.data(at, start, &piece)?;
            }
        }
        sink.finished(at, meta)
    }
}

impl Source for GeneratedSource {
    fn features(&self) -> SourceFeatures {
        SourceFeatures {
            walks_ahead: false,
            listings_in_flight: 2,
            fetches_in_flight: 2,
            batch_files: 64,
            folds_case: false,
            invents_creation_times: false,
            stable_ids: true,
            hides_unreadable: false,
            has_metadata: false,
            tells_hashes: false,
        }
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        let path = format!("{}x{}", self.tree.folders, self.tree.files_per_folder);
        Ok(SourcePin { kind: "memory".into(), server: String::new(), path, volume: "generated".into() })
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let Some(found) = self.tree.find(folder) else {
            return Listed::Incomplete(Error::new(Code::NotFound, folder.to_string()));
        };
        let Some(entries) = self.tree.entries(found) else {
            return Listed::Incomplete(Error::new(Code::KindMoved, format!("{folder} is a file")));
        };
        for (_, entry) in entries {
            if sink.entry(entry).is_break() {
                return Listed::Incomplete(Error::new(Code::ListingCut, "no more was wanted"));
            }
        }
        Listed::Complete
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        for (at, request) in batch.iter().enumerate() {
            if self.fetch_one(at, request, sink) == Err(Stop::Everything) {
                return;
            }
        }
    }
}
