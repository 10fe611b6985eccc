//! Looks into a mirror's past: the answers that REST gives and the command line shows, made from the engine's
//! `history`. `octobackup states`, `ls --at`, `find`, `versions` and `diff` on a folder make their answers here too, so that
//! both say the same.
//!
//! It only reads. It must never hold all entries of a folder, or all that was found: pages are as long as asked for.

mod page;
mod states;
mod view;

pub use page::{FindAsked, differences, find, folder, path, versions};
pub use states::{Rules, now, rules, states};
pub use view::{difference, entry, version};

use octo_core::{Code, Error, Target};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::history::{History, State, When};
use std::path::Path;

/// Opens a mirror to look at it.
pub fn open(mirror: &Path) -> Result<DiskTarget, Error> {
    if !mirror.is_dir() {
        let what = format!("the mirror {} is not there: is its disk mounted?", mirror.display());
        return Err(Error::new(Code::NotMounted, what));
    }
    DiskTarget::open(mirror, DiskOptions::default())
}

/// A mirror's past. A folder that is no mirror yet, because no run has made one, has none.
pub fn of(target: &dyn Target) -> Result<History<'_>, Error> {
    History::open(target)
}

/// A state, by the text of an address: `now`, a number, or a moment in RFC 3339.
pub fn when(text: &str) -> Result<When, Error> {
    if text == "now" {
        return Ok(When::Now);
    }
    if let Ok(number) = text.parse() {
        return Ok(When::Number(number));
    }
    let moment = serde_json::from_value::<crate::Moment>(text.into());
    let wrong =
        |_| Error::new(Code::Usage, format!("{text:?} is not a state; allowed are now, a number, and a moment"));
    moment.map(|moment| When::Time(moment.into())).map_err(wrong)
}

/// Fails with what would help if a path is not in a state.
pub fn demand<'t>(
    history: &'t History<'t>,
    state: &State<'t>,
    path: &octo_core::RelPath,
) -> Result<Option<octo_core::Meta>, Error> {
    if path.is_root() {
        return Ok(None);
    }
    match state.look(path)? {
        Some(meta) => Ok(Some(meta)),
        None => Err(history.missing(state, path)?),
    }
}
