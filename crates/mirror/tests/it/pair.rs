//! A real folder and its mirror, and the rule that takes the mirror back to an earlier state.

#[cfg(unix)]
use crate::support::mirror;
#[cfg(unix)]
use octo_core::Target;
use octo_core::{Kind, RelPath};
#[cfg(unix)]
use octo_disk::LocalSource;
use octo_disk::{DiskOptions, DiskTarget};
#[cfg(unix)]
use octo_mirror::RunOptions;
use octo_mirror::history::{History, When};
use std::collections::BTreeMap;
use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source and a mirror in temporary folders.
pub struct Pair {
    #[cfg_attr(windows, expect(dead_code, reason = "only there to be removed with the pair"))]
    pub folder: tempfile::TempDir,
    pub source: PathBuf,
    pub target: PathBuf,
}

impl Pair {
    pub fn new() -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("source"), folder.path().join("mirror"));
        fs::create_dir(&source).unwrap();
        fs::create_dir(&target).unwrap();
        Pair { folder, source, target }
    }

    pub fn write(&self, path: &str, content: &[u8], secs: u64) {
        let path = self.source.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
    }

    #[cfg(unix)]
    pub fn run(&self, options: &RunOptions) -> octo_core::RunReport {
        let source = LocalSource::open(&self.source).unwrap();
        let target = DiskTarget::open(&self.target, DiskOptions::default()).unwrap();
        mirror(&source, &target, options).report
    }

    /// Every file and folder of the mirror has the mode recorded that its original has.
    #[cfg(unix)]
    #[track_caller]
    pub fn assert_modes_recorded(&self, when: &str) {
        let modes = tree(&self.source).into_iter().filter(|(_, node)| node.kind != "link");
        for (path, _) in modes {
            let mode = fs::metadata(self.source.join(&path)).unwrap().permissions().mode() & 0o7777;
            assert_eq!(self.recorded_mode(&path), Some(mode), "{when}: {}", path.display());
        }
    }

    /// The mode recorded for a path of the mirror.
    #[cfg(unix)]
    pub fn recorded_mode(&self, path: &Path) -> Option<u32> {
        let target = DiskTarget::open(&self.target, DiskOptions::default()).unwrap();
        let path = RelPath::parse(path.as_os_str().as_encoded_bytes()).unwrap();
        Some(target.metadata(&path).unwrap()?.posix?.mode)
    }

    /// Sets the mode of something in the source.
    #[cfg(unix)]
    pub fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.source.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(unix)]
    pub fn assert_equal(&self) {
        assert_eq!(tree(&self.source), tree(&self.target));
    }
}

/// One entry: what it is, its content, its last write time in 100 ns ticks.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: &'static str,
    pub content: Vec<u8>,
    pub ticks: i64,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.content[..self.content.len().min(40)]).into_owned();
        write!(f, "{} {shown:?} ({} bytes) at {}", self.kind, self.content.len(), self.ticks)
    }
}

pub type Tree = BTreeMap<PathBuf, Node>;

/// Every entry below `root` but what is octoBackup's own.
pub fn tree(root: &Path) -> Tree {
    let mut out = Tree::new();
    if root.exists() {
        walk(root, Path::new(""), &mut out);
    }
    out
}

fn walk(root: &Path, at: &Path, out: &mut Tree) {
    for entry in fs::read_dir(root.join(at)).unwrap() {
        let path = at.join(entry.unwrap().file_name());
        if path == Path::new(".octobackup") || path == Path::new("lost+found") {
            continue;
        }
        let full = root.join(&path);
        let meta = fs::symlink_metadata(&full).unwrap();
        let (kind, content) = if meta.is_dir() {
            ("folder", Vec::new())
        } else if meta.is_symlink() {
            ("link", fs::read_link(&full).unwrap().into_os_string().into_encoded_bytes())
        } else {
            ("file", fs::read(&full).unwrap())
        };
        let ticks = ticks(meta.modified().unwrap());
        out.insert(path.clone(), Node { kind, content, ticks });
        if meta.is_dir() {
            walk(root, &path, out);
        }
    }
}

fn ticks(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_nanos() / 100) as i64,
        Err(before) => -(before.duration().as_nanos().div_ceil(100) as i64),
    }
}

