//! Deletes last: the guard looks at the whole set, then either everything is recorded and deleted bottom-up, or it is
//! held as a plan that a person can approve.

use crate::changes::Record;
use crate::checkpoint::Checkpoints;
use crate::context::Context;
use crate::copy::Postponed;
use crate::index::{Cursor, Generation, Journal};
use crate::mirror_ops::{Deleted, MirrorOps};
use crate::order::NameOrder;
use crate::spill::{SpillLog, SpillWriter};
use crate::vanished::Vanished;
use crate::{ballast, held};
use octo_core::guard::{self, GuardInput, Hold};
use octo_core::merge::{Pair, merge};
use octo_core::{Change, Code, Error, Kind, RelPath};

/// How many intents are written at once.
const INTENTS_AT_ONCE: usize = 1000;
/// Held entries that the report names; the plan has all.
const EXAMPLES_MAX: usize = 10;

/// What deleting needs.
pub struct Deletion<'a> {
    /// The run.
    pub context: &'a Context<'a>,
    /// The mirror's operations.
    pub ops: &'a MirrorOps<'a>,
    /// What the last run knew.
    pub index: Option<&'a Generation>,
    /// Where records are kept for the next run.
    pub journal: &'a Journal<'a>,
    /// Everything is made durable before the first delete.
    pub checkpoints: &'a Checkpoints<'a>,
    /// The order of the walk.
    pub order: NameOrder,
    /// Reasons of the mirror itself to hold: a plan that waits, a brake.
    pub standing: Vec<Hold>,
    /// Copies that wait for the deletions, and what stays until they are made.
    pub postponed: &'a Postponed,
    /// A plan that waits and, because a listing was cut, may be about entries that this run did not see.
    pub unseen: Option<String>,
}

/// What became of the set.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Why the rest is held; empty if nothing is.
    pub because: Vec<Hold>,
    /// The plan's id.
    pub plan: Option<String>,
    /// The first entries that are held.
    pub examples: Vec<RelPath>,
}

