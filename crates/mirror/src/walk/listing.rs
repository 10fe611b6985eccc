//! One folder's listing, filtered, named as it is stored, sorted, and with the knowledge whether it is complete.

use crate::codec::{Reader, Writer};
use crate::layout;
use crate::order::NameOrder;
use crate::spill::{Pool, Record, Sorted, Sorter};
use octo_core::listing::Listed;
use octo_core::merge::{Pair, merge};
use octo_core::naming::{SUFFIX, Stored, store, store_twin, unescape};
use octo_core::{Code, Entry, Error, Filter, FolderLimits, ListSink, Meta, Name, NameRules, RelPath, Source, Target};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Problems kept of one listing; a hostile source may send millions.
const PROBLEMS_MAX: usize = 1000;
/// No folder with a longer path is asked for: Windows can name no more. A hostile source could be deep without end.
const PATH_BYTES_MAX: usize = 32 << 10;

/// What all listings of a run share.
pub struct Lister<'a> {
    /// Where the files come from.
    pub source: &'a dyn Source,
    /// The mirror.
    pub target: &'a dyn Target,
    /// What belongs to the job.
    pub filter: &'a Filter,
    /// The target's order of names.
    pub order: NameOrder,
    /// The target's rules for names.
    pub rules: NameRules,
    /// Memory for sorting.
    pub pool: Arc<Pool>,
    /// How large a folder of the source may be.
    pub limits: FolderLimits,
}

/// One entry of a listing. On the target both names are the stored one.
#[derive(Debug, Clone)]
pub struct ListedEntry {
    /// As it was sorted.
    record: Record,
    /// The name on its own side, if it is another than in the mirror.
    original: Option<Name>,
    /// The name in the mirror.
    pub stored: Name,
    /// Whether the stored name cannot be turned back by itself.
    pub is_cut: bool,
    /// What is known of it.
    pub meta: Meta,
}

impl ListedEntry {
    /// Its sort key.
    pub fn key(&self) -> &[u8] {
        self.record.key()
    }

    /// The name on its own side.
    pub fn name(&self) -> &Name {
        self.original.as_ref().unwrap_or(&self.stored)
    }
}

/// Of a record: the stored name cannot be turned back by itself.
pub(super) const FLAG_CUT: u8 = 1;
/// Of a record: it does not belong to the job, and is only known to have its name.
const FLAG_HIDDEN: u8 = 2;

/// All entries of one side of a folder.
pub struct FolderSide {
    /// By the name in the mirror.
    pub(super) main: Sorted,
    /// Of the mirror: there are escaped names.
    pub(super) has_escapes: bool,
    order: NameOrder,
    /// Whether this is all of it.
    pub end: Listed,
    /// Entries that cannot be mirrored.
    pub problems: Vec<(Vec<u8>, Error)>,
    /// The target folder is a mirror of its own.
    pub nested_mirror: bool,
}

