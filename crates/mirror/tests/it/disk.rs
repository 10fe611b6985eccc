//! From a real folder to a real mirror.

use crate::pair::{Pair, before_run, tree};
use octo_core::Outcome;
use octo_mirror::RunOptions;
use std::fs;

#[test]
fn a_tree_is_mirrored_and_kept_in_step() {
    let pair = Pair::new();
    pair.write("a/b/c.txt", b"hello", 1_000_000);
    pair.write("a/empty", b"", 1_000_001);
    pair.write("big", &vec![7; 3 << 20], 1_000_002);
    fs::create_dir(pair.source.join("nothing in it")).unwrap();
    std::os::unix::fs::symlink("../outside", pair.source.join("a/link")).unwrap();
    let first = pair.run(&RunOptions::default());
    assert_eq!(first.outcome, Outcome::Succeeded, "{first:#?}");
    assert_eq!((first.counts.created, first.counts.folders_created, first.counts.links), (3, 3, 1));
    pair.assert_equal();

    let second = pair.run(&RunOptions::default());
    assert_eq!(second.outcome, Outcome::Succeeded, "{second:#?}");
    assert_eq!((second.counts.unchanged, second.counts.created, second.counts.replaced), (3, 0, 0), "{second:#?}");
    pair.assert_equal();

    pair.write("a/b/c.txt", b"hello again", 1_000_005);
    pair.write("new", b"new", 1_000_006);
    fs::rename(pair.source.join("big"), pair.source.join("a/bigger")).unwrap();
    fs::remove_file(pair.source.join("a/empty")).unwrap();
    fs::remove_file(pair.source.join("a/link")).unwrap();
    fs::create_dir(pair.source.join("a/link")).unwrap();
    pair.write("a/link/inside", b"folder now", 1_000_007);
    let before = tree(&pair.target);
    let third = pair.run(&RunOptions::default());
    assert_eq!(third.outcome, Outcome::Succeeded, "{third:#?}");
    assert_eq!(third.counts.moved, 1, "{third:#?}");
    assert_eq!((third.counts.replaced, third.counts.created, third.counts.deleted), (1, 2, 2), "{third:#?}");
    pair.assert_equal();
    assert_eq!(before_run(&pair.target, 3), before, "the versions restore the state before the run");
    assert_eq!(before_run(&pair.target, 1), Default::default());
    let old = fs::read(pair.target.join(".octobackup/versions/3/tree/a/b/c.txt")).unwrap();
    assert_eq!(old, b"hello");
}

fn numbered(pair: &Pair, folder: &str, count: u64) {
    for i in 0..count {
        pair.write(&format!("{folder}/{i:04}"), format!("{folder} {i}").as_bytes(), 1_000_000 + i);
    }
}

#[test]
fn too_many_deletions_are_held_until_the_plan_is_approved() {
    let pair = Pair::new();
    numbered(&pair, "keep", 40);
    numbered(&pair, "gone", 40);
    pair.run(&RunOptions::default());
    fs::remove_dir_all(pair.source.join("gone")).unwrap();
    pair.write("new", b"copied all the same", 1_000_000);
    let held = pair.run(&RunOptions::default());
    assert_eq!((held.outcome, held.counts.held, held.counts.deleted, held.counts.created), (Outcome::Held, 40, 0, 1));
    assert!(pair.target.join("gone/0001").exists());
    let again = pair.run(&RunOptions::default());
    assert_eq!(again.held_plan, held.held_plan, "the same set is the same plan");

    let superseded = pair.run(&RunOptions { approve: Some("000000000000".into()), ..RunOptions::default() });
    assert_eq!(superseded.outcome, Outcome::Failed);
    pair.write("gone/0007", b"is back", 2_000_000);
    let approve = RunOptions { approve: held.held_plan.clone(), ..RunOptions::default() };
    let approved = pair.run(&approve);
    assert_eq!((approved.outcome, approved.counts.deleted), (Outcome::Succeeded, 39), "{approved:#?}");
    pair.assert_equal();
    assert!(!pair.target.join(".octobackup/held/plan.jsonl").exists());
}

