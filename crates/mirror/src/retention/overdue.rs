//! What is due to go, where a run needs room before its end.

use super::{Moment, When, prune};
use crate::context::Context;
use crate::mirror_ops::MirrorOps;
use crate::{ballast, held};
use octo_core::Error;
use std::sync::{Mutex, PoisonError};

/// The versions that are old enough to go. On a full disk they go before the end: a run that fails for want of space would
/// never get to it, and so neither would any later one.
pub struct Overdue<'a> {
    context: &'a Context<'a>,
    ops: &'a MirrorOps<'a>,
    now: Moment<'a>,
    /// Nothing is removed until a person has looked.
    is_braked: bool,
    /// What became of it, once somebody needed room.
    removed: Mutex<Option<bool>>,
}

impl<'a> Overdue<'a> {
    /// Of a run that has just begun.
    pub fn new(context: &'a Context<'a>, ops: &'a MirrorOps<'a>, now: Moment<'a>, is_braked: bool) -> Overdue<'a> {
        Overdue { context, ops, now, is_braked, removed: Mutex::default() }
    }

    /// Removes them, once in a run. Whether there were any.
    pub fn remove(&self) -> Result<bool, Error> {
        let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(removed) = *removed {
            return Ok(removed);
        }
        let target = self.context.target;
        let may = !self.is_braked && !self.context.options.dry_run && held::held_plan(target, 0)?.is_none();
        let done = may && ballast::with_help(target, || prune(self.context, self.ops, self.now, When::Within))?;
        *removed = Some(done);
        Ok(done)
    }
}