/// The mirror before run `k`, by the documented rule: from the newest run to `k`, remove what was created, put back what
/// is in `tree`, set the old times.
pub fn before_run(mirror: &Path, k: u64) -> Tree {
    let mut state = tree(mirror);
    let versions = mirror.join(".octobackup/versions");
    let mut runs: Vec<u64> = fs::read_dir(&versions)
        .map(|dir| dir.filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    runs.sort_unstable();
    let mut covered_from = u64::MAX;
    for run in runs.iter().rev().filter(|run| **run >= k) {
        if *run < covered_from {
            let first = records(&versions, *run).into_iter().next().filter(|first| first["do"] == "run");
            covered_from = first.map_or(*run, |first| first["run"].as_u64().unwrap());
            take_back(&versions, *run, &mut state);
        }
    }
    if runs.contains(&k) && !state.is_empty() {
        assert_same(&state_before(mirror, k), &state, "what the engine shows as the state before this run");
    }
    state
}

/// The same as the engine shows it.
fn state_before(mirror: &Path, k: u64) -> Tree {
    let target = DiskTarget::open(mirror, DiskOptions::default()).unwrap();
    let history = History::open(&target).unwrap();
    let state = history.state(When::Number(k - 1)).unwrap();
    let node = |(path, node): (RelPath, octo_testkit::tree::Node)| {
        let kind = match node.kind {
            Kind::Folder => "folder",
            Kind::Link => "link",
            _ => "file",
        };
        (path.to_os().to_path_buf(), Node { kind, content: node.content, ticks: node.write_time.0 })
    };
    octo_testkit::tree::source_tree(&state).into_iter().map(node).collect()
}

/// Takes back what a run did, and those whose records are with its own.
fn take_back(versions: &Path, run: u64, state: &mut Tree) {
    let mut parts = vec![(run, Vec::new())];
    for record in records(versions, run) {
        match record["do"].as_str() {
            Some("run") => parts.push((record["run"].as_u64().unwrap(), Vec::new())),
            _ => parts.last_mut().unwrap().1.push(record),
        }
    }
    for (run, records) in parts.iter().rev().filter(|(_, records)| !records.is_empty()) {
        take_back_part(&versions.join(run.to_string()), records, state);
    }
}

fn records(versions: &Path, run: u64) -> Vec<serde_json::Value> {
    let changes = fs::read_to_string(versions.join(run.to_string()).join("changes")).unwrap_or_default();
    changes.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn take_back_part(version: &Path, records: &[serde_json::Value], state: &mut Tree) {
    let path = |record: &serde_json::Value, key: &str| {
        let path = octo_core::RelPath::from_text(record[key].as_str().unwrap()).unwrap();
        path.to_os().to_path_buf()
    };
    for record in records {
        match record["do"].as_str().unwrap() {
            "began" => state.clear(),
            "created" => state.retain(|p, _| !p.starts_with(path(record, "path"))),
            "moved" => drop(state.remove(&path(record, "to"))),
            _ => {}
        }
    }
    for (path, node) in tree(&version.join("tree")) {
        // A folder in `tree` may only be there for what is in it.
        if node.kind != "folder" || !state.contains_key(&path) {
            state.insert(path, node);
        }
    }
    // The first record of a path tells its oldest time.
    for record in records.iter().rev() {
        let key = if record["do"] == "moved" { "from" } else { "path" };
        if let (Some(ticks), true) = (record["write_time"].as_i64(), record[key].is_string())
            && let Some(node) = state.get_mut(&path(record, key))
        {
            node.ticks = ticks;
        }
    }
}

/// Fails with the entries in which two trees differ.
#[track_caller]
pub fn assert_same(is: &Tree, should_be: &Tree, context: &str) {
    let paths: std::collections::BTreeSet<_> = is.keys().chain(should_be.keys()).collect();
    let different: Vec<_> = paths
        .into_iter()
        .filter(|path| is.get(*path) != should_be.get(*path))
        .map(|path| format!("{}: is {:?}, should be {:?}", path.display(), is.get(path), should_be.get(path)))
        .collect();
    assert!(different.is_empty(), "{context}:\n{}", different.join("\n"));
}
