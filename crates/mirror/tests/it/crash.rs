//! The process dies after effect k, for every k: nothing that was there before is lost, every name is whole, and the
//! next run finishes the work.

use crate::pair::{Pair, Tree, assert_same, before_run, tree};
use crate::support::{assert_verified, mirror};
use octo_core::Outcome;
use octo_core::guard::MaxDelete;
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::RunOptions;
use octo_testkit::child;
use octo_testkit::effects::{AbortAfter, Count, Effects};
use std::fs;
use std::path::Path;

/// Tells a child process what to do: source, mirror, effect, whether there are hard links.
const ORDER: &str = "OCTO_CRASH_ORDER";
/// Every effect on Linux. Under Wine a process takes long to start, so only some are tried: enough to meet each kind.
const STEP: u64 = if cfg!(windows) { 9 } else { 1 };

pub fn options() -> RunOptions {
    RunOptions { workers: Some(1), max_delete: Some(MaxDelete::Percent(100)), ..RunOptions::default() }
}

/// The first state: everything that the second one changes.
pub fn first_state(pair: &Pair) {
    for (path, content) in [
        ("stays", "stays"),
        ("changes", "old content"),
        ("goes", "goes"),
        ("a/changes too", "old"),
        ("a/moves", "moves to another folder"),
        ("a/b/inner", "inner"),
        ("folder goes/x", "x"),
        ("folder goes/deep/y", "y"),
        ("file becomes folder", "file"),
        ("folder becomes file/z", "z"),
        ("same name moves/n", "n 1"),
    ] {
        pair.write(path, content.as_bytes(), 1_000_000);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("stays", pair.source.join("link")).unwrap();
        for path in ["stays", "changes", "goes", "a/moves", "a"] {
            pair.chmod(path, 0o701);
        }
    }
}

