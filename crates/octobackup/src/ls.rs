//! `octobackup ls`: what is in a folder, as a run would see it.

use crate::args::LsArgs;
use crate::listeners::print;
use crate::password;
use crate::{exit, history, settings};
use octo_core::numbers::thousands;
use octo_core::path::bytes_to_text;
use octo_core::{Cancel, Entry, Error, Kind, ListSink, Listed};
use serde_json::json;
use std::ops::ControlFlow;

/// Entries that are sorted by name; of a larger folder the rest follows as it comes, so that memory stays bounded.
const SORTED_MAX: usize = 50_000;

/// Lists.
pub fn run(args: &LsArgs) -> Result<u8, Error> {
    let mirror_spec = settings::mirror_spec(&args.source, &args.account)?;
    let secret = password::ask_for(&mirror_spec, &settings::password(&args.account))?;
    let source = octo_server::launch::open_source(&mirror_spec, secret, &Cancel::new())?;
    let mut lines = Lines::new(args.server.json);
    let folder = args.path.as_deref().map(history::path).transpose()?.unwrap_or_default();
    let listed = source.list(&folder, &mut lines);
    let problems = lines.end();
    match listed {
        Listed::Incomplete(error) => Err(error),
        Listed::Complete if problems > 0 => Ok(exit::PROBLEMS),
        Listed::Complete => Ok(exit::COMPLETE),
    }
}

/// Prints a listing.
pub struct Lines {
    json: bool,
    waiting: Vec<Entry>,
    is_large: bool,
    problems: u64,
}

impl Lines {
    /// Nothing yet.
    pub fn new(json: bool) -> Lines {
        Lines { json, waiting: Vec::new(), is_large: false, problems: 0 }
    }

    /// Prints what still waits. How many problems there were.
    pub fn end(&mut self) -> u64 {
        self.flush();
        self.problems
    }

    fn flush(&mut self) {
        self.waiting.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in std::mem::take(&mut self.waiting) {
            self.say(&entry);
        }
    }

    /// Prints one at once.
    pub fn say(&self, entry: &Entry) {
        print(&if self.json { as_json(entry) } else { as_line(entry) });
    }
}

impl ListSink for Lines {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        if self.is_large {
            self.say(&entry);
            return ControlFlow::Continue(());
        }
        self.waiting.push(entry);
        if self.waiting.len() == SORTED_MAX {
            self.flush();
            self.is_large = true;
        }
        ControlFlow::Continue(())
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        self.problems += 1;
        exit::complain(&format!("{}: {error}", bytes_to_text(name)));
    }

    fn restart(&mut self) {
        self.waiting.clear();
        self.problems = 0;
        if self.is_large {
            exit::complain("the connection was lost; the listing begins again below");
        }
    }
}

fn as_line(entry: &Entry) -> String {
    let meta = &entry.meta;
    let size = match meta.kind {
        Kind::File => thousands(meta.size_bytes),
        Kind::Folder => "<folder>".to_owned(),
        Kind::Link => "<link>".to_owned(),
        Kind::Other if meta.is_dfs_link() => "<DFS link>".to_owned(),
        Kind::Other => "<device>".to_owned(),
    };
    let elsewhere = if meta.is_local { "" } else { "  (data is not on the server)" };
    format!("{}  {size:>19}  {}{elsewhere}", meta.write_time.to_utc_text(), entry.name)
}

fn as_json(entry: &Entry) -> String {
    let meta = &entry.meta;
    json!({
        "name": bytes_to_text(entry.name.as_bytes()), "kind": meta.kind, "size_bytes": meta.size_bytes,
        "write_time": meta.write_time.to_utc_text(), "is_local": meta.is_local,
    })
    .to_string()
}
