//! Where the entries of a state are in the mirror now: in their places, or among the versions.
//!
//! What is there now is looked at before the records are: of a change that happens meanwhile either nothing is seen yet, or its
//! record is, too.

use super::History;
use super::decide::{Decision, Was, decide};
use super::merged::{Facts, Merged};
use super::table::{Row, Table};
use crate::codec::{Reader, Writer};
use crate::layout;
use crate::spill::{Pool, Sorter};
use octo_core::naming::{self, Stored};
use octo_core::{Code, Entry, Error, Kind, ListSink, Listed, Meta, Name, RelPath, Timestamp};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

/// What is sorted in memory of one folder.
const SORT_BYTES: usize = 4 << 20;
/// Folders whose places are remembered: a walk asks for what is in them next.
const REMEMBERED_FOLDERS: usize = 64;

/// Where an entry of a state is now.
#[derive(Clone)]
pub(super) struct Located {
    /// Its place in the mirror.
    pub(super) place: RelPath,
    /// What it was.
    pub(super) meta: Meta,
    /// Where its content is: the same place, or a version.
    pub(super) content: RelPath,
    /// The run of whose versions that is one.
    pub(super) version_of: Option<u64>,
    /// Where its metadata is.
    pub(super) metadata: RelPath,
    /// Records from this moment on speak of something else in its place.
    pub(super) until: super::decide::Moment,
    /// Whether what is in its place now is what was in it, but for these records.
    pub(super) is_in_place: bool,
}

/// The entries of one state.
pub(super) struct Places<'t> {
    pub(super) history: &'t History<'t>,
    /// The first run with versions that is taken back.
    before: u64,
    /// The first run that is taken back: with that one, or on its own.
    since: u64,
    /// Folders that were asked for last.
    folders: Mutex<Vec<(RelPath, Located)>>,
}

