//! `octobackup diff`: what differs between two states.

use super::{open, path, size_words, when};
use crate::args::history::DiffArgs;
use crate::exit;
use crate::listeners::print;
use octo_core::{Error, Meta};
use octo_mirror::history::{Difference, History};
use serde_json::json;
use std::ops::ControlFlow;

/// Lists it.
pub fn run(args: &DiffArgs) -> Result<u8, Error> {
    let target = open(&args.mirror)?;
    let history = History::open(&target)?;
    let from = history.state(when(Some(&args.from))?)?;
    let to = history.state(when(args.to.as_deref())?)?;
    let below = args.below.as_deref().map(path).transpose()?.unwrap_or_default();
    history.diff([&from, &to], &below, &mut |difference| {
        print(&if args.json { as_json(difference) } else { as_line(difference) });
        ControlFlow::Continue(())
    })?;
    Ok(exit::COMPLETE)
}

fn as_line(difference: &Difference) -> String {
    let Difference { path, earlier, later } = difference;
    match (earlier, later) {
        (None, Some(later)) => format!("+ {}  {path}", size_words(later)),
        (Some(earlier), None) => format!("- {}  {path}", size_words(earlier)),
        (Some(earlier), Some(later)) => format!("~ {} -> {}  {path}", size_words(earlier), size_words(later)),
        (None, None) => path.to_string(),
    }
}

fn as_json(difference: &Difference) -> String {
    let side = |meta: &Option<Meta>| {
        meta.map(|meta| {
            json!({ "kind": meta.kind, "size_bytes": meta.size_bytes, "write_time": meta.write_time.to_utc_text() })
        })
    };
    json!({ "path": difference.path.to_text(), "earlier": side(&difference.earlier), "later": side(&difference.later) })
        .to_string()
}
