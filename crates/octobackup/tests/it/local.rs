//! From a folder of this machine.

use crate::world::{World, assert_same, tree};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;

#[test]
fn a_first_an_unchanged_and_a_changed_run_leave_a_complete_mirror() {
    let world = World::with_files();
    world.sync(&[]).ends(0).says("4 new, 0 changed");
    world.assert_mirrored();
    world.sync(&[]).ends(0).says("Unchanged   4 files");
    fs::write(world.src().join("a.txt"), "changed").unwrap();
    fs::remove_file(world.src().join("docs/b.txt")).unwrap();
    fs::write(world.src().join("docs/new"), "new").unwrap();
    fs::rename(world.src().join("docs/empty"), world.src().join("empty")).unwrap();
    let ran = world.sync(&[]).ends(0).says("1 new, 1 changed").says("Deleted     1 file").says("versions/3/tree");
    assert_eq!(ran.stderr, "", "quiet when standard error is no terminal");
    world.assert_mirrored();
    let old = world.dst().join(".octobackup/versions/3/tree");
    assert_eq!(fs::read_to_string(old.join("a.txt")).unwrap(), "one");
    assert_eq!(fs::read_to_string(old.join("docs/b.txt")).unwrap(), "two");
}

#[test]
fn a_dry_run_lists_everything_and_touches_nothing() {
    let world = World::with_files();
    let ran = world.sync(&["--dry-run"]).ends(0).says("nothing was changed");
    assert!(ran.stdout.contains("+ docs/\n+ docs/b.txt\n") && ran.stdout.contains("+ a.txt\n"), "{}", ran.stdout);
    assert!(!world.dst().exists() && !world.path("home").exists());

    world.sync(&[]).ends(0);
    fs::write(world.src().join("a.txt"), "changed").unwrap();
    fs::remove_file(world.src().join("docs/b.txt")).unwrap();
    fs::rename(world.src().join("docs/na\u{ef}ve \u{1f419}"), world.src().join("moved")).unwrap();
    let root = |world: &World| {
        let meta = fs::metadata(world.dst()).unwrap();
        (meta.mtime(), meta.mtime_nsec())
    };
    // Finding out what the filesystem can do needs a folder for a moment, in a place that is ours and temporary.
    let everything = || {
        let mut tree = tree(&world.dst());
        tree.get_mut(std::path::Path::new(".octobackup/tmp")).unwrap().1 = std::time::SystemTime::UNIX_EPOCH;
        tree
    };
    let (before, before_root) = (everything(), root(&world));
    let ran = world.sync(&["-n"]).ends(0);
    for line in ["~ a.txt\n", "- docs/b.txt\n", "> docs/na\u{ef}ve \u{1f419} -> moved\n"] {
        assert!(ran.stdout.contains(line), "no {line} in {}", ran.stdout);
    }
    assert!(before == everything(), "contents or times moved");
    assert_eq!(before_root, root(&world));
}

#[test]
fn patterns_decide_in_the_order_in_which_they_were_typed() {
    let world = World::with_files();
    world.sync(&["--exclude", "*.txt", "--include", "b.txt"]).ends(0);
    assert!(!world.dst().join("a.txt").exists() && world.dst().join("docs/b.txt").exists());
    // What is left out is ignored on both sides: not deleted either.
    world.sync(&["--include", "b.txt", "--exclude", "*.txt"]).ends(0);
    assert!(world.dst().join("docs/b.txt").exists());
}

#[test]
fn mirrors_are_private_unless_told_otherwise() {
    let world = World::with_files();
    let mode = |name: &str| fs::metadata(world.dst().join(name)).unwrap().permissions().mode() & 0o777;
    world.sync(&[]).ends(0);
    assert_eq!((mode(""), mode("docs"), mode("a.txt")), (0o700, 0o700, 0o600));
    fs::remove_dir_all(world.dst()).unwrap();
    world.sync(&["--mode", "0640,0750", "--new-target"]).ends(0);
    assert_eq!((mode("docs"), mode("a.txt"), mode(".octobackup")), (0o750, 0o640, 0o700));
}

