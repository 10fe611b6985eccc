//! Where everything of ours lies in the mirror: the one place that knows the names in the reserved folder.

use octo_core::{Name, RESERVED, RelPath};

/// A path of ours from text that is a path by construction.
fn ours(text: &str) -> RelPath {
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

/// Format, target id, source pin, abilities, next run.
pub fn marker() -> RelPath {
    ours("marker.toml")
}

/// Exists while a run is unfinished.
pub fn run_open() -> RelPath {
    ours("run.open")
}

/// Everything temporary.
pub fn tmp() -> RelPath {
    ours("tmp")
}

/// Staging of one run.
pub fn staging(run: u64) -> RelPath {
    ours(&format!("tmp/{run}"))
}

/// One staged file.
pub fn stage(run: u64, number: u64) -> RelPath {
    ours(&format!("tmp/{run}/{number}"))
}

/// A staged link; links are made one at a time.
pub fn link_stage(run: u64) -> RelPath {
    ours(&format!("tmp/{run}/link"))
}

/// Resumable parts of large files.
pub fn parts() -> RelPath {
    ours("tmp/part")
}

/// The data of one part.
pub fn part_data(key: &str) -> RelPath {
    ours(&format!("tmp/part/{key}.data"))
}

/// Which ranges of a part are there.
pub fn part_map(key: &str) -> RelPath {
    ours(&format!("tmp/part/{key}.map"))
}

/// Space that is held for a full disk.
pub fn ballast_folder() -> RelPath {
    ours("ballast")
}

/// One file of it.
pub fn ballast(kind: &str, number: u64) -> RelPath {
    ours(&format!("ballast/{kind}-{number}"))
}

/// The index's folder.
pub fn index_folder() -> RelPath {
    ours("index")
}

/// One generation of the index.
pub fn index(generation: u64) -> RelPath {
    ours(&format!("index/{generation}"))
}

/// The ids of a generation.
pub fn index_ids(generation: u64) -> RelPath {
    ours(&format!("index/{generation}.ids"))
}

/// Records of files finished since the last generation.
pub fn journal() -> RelPath {
    ours("index/journal")
}

/// The pending set of deletions.
pub fn held_plan() -> RelPath {
    ours("held/plan.jsonl")
}

/// The folders that the last run could not read.
pub fn unread_folders() -> RelPath {
    ours("held/unread.json")
}

/// All versions.
pub fn versions() -> RelPath {
    ours("versions")
}

/// The versions of one run.
pub fn versions_of(run: u64) -> RelPath {
    ours(&format!("versions/{run}"))
}

/// Versions on their way out.
pub fn pruned(run: u64, old: u64) -> RelPath {
    ours(&format!("tmp/{run}/pruned-{old}"))
}

/// What one run changed.
pub fn changes(run: u64) -> RelPath {
    ours(&format!("versions/{run}/changes"))
}

/// Old content of one run, below the same relative paths.
pub fn version_tree(run: u64) -> RelPath {
    ours(&format!("versions/{run}/tree"))
}

/// The old content of one entry.
pub fn version(run: u64, place: &RelPath) -> RelPath {
    version_tree(run).join_path(place)
}

/// The report of one run.
pub fn report(run: u64) -> RelPath {
    ours(&format!("reports/{run}.json"))
}

/// The report of one run, until it is written to its end.
pub fn new_report(run: u64) -> RelPath {
    ours(&format!("reports/{run}.json.new"))
}
