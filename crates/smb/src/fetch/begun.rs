//! What the sink was given of a large file, for the next connection to go on with.

use octo_core::{Code, Error, Meta, Ranges};
use std::ops::Range;

/// What the sink was given of a file that has not ended yet.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(super) opened: Meta,
    pub(super) given: Ranges,
}

impl Begun {
    /// Bytes that were handed over, and holes.
    pub fn given_bytes(&self) -> u64 {
        self.given.total_bytes()
    }

    /// What is still to be read.
    pub(super) fn left(&self, wanted: Option<&Ranges>) -> Vec<Range<u64>> {
        let size = self.opened.size_bytes;
        let mut there = wanted.map(|wanted| wanted.missing(size)).unwrap_or_default();
        self.given.iter().for_each(|range| there.insert(range));
        there.missing(size).iter().collect()
    }

    /// Whether what is open now is what was open before.
    pub(super) fn check_same(&self, opened: &Meta) -> Result<(), Error> {
        let what = |meta: &Meta| (meta.id, meta.size_bytes, meta.write_time);
        if what(&self.opened) == what(opened) {
            return Ok(());
        }
        Err(Error::new(Code::ChangedWhileRead, "it changed while the connection was lost"))
    }
}
