//! `octobackup ls MIRROR [PATH] --at WHEN`: a folder as it was.

use super::{open, path, when};
use crate::args::LsArgs;
use crate::exit;
use crate::ls::Lines;
use octo_core::{Code, Error, Kind, Listed, RelPath, Source};
use octo_mirror::history::{History, State};
use std::path::Path;

/// Lists.
pub fn run(args: &LsArgs, at: &str) -> Result<u8, Error> {
    let target = open(Path::new(&args.source))?;
    let history = History::open(&target)?;
    let state = history.state(when(Some(at))?)?;
    let folder = args.path.as_deref().map(path).transpose()?.unwrap_or_default();
    demand(&history, &state, &folder)?;
    let mut lines = Lines::new(args.json);
    let listed = state.list(&folder, &mut lines);
    let problems = lines.end();
    match listed {
        Listed::Incomplete(error) => Err(error),
        Listed::Complete if problems > 0 => Ok(exit::PROBLEMS),
        Listed::Complete => Ok(exit::COMPLETE),
    }
}

/// Fails with what would help if a folder is not in a state.
fn demand(history: &History<'_>, state: &State<'_>, folder: &RelPath) -> Result<(), Error> {
    match state.look(folder)? {
        Some(meta) if meta.kind == Kind::Folder => Ok(()),
        Some(_) => Err(Error::new(Code::Usage, format!("PATH {folder}: it is no folder in state {}", state.number()))),
        None => Err(super::versions::not_there(history, state, folder)?),
    }
}
