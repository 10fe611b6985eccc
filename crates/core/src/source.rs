//! The Source port: where the files come from. Speed lives here.
//!
//! A source hands out listings folder by folder and fetches files in batches. Both calls block; the engine calls them
//! from several threads at once ([`SourceFeatures`] says from how many), so that each adapter may hide its latency as it
//! likes: compounding, pipelining, many connections. An adapter that loses its connection reconnects and repeats what
//! has not ended yet; what ended is never repeated. A sink is called from within the source, and must not call it.
//!
//! Everything that comes out of a source is hostile. Adapters turn names into [`Name`](crate::Name)s and report those
//! that cannot be one; order, duplicates and completeness are the engine's business.

use crate::entry::{LinkTarget, Meta};
use crate::error::{Code, Error};
use crate::listing::{ListSink, Listed};
use crate::metadata::Piece;
use crate::path::RelPath;
use crate::ranges::Ranges;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a source's server may put off its final answer to one request, if nobody sets it: no page of a listing and no piece
/// of a file takes so long, not even from a tape.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(900);

/// How to use a source well.
#[derive(Debug, Clone, Copy)]
pub struct SourceFeatures {
    /// It goes through the tree by itself, ahead of the engine: depth first, a folder before what is inside it, names in
    /// byte order. One thread that asks for the folders in this order, and leaves out what it likes, serves it best.
    pub walks_ahead: bool,
    /// How many [`Source::list`] calls at once serve best.
    pub listings_in_flight: usize,
    /// How many [`Source::fetch`] calls at once serve best.
    pub fetches_in_flight: usize,
    /// How many small files one fetch should ask for at most.
    pub batch_files: usize,
    /// Whether upper and lower case are the same in names there.
    pub folds_case: bool,
    /// Whether a creation time that nobody stored is made up from the file's other times and moves with them (Samba).
    pub invents_creation_times: bool,
    /// Whether ids in listings stay with a file when it is renamed (off on FAT and ReFS).
    pub stable_ids: bool,
    /// Listings leave out what the account may not read (access-based enumeration): absence is no proof.
    pub hides_unreadable: bool,
    /// Entries have metadata that a fetch can hand over.
    pub has_metadata: bool,
    /// The hash of a file that was read whole is mostly sent ([`FetchSink::hashed`]).
    pub tells_hashes: bool,
}

/// What makes a source the same source as last time. Kept in the mirror's marker and compared as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePin {
    /// `smb`, `agent`, `local` or, in tests, `memory`.
    pub kind: String,
    /// Server name, lower case; empty for a local source.
    pub server: String,
    /// Share and folder, or the local path.
    pub path: String,
    /// Volume serial number, filesystem id or agent id.
    pub volume: String,
}

impl std::fmt::Display for SourcePin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{} (volume {})", self.kind, self.server, self.path, self.volume)
    }
}

/// One file to fetch.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// Where it is, below the source's root.
    pub path: RelPath,
    /// What the listing said of it: lets the adapter choose between a compound and a window of reads. Never believed.
    pub listed: Meta,
    /// The parts wanted; `None` for the whole file as large as its own handle says it is.
    pub parts: Option<Ranges>,
    /// Read it as it was at this moment, one of [`Source::snapshots`]; `None` for the file as it is now.
    pub snapshot: Option<Timestamp>,
    /// Hand over its metadata too. With no parts, that alone; then it may also be a folder.
    pub metadata: bool,
}

impl FetchRequest {
    /// Whether metadata alone is wanted.
    pub fn is_details_only(&self) -> bool {
        self.metadata && self.parts.as_ref().is_some_and(Ranges::is_empty)
    }
}

/// The engine wants no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Nothing more of this file; go on with the others. No terminal event follows for it.
    ThisFile,
    /// Nothing more at all; return at once.
    Everything,
}