#[test]
fn once_held_deletions_stay_held() {
    let pair = Pair::new();
    numbered(&pair, "keep", 100);
    numbered(&pair, "gone", 40);
    pair.run(&RunOptions::default());
    fs::remove_dir_all(pair.source.join("gone")).unwrap();
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Held);
    // Ten more would pass the guard by themselves; they join the plan that waits.
    (0..30).for_each(|i| pair.write(&format!("gone/{i:04}"), format!("gone {i}").as_bytes(), 1_000_000 + i));
    let later = pair.run(&RunOptions::default());
    assert_eq!((later.outcome, later.counts.held, later.counts.deleted), (Outcome::Held, 10, 0), "{later:#?}");
}

#[test]
fn a_folder_of_somebody_else_is_not_touched_unless_adopted() {
    let pair = Pair::new();
    pair.write("same", b"same", 1_000_000);
    fs::write(pair.target.join("precious"), b"not ours").unwrap();
    fs::write(pair.target.join("same"), b"another content").unwrap();
    let refused = pair.run(&RunOptions::default());
    assert_eq!((refused.outcome, refused.causes[0].code), (Outcome::Failed, octo_core::Code::NotAdopted));
    assert!(!pair.target.join(".octobackup").exists(), "nothing was written");
    let adopted = pair.run(&RunOptions { adopt: true, ..RunOptions::default() });
    assert_eq!((adopted.outcome, adopted.counts.held), (Outcome::Held, 1));
    assert_eq!(fs::read(pair.target.join("precious")).unwrap(), b"not ours");
    assert_eq!(fs::read(pair.target.join("same")).unwrap(), b"same");
    assert_eq!(fs::read(pair.target.join(".octobackup/versions/1/tree/same")).unwrap(), b"another content");
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Held, "the next run does not delete it either");
}

#[test]
fn a_disk_that_is_not_mounted_stops_the_run() {
    let pair = Pair::new();
    pair.write("a", b"a", 1_000_000);
    let options = RunOptions { known_target: Some("an id from before".into()), ..RunOptions::default() };
    let report = pair.run(&options);
    assert_eq!((report.outcome, report.causes[0].code), (Outcome::Failed, octo_core::Code::NotMounted));
    assert_eq!(fs::read_dir(&pair.target).unwrap().count(), 0, "nothing was written");
    let anew = pair.run(&RunOptions { new_target: true, ..options });
    assert_eq!(anew.outcome, Outcome::Succeeded);
}

#[test]
fn another_source_stops_the_run_until_it_is_accepted() {
    let mut pair = Pair::new();
    numbered(&pair, "a", 30);
    pair.run(&RunOptions::default());
    let other = pair.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    pair.source = other;
    numbered(&pair, "a", 29);
    let refused = pair.run(&RunOptions::default());
    assert_eq!((refused.outcome, refused.causes[0].code), (Outcome::Failed, octo_core::Code::SourceChanged));
    let accepted = pair.run(&RunOptions { accept_source: true, ..RunOptions::default() });
    assert_eq!((accepted.outcome, accepted.counts.unchanged, accepted.counts.held), (Outcome::Held, 29, 1));
}

#[test]
fn a_dry_run_says_what_a_run_would_do_and_changes_nothing() {
    let pair = Pair::new();
    numbered(&pair, "a", 10);
    pair.run(&RunOptions::default());
    fs::remove_file(pair.source.join("a/0003")).unwrap();
    fs::rename(pair.source.join("a/0004"), pair.source.join("moved")).unwrap();
    pair.write("a/0005", b"changed", 2_000_000);
    pair.write("b/new", b"new", 2_000_000);
    let before = tree(&pair.target);
    let marker = fs::read(pair.target.join(".octobackup/marker.toml")).unwrap();
    let dry = pair.run(&RunOptions { dry_run: true, ..RunOptions::default() });
    assert_eq!(tree(&pair.target), before);
    assert_eq!(fs::read(pair.target.join(".octobackup/marker.toml")).unwrap(), marker);
    let real = pair.run(&RunOptions::default());
    let did = |r: &octo_core::RunReport| {
        let c = r.counts;
        (r.outcome, c.created, c.replaced, c.moved, c.deleted, c.folders_created, c.unchanged)
    };
    assert_eq!(did(&dry), did(&real));
    assert_eq!(did(&real), (Outcome::Succeeded, 1, 1, 1, 1, 1, 7));
}

