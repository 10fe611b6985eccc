//! `octobackup find`: files and folders of all states by their names.

use super::versions::{states_words, written};
use super::{Failed, Place, as_json, open, path, place, shown};
use crate::args::history::FindArgs;
use crate::exit;
use crate::listeners::print;
use octo_api::history::Version;
use octo_core::Cancel;
use octo_core::path::{bytes_to_text, os_bytes};
use octo_mirror::history::{History, NamePattern};
use octo_server::history::version;
use std::ops::ControlFlow;
use std::path::Path;

/// Lists them.
pub fn run(args: &FindArgs) -> Result<u8, Failed> {
    let below = args.below.as_deref().map(path).transpose()?.unwrap_or_default();
    let pattern = os_bytes(Path::new(&args.pattern));
    let place = place(&args.mirror, &args.server)?;
    let mut found = 0u64;
    let mut say = |version: &Version| {
        if found == 0 && !args.server.json {
            print("LAST WRITTEN             SIZE                 IN STATES  PATH");
        }
        found += 1;
        print(&if args.server.json { as_json(version) } else { as_line(version) });
    };
    match place {
        Place::Job(job) => job.find((&bytes_to_text(&pattern), args.ignore_case), &below, say)?,
        Place::Folder(folder) => {
            let target = open(&folder)?;
            let pattern = NamePattern::new(&pattern, args.ignore_case);
            let history = History::open(&target)?;
            history.find((&below, None), &|name| pattern.fits(name), &Cancel::new(), &mut |path, spans| {
                spans.iter().rev().for_each(|span| say(&version(path, span)));
                ControlFlow::Continue(())
            })?;
        }
    }
    if found == 0 {
        exit::remark("Nothing of that name is in any state.");
        return Ok(exit::NOT_FOUND);
    }
    Ok(exit::COMPLETE)
}

fn as_line(version: &Version) -> String {
    format!("{}  {:<9}  {}", written(version), states_words(version), shown(&version.path))
}
