//! `octobackup ls MIRROR [PATH] --at WHEN`: a folder as it was.

use super::{Failed, Place, open, path, place, when};
use crate::args::LsArgs;
use crate::exit;
use crate::ls::Lines;
use crate::remote::history::state;
use octo_api::history::StateEntry;
use octo_core::path::text_to_bytes;
use octo_core::{Code, Entry, Error, Kind, Listed, Meta, Name, Source};
use octo_mirror::history::History;
use std::path::Path;

/// Lists.
pub fn run(args: &LsArgs, at: &str) -> Result<u8, Failed> {
    let folder = args.path.as_deref().map(path).transpose()?.unwrap_or_default();
    let mut lines = Lines::new(args.server.json);
    let problems = match place(Path::new(&args.source), &args.server)? {
        Place::Job(job) => {
            let mut problems = 0;
            job.folder(&state(when(Some(at))?), &folder, |page| {
                problems += page.problems.len() as u64;
                page.problems.iter().for_each(|problem| exit::complain(problem));
                page.entries.iter().filter_map(entry).for_each(|entry| lines.say(&entry));
            })?;
            problems
        }
        Place::Folder(mirror) => {
            let target = open(&mirror)?;
            let history = History::open(&target)?;
            let state = history.state(when(Some(at))?)?;
            if let Some(meta) = octo_server::history::demand(&history, &state, &folder)?
                && meta.kind != Kind::Folder
            {
                let what = format!("PATH {folder}: it is not a folder in state {}", state.number());
                return Err(Error::new(Code::Usage, what).into());
            }
            let listed = state.list(&folder, &mut lines);
            let problems = lines.end();
            if let Listed::Incomplete(error) = listed {
                return Err(error.into());
            }
            problems
        }
    };
    Ok(if problems > 0 { exit::PROBLEMS } else { exit::COMPLETE })
}

fn entry(of: &StateEntry) -> Option<Entry> {
    let name = Name::new(text_to_bytes(&of.name)?).ok()?;
    Some(Entry { name, meta: Meta::new(of.kind, of.size_bytes, of.write_time.into()) })
}