#[test]
fn links_planted_in_the_mirror_are_replaced_not_followed() {
    let pair = Pair::new();
    pair.write("file", b"file", 1_000_000);
    pair.write("folder/inner", b"inner", 1_000_001);
    pair.run(&RunOptions::default());
    let outside = pair.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("inner"), b"canary").unwrap();
    fs::write(outside.join("canary"), b"canary").unwrap();
    fs::remove_file(pair.target.join("file")).unwrap();
    fs::remove_dir_all(pair.target.join("folder")).unwrap();
    std::os::unix::fs::symlink(outside.join("canary"), pair.target.join("file")).unwrap();
    std::os::unix::fs::symlink(&outside, pair.target.join("folder")).unwrap();
    assert_eq!(fs::read(pair.target.join("folder/inner")).unwrap(), b"canary", "a naive open follows the link");
    pair.write("folder/inner", b"changed", 1_000_005);
    let report = pair.run(&RunOptions::default());
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
    pair.assert_equal();
    assert_eq!(fs::read(outside.join("inner")).unwrap(), b"canary");
    assert_eq!(fs::read(outside.join("canary")).unwrap(), b"canary");
}

#[test]
fn a_mirror_inside_the_mirror_protects_itself_and_one_in_the_source_is_just_data() {
    let pair = Pair::new();
    pair.write("a/.octobackup/marker.toml", b"data", 1_000_000);
    pair.write("b", b"b", 1_000_000);
    let report = pair.run(&RunOptions::default());
    assert_eq!((report.outcome, report.counts.escaped), (Outcome::Succeeded, 1), "{report:#?}");
    assert_eq!(fs::read(pair.target.join("a/.octobackup.~octo/marker.toml")).unwrap(), b"data");
    fs::create_dir_all(pair.target.join("nested/.octobackup")).unwrap();
    fs::write(pair.target.join("nested/.octobackup/marker.toml"), b"").unwrap();
    fs::write(pair.target.join("nested/precious"), b"p").unwrap();
    let report =
        pair.run(&RunOptions { max_delete: Some(octo_core::guard::MaxDelete::Percent(100)), ..RunOptions::default() });
    assert!(report.causes.iter().any(|c| c.code == octo_core::Code::NestedMirror), "{report:#?}");
    assert_eq!(fs::read(pair.target.join("nested/precious")).unwrap(), b"p");
}

#[test]
fn excluded_names_are_ignored_on_both_sides() {
    let pair = Pair::new();
    pair.write("keep/a.tmp", b"a", 1_000_000);
    pair.write("keep/b", b"b", 1_000_000);
    pair.run(&RunOptions::default());
    fs::remove_dir_all(pair.source.join("keep")).unwrap();
    pair.write("other", b"o", 1_000_000);
    let filter = octo_core::FilterBuilder::new().exclude("*.tmp").unwrap().build().unwrap();
    let report = pair.run(&RunOptions { filter, ..RunOptions::default() });
    assert_eq!(
        (report.outcome, report.counts.deleted, report.counts.mirror_files),
        (Outcome::Succeeded, 1, 1),
        "{report:#?}"
    );
    assert!(pair.target.join("keep/a.tmp").exists(), "what is excluded is not deleted, nor the folder it is in");
}

#[test]
fn a_name_of_ours_at_the_root_of_the_source_is_left_out_and_told() {
    let pair = Pair::new();
    pair.write(".octobackup/evil", b"x", 1_000_000);
    pair.write("a", b"a", 1_000_000);
    let report = pair.run(&RunOptions::default());
    assert_eq!((report.outcome, report.causes[0].code), (Outcome::Warnings, octo_core::Code::ReservedName));
    assert!(!pair.target.join(".octobackup/evil").exists());
}

#[test]
fn a_marker_that_is_newer_or_damaged_is_refused_and_left_alone() {
    let pair = Pair::new();
    pair.write("a", b"a", 1_000_000);
    pair.run(&RunOptions::default());
    let marker = pair.target.join(".octobackup/marker.toml");
    let good = fs::read_to_string(&marker).unwrap();
    let newer = good.replace("format = 1", "format = 3");
    for (content, code) in [
        (newer.as_bytes(), octo_core::Code::NewerFormat),
        (b"format = 1\nnonsense".as_slice(), octo_core::Code::RecordsDamaged),
        (b"\xff\xfe", octo_core::Code::RecordsDamaged),
        (b"", octo_core::Code::RecordsDamaged),
    ] {
        fs::write(&marker, content).unwrap();
        let report = pair.run(&RunOptions::default());
        assert_eq!((report.outcome, report.causes[0].code), (Outcome::Failed, code));
        assert_eq!(fs::read(&marker).unwrap(), content, "it is left as it was");
    }
    fs::write(&marker, good).unwrap();
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
}