impl Lister<'_> {
    /// Whether the source goes through the tree by itself, in the order in which we merge. Where the mirror folds case,
    /// that is another order.
    pub fn source_walks_ahead(&self) -> bool {
        self.source.features().walks_ahead && !self.order.folds_case
    }

    /// Lists a folder of the source.
    pub fn source(&self, folder: &RelPath) -> Result<FolderSide, Error> {
        let mut sink = Sink::new(self, folder, true);
        let end = if folder.as_bytes().len() <= PATH_BYTES_MAX {
            self.source.list(folder, &mut sink)
        } else {
            Listed::Incomplete(Error::new(Code::SourceEntry, "the path is longer than any system can name"))
        };
        let end = sink.endless().map_or(end, Listed::Incomplete);
        let (sorter, problems, failed, hostile) = (sink.sorter, sink.problems, sink.failed, sink.hostile);
        if let Some(error) = failed {
            return Err(error);
        }
        let (main, left_out) = (sorter.finish()?, sink.left_out.finish()?);
        let mut side = FolderSide { main, has_escapes: false, order: self.order, end, problems, nested_mirror: false };
        if let (Listed::Complete, Some(name)) = (&side.end, hostile) {
            let printable = String::from_utf8_lossy(&name).into_owned();
            side.end = Listed::Incomplete(Error::new(Code::BadName, format!("the folder lists {printable:?}")));
        }
        self.find_duplicate(&mut side, &left_out)?;
        Ok(side)
    }

    /// Lists a folder of the mirror. `folder` is its stored path, `original` the path the filter knows it by.
    pub fn target(&self, folder: &RelPath, original: &RelPath) -> Result<FolderSide, Error> {
        let mut sink = Sink::new(self, original, false);
        let end = self.target.list(folder, &mut sink);
        let (sorter, problems, failed) = (sink.sorter, sink.problems, sink.failed);
        let (saw_reserved, has_escapes) = (sink.saw_reserved, sink.has_escapes);
        if let Some(error) = failed {
            return Err(error);
        }
        let nested_mirror = saw_reserved && !folder.is_root() && {
            let marker = folder.join_path(&layout::marker());
            matches!(self.target.look(&marker), Ok(Some(_)))
        };
        Ok(FolderSide { main: sorter.finish()?, has_escapes, order: self.order, end, problems, nested_mirror })
    }

    /// Two entries with one name are a lie, also of what does not belong to the job: such a listing proves nothing.
    fn find_duplicate(&self, side: &mut FolderSide, left_out: &Sorted) -> Result<(), Error> {
        let mut duplicate = None;
        for names in [&side.main, left_out] {
            let mut last: Vec<u8> = Vec::new();
            names.for_each(|key, _| {
                if last == key {
                    duplicate = Some(self.order.name_of(key).to_vec());
                }
                last.clear();
                last.extend_from_slice(key);
                Ok(())
            })?;
        }
        // One of them may be left out for its kind.
        if left_out.count() > 0 {
            for pair in merge(side.main.iter()?, left_out.iter()?, |a: &Record, b: &Record| a.key().cmp(b.key())) {
                if let Pair::Both(record, _) = pair? {
                    duplicate = Some(self.order.name_of(record.key()).to_vec());
                }
            }
        }
        if let Some(name) = duplicate {
            let error = Error::new(Code::DuplicateName, String::from_utf8_lossy(&name).into_owned());
            side.problems.push((name, error.clone()));
            if side.end == Listed::Complete {
                side.end = Listed::Incomplete(error);
            }
        }
        Ok(())
    }
}

type Entries<'a> = Box<dyn Iterator<Item = Result<ListedEntry, Error>> + 'a>;

impl FolderSide {
    /// The entries in order, each name once.
    pub fn entries(&self) -> Result<Entries<'_>, Error> {
        let order = self.order;
        let mut last: Option<Vec<u8>> = None;
        Ok(Box::new(self.main.iter()?.filter_map(move |record| {
            let record = match record {
                Ok(record) => record,
                Err(error) => return Some(Err(error)),
            };
            if is_hidden(&record) || last.as_ref().is_some_and(|before| order.compare(before, record.key()).is_eq()) {
                return None;
            }
            let before = last.get_or_insert_default();
            before.clear();
            before.extend_from_slice(record.key());
            Some(decode(order, record))
        })))
    }

    /// How many entries were listed.
    pub fn count(&self) -> u64 {
        self.main.count()
    }
}

/// Whether a record only says that its name is taken.
pub(super) fn is_hidden(record: &Record) -> bool {
    record.value().first().is_some_and(|flags| flags & FLAG_HIDDEN != 0)
}

pub(super) fn decode(order: NameOrder, record: Record) -> Result<ListedEntry, Error> {
    let bad = |_| Error::new(Code::RecordsDamaged, "a name in a temporary file");
    let stored = Name::new(order.name_of(record.key())).map_err(bad)?;
    let mut reader = Reader(record.value());
    let is_cut = reader.u8()? & FLAG_CUT != 0;
    let meta = reader.meta()?;
    let original = reader.bytes()?;
    let original = if original.is_empty() { None } else { Some(Name::new(original).map_err(bad)?) };
    Ok(ListedEntry { record, original, stored, is_cut, meta })
}

/// Takes a listing into a sorter.
struct Sink<'a> {
    lister: &'a Lister<'a>,
    folder: &'a RelPath,
    is_source: bool,
    sorter: Sorter<'a>,
    /// Names of the source that do not belong to the job, as they would be stored: compared with those that do.
    left_out: Sorter<'a>,
    problems: Vec<(Vec<u8>, Error)>,
    /// A name that cannot be: the listing is not to be believed.
    hostile: Option<Vec<u8>>,
    saw_reserved: bool,
    has_escapes: bool,
    /// How much came.
    entries: u64,
    scratch_bytes: u64,
    /// Our own sorting failed.
    failed: Option<Error>,
    buffer: Writer,
}

