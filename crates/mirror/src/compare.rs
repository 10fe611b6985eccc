//! Compares one folder's two listings and does, or hands on, what the plan says of each name.
//!
//! What is safe at any time is done or queued at once: new folders, new and changed files. What needs the whole picture
//! is written to lists: vanished entries, possible moves, kind changes, folder times.

mod listed;
mod metadata;
mod notes;
mod restamps;

use crate::codec::Writer;
use crate::context::Context;
use crate::copy::{Task, may_wait};
use crate::index::{Cursor, Generation, NewStream, Placed};
use crate::mirror_ops::MirrorOps;
use crate::moves;
use crate::order::NameOrder;
use crate::queue::Queue;
use crate::spill::SpillWriter;
use crate::unread::UnreadFolders;
use crate::vanished::Vanished;
use crate::walk::{Children, FolderPair, FolderSide, Frame, ListedEntry};
use octo_core::guard::{GuardInput, replaces_too_many};
use octo_core::merge::{Pair, merge};
use octo_core::plan::{Action, PlanRules, plan};
use octo_core::retention::KeepVersions;
use octo_core::{Change, Code, Error, Kind, Meta, Name, RelPath};
use restamps::Restamps;

/// Replacements that are done at once although no versions are kept; beyond these the brake decides first.
const UNVERSIONED_AT_ONCE: u64 = 1000;

/// Lists that later parts of the run work on.
pub struct Lists<'a> {
    /// Entries of the mirror that the source provably does not have any more, in walk order.
    pub vanished: SpillWriter<'a>,
    /// New files whose id the index knows, each with what the source says of its folder.
    pub candidates: SpillWriter<'a>,
    /// What is to be made once something of another kind is deleted.
    pub kind_changes: SpillWriter<'a>,
    /// Replacements that the brake decides about.
    pub deferred: SpillWriter<'a>,
    /// Folders whose time has to be set, parents first.
    pub folder_times: SpillWriter<'a>,
}

/// Compares folder by folder, in walk order.
pub struct Comparer<'a> {
    context: &'a Context<'a>,
    ops: &'a MirrorOps<'a>,
    order: NameOrder,
    rules: PlanRules,
    /// The old index, if moves may be looked for.
    ids: Option<&'a Generation>,
    cursor: Cursor<'a>,
    /// Lists for later.
    pub lists: Lists<'a>,
    /// What the guard will want to know.
    pub guard: GuardInput,
    top: Option<Top>,
    /// Files that were found changed so far.
    pub planned_replacements: u64,
    /// Every listing was complete: what is not among the vanished is not pending.
    pub saw_all: bool,
    /// Folders of the source into which something may have been moved that this run did not see.
    pub unread: UnreadFolders,
    restamps: Restamps<'a>,
    /// All replacements wait until a person releases the brake.
    braked: bool,
}

/// A top-level folder while the walk is in it.
struct Top {
    name: Name,
    on_both: bool,
    source_entries: u64,
    mirror_files: u64,
}

