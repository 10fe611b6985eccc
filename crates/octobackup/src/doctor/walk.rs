//! A bounded look at a source: breadth first, so that many folders are seen and not one deep one.
//!
//! What bounds it is named ([`Limit`]): entries, time and the folders that wait. Reads no file.

use crate::doctor::facts::{Limit, Seen};
use octo_core::naming::{self, Stored};
use octo_core::{
    Clock, Code, Entry, Error, Filter, Kind, ListSink, Listed, Name, NameRules, RelPath, Source, TimeRules,
};
use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

/// No longer than a person waits.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Bytes of the paths of folders that wait.
const WAITING_BYTES_MAX: usize = 8 << 20;
/// Entries whose access is worth a try: all folders, and of each folder the first few files.
const SAMPLES_MAX: usize = 4_000;
const SAMPLES_BYTES_MAX: usize = 4 << 20;
const SAMPLE_FILES_PER_FOLDER: usize = 50;

/// What to look for.
pub struct WalkOptions<'a> {
    /// The most entries.
    pub entries_max: u64,
    /// What a run would leave out.
    pub filter: &'a Filter,
    /// What the target can hold, where there is one.
    pub names: Option<&'a NameRules>,
    /// The times that it can hold.
    pub times: Option<TimeRules>,
}

/// What was seen, and a sample of files and folders to try to open.
pub struct Walked {
    pub seen: Seen,
    pub samples: Vec<RelPath>,
}

/// Looks. Fails only if the source itself does.
pub fn walk(source: &dyn Source, wish: &WalkOptions<'_>, clock: &dyn Clock) -> Result<Walked, Error> {
    let begun = clock.monotonic();
    let seen = Seen { stable_ids: source.features().stable_ids, ..Seen::default() };
    let mut walk = Walk {
        wish,
        seen,
        samples: vec![RelPath::root()],
        sample_bytes: 0,
        waiting: VecDeque::new(),
        waiting_bytes: 0,
    };
    walk.waiting.push_back(RelPath::root());
    while let Some(folder) = walk.waiting.pop_front() {
        walk.waiting_bytes -= folder.as_bytes().len();
        if clock.monotonic().saturating_sub(begun) > TIME_MAX {
            walk.seen.limit = Some(Limit::Time);
        }
        if matches!(walk.seen.limit, Some(Limit::Time | Limit::Entries)) {
            break;
        }
        walk.list(source, &folder)?;
    }
    Ok(Walked { seen: walk.seen, samples: walk.samples })
}

struct Walk<'a> {
    wish: &'a WalkOptions<'a>,
    seen: Seen,
    samples: Vec<RelPath>,
    sample_bytes: usize,
    waiting: VecDeque<RelPath>,
    waiting_bytes: usize,
}

impl Walk<'_> {
    fn list(&mut self, source: &dyn Source, folder: &RelPath) -> Result<(), Error> {
        self.seen.folders += 1;
        let before = self.mark();
        let mut sink = Folder { walk: self, path: folder, before, files_sampled: 0, folded: HashMap::new() };
        match source.list(folder, &mut sink) {
            Listed::Complete => Ok(()),
            // It was us who wanted no more.
            Listed::Incomplete(error) if error.code == Code::ListingCut && self.seen.limit == Some(Limit::Entries) => {
                Ok(())
            }
            Listed::Incomplete(error) if error.code.stops_run() => Err(error),
            Listed::Incomplete(error) => {
                self.seen.unlisted.add((folder.clone(), error));
                Ok(())
            }
        }
    }

    fn mark(&self) -> Mark {
        Mark {
            seen: self.seen.clone(),
            samples: self.samples.len(),
            sample_bytes: self.sample_bytes,
            waiting: self.waiting.len(),
            waiting_bytes: self.waiting_bytes,
        }
    }

    fn sample(&mut self, path: &RelPath) {
        self.sample_bytes += path.as_bytes().len();
        if self.samples.len() < SAMPLES_MAX && self.sample_bytes <= SAMPLES_BYTES_MAX {
            self.samples.push(path.clone());
        }
    }

    fn wait(&mut self, path: RelPath) {
        if self.waiting_bytes + path.as_bytes().len() > WAITING_BYTES_MAX {
            self.seen.limit.get_or_insert(Limit::Folders);
            return;
        }
        self.waiting_bytes += path.as_bytes().len();
        self.waiting.push_back(path);
    }
}

