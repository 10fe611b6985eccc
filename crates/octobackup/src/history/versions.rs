//! `octobackup versions`: every version of one file or folder.

use super::{Failed, Place, as_json, open, path, place, size_words};
use crate::args::history::VersionsArgs;
use crate::exit;
use crate::listeners::print;
use octo_api::history::Version;
use octo_core::Timestamp;
use octo_mirror::history::History;

/// Lists them, the newest first.
pub fn run(args: &VersionsArgs) -> Result<u8, Failed> {
    let path = path(&args.path)?;
    let versions = match place(&args.mirror, &args.server)? {
        Place::Job(job) => job.versions(&path)?,
        Place::Folder(folder) => octo_server::history::versions(&History::open(&open(&folder)?)?, &path)?,
    };
    if !args.server.json {
        print("LAST WRITTEN             SIZE                 IN STATES");
    }
    for version in &versions {
        print(&if args.server.json { as_json(version) } else { as_line(version) });
    }
    Ok(exit::COMPLETE)
}

fn as_line(version: &Version) -> String {
    format!("{}  {}", written(version), states_words(version))
}

/// When a version was last written, and its size.
pub fn written(version: &Version) -> String {
    let written = Timestamp::from(version.write_time).to_utc_text();
    format!("{written}  {:>19}", size_words(version.kind, version.size_bytes))
}

/// `12`, or `3 to 12`.
pub fn states_words(version: &Version) -> String {
    let Version { first_state: first, last_state: last, .. } = version;
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}
