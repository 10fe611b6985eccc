//! The checks before a run, and the first durable steps of it (DESIGN section 3, "Check").
//!
//! Nothing is written before it is certain that this folder is the mirror that is meant: a path whose disk is not
//! mounted, a folder of somebody else and another source are refused first.

use crate::context::Context;
use crate::index::{self, Generation};
use crate::marker::{Durable, Marker, RunOpen};
use crate::order::NameOrder;
use crate::retention::Moment;
use crate::spill::Pool;
use crate::suspects::Suspects;
use crate::versions::{oldest_kept, versioned_runs};
use crate::{ballast, files, hashes, layout, recover};
use octo_core::clock_trust::{self, ClockRecord, Doubt};
use octo_core::listing::{ListSink, Listed};
use octo_core::{Abilities, Code, Entry, Error, Filter, Kind, RelPath, SourcePin, Target, Timestamp};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A run that may begin.
pub struct Ready {
    /// The mirror's marker, already written with the next run's number.
    pub marker: Marker,
    /// This run's number.
    pub run: u64,
    /// The mirror had no entry at all before this run.
    pub was_empty: bool,
    /// Copies that may not be whole.
    pub suspects: Suspects,
    /// A run that did not end.
    pub interrupted: Option<u64>,
    /// Why the clock is not believed: nothing is removed for its age then.
    pub doubt: Option<Doubt>,
    /// The index of the last run, if it may be used.
    pub index: Option<Generation>,
    /// Records of hashes that were found damaged, and are lost.
    pub damaged_hashes: u64,
    /// Held until the run ends.
    _lock: Option<Box<dyn Send>>,
}

impl Ready {
    /// When the run began, or why the clock was not believed then.
    pub fn moment(&self) -> Moment<'_> {
        let began = self.marker.clock.as_ref().map_or(Timestamp(i64::MIN), |clock| clock.believed);
        self.doubt.as_ref().map_or(Ok(began), Err)
    }
}

/// Checks everything and begins the run.
pub fn prepare(context: &Context<'_>, order: NameOrder, pool: &Arc<Pool>) -> Result<Ready, Error> {
    let pin = context.source.pin()?;
    let abilities = context.target.abilities();
    let seen = Marker::read(context.target)?;
    let was_empty = judge(context, seen.as_ref(), &pin)?;
    if context.options.dry_run {
        return dry(context, order, seen, pin, abilities, was_empty);
    }
    let lock = context.target.lock()?;
    // Another run may have ended, or begun the mirror, between the first look and the lock.
    let seen = Marker::read(context.target)?;
    let was_empty = judge(context, seen.as_ref(), &pin)?;
    ballast::give_room(context.target);
    let (marker, doubt) = renew(context, seen, pin, abilities, was_empty)?;
    let run = marker.next_run - 1;
    let open = RunOpen::read(context.target)?;
    let suspects = begin(context, run, open.as_ref(), marker.abilities.names.folds_case)?;
    let interrupted = open.map(|open| open.run);
    ballast::with_help(context.target, || recover::recover(context, &marker.abilities, interrupted, doubt.is_some()))?;
    ballast::lay_out(context.target);
    let index = ballast::with_help(context.target, || recover::index(context, order, pool, run))?;
    let folded = hashes::settle(context.target, pool, oldest_kept(context.target, run)?)?;
    let damaged_hashes = folded.damaged;
    Ok(Ready { marker, run, was_empty, suspects, interrupted, doubt, index, damaged_hashes, _lock: Some(lock) })
}

/// A dry run reads what is there and writes nothing.
fn dry(
    context: &Context<'_>,
    _: NameOrder,
    seen: Option<Marker>,
    pin: SourcePin,
    abilities: Abilities,
    was_empty: bool,
) -> Result<Ready, Error> {
    let is_new = seen.is_none();
    let mut marker = seen.map_or_else(|| Marker::new(pin.clone(), abilities), Ok)?;
    let is_other = marker.source != pin;
    marker.unproven |= is_other || (is_new && !was_empty);
    if context.options.release_brake {
        marker.braked_by = None;
    }
    let usable = !is_new && !is_other;
    let index = if usable { index::open_latest(context.target)? } else { None };
    let run = marker.next_run;
    let open = RunOpen::read(context.target)?;
    let suspects = Suspects::find(context.target, open.as_ref(), marker.abilities.names.folds_case)?;
    let interrupted = open.map(|open| open.run);
    Ok(Ready { marker, run, was_empty, suspects, interrupted, doubt: None, index, damaged_hashes: 0, _lock: None })
}

