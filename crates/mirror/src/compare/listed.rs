//! What the two listings of a folder prove, and the problems that they met.

use super::Comparer;
use crate::walk::{FolderSide, Frame};
use octo_core::listing::Listed;
use octo_core::{Code, Error, Name};

impl Comparer<'_> {
    /// Reports the listing's problems. Only a complete listing proves that a name is gone.
    pub(super) fn source_proves_absence(&mut self, frame: &Frame, side: &FolderSide) -> Result<bool, Error> {
        for (name, error) in &side.problems {
            let path = Name::new(name.as_slice()).map_or_else(|_| frame.source.clone(), |n| frame.source.join(&n));
            self.context.problem(&path, error.clone());
        }
        let Listed::Incomplete(error) = &side.end else { return Ok(true) };
        self.saw_all = false;
        // Nothing of this server can have been moved to another one.
        if error.code != Code::DfsLink {
            self.unread.push(&frame.source, error.code);
        }
        self.cursor.protect(&frame.place)?;
        if frame.source.is_root() && side.count() == 0 && !error.code.stops_run() {
            self.context.fail(Error::new(Code::SourceMissing, error.to_string()));
        } else if !side.problems.iter().any(|(_, known)| known.code == error.code) {
            self.context.problem(&frame.source, error.clone());
        }
        Ok(false)
    }

    /// Whether what the mirror has in this folder is known; if not, nothing in it is touched.
    pub(super) fn target_is_known(&mut self, frame: &Frame, side: Option<&FolderSide>) -> Result<bool, Error> {
        let Some(side) = side else { return Ok(true) };
        for (name, error) in &side.problems {
            let path = Name::new(name.as_slice()).map_or_else(|_| frame.place.clone(), |n| frame.place.join(&n));
            self.context.problem(&path, error.clone());
        }
        let error = match &side.end {
            _ if side.nested_mirror => Error::new(Code::NestedMirror, ""),
            Listed::Incomplete(error) => error.clone(),
            Listed::Complete => return Ok(true),
        };
        self.saw_all = false;
        if frame.meta.is_some() {
            // What was moved into it has no copy there.
            self.unread.push(&frame.source, error.code);
        }
        self.cursor.protect(&frame.place)?;
        self.context.problem(&frame.place, error);
        Ok(false)
    }
}