impl<'a> Comparer<'a> {
    /// Before the first folder. `index` is the generation to follow; moves are looked for if `moves`. `braked`: an
    /// earlier run replaced suspiciously many files, and it was not released.
    pub fn new(
        context: &'a Context<'a>,
        ops: &'a MirrorOps<'a>,
        order: NameOrder,
        rules: PlanRules,
        index: Option<&'a Generation>,
        moves: bool,
        braked: bool,
    ) -> Comparer<'a> {
        let log = || SpillWriter::new(context.target);
        Comparer {
            context,
            ops,
            order,
            rules,
            ids: index.filter(|_| moves),
            cursor: Cursor::new(context.target, order, index),
            lists: Lists {
                vanished: log(),
                candidates: log(),
                kind_changes: log(),
                deferred: log(),
                folder_times: log(),
            },
            guard: GuardInput::default(),
            top: None,
            planned_replacements: 0,
            saw_all: true,
            unread: UnreadFolders::default(),
            restamps: Restamps::new(context, ops),
            braked,
        }
    }

    /// Ends the walk: what the new index holds besides the journal, the lists, and what the guard wants to know.
    pub fn finish(mut self) -> Result<(NewStream<'a>, Lists<'a>, GuardInput), Error> {
        self.leave_top();
        self.restamps.flush();
        Ok((self.cursor.finish()?, self.lists, self.guard))
    }

    /// Compares one folder.
    pub fn folder(&mut self, queue: &mut Queue<'_>, frame: &Frame, pair: &FolderPair) -> Result<Children<'a>, Error> {
        let mut children = Children::new(self.context.target);
        self.enter_top(frame);
        let proof = match &pair.source {
            Some(side) => self.source_proves_absence(frame, side)?,
            None => true,
        };
        if self.context.is_over() || !self.target_is_known(frame, pair.target.as_ref())? {
            return Ok(children);
        }
        let none = || Box::new(std::iter::empty()) as Box<dyn Iterator<Item = Result<ListedEntry, Error>>>;
        let source = pair.source.as_ref().map_or_else(|| Ok(none()), FolderSide::entries)?;
        let target = pair.target.as_ref().map_or_else(|| Ok(none()), FolderSide::entries)?;
        let order = self.order;
        let mut step =
            Step { frame, folder_key: order.folder_key(&frame.place), proof, children: &mut children, dirty: false };
        for names in merge(source, target, move |a: &ListedEntry, b: &ListedEntry| order.compare(a.key(), b.key())) {
            match names? {
                Pair::Source(s) => self.name(queue, &mut step, Some(s), None)?,
                Pair::Target(t) => self.name(queue, &mut step, None, Some(t))?,
                Pair::Both(s, t) => self.name(queue, &mut step, Some(s), Some(t))?,
            }
        }
        let dirty = step.dirty;
        self.note_folder_time(frame, dirty)?;
        Ok(children)
    }

    fn name(
        &mut self,
        queue: &mut Queue<'_>,
        step: &mut Step<'_, 'a>,
        s: Option<ListedEntry>,
        t: Option<ListedEntry>,
    ) -> Result<(), Error> {
        self.count(s.as_ref(), t.as_ref());
        let key = |l: &ListedEntry| [step.folder_key.as_slice(), l.key()].concat();
        let found = match (&s, &t) {
            (Some(_), Some(t)) if matches!(t.meta.kind, Kind::File | Kind::Folder) && self.cursor.may_know() => {
                self.cursor.find(&key(t))?
            }
            _ => None,
        };
        let indexed = found.as_ref().map(|placed| placed.record.indexed_file());
        let suspect = t.as_ref().is_some_and(|t| self.ops.suspects.has(&step.frame.place.join(&t.stored)));
        let rules = PlanRules { suspect, ..self.rules };
        let action = plan(s.as_ref().map(|s| &s.meta), t.as_ref().map(|t| &t.meta), indexed.as_ref(), &rules);
        match (s, t) {
            (Some(s), t) => {
                let write_time = s.meta.write_time;
                let mut at = At::new(step.frame, s, t);
                self.note_name(&at);
                self.note_time_beyond(&at, write_time);
                self.settle_case(step, &mut at)?;
                if at.is_cut
                    && at.old.is_some()
                    && !self.context.options.dry_run
                    && let Err(error) = self.ops.mend_name(&at.source, &at.place)
                {
                    self.context.problem(&at.source, error);
                }
                self.act(queue, step, &at, action, found.as_ref())
            }
            (None, Some(t)) if step.proof => self.vanish(step, &t),
            _ => Ok(()),
        }
    }

    fn act(
        &mut self,
        queue: &mut Queue<'_>,
        step: &mut Step<'_, 'a>,
        at: &At,
        action: Action,
        found: Option<&Placed>,
    ) -> Result<(), Error> {
        use Action::{Copy, MakeFolder, MakeLink, Replace, ReplaceLink, Restamp};
        if matches!(action, Copy | MakeFolder | MakeLink | Replace { .. } | ReplaceLink | Restamp) {
            self.record_folder_time(step)?;
        }
        match action {
            Action::Unchanged if at.meta.kind == Kind::File => {
                self.context.count(|c| c.unchanged += 1);
                self.keep_record(at, found)
            }
            Action::RefreshMetadata => self.refresh(queue, at, found),
            Restamp => {
                at.old.iter().for_each(|old| self.restamps.push(&at.source, &at.place, *old, at.meta));
                Ok(())
            }
            Action::Verify if self.context.options.dry_run => {
                self.context.count(|c| c.unchanged += 1);
                Ok(())
            }
            Action::Verify => {
                self.keep_record(at, found)?;
                queue.push(self.comparison(at, found))
            }
            Replace { shifted: true } => self.shifted(queue, at, found),
            Replace { shifted: false } => self.replace(queue, at),
            Copy => self.copy(queue, step, at),
            MakeFolder if self.make_folder(at, is_new(step.frame)) => self.enter_new(queue, step, at),
            MakeFolder => Ok(()),
            Action::Enter { .. } => {
                self.keep_folder(queue, at, found)?;
                step.children.push(&at.frame(at.old))
            }
            MakeLink | ReplaceLink => {
                self.link(at);
                Ok(())
            }
            Action::KeepNotLocal => {
                self.context.count(|c| c.not_local += 1);
                self.context.file_problem(&at.source, Error::new(Code::NotLocal, ""), at.task(false).old.as_ref());
                found.map_or(Ok(()), |placed| self.cursor.keep(placed, found))
            }
            Action::NotMirrored => {
                self.note_not_mirrored(at);
                Ok(())
            }
            // Without proof it is a lie perhaps, or one of two entries with this name. The listing's problem was reported.
            Action::KindChange if !step.proof => Ok(()),
            Action::KindChange => {
                let Some(old) = &at.target else { return Ok(()) };
                self.vanish(step, old)?;
                self.lists.kind_changes.push(&at.task(false).encode())
            }
            Action::Unchanged | Action::Vanished => Ok(()),
        }
    }

    fn copy(&mut self, queue: &mut Queue<'_>, step: &Step<'_, 'a>, at: &At) -> Result<(), Error> {
        if let (Some(ids), Some(id)) = (self.ids, at.meta.id)
            && at.meta.size_bytes > 0
            && id.is_usable()
            && ids.has_id(id)
        {
            return self.lists.candidates.push(&moves::candidate(&at.task(false), step.frame.meta.as_ref()));
        }
        queue.push(at.task(false))
    }

    fn replace(&mut self, queue: &mut Queue<'_>, at: &At) -> Result<(), Error> {
        self.planned_replacements += 1;
        let unversioned = self.context.options.keep_versions == KeepVersions::No;
        let many = self.braked || self.planned_replacements > UNVERSIONED_AT_ONCE;
        if unversioned && many && !self.context.options.release_brake {
            return self.lists.deferred.push(&at.task(false).encode());
        }
        queue.push(at.task(false))
    }

    /// Equal size, and a time that differs by whole hours: most likely only a clock's zone has changed. What turns out to be
    /// equal gets the new time, and costs no version. Without versions it counts as replaced from the start, because a wave
    /// of replacements must be seen before it overwrites the last good copies.
    fn shifted(&mut self, queue: &mut Queue<'_>, at: &At, found: Option<&Placed>) -> Result<(), Error> {
        self.context.count(|c| c.shifted += 1);
        if self.context.options.keep_versions == KeepVersions::No {
            return self.replace(queue, at);
        }
        if self.context.options.dry_run {
            self.context.changed(&Change::Restamped { path: at.place.clone() });
            return Ok(());
        }
        queue.push(self.comparison(at, found))
    }

    /// False if that failed: what is in it cannot be copied.
    fn make_folder(&mut self, at: &At, is_in_new: bool) -> bool {
        if !self.context.options.dry_run {
            // What deletions will free may be used before.
            let is_kept = !may_wait(self.context.options);
            let room = if is_kept { self.context.space.check_files(self.context.target) } else { Ok(()) };
            let name = || if at.is_cut { self.ops.record_name(&at.source, &at.place) } else { Ok(()) };
            let make = || self.ops.make_folder(&at.place, is_in_new);
            if let Err(error) = room.and_then(|()| name()).and_then(|()| make()) {
                self.unread.push(&at.source, error.code);
                self.context.problem(&at.source, error);
                return false;
            }
        }
        self.context.changed(&Change::Created { path: at.place.clone(), kind: Kind::Folder, size_bytes: 0 });
        true
    }

    fn link(&self, at: &At) {
        if let Err(error) = self.make_link(at) {
            self.context.problem(&at.source, error);
        }
    }

    /// Makes a link, or replaces one: the new one is made in staging first, so that the name never disappears.
    fn make_link(&self, at: &At) -> Result<(), Error> {
        if !self.context.options.dry_run {
            let link = self.context.source.read_link(&at.source)?;
            if at.is_cut {
                self.ops.record_name(&at.source, &at.place)?;
            }
            match at.old {
                None => self.ops.make_link(&at.place, &link, at.meta.write_time)?,
                Some(old) => self.ops.replace_link(&at.place, &link, at.meta.write_time, &old)?,
            }
        }
        let path = at.place.clone();
        self.context.changed(&Change::Created { path, kind: Kind::Link, size_bytes: 0 });
        Ok(())
    }

    /// Notes an entry that the source does not have, and goes into it if it is a folder.
    fn vanish(&mut self, step: &mut Step<'_, 'a>, old: &ListedEntry) -> Result<(), Error> {
        self.record_folder_time(step)?;
        let place = step.frame.place.join(&old.stored);
        self.lists.vanished.push(&Vanished { place: place.clone(), meta: old.meta }.encode())?;
        if old.meta.kind != Kind::Folder {
            return Ok(());
        }
        let original = octo_core::naming::unescape(&old.stored).unwrap_or_else(|| old.stored.clone());
        step.children.push(&Frame { source: step.frame.source.join(&original), place, meta: None, old: Some(old.meta) })
    }

    /// On a target that folds case, a name that differs only in case is renamed. If that fails the old case stays.
    fn settle_case(&mut self, step: &mut Step<'_, 'a>, at: &mut At) -> Result<(), Error> {
        let Some(target) = at.target.as_ref().filter(|t| t.stored.as_bytes() != at.place.name_bytes()) else {
            return Ok(());
        };
        let from = step.frame.place.join(&target.stored);
        self.record_folder_time(step)?;
        if !self.context.options.dry_run
            && let Err(error) = self.ops.change_case(&from, &at.place)
        {
            self.context.problem(&at.source, error);
            at.place = from;
            return Ok(());
        }
        self.context.changed(&Change::Moved { from, to: at.place.clone() });
        Ok(())
    }

    /// Something in the folder will be changed, which moves its last write time: the old one is recorded first.
    fn record_folder_time(&self, step: &mut Step<'_, 'a>) -> Result<(), Error> {
        let first = !std::mem::replace(&mut step.dirty, true);
        match step.frame.old {
            Some(old) if first && !step.frame.place.is_root() => self.ops.note_time(&step.frame.place, &old),
            _ => Ok(()),
        }
    }

    fn note_folder_time(&mut self, frame: &Frame, dirty: bool) -> Result<(), Error> {
        let Some(meta) = frame.meta.filter(|_| !frame.place.is_root()) else { return Ok(()) };
        let wanted = self.rules.times.represent(meta.write_time);
        if !dirty && frame.old.is_some_and(|old| old.write_time == wanted) {
            return Ok(());
        }
        let mut writer = Writer::default();
        writer.bytes(frame.place.as_bytes());
        writer.meta(&meta);
        writer.optional_time(frame.old.map(|old| old.write_time));
        self.lists.folder_times.push(&writer.0)
    }

    fn count(&mut self, s: Option<&ListedEntry>, t: Option<&ListedEntry>) {
        if let Some(s) = s {
            self.guard.source_entries += 1;
            self.top.iter_mut().for_each(|top| top.source_entries += 1);
            self.context.count(|c| match s.meta.kind {
                Kind::Folder => c.source_folders += 1,
                Kind::File => {
                    c.source_files += 1;
                    // A source may say anything.
                    c.source_bytes = c.source_bytes.saturating_add(s.meta.size_bytes);
                }
                _ => {}
            });
        }
        if let Some(t) = t.filter(|t| t.meta.kind == Kind::File) {
            self.guard.mirror_files += 1;
            self.guard.mirror_bytes += t.meta.size_bytes;
            self.top.iter_mut().for_each(|top| top.mirror_files += 1);
            self.context.count(|c| c.mirror_files += 1);
        }
    }

    fn enter_top(&mut self, frame: &Frame) {
        let name = frame.place.top();
        if self.top.as_ref().map(|top| &top.name) == name.as_ref() {
            return;
        }
        self.leave_top();
        let on_both = frame.meta.is_some() && frame.old.is_some();
        self.top = name.map(|name| Top { name, on_both, source_entries: 0, mirror_files: 0 });
    }

    fn leave_top(&mut self) {
        if let Some(top) = self.top.take().filter(|top| top.on_both && top.source_entries == 0) {
            self.guard.emptied_tops.push((top.name, top.mirror_files));
        }
    }

    /// Makes a folder in the place of something of another kind that is deleted by now. The frame to walk, if that worked.
    pub fn make_late_folder(&mut self, task: &Task) -> Option<Frame> {
        let at = At::of_task(task);
        self.make_folder(&at, false).then(|| at.frame(None))
    }

    /// Makes a link in the place of something of another kind that is deleted by now.
    pub fn make_late_link(&self, task: &Task) {
        self.link(&At::of_task(task));
    }

    /// Whether the brake holds the replacements that were not done at once.
    pub fn brakes(&self) -> bool {
        self.braked || replaces_too_many(self.planned_replacements, self.guard.mirror_files)
    }
}

