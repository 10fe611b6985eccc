//! The documented rule that takes a mirror back to an earlier state, for any target.

use octo_core::{Kind, RelPath, Target, Timestamp};
use octo_testkit::source_suite::path;
use octo_testkit::tree::{Tree, read_file, target_tree};

/// The mirror before run `k`: from the newest run to `k`, remove what was created, put back what is in `tree`, set the
/// old times.
pub fn before_run(target: &dyn Target, k: u64) -> Tree {
    let mut state = target_tree(target, &RelPath::root());
    let versions = path(".octobackup/versions");
    if target.look(&versions).unwrap().is_none() {
        return state;
    }
    let runs = target_tree(target, &versions);
    let mut runs: Vec<u64> = runs.keys().filter_map(|path| path.to_text().parse().ok()).collect();
    runs.sort_unstable();
    for run in runs.into_iter().rev().filter(|run| *run >= k) {
        take_back(target, &path(&format!(".octobackup/versions/{run}")), &mut state);
    }
    state
}

fn take_back(target: &dyn Target, version: &RelPath, state: &mut Tree) {
    let changes = version.join_path(&path("changes"));
    let changes = target.look(&changes).unwrap().map(|_| read_file(target, &changes)).unwrap_or_default();
    let lines = changes.split(|b| *b == b'\n');
    let records: Vec<serde_json::Value> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let of = |record: &serde_json::Value, key: &str| RelPath::from_text(record[key].as_str().unwrap()).unwrap();
    for record in &records {
        match record["do"].as_str().unwrap() {
            "began" => state.clear(),
            "created" => state.retain(|path, _| !path.is_within(&of(record, "path"))),
            "moved" => drop(state.remove(&of(record, "to"))),
            _ => {}
        }
    }
    let old = version.join_path(&path("tree"));
    let old = if target.look(&old).unwrap().is_some() { target_tree(target, &old) } else { Tree::new() };
    for (path, node) in old {
        // A folder in `tree` may only be there for what is in it.
        if node.kind != Kind::Folder || !state.contains_key(&path) {
            state.insert(path, node);
        }
    }
    // The first record of a path tells its oldest time.
    for record in records.iter().rev() {
        let key = if record["do"] == "moved" { "from" } else { "path" };
        if let (Some(ticks), true) = (record["write_time"].as_i64(), record[key].is_string())
            && let Some(node) = state.get_mut(&of(record, key))
        {
            node.write_time = Timestamp(ticks);
        }
    }
}
