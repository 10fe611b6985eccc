//! Takes a folder's entries from a state.

use super::report::PROBLEMS_NAMED;
use crate::codec::Writer;
use crate::spill::SpillWriter;
use octo_core::{Entry, Error, ListSink, Meta, Name, RelPath};
use std::ops::ControlFlow;

/// Looks for one entry of a folder.
pub struct Find<'n> {
    pub name: &'n Name,
    pub found: Option<Meta>,
}

impl ListSink for Find<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        if entry.name != *self.name {
            return ControlFlow::Continue(());
        }
        self.found = Some(entry.meta);
        ControlFlow::Break(())
    }
    fn problem(&mut self, _: &[u8], _: Error) {}
    fn restart(&mut self) {
        self.found = None;
    }
}

/// Takes a folder's entries; one may hold millions.
pub struct List<'a> {
    pub log: SpillWriter<'a>,
    pub problems: Vec<(RelPath, Error)>,
    pub failed: Option<Error>,
}

impl ListSink for List<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let mut w = Writer::default();
        w.bytes(entry.name.as_bytes());
        w.meta(&entry.meta);
        match self.log.push(&w.0) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
    fn problem(&mut self, name: &[u8], error: Error) {
        if self.problems.len() < PROBLEMS_NAMED {
            self.problems.push((RelPath::parse(name).unwrap_or_default(), error));
        }
    }
    fn restart(&mut self) {
        self.problems.clear();
        drop(self.log.take());
    }
}
