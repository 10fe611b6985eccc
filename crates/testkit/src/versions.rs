//! The documented rule that takes a mirror back to an earlier state (DESIGN section 7), for any target, written without the engine.

use crate::tree::{Tree, read_file, target_tree};
use octo_core::{Kind, RelPath, Target, Timestamp};
use std::collections::BTreeMap;

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).expect("our own paths are possible")
}

/// The mirror before run `k`: from the newest run to `k`, remove what was created, put back what is in `tree`, set the
/// old times.
pub fn before_run(target: &dyn Target, k: u64) -> Tree {
    let mut state = target_tree(target, &RelPath::root());
    for run in runs(target).into_iter().rev().filter(|run| *run >= k) {
        take_back(target, run, &RelPath::clone, &mut state);
    }
    state
}

/// The first run whose changes are taken back with those of this one: the states between them are not kept any more.
pub fn since(target: &dyn Target, run: u64) -> u64 {
    let first = records(target, run).into_iter().next().filter(|first| first["do"] == "run");
    first.and_then(|first| first["run"].as_u64()).unwrap_or(run)
}

/// Whether what was before a run cannot be had: it kept nothing, or it is the oldest state.
pub fn is_oldest(target: &dyn Target, run: u64) -> bool {
    records(target, run).first().is_some_and(|first| first["do"] == "not-kept")
}

fn records(target: &dyn Target, run: u64) -> Vec<serde_json::Value> {
    let changes = path(&format!(".octobackup/versions/{run}/changes"));
    if target.look(&changes).expect("the store can be looked at").is_none() {
        return Vec::new();
    }
    read_file(target, &changes).split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The mirror before each run that has versions. `same` makes one path of those that are the same name there.
pub fn before_each_run(target: &dyn Target, mirror: &Tree, same: &dyn Fn(&RelPath) -> RelPath) -> BTreeMap<u64, Tree> {
    let mut state: Tree = mirror.iter().map(|(path, node)| (same(path), node.clone())).collect();
    let mut states = BTreeMap::new();
    for run in runs(target).into_iter().rev() {
        take_back(target, run, same, &mut state);
        states.insert(run, state.clone());
    }
    states
}

/// The runs that have versions, oldest first; without those whose changes are taken back with a later one's.
pub fn runs(target: &dyn Target) -> Vec<u64> {
    let versions = path(".octobackup/versions");
    if target.look(&versions).expect("the store can be looked at").is_none() {
        return Vec::new();
    }
    let runs = list_names(target, &versions);
    let mut runs: Vec<u64> = runs.iter().filter_map(|name| std::str::from_utf8(name).ok()?.parse().ok()).collect();
    runs.sort_unstable();
    let mut own: Vec<u64> = Vec::new();
    let mut covered_from = u64::MAX;
    for run in runs.into_iter().rev().collect::<Vec<_>>() {
        if run < covered_from {
            covered_from = since(target, run);
            own.push(run);
        }
    }
    own.reverse();
    own
}

/// The names in a folder of the mirror.
pub fn list_names(target: &dyn Target, folder: &RelPath) -> Vec<Vec<u8>> {
    struct Names(Vec<Vec<u8>>);
    impl octo_core::ListSink for Names {
        fn entry(&mut self, entry: octo_core::Entry) -> std::ops::ControlFlow<()> {
            self.0.push(entry.name.as_bytes().to_vec());
            std::ops::ControlFlow::Continue(())
        }
        fn problem(&mut self, _: &[u8], _: octo_core::Error) {}
        fn restart(&mut self) {
            self.0.clear();
        }
    }
    let mut names = Names(Vec::new());
    let _ = target.list(folder, &mut names);
    names.0
}

fn take_back(target: &dyn Target, run: u64, same: &dyn Fn(&RelPath) -> RelPath, state: &mut Tree) {
    let mut parts = vec![(run, Vec::new())];
    for record in records(target, run) {
        match record["do"].as_str() {
            Some("run") => parts.push((record["run"].as_u64().expect("a run has a number"), Vec::new())),
            _ => parts.last_mut().expect("there is one").1.push(record),
        }
    }
    for (run, records) in parts.into_iter().rev() {
        take_back_part(target, run, &records, same, state);
    }
}

/// Takes back what one run did: its records may be with those of a later one, its contents are its own.
fn take_back_part(
    target: &dyn Target,
    run: u64,
    records: &[serde_json::Value],
    same: &dyn Fn(&RelPath) -> RelPath,
    state: &mut Tree,
) {
    if records.is_empty() {
        return;
    }
    let version = path(&format!(".octobackup/versions/{run}"));
    let there = |path: &RelPath| target.look(path).expect("the store can be looked at").is_some();
    let of = |record: &serde_json::Value, key: &str| {
        let text = record[key].as_str().expect("a record names its path");
        same(&RelPath::from_text(text).expect("a record's path is one"))
    };
    for record in records {
        match record["do"].as_str().expect("a record says what was done") {
            "began" => state.clear(),
            "created" => state.retain(|path, _| !path.is_within(&of(record, "path"))),
            "moved" => drop(state.remove(&of(record, "to"))),
            _ => {}
        }
    }
    let old = version.join_path(&path("tree"));
    let old = if there(&old) { target_tree(target, &old) } else { Tree::new() };
    for (path, node) in old {
        let path = same(&path);
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