pub fn second_state(pair: &Pair) {
    let at = |path: &str| pair.source.join(path);
    pair.write("changes", b"new content", 2_000_000);
    pair.write("a/changes too", b"new", 2_000_000);
    pair.write("new", b"new", 2_000_000);
    pair.write("new folder/new", b"new in new", 2_000_000);
    fs::remove_file(at("goes")).unwrap();
    fs::rename(at("a/moves"), at("new folder/moved")).unwrap();
    fs::remove_dir_all(at("folder goes")).unwrap();
    fs::remove_file(at("file becomes folder")).unwrap();
    pair.write("file becomes folder/inside", b"inside", 2_000_000);
    fs::remove_dir_all(at("folder becomes file")).unwrap();
    pair.write("folder becomes file", b"file now", 2_000_000);
    fs::rename(at("same name moves/n"), at("same name moves/m")).unwrap();
    pair.write("same name moves/n", b"another n", 2_000_000);
    #[cfg(unix)]
    fs::remove_file(at("link")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("changes", at("link")).unwrap();
    #[cfg(unix)]
    for path in ["stays", "changes", "a"] {
        pair.chmod(path, 0o702);
    }
}

fn run(pair: &Pair, hard_links: bool) -> octo_core::RunReport {
    let source = LocalSource::open(&pair.source).unwrap();
    let target = Effects::new(DiskTarget::open(&pair.target, DiskOptions::default()).unwrap(), Count);
    let target = if hard_links { target } else { target.without_hard_links() };
    mirror(&source, &target, &options()).report
}

/// Runs in a process of its own, which dies after effect `k`. False if it lived to the end.
fn dies(pair: &Pair, k: u64, hard_links: bool) -> bool {
    let order = [pair.source.to_str().unwrap(), pair.target.to_str().unwrap(), &k.to_string(), &hard_links.to_string()];
    let output =
        child::test("crash::child").env(ORDER, order.join("\n")).env_remove("RUST_BACKTRACE").output().unwrap();
    // A test that fails is no death.
    assert_ne!(output.status.code(), Some(101), "{}", String::from_utf8_lossy(&output.stderr));
    !output.status.success()
}

/// Not a promise of its own: what a child process of the tests below does.
#[test]
#[ignore = "started by other tests, in a process of its own"]
fn child() {
    let order = child::order(ORDER);
    let order: Vec<&str> = order.split('\n').collect();
    let source = LocalSource::open(Path::new(order[0])).unwrap();
    let target = DiskTarget::open(Path::new(order[1]), DiskOptions::default()).unwrap();
    let target = Effects::new(target, AbortAfter(order[2].parse().unwrap()));
    let target = if order[3] == "true" { target } else { target.without_hard_links() };
    let report = mirror(&source, &target, &options()).report;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
}

/// Every name that is there has the hash of its content, whenever the process died.
fn assert_hashes(pair: &Pair, context: &str) {
    let target = DiskTarget::open(&pair.target, DiskOptions::default()).unwrap();
    // Before the first durable step there is no mirror.
    if octo_mirror::target_id(&target).unwrap().is_some() {
        assert_verified(&target, context);
    }
}

/// Every file is what it was or what it is to be.
pub fn assert_whole(mirror: &Tree, states: [&Tree; 2], k: u64) {
    for (path, node) in mirror.iter().filter(|(_, node)| node.kind == "file") {
        let is_whole = states.iter().any(|state| state.get(path).is_some_and(|n| n.content == node.content));
        assert!(is_whole, "after effect {k} {path:?} is {node:?}");
    }
}

/// The mirror has the metadata of the second state, the versions that of the first.
#[cfg(unix)]
fn assert_metadata(pair: &Pair, k: u64) {
    pair.assert_modes_recorded(&format!("after effect {k}"));
    for path in ["stays", "changes", "goes", "a"] {
        let of = |run: u64| pair.recorded_mode(&Path::new(&format!(".octobackup/versions/{run}/tree")).join(path));
        // The way back to before run 2 goes through run 3, if that had to finish the work.
        assert_eq!(of(2).or(of(3)), Some(0o701), "after effect {k} {path}");
    }
}

fn die_after_every_effect(hard_links: bool) {
    let mut k = 0;
    loop {
        k += STEP;
        let pair = Pair::new();
        first_state(&pair);
        assert_eq!(run(&pair, hard_links).outcome, Outcome::Succeeded);
        let first = tree(&pair.target);
        second_state(&pair);
        let second = tree(&pair.source);
        let died = dies(&pair, k, hard_links);
        let left = tree(&pair.target);
        assert_whole(&left, [&first, &second], k);
        if hard_links {
            for path in first.keys().filter(|path| second.get(*path).is_some_and(|n| n.kind == first[*path].kind)) {
                assert!(left.contains_key(path), "after effect {k} the name {path:?} is missing");
            }
        }
        if k % 2 == 1 {
            assert_hashes(&pair, &format!("dead after effect {k}"));
        }
        let report = run(&pair, hard_links);
        assert_eq!(report.outcome, Outcome::Succeeded, "after effect {k}: {report:#?}");
        assert_hashes(&pair, &format!("once the next run ended after effect {k}"));
        assert_same(&tree(&pair.target), &second, &format!("after effect {k}"));
        assert_same(
            &before_run(&pair.target, 2),
            &first,
            &format!("after effect {k} the versions give the first state"),
        );
        assert_eq!(before_run(&pair.target, 1), Tree::new(), "after effect {k} nothing was before the first run");
        #[cfg(unix)]
        assert_metadata(&pair, k);
        if !died {
            break;
        }
    }
    assert!(k > 60, "only {k} effects: is the scenario still what it was?");
}

#[test]
fn dying_after_any_effect_loses_nothing() {
    die_after_every_effect(true);
}

#[test]
fn dying_after_any_effect_loses_nothing_without_hard_links() {
    die_after_every_effect(false);
}

#[test]
fn dying_in_the_first_run_leaves_what_the_second_finishes() {
    let mut k = 0;
    loop {
        k += STEP;
        let pair = Pair::new();
        first_state(&pair);
        let source = tree(&pair.source);
        let died = dies(&pair, k, true);
        assert_whole(&tree(&pair.target), [&source, &source], k);
        if k % 2 == 1 {
            assert_hashes(&pair, &format!("dead after effect {k}"));
        }
        let report = run(&pair, true);
        assert_eq!(report.outcome, Outcome::Succeeded, "after effect {k}: {report:#?}");
        assert_hashes(&pair, &format!("once the next run ended after effect {k}"));
        assert_same(&tree(&pair.target), &source, &format!("after effect {k}"));
        #[cfg(unix)]
        pair.assert_modes_recorded(&format!("after effect {k}"));
        if !died {
            break;
        }
    }
}