#[test]
fn wrong_usage_ends_with_2_and_begins_nothing() {
    let world = World::with_files();
    world.sync(&["--bandwidth", "fast"]).ends(2).says("--bandwidth \"fast\"");
    world.sync(&["--unknown"]).ends(2).says("--unknown");
    world.sync(&["--password-stdin"]).ends(2).says("only a share needs a password");
    world.sync(&["--report", world.src().to_str().unwrap()]).ends(2).says("--report");
    world.run(&[]).ends(2);
    world.run(&["sync".as_ref(), "/x".as_ref()]).ends(2);
    world.held(&[]).ends(2).says("no mirror");
    assert!(!world.dst().exists());
    world.run(&["--help".as_ref()]).ends(0).says("130  cancelled");
    world.run(&["help".as_ref(), "sync".as_ref()]).ends(0).says("Examples:");
}

#[test]
fn what_cannot_begin_ends_with_3_and_says_why() {
    let world = World::with_files();
    let report = world.path("r.json");
    let ran = world.sync_from(world.path("none").as_os_str(), &["--report", report.to_str().unwrap()]);
    ran.ends(3).says("source folder does not exist");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!((&json["outcome"], &json["problems"][0]["code"]), (&"failed".into(), &"source-missing".into()));

    let inside = world.src().join("in");
    world.run(&["sync".as_ref(), world.src().as_os_str(), inside.as_os_str()]).ends(3).says("contain each other");
    assert!(!inside.exists());

    fs::create_dir(world.dst()).unwrap();
    fs::write(world.dst().join("theirs"), "x").unwrap();
    world.sync(&[]).ends(3).says("--adopt");
    assert_eq!(tree(&world.dst()).len(), 1, "an unknown folder was left alone");
    world.sync(&["--adopt"]).ends(4).says("--approve");
    assert!(world.dst().join("theirs").exists() && world.dst().join("a.txt").exists());
}

#[test]
fn a_disk_that_is_not_mounted_is_noticed() {
    let world = World::with_files();
    world.sync(&[]).ends(0);
    fs::rename(world.dst(), world.path("unmounted")).unwrap();
    world.sync(&[]).ends(3).says("not mounted");
    assert!(!world.dst().exists(), "no empty mirror came into being");
    fs::create_dir(world.dst()).unwrap();
    world.sync(&[]).ends(3).says("not mounted");
    world.sync(&["--dry-run"]).ends(3).says("not mounted");
    assert_eq!(fs::read_dir(world.dst()).unwrap().count(), 0);
    world.sync(&["--new-target"]).ends(0);
    world.assert_mirrored();
}

#[test]
fn another_source_needs_to_be_accepted() {
    let world = World::with_files();
    world.sync(&[]).ends(0);
    let other = world.path("other");
    fs::create_dir(&other).unwrap();
    world.sync_from(other.as_os_str(), &[]).ends(3).says("--accept-source");
    world.sync_from(other.as_os_str(), &["--accept-source"]).ends(4);
    world.assert_mirrored();
}

#[test]
fn every_problem_is_in_the_json_report_and_few_in_the_text() {
    let world = World::with_files();
    for n in 0..40 {
        drop(UnixListener::bind(world.src().join(format!("socket{n}"))).unwrap());
    }
    let report = world.path("r.json");
    let ran = world.sync(&["--quiet", "--report", report.to_str().unwrap()]).ends(1).says("40 problems");
    assert!(ran.stdout.lines().count() < 30, "{}", ran.stdout);
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(json["problems"].as_array().unwrap().len(), 40);
    assert_eq!(fs::metadata(report).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn quiet_says_nothing_when_all_is_well_and_json_lines_parse() {
    let world = World::with_files();
    let ran = world.sync(&["--quiet"]).ends(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    fs::write(world.src().join("a.txt"), "changed").unwrap();
    let ran = world.sync(&["--json"]).ends(0);
    let events = ran.events();
    assert!(events.iter().any(|e| e["event"] == "change" && e["change"] == "replaced" && e["path"] == "a.txt"));
    assert_eq!(ran.report()["counts"]["replaced"], 1);
    assert_eq!(ran.report()["outcome"], "succeeded");
}

#[test]
fn a_reader_of_the_output_that_goes_away_does_not_end_the_run() {
    let world = World::with_files();
    let (src, dst) = (world.src(), world.dst());
    let args = ["sync".as_ref(), src.as_os_str(), dst.as_os_str(), "--json".as_ref()];
    let mut child = world.program(&args).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    world.assert_mirrored();
    assert_same(&world.mirror(), &tree(&src));
}
