//! One listing as frames.

use crate::carrier::connection_lost;
use crate::wire::{EntryBatch, Frame, PLAIN_BYTES_MAX};
use bytes::Bytes;
use octo_core::{Entry, Error, Kind, ListSink, Name, RelPath, Source};
use std::ops::ControlFlow;

/// Hands over one listing frame by frame, and the names of the folders in it. Ends early when a frame is not taken.
pub(crate) fn list_into(
    hand: &mut dyn FnMut(Bytes) -> Result<(), Error>,
    source: &dyn Source,
    folder: &RelPath,
    folders: &mut dyn FnMut(&Name),
) -> Result<(), Error> {
    let mut sink = ListTo { hand: &mut *hand, batch: EntryBatch::default(), folders, restarted: false };
    let listed = source.list(folder, &mut sink);
    if sink.restarted {
        // What was sent cannot be taken back.
        return Err(connection_lost("the listing began again"));
    }
    if let Some(frame) = sink.batch.take() {
        hand(frame)?;
    }
    hand(Frame::listed(&listed))
}

struct ListTo<'a> {
    hand: &'a mut dyn FnMut(Bytes) -> Result<(), Error>,
    batch: EntryBatch,
    folders: &'a mut dyn FnMut(&Name),
    restarted: bool,
}

impl ListSink for ListTo<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        if entry.meta.kind == Kind::Folder {
            (self.folders)(&entry.name);
        }
        match self.batch.push(&entry).map(|frame| (self.hand)(frame)) {
            Some(Err(_)) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        let name = &name[..name.len().min(PLAIN_BYTES_MAX)];
        // The next entry notices that nobody waits.
        let _ = (self.hand)(Frame::bad_name(name, &error));
    }

    fn restart(&mut self) {
        self.restarted = true;
    }
}
