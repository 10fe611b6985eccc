//! What is worth a line in the report and needs nothing done: names and times that are kept in another form, and what is never
//! mirrored. Decides nothing.

use super::{At, Comparer};
use octo_core::{Code, Error, Timestamp};

impl Comparer<'_> {
    /// A name that is stored in another form is listed in the report.
    pub(super) fn note_name(&self, at: &At) {
        if at.place.name_bytes() != at.source.name_bytes() {
            self.context.count(|c| c.escaped += 1);
            let stored = at.place.name().map(|n| n.to_string()).unwrap_or_default();
            self.context.problem(&at.source, Error::new(Code::NameEscaped, format!("stored as {stored}")));
        }
    }

    /// What is never mirrored. What the mirror has in its place stays.
    pub(super) fn note_not_mirrored(&self, at: &At) {
        let code = if at.meta.is_dfs_link() { Code::DfsLink } else { Code::NotMirrored };
        self.context.problem(&at.source, Error::new(code, ""));
    }

    /// A time that the target's filesystem cannot hold is listed too.
    pub(super) fn note_time_beyond(&self, at: &At, write_time: Timestamp) {
        if !self.rules.times.holds(write_time) {
            let detail = format!("last written {write_time} UTC");
            self.context.problem(&at.source, Error::new(Code::TimeRecorded, detail));
        }
    }
}