impl<'t> Places<'t> {
    /// Of the state before a run, and those before it since another one, whose records it has.
    pub(super) fn before(history: &'t History<'t>, run: u64, since: u64) -> Places<'t> {
        Places { history, before: run, since, folders: Mutex::default() }
    }

    fn root(&self) -> Located {
        let root = RelPath::root();
        let meta = Meta::new(Kind::Folder, 0, Timestamp::default());
        let (place, content, metadata) = (root.clone(), root.clone(), root);
        Located { place, meta, content, version_of: None, metadata, until: (u64::MAX, 0), is_in_place: true }
    }

    /// Where the entry with this original path is.
    pub(super) fn locate(&self, path: &RelPath) -> Result<Option<Located>, Error> {
        let (mut folder, mut at) = (RelPath::root(), self.root());
        for name in path.names() {
            folder = folder.join(&name);
            let Some(found) = self.remembered(&folder).map_or_else(|| self.child(&at, &name), |it| Ok(Some(it)))?
            else {
                return Ok(None);
            };
            at = found;
        }
        if at.meta.kind == Kind::Folder && !path.is_root() {
            self.remember(path, &at);
        }
        Ok(Some(at))
    }

    fn remembered(&self, path: &RelPath) -> Option<Located> {
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.iter().rev().find(|(known, _)| known == path).map(|(_, located)| located.clone())
    }

    fn remember(&self, path: &RelPath, located: &Located) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if folders.iter().any(|(known, _)| known == path) {
            return;
        }
        if folders.len() == REMEMBERED_FOLDERS {
            folders.remove(0);
        }
        folders.push((path.clone(), located.clone()));
    }

    /// The entry of a folder that had this original name.
    fn child(&self, folder: &Located, name: &Name) -> Result<Option<Located>, Error> {
        let rules = &self.history.marker.abilities.names;
        let escaped = Some(naming::store(name, rules)).filter(|stored| *stored != Stored::AsIs);
        let mut forms: Vec<_> = escaped.into_iter().chain([Stored::AsIs, naming::store_twin(name, rules)]).collect();
        if rules.folds_case {
            // The plain name may be that of another, which differs in case.
            forms.rotate_right(1);
        }
        for stored in forms {
            let place = match stored {
                Stored::AsIs => name.clone(),
                Stored::Escaped(name) | Stored::Cut(name) => name,
            };
            if let Some(found) = self.located(folder, &place)?
                && self.original(&place, &found)? == *name
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Fails if the state was removed since it was opened: what its versions lack then says nothing. Asked after the look.
    fn demand_kept(&self) -> Result<(), Error> {
        if self.before == u64::MAX || self.history.still_takes_back(self.before, self.since)? {
            return Ok(());
        }
        let what = format!("the state before run {} was removed while it was read", self.since);
        Err(Error::new(Code::SourceMissing, what))
    }

    /// The entry of a folder that is stored under this name.
    fn located(&self, folder: &Located, stored: &Name) -> Result<Option<Located>, Error> {
        let place = folder.place.join(stored);
        let now = if folder.is_in_place { self.history.target.look(&place)? } else { None };
        let mut facts = Facts::default();
        for table in self.tables(folder)? {
            let mut rows = table.of_entry(&place).collect::<Result<Vec<Row>, _>>()?;
            rows.sort_by_key(|row| row.number);
            for Row { run, number, fact, .. } in rows {
                facts.push(stored.as_bytes(), (run, number), fact);
            }
        }
        let decided = self.decided(folder, stored, now, &facts)?;
        self.demand_kept().map(|()| decided)
    }

    fn tables(&self, folder: &Located) -> Result<Vec<Arc<Table>>, Error> {
        self.history.tables(self.before..=folder.until.0)
    }

    fn decided(
        &self,
        folder: &Located,
        stored: &Name,
        now: Option<Meta>,
        facts: &Facts,
    ) -> Result<Option<Located>, Error> {
        let (target, place) = (self.history.target, folder.place.join(stored));
        let is_kept = |run| target.look(&layout::version(run, &place)).map(|meta| meta.is_some());
        let concern = facts.list.iter().copied().filter(|(moment, _)| *moment < folder.until);
        let Decision { was, write_time, metadata, made_again } = decide(concern, is_kept)?;
        let version_of = if let Was::Version(run) = was { Some(run) } else { None };
        let (content, meta) = match was {
            Was::Nothing => return Ok(None),
            Was::InPlace => (place.clone(), now),
            Was::Version(run) => {
                let version = layout::version(run, &place);
                let meta = target.look(&version)?;
                (version, meta)
            }
        };
        let Some(mut meta) = meta else { return Ok(None) };
        // What is there now is something else, perhaps in another spelling.
        let place = match (made_again, &facts.name) {
            (Some(_), Some(was)) => folder.place.join(was),
            _ => place,
        };
        meta.write_time = write_time.unwrap_or(meta.write_time);
        let metadata = metadata.map_or_else(|| content.clone(), |run| layout::version(run, &place));
        let until = made_again.map_or(folder.until, |moment| moment.min(folder.until));
        let is_in_place = folder.is_in_place && made_again.is_none();
        Ok(Some(Located { place, meta, content, version_of, metadata, until, is_in_place }))
    }

    /// The name that an entry had on the source.
    fn original(&self, stored: &Name, located: &Located) -> Result<Name, Error> {
        if !stored.as_bytes().to_ascii_lowercase().ends_with(naming::SUFFIX) {
            return Ok(stored.clone());
        }
        // Of a name that can be read back, a record is that of an earlier, cut name of the same file.
        if let Some(name) = naming::unescape(stored) {
            return Ok(name);
        }
        let recorded = self.history.target.recorded_name(&located.content)?.and_then(|name| Name::new(name).ok());
        Ok(recorded.unwrap_or_else(|| stored.clone()))
    }

    /// All entries of a folder by the names under which they are stored.
    pub(super) fn each_entry(&self, folder: &Located, sink: &mut dyn ListSink) -> Result<(), Error> {
        let (pool, order) = (Pool::new(SORT_BYTES), self.history.order);
        let mut sorter = Sorter::new(self.history.target, &pool);
        // What is there now comes first: the records of what happens meanwhile are read after it.
        if folder.is_in_place {
            self.list_now(&folder.place, &mut sorter)?;
        }
        let sorted = sorter.finish()?;
        let mut now = sorted.iter()?.peekable();
        let tables = self.tables(folder)?;
        let mut facts = Merged::new(&tables, &folder.place, order)?;
        loop {
            let of_now = match now.peek() {
                Some(Ok(record)) => Some(record.key().to_vec()),
                Some(Err(_)) => return now.next().map_or(Ok(()), |failed| failed.map(drop)),
                None => None,
            };
            let key = of_now.as_deref().map(|key| order.identity(key).to_vec());
            let of_facts = facts.identity().map(<[u8]>::to_vec);
            let Some(name) = key.iter().chain(&of_facts).min().cloned() else { return self.demand_kept() };
            let (mut stored, mut meta) = (None, None);
            if let Some(is_now) = of_now.filter(|_| key.as_ref() == Some(&name)) {
                stored = Name::new(order.name_of(&is_now).to_vec()).ok();
                meta = now.next().transpose()?.map(|record| Reader(record.value()).meta()).transpose()?;
            }
            let facts = if of_facts.as_ref() == Some(&name) { facts.take(&name)? } else { Facts::default() };
            let Some(stored) = stored.or_else(|| facts.name.clone()) else { continue };
            if let Some(located) = self.decided(folder, &stored, meta, &facts)? {
                let name = self.original(&located.place.name().unwrap_or(stored), &located)?;
                if sink.entry(Entry { name, meta: located.meta }).is_break() {
                    return Err(Error::new(Code::ListingCut, "no more was wanted"));
                }
            }
        }
    }

    fn list_now(&self, place: &RelPath, sorter: &mut Sorter<'_>) -> Result<(), Error> {
        let target = self.history.target;
        if target.look(place)?.is_none_or(|meta| meta.kind != Kind::Folder) {
            return Ok(());
        }
        let mut list = Now { history: self.history, is_root: place.is_root(), sorter, failed: None };
        let listed = target.list(place, &mut list);
        match (list.failed, listed) {
            (Some(error), _) | (None, Listed::Incomplete(error)) => Err(error),
            (None, Listed::Complete) => Ok(()),
        }
    }
}

/// Takes what is in a folder of the mirror now, without what is not the mirror's.
struct Now<'s, 'a, 't> {
    history: &'s History<'t>,
    is_root: bool,
    sorter: &'s mut Sorter<'a>,
    failed: Option<Error>,
}

impl ListSink for Now<'_, '_, '_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let is_ours = layout::is_reserved_name(&entry.name) || self.history.target.keeps_for_itself(&entry.name);
        if self.is_root && is_ours {
            return ControlFlow::Continue(());
        }
        let mut meta = Writer::default();
        meta.meta(&entry.meta);
        match self.sorter.push(&self.history.order.key(&entry.name), &meta.0) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        self.failed.get_or_insert(error.within(octo_core::path::bytes_to_text(name)));
    }

    fn restart(&mut self) {
        self.failed.get_or_insert(Error::new(Code::TargetFailed, "the listing began again"));
    }
}