/// Whether this folder is the mirror that is meant. Returns whether it is empty.
fn judge(context: &Context<'_>, seen: Option<&Marker>, pin: &SourcePin) -> Result<bool, Error> {
    let options = context.options;
    let Some(marker) = seen else {
        if options.known_target.is_some() && !options.new_target {
            return Err(Error::new(Code::NotMounted, "its marker .octobackup/marker.toml is gone"));
        }
        let is_empty = is_empty(context.target, &options.filter)?;
        if !is_empty && !options.adopt {
            return Err(Error::new(Code::NotAdopted, ""));
        }
        return Ok(is_empty);
    };
    if let Some(known) =
        options.known_target.as_ref().filter(|known| **known != marker.target_id && !options.new_target)
    {
        let detail =
            format!("another mirror ({}) is at this path; the one known from before is {known}", marker.target_id);
        return Err(Error::new(Code::NotMounted, detail));
    }
    if marker.source != *pin && !options.accept_source {
        return Err(Error::new(Code::SourceChanged, format!("it was {}, now it is {pin}", marker.source)));
    }
    Ok(false)
}

/// Whether a folder counts as empty: nothing in it but what is ours, the filesystem's own (`lost+found`), and what Windows
/// keeps for itself on each volume, if the filter leaves that out. A run neither changes nor deletes any of it.
pub fn is_empty(target: &dyn Target, filter: &Filter) -> Result<bool, Error> {
    struct First<'a> {
        is_found: bool,
        target: &'a dyn Target,
        filter: &'a Filter,
    }
    impl ListSink for First<'_> {
        fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
            let is_folder = entry.meta.kind == Kind::Folder;
            if layout::is_reserved_name(&entry.name)
                || self.target.keeps_for_itself(&entry.name)
                || self.filter.excludes_by_default(&RelPath::root().join(&entry.name), is_folder)
            {
                return ControlFlow::Continue(());
            }
            self.is_found = true;
            ControlFlow::Break(())
        }
        fn problem(&mut self, _: &[u8], _: Error) {
            self.is_found = true;
        }
        fn restart(&mut self) {
            self.is_found = false;
        }
    }
    let mut first = First { is_found: false, target, filter };
    match target.list(&RelPath::root(), &mut first) {
        _ if first.is_found => Ok(false),
        Listed::Complete => Ok(true),
        Listed::Incomplete(error) if error.code == Code::NotFound => Ok(true),
        Listed::Incomplete(error) => Err(Error::new(Code::TargetFailed, error.to_string())),
    }
}

/// The marker with this run's number taken, written durably.
fn renew(
    context: &Context<'_>,
    seen: Option<Marker>,
    pin: SourcePin,
    abilities: Abilities,
    was_empty: bool,
) -> Result<(Marker, Option<Doubt>), Error> {
    let is_new = seen.is_none();
    let mut marker = seen.map_or_else(|| Marker::new(pin.clone(), abilities.clone()), Ok)?;
    let reordered = marker.abilities.names.folds_case != abilities.names.folds_case;
    if marker.source != pin || reordered {
        // Ids of another source, or another order, make the index worthless.
        files::remove_tree(context.target, &layout::index_folder())?;
    }
    marker.unproven |= marker.source != pin || (is_new && !was_empty);
    marker.source = pin;
    marker.abilities = abilities;
    if context.options.job.is_some() {
        marker.job.clone_from(&context.options.job);
    }
    if context.options.release_brake {
        marker.braked_by = None;
    }
    let doubt = judge_clock(context, &mut marker)?;
    marker.next_run += 1;
    marker.write(context.target)?;
    Ok((marker, doubt))
}

/// Looks at the clock, and notes in the marker what it shows.
fn judge_clock(context: &Context<'_>, marker: &mut Marker) -> Result<Option<Doubt>, Error> {
    let now = context.clock.now();
    if marker.clock.is_none() {
        // A mirror of an older program: its last report says when it was last worked on, or its newest version.
        let report = context.target.look(&layout::report(marker.next_run.saturating_sub(1)))?;
        let versions = versioned_runs(context.target)?;
        let seen =
            report.map(|report| report.write_time).into_iter().chain(versions.iter().map(|run| run.written)).max();
        marker.clock = seen.map(ClockRecord::last_seen);
    }
    let others = [context.source.clock(), Some(now).filter(|_| context.options.clock_is_proven)];
    let (record, doubt) =
        clock_trust::judge(marker.clock.as_ref(), now, &others.into_iter().flatten().collect::<Vec<_>>());
    marker.clock = Some(record);
    Ok(doubt)
}

/// Writes `run.open`. Returns which copies are suspect.
fn begin(context: &Context<'_>, run: u64, before: Option<&RunOpen>, folds_case: bool) -> Result<Suspects, Error> {
    let target = context.target;
    let suspects = ballast::with_help(target, || Suspects::keep(target, before, folds_case))?;
    if before.is_some() {
        // The process died: what it wrote is there, but not durable yet.
        target.checkpoint()?;
    }
    let open = RunOpen { run, boot_id: target.boot_id(), durable: Some(Durable::default()) };
    open.write(target)?;
    Ok(suspects)
}
