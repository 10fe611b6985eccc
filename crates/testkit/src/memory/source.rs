//! A source in memory, whose tree can be changed while it is read.

use super::tree::{Content, MemTree};
use octo_core::{
    Code, Entry, Error, FetchRequest, FetchSink, Kind, LinkTarget, LinkType, ListSink, Listed, Meta, Name, Ranges,
    RelPath, Source, SourceFeatures, SourcePin, Stop, Timestamp,
};

/// Bytes handed over at once.
const PIECE_BYTES: usize = 1 << 20;

/// A tree in memory as a source. Pieces of a file come backwards, as the port allows.
#[derive(Debug)]
pub struct MemSource {
    tree: MemTree,
    /// What it says of itself. Names are looked up exactly all the same.
    pub features: SourceFeatures,
    /// Who it says it is.
    pub pin: SourcePin,
}

impl MemSource {
    /// Reads `tree`, which may be changed meanwhile through its other handles.
    pub fn new(tree: &MemTree) -> MemSource {
        let features = SourceFeatures {
            walks_ahead: false,
            listings_in_flight: 2,
            fetches_in_flight: 2,
            batch_files: 16,
            folds_case: false,
            invents_creation_times: false,
            stable_ids: true,
            hides_unreadable: false,
            has_metadata: false,
            tells_hashes: false,
        };
        let pin = SourcePin { kind: "memory".into(), server: String::new(), path: String::new(), volume: "1".into() };
        MemSource { tree: tree.clone(), features, pin }
    }

    fn fetch_details(&self, at: usize, wanted: &FetchRequest, sink: &mut dyn FetchSink) -> Result<(), Stop> {
        let there = self.tree.nodes().get(&wanted.path).map(|(_, meta)| meta);
        let meta = match there {
            Ok(meta) => meta,
            Err(error) => return sink.failed(at, error),
        };
        sink.opened(at, meta)?;
        self.tree.details_of(&meta).hand_over(at, sink)?;
        sink.finished(at, meta)
    }

    fn fetch_one(&self, at: usize, wanted: &FetchRequest, sink: &mut dyn FetchSink) -> Result<(), Stop> {
        if wanted.is_details_only() {
            return self.fetch_details(at, wanted, sink);
        }
        let (content, meta) = match self.tree.open(&wanted.path, wanted.snapshot) {
            Ok(opened) => opened,
            Err(error) => return sink.failed(at, error),
        };
        sink.opened(at, meta)?;
        let parts = wanted.parts.clone().unwrap_or_else(|| Ranges::new().missing(meta.size_bytes));
        for part in parts.iter() {
            let range = usize::try_from(part.start).ok().zip(usize::try_from(part.end).ok());
            let Some(bytes) = range.and_then(|(start, end)| content.get(start..end)) else {
                return sink.failed(at, Error::new(Code::ChangedWhileRead, "shorter than the parts asked for"));
            };
            let pieces: Vec<_> = bytes.chunks(PIECE_BYTES).enumerate().collect();
            for (n, piece) in pieces.into_iter().rev() {
                sink.data(at, part.start + (n * PIECE_BYTES) as u64, piece)?;
            }
        }
        if wanted.metadata {
            self.tree.details_of(&meta).hand_over(at, sink)?;
        }
        // Asked again: the tree may have been changed since.
        let now = self.tree.open(&wanted.path, wanted.snapshot).ok().map(|(_, now)| now);
        sink.finished(at, now.filter(|now| now.id == meta.id).unwrap_or(meta))
    }
}

impl Source for MemSource {
    fn features(&self) -> SourceFeatures {
        self.features
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        Ok(self.pin.clone())
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let (said, entries) = match self.tree.listed(folder) {
            Ok(listed) => listed,
            Err(error) => return Listed::Incomplete(error),
        };
        let stopped = || Listed::Incomplete(Error::new(Code::ListingCut, "no more was wanted"));
        for name in said {
            match Name::new(name.as_slice()) {
                Err(bad) => sink.problem(&name, Error::new(Code::BadName, bad.reason())),
                Ok(name) => {
                    if sink.entry(Entry { name, meta: Meta::new(Kind::File, 0, Timestamp(0)) }).is_break() {
                        return stopped();
                    }
                }
            }
        }
        for entry in entries {
            if sink.entry(entry).is_break() {
                return stopped();
            }
        }
        Listed::Complete
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        for (at, wanted) in batch.iter().enumerate() {
            if self.fetch_one(at, wanted, sink) == Err(Stop::Everything) {
                return;
            }
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        match self.tree.nodes().get(path)?.0 {
            Content::Link(text) => Ok(LinkTarget { kind: LinkType::Posix, data: text.clone() }),
            _ => Err(Error::new(Code::KindMoved, format!("{path} is no link"))),
        }
    }

    fn snapshots(&self) -> Result<Vec<Timestamp>, Error> {
        Ok(self.tree.nodes().snapshots.keys().rev().copied().collect())
    }
}
