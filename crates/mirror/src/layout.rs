//! Where everything of ours lies in the mirror: the one place that knows the names in the reserved folder.

use octo_core::{Name, RESERVED, RelPath};
use std::fmt;

/// A path of ours from text that is a path by construction.
fn ours(text: fmt::Arguments<'_>) -> RelPath {
    RelPath::parse(format!("{RESERVED}/{text}").as_bytes()).unwrap_or_default()
}

/// The reserved folder itself.
pub fn reserved() -> RelPath {
    RelPath::parse(RESERVED.as_bytes()).unwrap_or_default()
}

/// Whether a name means the reserved folder. Without regard to case: on some targets it would be the same folder.
pub fn is_reserved_name(name: &Name) -> bool {
    name.as_bytes().eq_ignore_ascii_case(RESERVED.as_bytes())
}

/// A function for each name, and all of them: a test asks where a new one is tried.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident($($part:ident: $type:ty),*) = $text:literal;)*) => {
        $($(#[$doc])* pub fn $name($($part: $type),*) -> RelPath {
            ours(format_args!($text))
        })*

        /// All names in the reserved folder. What varies is in braces.
        pub const NAMES: &[&str] = &[$($text),*];
    };
}

names! {
    /// Format, target id, source pin, abilities, next run.
    marker() = "marker.toml";
    /// Exists while a run is unfinished.
    run_open() = "run.open";
    /// Copies whose content a power cut may have taken.
    suspects() = "suspects";
    /// The same, until it is written to its end.
    new_suspects() = "suspects.new";
    /// Everything temporary.
    tmp() = "tmp";
    /// Staging of one run.
    staging(run: u64) = "tmp/{run}";
    /// One staged file.
    stage(run: u64, number: u64) = "tmp/{run}/{number}";
    /// Files that get their places, where `changes` does not say so.
    placed(run: u64) = "tmp/{run}/placed";
    /// A staged link; links are made one at a time.
    link_stage(run: u64) = "tmp/{run}/link";
    /// A good copy that is to take the place of a damaged file; one is made at a time.
    repair_stage() = "tmp/repair";
    /// Resumable parts of large files.
    parts() = "tmp/part";
    /// The data of one part.
    part_data(key: &str) = "tmp/part/{key}.data";
    /// Which ranges of a part are there.
    part_map(key: &str) = "tmp/part/{key}.map";
    /// Space that is held for a full disk.
    ballast_folder() = "ballast";
    /// One file of it.
    ballast(kind: &str, number: u64) = "ballast/{kind}-{number}";
    /// The index's folder.
    index_folder() = "index";
    /// One generation of the index.
    index(generation: u64) = "index/{generation}";
    /// The ids of a generation.
    index_ids(generation: u64) = "index/{generation}.ids";
    /// Records of files finished since the last generation.
    journal() = "index/journal";
    /// The hashes of all copies.
    hashes() = "hashes";
    /// They, sorted.
    hash_table() = "hashes/table";
    /// The same, until it is written to its end.
    new_hash_table() = "hashes/table.new";
    /// Those that came since.
    hash_log() = "hashes/log";
    /// The pending set of deletions.
    held_plan() = "held/plan.jsonl";
    /// The folders that the last run could not read.
    unread_folders() = "held/unread.json";
    /// All versions.
    versions() = "versions";
    /// The versions of one run.
    versions_of(run: u64) = "versions/{run}";
    /// Versions on their way out.
    pruned(run: u64, old: u64) = "tmp/{run}/pruned-{old}";
    /// The records of several runs, until they are written to their end.
    merged_changes(run: u64, old: u64) = "tmp/{run}/changes-{old}";
    /// States that a person wants to be kept.
    pins() = "pins.json";
    /// What one run changed.
    changes(run: u64) = "versions/{run}/changes";
    /// Old content of one run, below the same relative paths.
    version_tree(run: u64) = "versions/{run}/tree";
    /// What was damaged by the disk and then repaired, as it was: of the mirror as it is, or of the versions of a run.
    damaged(of: &str) = "damaged/{of}";
    /// The report of one run.
    report(run: u64) = "reports/{run}.json";
    /// The report of one run, until it is written to its end.
    new_report(run: u64) = "reports/{run}.json.new";
}

/// What the disk had damaged, of the mirror or of the versions of a run.
pub fn damaged_copy(version_of: Option<u64>, place: &RelPath) -> RelPath {
    let of = version_of.map_or_else(|| "mirror".to_owned(), |run| run.to_string());
    damaged(&of).join_path(place)
}

/// The old content of one entry.
pub fn version(run: u64, place: &RelPath) -> RelPath {
    version_tree(run).join_path(place)
}