/// The folder being compared.
struct Step<'s, 'a> {
    frame: &'s Frame,
    folder_key: Vec<u8>,
    /// Whether a name that the source did not list is provably gone.
    proof: bool,
    children: &'s mut Children<'a>,
    /// Whether anything in it will be changed, which moves its last write time.
    dirty: bool,
}

/// One name that the source has.
struct At {
    source: RelPath,
    place: RelPath,
    meta: Meta,
    old: Option<Meta>,
    target: Option<ListedEntry>,
    is_cut: bool,
}

impl At {
    fn new(frame: &Frame, s: ListedEntry, t: Option<ListedEntry>) -> At {
        At {
            source: frame.source.join(s.name()),
            place: frame.place.join(&s.stored),
            meta: s.meta,
            old: t.as_ref().map(|t| t.meta),
            target: t,
            is_cut: s.is_cut,
        }
    }

    /// What is to be made where nothing is left.
    fn of_task(task: &Task) -> At {
        At {
            source: task.source.clone(),
            place: task.place.clone(),
            meta: task.meta,
            old: None,
            target: None,
            is_cut: task.is_cut,
        }
    }

    fn task(&self, verify: bool) -> Task {
        Task {
            source: self.source.clone(),
            place: self.place.clone(),
            meta: self.meta,
            // A kind change is made where nothing is left.
            old: self.old.filter(|old| old.kind == self.meta.kind),
            verify,
            refresh: false,
            is_stale: false,
            is_cut: self.is_cut,
            tries: 0,
            stand_in: None,
            is_live: false,
        }
    }

    fn frame(&self, old: Option<Meta>) -> Frame {
        Frame { source: self.source.clone(), place: self.place.clone(), meta: Some(self.meta), old }
    }
}

/// Whether the folder was made in this run.
fn is_new(frame: &Frame) -> bool {
    frame.old.is_none() && !frame.place.is_root()
}