/// Where a walk stood before a folder was listed.
struct Mark {
    seen: Seen,
    samples: usize,
    sample_bytes: usize,
    waiting: usize,
    waiting_bytes: usize,
}

/// One folder while it is listed.
struct Folder<'w, 'a> {
    walk: &'w mut Walk<'a>,
    path: &'w RelPath,
    before: Mark,
    files_sampled: usize,
    /// The names so far as a target sees them that takes upper and lower case for the same.
    folded: HashMap<Vec<u8>, Name>,
}

impl Folder<'_, '_> {
    /// Of names that differ only in case, all but the first in order are stored as twins.
    fn judge_name(&mut self, path: &RelPath, name: &Name) {
        let Some(rules) = self.walk.wish.names else { return };
        let twin = if rules.folds_case { self.twin(name) } else { None };
        match twin {
            Some(twin) => self.judge_form(&self.path.join(&twin), &naming::store_twin(&twin, rules)),
            None => self.judge_form(path, &naming::store(name, rules)),
        }
    }

    fn twin(&mut self, name: &Name) -> Option<Name> {
        match self.folded.entry(naming::fold(name.as_bytes())) {
            MapEntry::Vacant(free) => {
                free.insert(name.clone());
                None
            }
            MapEntry::Occupied(mut taken) if name < taken.get() => Some(taken.insert(name.clone())),
            MapEntry::Occupied(_) => Some(name.clone()),
        }
    }

    fn judge_form(&mut self, path: &RelPath, stored: &Stored) {
        if let Stored::Escaped(name) | Stored::Cut(name) = stored {
            self.walk.seen.escaped.add((path.clone(), name.to_string()));
        }
    }
}

impl ListSink for Folder<'_, '_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let path = self.path.join(&entry.name);
        if self.walk.wish.filter.excludes(&path, entry.meta.looks_like_folder()) {
            return ControlFlow::Continue(());
        }
        if self.walk.seen.entries >= self.walk.wish.entries_max {
            self.walk.seen.limit = Some(Limit::Entries);
            return ControlFlow::Break(());
        }
        self.walk.seen.entries += 1;
        self.judge_name(&path, &entry.name);
        if self.walk.wish.times.is_some_and(|times| !times.holds(entry.meta.write_time)) {
            self.walk.seen.times_beyond.add((path.clone(), entry.meta.write_time));
        }
        match entry.meta.kind {
            Kind::Folder => {
                self.walk.sample(&path);
                self.walk.wait(path);
            }
            // Opening it might bring its data back from elsewhere.
            Kind::File if !entry.meta.is_local => self.walk.seen.not_local += 1,
            Kind::File => {
                self.walk.seen.bytes = self.walk.seen.bytes.saturating_add(entry.meta.size_bytes);
                if self.files_sampled < SAMPLE_FILES_PER_FOLDER {
                    self.files_sampled += 1;
                    self.walk.sample(&path);
                }
            }
            // To a reader it is a folder, and nothing of it will be in the mirror.
            Kind::Other if entry.meta.is_dfs_link() => {
                self.walk.seen.unlisted.add((path, Error::new(Code::DfsLink, "")));
            }
            Kind::Link | Kind::Other => {}
        }
        ControlFlow::Continue(())
    }

    fn problem(&mut self, _name: &[u8], error: Error) {
        self.walk.seen.bad_names.add((self.path.clone(), error));
    }

    fn restart(&mut self) {
        let (walk, before) = (&mut *self.walk, &self.before);
        walk.seen = before.seen.clone();
        walk.samples.truncate(before.samples);
        walk.sample_bytes = before.sample_bytes;
        walk.waiting.truncate(before.waiting);
        walk.waiting_bytes = before.waiting_bytes;
        self.files_sampled = 0;
        self.folded.clear();
    }
}
