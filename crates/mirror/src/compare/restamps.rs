//! Files of which only the time is set: many at once, because what was is recorded durably first.

use crate::changes::Record;
use crate::context::Context;
use crate::mirror_ops::MirrorOps;
use octo_core::{Change, Error, Meta, RelPath};

/// How many times are recorded together.
const AT_ONCE: usize = 256;

/// One of them.
struct Restamp {
    source: RelPath,
    place: RelPath,
    old: Meta,
    new: Meta,
}

/// Times that wait to be set.
pub struct Restamps<'a> {
    context: &'a Context<'a>,
    ops: &'a MirrorOps<'a>,
    waiting: Vec<Restamp>,
}

impl<'a> Restamps<'a> {
    /// None yet.
    pub fn new(context: &'a Context<'a>, ops: &'a MirrorOps<'a>) -> Restamps<'a> {
        Restamps { context, ops, waiting: Vec::new() }
    }

    /// One more. In a dry run it is only reported.
    pub fn push(&mut self, source: &RelPath, place: &RelPath, old: Meta, new: Meta) {
        let (source, place) = (source.clone(), place.clone());
        self.waiting.push(Restamp { source, place, old, new });
        if self.waiting.len() >= AT_ONCE {
            self.flush();
        }
    }

    /// Sets those that wait.
    pub fn flush(&mut self) {
        let is_dry = self.context.options.dry_run;
        let records: Vec<_> = self.waiting.iter().map(|it| Record::of_time(&it.place, &it.old)).collect();
        let intended = if is_dry { Ok(()) } else { self.ops.intend(&records) };
        for it in self.waiting.drain(..) {
            let set = || if is_dry { Ok(()) } else { self.ops.restamp(&it.place, &it.new) };
            match intended.clone().and_then(|()| set()) {
                Ok::<(), Error>(()) => self.context.changed(&Change::Restamped { path: it.place }),
                Err(error) => self.context.problem(&it.source, error),
            }
        }
    }
}
