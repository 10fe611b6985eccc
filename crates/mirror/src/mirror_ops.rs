//! The engine's own operations on the mirror, composed of the target's primitives (DESIGN section 7, "Primitives").
//!
//! Each is first recorded in `changes`, and the record made durable: where many are done at once, by the caller for all of them
//! together ([`MirrorOps::intend`]). Then it is done so that after a crash between any two primitives every name is whole (old or
//! new) and the next run finishes. Where hard links exist no name ever disappears.

use crate::changes::{ChangesLog, Record, RecordFile};
use crate::hashes::Hashes;
use crate::suspects::Suspects;
use crate::{files, layout};
use octo_core::naming;
use octo_core::target::Done;
use octo_core::{Abilities, Code, Error, Kind, LinkTarget, Meta, RelPath, Target, Timestamp};

/// Puts things into the mirror, and takes them out.
pub struct MirrorOps<'a> {
    /// The mirror.
    pub target: &'a dyn Target,
    /// This run.
    pub run: u64,
    /// What the target can do.
    pub abilities: Abilities,
    /// Where changes are recorded; `None` if no versions are kept.
    pub changes: Option<ChangesLog<'a>>,
    /// Files that get their places, where `changes` does not say so.
    pub placed: RecordFile<'a>,
    /// Copies that may not be whole, since the power was lost.
    pub suspects: Suspects,
    /// The hashes of all copies.
    pub hashes: Hashes<'a>,
}

/// How a deletion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone.
    Yes,
    /// It was gone already.
    Already,
    /// A folder that still holds something that is not ours to delete.
    NotEmpty,
}

fn moved(path: &RelPath, what: &str) -> Error {
    Error::new(Code::TargetMoved, format!("{path}: {what}"))
}