impl Deletion<'_> {
    /// Judges the set and does what is allowed. Returns also what that is: what stayed for copies that wait is deleted after them,
    /// by [`Deletion::delete`].
    pub fn settle(&self, vanished: SpillLog, guard: GuardInput) -> Result<(Verdict, SpillLog), Error> {
        let none = || SpillWriter::new(self.context.target).finish();
        let split = self.context.options.approve.as_ref().map(|id| self.split(&vanished, id)).transpose()?;
        let others = split.as_ref().map_or(&vanished, |(_, others)| others);
        let input = with_deletions(guard, others)?;
        let mut because = guard::holds(&input, self.context.options.max_delete);
        if others.count() > 0 {
            because.extend(self.standing.iter().cloned());
        }
        let until_read = because.is_empty();
        because.extend(guard::waits_for_unread(&input));
        let dry_run = self.context.options.dry_run;
        if !dry_run && vanished.count() > 0 {
            self.checkpoints.make()?;
        }
        if others.count() == 0 && self.unseen.is_some() {
            let (because, plan) = (self.standing.clone(), self.unseen.clone());
            return Ok((Verdict { because, plan, examples: Vec::new() }, none()));
        }
        if because.is_empty() {
            // All at once: in a folder that was approved there may be what came since.
            self.delete(&vanished)?;
            if !dry_run && !self.context.is_over() {
                held::clear(self.context.target)?;
            }
            return Ok((Verdict::default(), vanished));
        }
        if let Some((approved, _)) = &split {
            self.delete(approved)?;
        }
        let plan = self.hold(others, &because, until_read)?;
        let first = others.forward().take(EXAMPLES_MAX);
        let examples = first.map(|record| Ok(Vanished::decode(&record?)?.place)).collect::<Result<_, Error>>()?;
        Ok((Verdict { because, plan, examples }, split.map_or_else(none, |(approved, _)| approved)))
    }

    /// What a person approved and is still the same, and the rest.
    fn split(&self, vanished: &SpillLog, id: &str) -> Result<(SpillLog, SpillLog), Error> {
        let mut approved = SpillWriter::new(self.context.target);
        let mut others = SpillWriter::new(self.context.target);
        let keyed = |entry: Result<held::HeldEntry, Error>| entry.map(|e| (self.order.entry_key(&e.path), e));
        let plan = held::entries_of(self.context.target, id)?.map(keyed);
        let gone = vanished.forward().map(|record| {
            let vanished = Vanished::decode(&record?)?;
            Ok((self.order.entry_key(&vanished.place), vanished))
        });
        type Gone = (Vec<u8>, Vanished);
        type Planned = (Vec<u8>, held::HeldEntry);
        for pair in merge(gone, plan, |a: &Gone, b: &Planned| a.0.cmp(&b.0)) {
            match pair? {
                Pair::Both((_, vanished), (_, entry)) if entry.is(&vanished) => approved.push(&vanished.encode())?,
                Pair::Both((_, vanished), _) | Pair::Source((_, vanished)) => others.push(&vanished.encode())?,
                Pair::Target(_) => {}
            }
        }
        Ok((approved.finish(), others.finish()))
    }

    /// Reports what is held, and writes the plan that waits for a person.
    fn hold(&self, held: &SpillLog, because: &[Hold], until_read: bool) -> Result<Option<String>, Error> {
        for record in held.forward() {
            let Vanished { place, meta } = Vanished::decode(&record?)?;
            let size_bytes = if meta.kind == Kind::File { meta.size_bytes } else { 0 };
            self.context.changed(&Change::Held { path: place, kind: meta.kind, size_bytes });
        }
        if self.context.options.dry_run {
            return Ok(None);
        }
        self.keep_known(held)?;
        held::write(self.context.target, self.ops.run, because, until_read, held).map(Some)
    }

    /// The index goes on knowing what is held, so that a file that turns up elsewhere later is moved and not copied.
    fn keep_known(&self, held: &SpillLog) -> Result<(), Error> {
        let mut cursor = Cursor::new(self.context.target, self.order, self.index);
        for record in held.forward() {
            let vanished = Vanished::decode(&record?)?;
            let known = cursor.find(&self.order.entry_key(&vanished.place))?;
            if let Some(known) = known.filter(|known| known.record.indexed_file().holds_for(&vanished.meta)) {
                self.journal.push(&known)?;
            }
        }
        Ok(())
    }

    /// Records all intents, then deletes from the last to the first, so that folders come after what is in them.
    /// What is gone already was done before.
    pub fn delete(&self, log: &SpillLog) -> Result<(), Error> {
        if !self.context.options.dry_run && log.count() > 0 {
            self.intend(log)?;
        }
        for record in log.backward() {
            if self.context.is_over() {
                return Ok(());
            }
            let vanished = Vanished::decode(&record?)?;
            if self.postponed.keeps(&vanished.meta) {
                continue;
            }
            self.keep_room()?;
            match self.delete_one(&vanished) {
                Ok(Deleted::Yes) => {
                    let Vanished { place, meta } = vanished;
                    let size_bytes = if meta.kind == Kind::File { meta.size_bytes } else { 0 };
                    self.context.changed(&Change::Deleted { path: place, kind: meta.kind, size_bytes });
                }
                Ok(Deleted::Already | Deleted::NotEmpty) => {}
                Err(error) => self.context.problem(&vanished.place, error),
            }
            self.context.progress(None);
        }
        Ok(())
    }

    /// On a full disk: what deletions make `meta.db` write takes space until the next checkpoint.
    fn keep_room(&self) -> Result<(), Error> {
        let target = self.context.target;
        if self.context.options.dry_run || !ballast::is_short(target) {
            return Ok(());
        }
        ballast::with_help(target, || self.checkpoints.make())?;
        ballast::give_room(target);
        Ok(())
    }

    fn intend(&self, log: &SpillLog) -> Result<(), Error> {
        let mut intents = Vec::new();
        for record in log.forward() {
            let Vanished { place, meta } = Vanished::decode(&record?)?;
            intents.push(Record::Deleted {
                path: place,
                kind: meta.kind,
                size_bytes: meta.size_bytes,
                write_time: meta.write_time,
            });
            if intents.len() == INTENTS_AT_ONCE {
                self.ops.intend(&intents)?;
                intents.clear();
            }
        }
        self.ops.intend(&intents)
    }

    fn delete_one(&self, vanished: &Vanished) -> Result<Deleted, Error> {
        if self.context.options.dry_run {
            return Ok(Deleted::Yes);
        }
        match self.context.target.look(&vanished.place)? {
            None => Ok(Deleted::Already),
            Some(now) if !vanished.is_still(&now) => {
                Err(Error::new(Code::TargetMoved, "it is not the entry that was listed any more"))
            }
            Some(_) if vanished.meta.kind == Kind::Folder => self.ops.delete_folder(&vanished.place),
            Some(_) => self.ops.delete(&vanished.place),
        }
    }
}

/// The guard's input with what is to be deleted counted.
fn with_deletions(mut guard: GuardInput, vanished: &SpillLog) -> Result<GuardInput, Error> {
    for record in vanished.forward() {
        let meta = Vanished::decode(&record?)?.meta;
        if meta.kind == Kind::File {
            guard.delete_files += 1;
            guard.delete_bytes += meta.size_bytes;
        } else {
            guard.delete_others += 1;
        }
    }
    Ok(guard)
}
