//! What a dry run says of space: what the copies would take, and which file alone is too large.

use super::task::Task;
use crate::context::Context;
use crate::space;
use octo_core::{Code, Error, FetchRequest, FetchSink, Meta, Ranges, Stop};

/// Files of this size are asked for their holes.
const ASK_BYTES_MIN: u64 = 64 << 20;

/// Asks for holes, and for nothing else.
struct Holes(u64);

impl FetchSink for Holes {
    fn wants_holes(&self, _: usize) -> bool {
        true
    }

    fn holes(&mut self, _: usize, holes: &Ranges) {
        self.0 = holes.total_bytes();
    }

    fn opened(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Err(Stop::Everything)
    }

    fn data(&mut self, _: usize, _: u64, _: &[u8]) -> Result<(), Stop> {
        Err(Stop::Everything)
    }

    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Ok(())
    }

    fn failed(&mut self, _: usize, _: Error) -> Result<(), Stop> {
        // A dry run reads nothing, so it says nothing of what could not be read.
        Err(Stop::Everything)
    }
}

/// In a dry run: this file would be copied. A file that would not fit is named.
pub fn note_needed(context: &Context<'_>, task: &Task) {
    let size_bytes = task.meta.size_bytes;
    let mut holes = Holes(0);
    if size_bytes >= ASK_BYTES_MIN {
        let (path, listed) = (task.source.clone(), task.meta);
        let request = FetchRequest { path, listed, parts: None, snapshot: None, metadata: false };
        context.source.fetch(&[request], &mut holes);
    }
    context.plan_copy(size_bytes);
    context.plan_hole(holes.0.min(size_bytes));
    let needed = size_bytes.saturating_sub(holes.0);
    if needed <= space::SMALL_BYTES {
        return;
    }
    let Ok(there) = context.target.space() else { return };
    if needed > space::usable(&there) {
        let (needed, free, kept) =
            (space::size(needed), space::size(there.free_bytes), space::size(there.reserve_bytes()));
        let detail = format!("it takes {needed}; {free} are free, and {kept} are kept free");
        context.file_problem(&task.source, Error::new(Code::DoesNotFit, detail), task.old.as_ref());
    }
}

/// In a dry run: whether all copies together would fit; a line for the report if not.
pub fn remark(context: &Context<'_>) -> Option<String> {
    let there = context.target.space().ok()?;
    let (files, bytes) = context.planned();
    (bytes > space::usable(&there)).then(|| {
        let (needed, free, kept) =
            (space::size(bytes), space::size(there.free_bytes), space::size(there.reserve_bytes()));
        let need = if files == 1 { "1 file needs".to_owned() } else { format!("{files} files need") };
        format!(
            "not everything will fit: {need} {needed}; {free} are free on the target, of which {kept} are kept free"
        )
    })
}