impl MirrorOps<'_> {
    fn record(&self, record: &Record) -> Result<(), Error> {
        self.changes.as_ref().map_or(Ok(()), |changes| changes.record(record))
    }

    /// Remembers the full name of what is stored under a cut one; before that name appears.
    pub fn record_name(&self, source: &RelPath, place: &RelPath) -> Result<(), Error> {
        let name = source.name().map(|n| n.as_bytes().to_vec()).unwrap_or_default();
        self.target.record_name(place, &name)
    }

    /// The same for what is there already: the power went, or the process died in the middle of a move.
    pub fn mend_name(&self, source: &RelPath, place: &RelPath) -> Result<(), Error> {
        let full = source.name().map(|n| n.as_bytes().to_vec());
        if self.target.recorded_name(place)? == full { Ok(()) } else { self.record_name(source, place) }
    }

    /// Gives a staged file its place, where nothing is yet. The caller has recorded the intent.
    pub fn create(&self, stage: &RelPath, place: &RelPath) -> Result<(), Error> {
        match self.rename_new(stage, place)? {
            Done::Yes => Ok(()),
            Done::Exists => Err(moved(place, "something was put there")),
            _ => Err(moved(place, "its folder is gone")),
        }
    }

    /// A rename that replaces nothing, as well as the target can.
    pub fn rename_new(&self, from: &RelPath, to: &RelPath) -> Result<Done, Error> {
        if self.abilities.rename_noreplace {
            return self.target.rename_new(from, to);
        }
        if self.target.look(to)?.is_some() {
            return Ok(Done::Exists);
        }
        self.target.rename_over(from, to)
    }

    /// Gives a staged file or link the place of what is there, which becomes a version. The caller has recorded the intent.
    pub fn replace(&self, stage: &RelPath, place: &RelPath) -> Result<(), Error> {
        let is_kept = self.changes.is_some() && self.keep_version(place)?;
        let error = match self.target.rename_over(stage, place) {
            Ok(Done::Yes) => return Ok(()),
            Ok(_) => moved(place, "its folder is gone, or a folder is in its place"),
            Err(error) => error,
        };
        if is_kept && !self.abilities.hard_links {
            self.take_back(place, &layout::version(self.run, place));
        }
        Err(error)
    }

    /// The content of `place` as a version; of several in one run the first wins. Whether this one did.
    fn keep_version(&self, place: &RelPath) -> Result<bool, Error> {
        let version = layout::version(self.run, place);
        let keep = || match self.abilities.hard_links {
            true => self.target.hard_link(place, &version),
            false => self.move_to_version(place, &version),
        };
        let mut done = keep()?;
        if done == Done::Missing {
            files::ensure_folder(self.target, &version.parent().unwrap_or_default())?;
            // Still missing: `place` itself is gone, and there is nothing to keep.
            done = keep()?;
        }
        Ok(done == Done::Yes)
    }

    /// Where there are no hard links the full name of a cut one goes with the old content, and is the new one's too. If it cannot
    /// be recorded, the name has its content back.
    fn move_to_version(&self, place: &RelPath, version: &RelPath) -> Result<Done, Error> {
        let done = self.rename_new(place, version)?;
        if done != Done::Yes || !place.name_bytes().ends_with(naming::SUFFIX) {
            return Ok(done);
        }
        let full = self.target.recorded_name(version);
        let recorded = full.and_then(|full| full.map_or(Ok(()), |full| self.target.record_name(place, &full)));
        recorded.map(|()| done).inspect_err(|_| self.take_back(place, version))
    }

    /// Gives a name the content back that was moved away, where there is no new content for it. What fails here too the next run
    /// mends.
    fn take_back(&self, place: &RelPath, version: &RelPath) {
        let _ = self.rename_new(version, place);
    }

    /// Deletes a file or link; its content becomes a version. The caller has recorded the intent and taken a last look.
    pub fn delete(&self, place: &RelPath) -> Result<Deleted, Error> {
        if self.changes.is_some() {
            let version = layout::version(self.run, place);
            let mut done = self.rename_new(place, &version)?;
            if done == Done::Missing {
                files::ensure_folder(self.target, &version.parent().unwrap_or_default())?;
                done = self.rename_new(place, &version)?;
            }
            match done {
                Done::Yes => {
                    self.forget_hash(place);
                    return Ok(Deleted::Yes);
                }
                Done::Missing => return Ok(Deleted::Already),
                // An older state was kept earlier in this run; that one wins, and the name itself is removed.
                Done::Exists | Done::NotEmpty => {}
            }
        }
        if self.target.remove_file(place)? != Done::Yes {
            return Ok(Deleted::Already);
        }
        self.forget_hash(place);
        Ok(Deleted::Yes)
    }

    /// Nothing is at this place any more. A full disk must not be in the way: without the record a few bytes stay for ever.
    fn forget_hash(&self, place: &RelPath) {
        let _ = self.hashes.gone(place);
    }

    /// Deletes a folder that is empty by now; the folder itself becomes a version.
    pub fn delete_folder(&self, place: &RelPath) -> Result<Deleted, Error> {
        if self.changes.is_some() {
            let version = layout::version(self.run, place);
            files::ensure_folder(self.target, &version)?;
            // A deletion frees space, and must not fail for the want of some: then the metadata of the folder itself is lost.
            let _ = self.target.leave_metadata(place, &version);
        }
        Ok(match self.target.remove_folder(place)? {
            Done::Yes => Deleted::Yes,
            Done::NotEmpty => Deleted::NotEmpty,
            _ => Deleted::Already,
        })
    }

    /// Records what will be done and keeps the old content, durably, before the first of it. So is all that was recorded before.
    pub fn intend(&self, intents: &[Record]) -> Result<(), Error> {
        let takes = |record: &Record| self.changes.as_ref().is_some_and(|changes| changes.takes(record));
        // A file that no record speaks of would be taken for whole after a power cut.
        self.placed.append(intents.iter().filter(|it| it.place_of_file().is_some() && !takes(it)))?;
        let Some(changes) = &self.changes else { return self.placed.sync() };
        changes.record_all(intents)?;
        let old = |intent: &Record| match intent {
            Record::Replaced { path, .. } | Record::Moved { from: path, .. } => Some(path.clone()),
            _ => None,
        };
        let old: Vec<RelPath> = intents.iter().filter_map(old).collect();
        if old.is_empty() || self.abilities.keeps_order() || !self.abilities.whole_sync {
            return self.placed.sync().and_then(|()| changes.sync());
        }
        // The link to the old content must be there before the name has a new one. That others made the records durable
        // meanwhile says nothing of these links.
        if self.abilities.hard_links {
            for path in &old {
                // What fails here fails again when it is done, and is reported then.
                let _ = self.keep_version(path);
            }
        }
        self.target.checkpoint()
    }

    /// Renames within the mirror. False if the new name is taken or the old one gone. The caller has recorded the intent.
    pub fn rename(&self, from: &RelPath, to: &RelPath) -> Result<bool, Error> {
        if self.changes.is_some() && self.abilities.hard_links {
            self.keep_version(from)?;
        }
        if let Some(file) = self.target.look(from)? {
            self.hashes.follows(from, &file, to, &file)?;
        }
        let is_done = self.rename_new(from, to)? == Done::Yes;
        if is_done {
            self.forget_hash(from);
        }
        Ok(is_done)
    }

    /// Renames to a name that differs only in case, on a target that folds case. Some filesystems take the new name for
    /// taken; they need a step in between, beside it, where the next run finds it if this one dies.
    pub fn change_case(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        // It moves the folder's time, which was recorded.
        self.intend(&[])?;
        if matches!(self.target.rename_over(from, to), Ok(Done::Yes)) {
            return Ok(());
        }
        let between = [to.as_bytes(), b".case", naming::SUFFIX].concat();
        let between = RelPath::parse(&between).map_err(|e| moved(to, e.reason()))?;
        if self.rename_new(from, &between)? != Done::Yes {
            return Err(moved(from, "it could not be given its new case"));
        }
        // Over, because a cache may still believe in the old case; another entry cannot have this name.
        match self.target.rename_over(&between, to) {
            Ok(Done::Yes) => Ok(()),
            failed => {
                self.target.rename_over(&between, from)?;
                failed.and(Err(moved(from, "it could not be given its new case")))
            }
        }
    }

    /// Makes a folder where nothing is yet. With one that is new itself all goes that is in it: its own record may be lost.
    pub fn make_folder(&self, place: &RelPath, is_in_new: bool) -> Result<(), Error> {
        let record = Record::Created { path: place.clone(), kind: Kind::Folder };
        if is_in_new {
            self.record(&record)?
        } else {
            self.intend(&[record])?
        }
        match self.target.make_folder(place)? {
            Done::Yes => Ok(()),
            // Also a folder: its owner and content are unknown.
            Done::Exists => Err(moved(place, "something was put there")),
            _ => Err(moved(place, "the folder it goes into is gone")),
        }
    }

    /// Makes a link where nothing is yet.
    pub fn make_link(&self, place: &RelPath, link: &LinkTarget, write_time: Timestamp) -> Result<(), Error> {
        self.intend(&[Record::Created { path: place.clone(), kind: Kind::Link }])?;
        match self.target.make_link(place, link, write_time)? {
            Done::Yes => Ok(()),
            _ => Err(moved(place, "something was put there, or its folder is gone")),
        }
    }

    /// Replaces a link: the new one is made in staging first, so that the name never disappears.
    pub fn replace_link(
        &self,
        place: &RelPath,
        link: &LinkTarget,
        write_time: Timestamp,
        old: &Meta,
    ) -> Result<(), Error> {
        let stage = layout::link_stage(self.run);
        self.target.remove_file(&stage)?;
        match self.target.make_link(&stage, link, write_time)? {
            Done::Yes => {
                self.intend(&[Record::of_copy(place, Some(old))])?;
                self.replace(&stage, place)
            }
            _ => Err(moved(&stage, "staging is gone")),
        }
    }

    /// Records the time of something whose time will move. It is durable with the next intent.
    pub fn note_time(&self, place: &RelPath, old: &Meta) -> Result<(), Error> {
        self.record(&Record::of_time(place, old))
    }

    /// Leaves the metadata of something whose metadata will be set again, as that of a version.
    pub fn leave_metadata(&self, place: &RelPath, old: &Meta) -> Result<(), Error> {
        if self.changes.is_none() {
            return Ok(());
        }
        self.record(&Record::Metadata { path: place.clone(), kind: old.kind })?;
        self.target.leave_metadata(place, &layout::version(self.run, place))
    }

    /// Sets the time of a file that is there, whose content is that of the time it had. The caller has recorded the intent.
    pub fn restamp(&self, place: &RelPath, new: &Meta) -> Result<(), Error> {
        if let Some(file) = self.target.look(place)?.filter(|file| file.kind == Kind::File) {
            let write_time = self.abilities.times.represent(new.write_time);
            self.hashes.follows(place, &file, place, &Meta { write_time, ..file })?;
        }
        self.disown(place, new)
    }

    /// Sets the time of a file that is there, of whose content nothing is known then.
    pub fn disown(&self, place: &RelPath, new: &Meta) -> Result<(), Error> {
        self.target.set_times(place, new.write_time, new.creation_time)
    }
}
