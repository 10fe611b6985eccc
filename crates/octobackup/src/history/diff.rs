//! `octobackup diff`: what differs between two states.

use super::{Failed, Place, as_json, open, path, place, shown, size_words, when};
use crate::args::history::DiffArgs;
use crate::exit;
use crate::listeners::print;
use crate::remote::history::state;
use octo_api::history::{Difference, Side};
use octo_core::Cancel;
use octo_mirror::history::History;
use std::ops::ControlFlow;

/// Lists it.
pub fn run(args: &DiffArgs) -> Result<u8, Failed> {
    let below = args.below.as_deref().map(path).transpose()?.unwrap_or_default();
    let (from, to) = (when(Some(&args.from))?, when(args.to.as_deref())?);
    let say =
        |difference: &Difference| print(&if args.server.json { as_json(difference) } else { as_line(difference) });
    match place(&args.mirror, &args.server)? {
        Place::Job(job) => job.diff((&state(from), &state(to)), &below, say)?,
        Place::Folder(folder) => {
            let target = open(&folder)?;
            let history = History::open(&target)?;
            let (from, to) = (history.state(from)?, history.state(to)?);
            history.diff([&from, &to], &below, &Cancel::new(), &mut |difference| {
                say(&octo_server::history::difference(difference));
                ControlFlow::Continue(())
            })?;
        }
    }
    Ok(exit::COMPLETE)
}

fn as_line(difference: &Difference) -> String {
    let size = |side: &Side| size_words(side.kind, side.size_bytes);
    let path = shown(&difference.path);
    match (&difference.earlier, &difference.later) {
        (None, Some(later)) => format!("+ {}  {path}", size(later)),
        (Some(earlier), None) => format!("- {}  {path}", size(earlier)),
        (Some(earlier), Some(later)) => format!("~ {} -> {}  {path}", size(earlier), size(later)),
        (None, None) => path,
    }
}