impl<'a> Sink<'a> {
    fn new(lister: &'a Lister<'a>, folder: &'a RelPath, is_source: bool) -> Sink<'a> {
        let sorter = Sorter::new(lister.target, &lister.pool);
        Sink {
            lister,
            folder,
            is_source,
            sorter,
            left_out: Sorter::new(lister.target, &lister.pool),
            problems: Vec::new(),
            hostile: None,
            saw_reserved: false,
            has_escapes: false,
            entries: 0,
            scratch_bytes: 0,
            failed: None,
            buffer: Writer::default(),
        }
    }

    /// What is to be said of a folder that lists more than any folder has.
    fn endless(&self) -> Option<Error> {
        let FolderLimits { entries, scratch_bytes } = self.lister.limits;
        let what = if self.entries > entries {
            format!("more than {entries} entries")
        } else if self.scratch_bytes > scratch_bytes {
            format!("more than {scratch_bytes} bytes of names")
        } else {
            return None;
        };
        let detail = format!("{}: {what} in one folder: does its listing have no end?", self.folder);
        Some(Error::new(Code::ListingCut, detail)).filter(|_| self.is_source)
    }

    /// One rule for both sides: what the mirror's root keeps for us or its filesystem is no entry there, and a source's entry of
    /// that name is left out or stored escaped. The name the filter knows an entry by, and the name it is stored under; `None` if it is not mirrored.
    fn names<'n>(&mut self, name: &'n Name) -> Option<(Cow<'n, Name>, Stored)> {
        let is_root = self.folder.is_root();
        let reserved = layout::is_reserved_name(name);
        let kept = is_root && self.lister.target.keeps_for_itself(name);
        if !self.is_source {
            self.saw_reserved |= reserved;
            self.has_escapes |= name.as_bytes().ends_with(SUFFIX);
            let hidden = kept || (is_root && reserved);
            return (!hidden).then(|| (unescape(name).map_or(Cow::Borrowed(name), Cow::Owned), Stored::AsIs));
        }
        if reserved && is_root {
            self.problem(name.as_bytes(), Error::new(Code::ReservedName, ""));
            return None;
        }
        // A mirror below the source keeps its marker under another name, or it would protect itself from us here.
        let stored =
            if reserved || kept { store_twin(name, &self.lister.rules) } else { store(name, &self.lister.rules) };
        Some((Cow::Borrowed(name), stored))
    }

    /// Goes on, if our own sorting did not fail.
    fn sorted(&mut self, pushed: Result<(), Error>) -> ControlFlow<()> {
        match pushed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl ListSink for Sink<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.entries += 1;
        if self.endless().is_some() {
            return ControlFlow::Break(());
        }
        let is_folder = entry.meta.looks_like_folder();
        let (stored, is_left_out) = match self.names(&entry.name) {
            Some((original, stored)) => {
                let is_excluded = self.lister.filter.excludes_in(self.folder, &original, is_folder);
                (stored, is_excluded)
            }
            None => (Stored::AsIs, true),
        };
        let mut flags = match is_left_out && !self.is_source {
            // No other entry may take its place.
            true if self.lister.order.folds_case => FLAG_HIDDEN,
            true => return ControlFlow::Continue(()),
            false => 0,
        };
        let stored = match &stored {
            Stored::AsIs => &entry.name,
            Stored::Escaped(stored) => stored,
            Stored::Cut(stored) => {
                flags |= FLAG_CUT;
                stored
            }
        };
        let key = self.lister.order.key(stored);
        if is_left_out && self.is_source {
            self.scratch_bytes += key.len() as u64;
            let pushed = self.left_out.push(&key, &[]);
            return self.sorted(pushed);
        }
        self.buffer.0.clear();
        self.buffer.u8(flags);
        self.buffer.meta(&entry.meta);
        self.buffer.bytes(if *stored == entry.name { b"" } else { entry.name.as_bytes() });
        self.scratch_bytes += (key.len() + self.buffer.0.len()) as u64;
        let pushed = self.sorter.push(&key, &self.buffer.0);
        self.sorted(pushed)
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        self.entries += 1;
        let is_excluded = |name: &Name| {
            [true, false].into_iter().any(|is_folder| self.lister.filter.excludes_in(self.folder, name, is_folder))
        };
        if !self.is_source && Name::new(name).is_ok_and(|name| is_excluded(&name)) {
            return;
        }
        if error.code == Code::BadName && self.hostile.is_none() {
            self.hostile = Some(name.to_vec());
        }
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push((name.to_vec(), error));
        }
    }

    fn restart(&mut self) {
        *self = Sink::new(self.lister, self.folder, self.is_source);
    }
}