/// Takes the pieces of a batch. Files are named by their place in the batch; their pieces may interleave and come in
/// any order within a file. For each file the order is: perhaps `holes`, `opened`, any number of `data` and `metadata`, then
/// `finished`; or `failed` at any point. Exactly one of `finished` and `failed` comes for each file, unless the sink said [`Stop`],
/// or one failed with what stops the run.
pub trait FetchSink {
    /// Whether the file's holes may be reported ([`FetchSink::holes`]) instead of handed over as zeros. A source that does not
    /// know holes need not ask.
    fn wants_holes(&self, _file: usize) -> bool {
        false
    }
    /// These ranges of what was asked for hold no data and read as zeros: they will not be handed over. Comes at most once,
    /// right before `opened`, only if it is wanted, and never beyond the size that `opened` tells. A source makes sure of it
    /// as [`sparse`](crate::sparse) says.
    fn holes(&mut self, _file: usize, _holes: &Ranges) {}
    /// The file is open; `meta` comes from its own handle.
    fn opened(&mut self, file: usize, meta: Meta) -> Result<(), Stop>;
    /// Bytes of the file at `offset_bytes`. Never beyond what the parts asked for.
    fn data(&mut self, file: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop>;
    /// The BLAKE3 hash of the whole file: the other side computed it as it read, and all that was handed over here has
    /// it too. Comes at most once, right before `finished`, from sources that can tell, if the whole file was asked for.
    fn hashed(&mut self, _file: usize, _hash: [u8; 32]) {}
    /// A piece of the file's metadata. A part that was not handed over and not called unknown is empty.
    fn metadata(&mut self, file: usize, piece: Piece<'_>) -> Result<(), Stop> {
        let _ = (file, piece);
        Ok(())
    }
    /// Everything asked for was handed over. `meta` comes from the file's own handle, asked after the last read.
    fn finished(&mut self, file: usize, meta: Meta) -> Result<(), Stop>;
    /// The file could not be read to its end. A code that [stops the run](Code::stops_run) concerns all files of the
    /// batch that have not ended yet; the call then returns.
    fn failed(&mut self, file: usize, error: Error) -> Result<(), Stop>;
}

/// Where the files come from. See the module's comment for the rules of all calls.
pub trait Source: Send + Sync {
    /// How to use it well. Constant during a run.
    fn features(&self) -> SourceFeatures;

    /// Who it is. Asked once at the start of a run; idempotent. Fails with a code that stops the run.
    fn pin(&self) -> Result<SourcePin, Error>;

    /// Lists one folder (the root is the empty path) into `sink`, not following links: if `folder` has become
    /// a link or a file, the listing is incomplete with [`Code::KindMoved`]. Idempotent. Returns within the adapter's
    /// own time limit. A source that walks ahead may tell a folder as it was a while ago, but not before the root was
    /// asked for last. A code that stops the run in [`Listed::Incomplete`] ends the run.
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed;

    /// Fetches a batch of regular files into `sink` (and of folders, whose metadata alone is asked for), not following
    /// links: what has become something else fails with [`Code::KindMoved`]. Metadata that cannot be read never makes a
    /// file fail: it is called unknown. What is not in the snapshot asked for fails with [`Code::NotFound`]. Idempotent.
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink);

    /// Where a link points to, verbatim.
    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        Err(Error::new(Code::NotMirrored, format!("{path}: this source has no links")))
    }

    /// The moments of which it still holds everything as it was (snapshots, shadow copies, previous versions), newest
    /// first; none where it has no such thing. A file that is in use now is whole there. Idempotent.
    fn snapshots(&self) -> Result<Vec<Timestamp>, Error> {
        Ok(Vec::new())
    }

    /// What its own clock shows now; `None` if it cannot tell, or if it is our own clock. Cheap, and never waits.
    fn clock(&self) -> Option<Timestamp> {
        None
    }

    /// Things worth a line in the report that concern no single entry, such as a missing privilege. Asked once, after
    /// the last file.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}
