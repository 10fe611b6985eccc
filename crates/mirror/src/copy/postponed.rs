//! Copies that find no space where no versions are kept: they wait until what the source does not have any more is deleted,
//! because that frees space. Otherwise a full disk would never come to the deletions that it needs.
//!
//! A deletion must never take the only copy of what was renamed: while copies wait, a file of the size of one of them stays.

use super::task::Task;
use crate::RunOptions;
use octo_core::retention::KeepVersions;
use octo_core::{Kind, Meta};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Where more sizes wait than this, nothing is deleted before they are copied.
const SIZES_MAX: usize = 100_000;

/// Whether copies may wait, and what is known of those that do.
pub struct Postponed(Mutex<State>);

struct State {
    /// Deletions are still to come, and would free space.
    may_wait: bool,
    /// Some do: no others are begun.
    waits: bool,
    sizes: HashSet<u64>,
}

impl Postponed {
    pub(super) fn new(options: &RunOptions) -> Postponed {
        let may_wait = may_wait(options);
        Postponed(Mutex::new(State { may_wait, waits: false, sizes: HashSet::new() }))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// There is no space for this copy. Whether it waits for the deletions.
    pub(super) fn add(&self, task: &Task) -> bool {
        self.change(|state| {
            state.waits |= state.may_wait;
            if state.may_wait && task.old.is_none() && state.sizes.len() <= SIZES_MAX {
                state.sizes.insert(task.meta.size_bytes);
            }
            state.may_wait
        })
    }

    /// Whether copies wait for the deletions.
    pub fn waits(&self) -> bool {
        self.change(|state| state.waits)
    }

    /// Whether this stays until the copies that wait are made.
    pub fn keeps(&self, vanished: &Meta) -> bool {
        self.change(|state| {
            let may_be_renamed = state.sizes.len() > SIZES_MAX || state.sizes.contains(&vanished.size_bytes);
            state.waits && vanished.kind == Kind::File && may_be_renamed
        })
    }

    /// The deletions are done: what waits is copied now, or there truly is no space. Whether anything waits.
    pub fn resume(&self) -> bool {
        self.change(|state| {
            state.may_wait = false;
            std::mem::take(&mut state.waits)
        })
    }
}

/// Whether deletions of this run free space.
pub fn may_wait(options: &RunOptions) -> bool {
    options.keep_versions == KeepVersions::No && !options.no_delete && !options.dry_run
}
