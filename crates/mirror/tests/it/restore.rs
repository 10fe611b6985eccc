//! Restoring a state into a folder: whole files only, nothing replaced unasked, and a restore that died goes on.

use crate::pair::{Pair, Tree, assert_same, tree};
use octo_core::{Cancel, Code, Error, RelPath, Target};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::RunOptions;
use octo_mirror::history::{History, When};
use octo_mirror::restore::{Existing, FolderTarget, RestoreOptions, RestoreReport, restore};
use octo_testkit::effects::{Count, Effects, FailAt, TearAt, Trap};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

fn plain(folder: &Path) -> DiskTarget {
    DiskTarget::open(folder, DiskOptions { create: true, plain: true, ..DiskOptions::default() }).unwrap()
}

fn restore_to(pair: &Pair, state: u64, target: &dyn Target, options: &RestoreOptions) -> Result<RestoreReport, Error> {
    let mirror = DiskTarget::open(&pair.target, DiskOptions::default()).unwrap();
    let history = History::open(&mirror).unwrap();
    let state = history.state(When::Number(state)).unwrap();
    let to = FolderTarget(target);
    restore(&state, (&to, target), options, &octo_core::monitor::Silent, &Cancel::new())
}

fn options(existing: Existing) -> RestoreOptions {
    RestoreOptions { existing, beside: " (state 1)".to_owned(), ..RestoreOptions::default() }
}

fn everything() -> RunOptions {
    RunOptions { max_delete: Some(octo_core::guard::MaxDelete::Percent(100)), ..RunOptions::default() }
}

/// A mirror with two states; the first as a tree.
fn two_states() -> (Pair, Tree) {
    let pair = Pair::new();
    for (path, content) in [("a", "old a"), ("deep/er/b", "old b"), ("deep/c", "old c"), ("gone/d", "old d")] {
        pair.write(path, content.as_bytes(), 1_000_000);
    }
    std::os::unix::fs::symlink("a", pair.source.join("deep/link")).unwrap();
    pair.run(&everything());
    let first = tree(&pair.target);
    pair.write("a", b"new a, longer", 2_000_000);
    pair.write("deep/c", b"new c, longer", 2_000_000);
    fs::remove_dir_all(pair.source.join("gone")).unwrap();
    pair.run(&everything());
    (pair, first)
}

fn write(folder: &Path, name: &str, content: &[u8], secs: u64) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, content).unwrap();
    let file = fs::File::options().write(true).open(&file).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
}

#[test]
fn a_state_comes_into_an_empty_folder_and_again_costs_nothing() {
    let (pair, first) = two_states();
    let to = pair.folder.path().join("to/there");
    let report = restore_to(&pair, 1, &plain(&to), &options(Existing::default())).unwrap();
    assert_eq!((report.counts.created, report.counts.links, report.counts.problems), (4, 1, 0), "{report:?}");
    assert_same(&tree(&to), &first, "restored");
    assert!(!to.join(".octobackup").exists(), "nothing of ours is left there");
    let again = restore_to(&pair, 1, &plain(&to), &options(Existing::default())).unwrap();
    assert_eq!((again.counts.created, again.counts.unchanged, again.counts.copied_bytes), (0, 5, 0), "{again:?}");
}

#[test]
fn single_files_and_folders_come_with_the_folders_above_them() {
    let (pair, first) = two_states();
    let to = pair.folder.path().join("to");
    let wanted = RestoreOptions { paths: vec![path("deep/er"), path("gone/d")], ..options(Existing::default()) };
    restore_to(&pair, 1, &plain(&to), &wanted).unwrap();
    let is = tree(&to);
    let names: Vec<_> = is.keys().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(names, ["deep", "deep/er", "deep/er/b", "gone", "gone/d"]);
    assert!(is.iter().all(|(path, node)| first[path] == *node), "{is:?}");

    let wrong = RestoreOptions { paths: vec![path("deep/never")], ..options(Existing::default()) };
    let error = restore_to(&pair, 1, &plain(&to), &wrong).unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    assert_same(&tree(&to), &is, "nothing was changed");
}

#[test]
fn what_is_there_is_replaced_only_if_that_was_asked_for() {
    let (pair, first) = two_states();
    let old = |name: &str| first[Path::new(name)].content.clone();
    for existing in [Existing::KeepBoth, Existing::Keep, Existing::Replace, Existing::ReplaceOlder] {
        let to = tempfile::tempdir().unwrap();
        write(to.path(), "a", b"mine, newer", 3_000_000);
        write(to.path(), "deep/c", b"mine, older", 500_000);
        write(to.path(), "gone", b"a file where a folder was", 1);
        write(to.path(), "other", b"other", 1);
        let dry = RestoreOptions { dry_run: true, ..options(existing) };
        let (before, target) = (tree(to.path()), plain(to.path()));
        let looked = restore_to(&pair, 1, &target, &dry).unwrap();
        assert_same(&tree(to.path()), &before, "a dry run changes nothing");
        let report = restore_to(&pair, 1, &target, &options(existing)).unwrap();
        let numbers =
            |report: &RestoreReport| (report.counts.created, report.counts.replaced, report.left, report.newer);
        assert_eq!(numbers(&looked), numbers(&report), "{existing:?}");
        assert_eq!(report.newer, 1);
        let is = |name: &str| fs::read(to.path().join(name)).ok();
        assert_eq!(is("other").unwrap(), b"other");
        assert_eq!(is("deep/er/b").unwrap(), old("deep/er/b"));
        let [a, c] = ["a", "deep/c"].map(|name| is(name).unwrap());
        match existing {
            Existing::KeepBoth => {
                assert_eq!((&a[..], &c[..]), (&b"mine, newer"[..], &b"mine, older"[..]));
                assert_eq!(is("a (state 1)").unwrap(), old("a"));
                assert_eq!(is("deep/c (state 1)").unwrap(), old("deep/c"));
                assert_eq!(is("gone (state 1)/d").unwrap(), old("gone/d"));
                assert_eq!(report.beside, 2);
                let again = restore_to(&pair, 1, &target, &options(existing)).unwrap();
                assert_eq!((again.counts.created, again.counts.folders_created), (0, 0), "{again:?}");
            }
            Existing::Keep => {
                assert_eq!((&a[..], &c[..]), (&b"mine, newer"[..], &b"mine, older"[..]));
                assert_eq!(report.left, 3);
            }
            Existing::Replace => assert_eq!((a, c), (old("a"), old("deep/c"))),
            Existing::ReplaceOlder => {
                assert_eq!((&a[..], c), (&b"mine, newer"[..], old("deep/c")));
                assert_eq!(report.left, 1);
            }
        }
        if existing != Existing::KeepBoth {
            assert_eq!(is("gone").unwrap(), b"a file where a folder was", "a folder replaces no file");
        }
    }
}

#[test]
fn what_the_disk_damaged_is_named_and_not_restored() {
    let (pair, first) = two_states();
    for (place, name) in [("deep/er/b", "deep/er/b"), (".octobackup/versions/2/tree/a", "a")] {
        let file = pair.target.join(place);
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        let mut content = fs::read(&file).unwrap();
        content[1] ^= 4;
        fs::write(&file, content).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
        let to = tempfile::tempdir().unwrap();
        let report = restore_to(&pair, 1, &plain(to.path()), &options(Existing::default())).unwrap();
        let damaged: Vec<_> = report.problems.iter().filter(|it| it.path == path(name)).collect();
        assert_eq!(damaged.len(), 1, "{report:?}");
        assert_eq!(damaged[0].code, Code::ContentDamaged);
        assert!(damaged[0].detail.contains(place), "{report:?}");
        let is = tree(to.path());
        assert!(!is.contains_key(Path::new(name)));
        assert!(is.iter().all(|(path, node)| first[path] == *node), "the others are");
    }
}

#[test]
fn a_link_on_the_way_is_not_followed() {
    let (pair, _) = two_states();
    let (to, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(outside.path(), to.path().join("deep")).unwrap();
    for existing in [Existing::Replace, Existing::ReplaceOlder, Existing::Keep, Existing::KeepBoth] {
        restore_to(&pair, 1, &plain(to.path()), &options(existing)).unwrap();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{existing:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_changed() {
    let (pair, _) = two_states();
    let to = tempfile::tempdir().unwrap();
    let full = octo_testkit::memory::MemTarget::new(std::sync::Arc::new(octo_testkit::clock::TestClock::real()));
    full.set_capacity(10);
    let error = restore_to(&pair, 1, &full, &options(Existing::default())).unwrap_err();
    assert_eq!(error.code, Code::NoSpace);
    assert!(error.detail.contains("nothing was changed"), "{error}");
    assert_eq!(tree(to.path()), Tree::new());
}

#[test]
fn a_state_that_is_removed_while_it_is_read_ends_the_restore() {
    struct Prune(PathBuf);
    impl Trap for Prune {
        fn before(&self, number: u64, _: &str) -> Result<(), Error> {
            if number == 3 {
                fs::rename(self.0.join("2"), self.0.join("pruned-2")).unwrap();
            }
            Ok(())
        }
    }
    let (pair, _) = two_states();
    let to = tempfile::tempdir().unwrap();
    let target = Effects::new(plain(to.path()), Prune(pair.target.join(".octobackup/versions")));
    let error = restore_to(&pair, 1, &target, &options(Existing::default())).unwrap_err();
    assert!(error.detail.contains("was removed while it was read"), "{error}");
    assert!(tree(to.path()).values().all(|node| node.kind != "file"), "nothing was restored as what it was not");
}

#[test]
fn a_place_that_cannot_be_used_concerns_what_belongs_there_alone() {
    let (pair, first) = two_states();
    let name = "n".repeat(250);
    pair.write(&name, b"long", 1_000_000);
    pair.run(&everything());
    let to = tempfile::tempdir().unwrap();
    write(to.path(), &name, b"mine, and longer", 2_000_000);
    let report = restore_to(&pair, 3, &plain(to.path()), &options(Existing::KeepBoth)).unwrap();
    assert_eq!((report.counts.problems, report.problems[0].path.clone()), (1, path(&name)), "{report:?}");
    assert_eq!(fs::read(to.path().join("deep/er/b")).unwrap(), first[Path::new("deep/er/b")].content);
}

#[test]
fn a_restore_that_found_no_space_leaves_its_folders_with_their_times() {
    let (pair, first) = two_states();
    let to = tempfile::tempdir().unwrap();
    let full = FailAt { number: 10, code: Code::NoSpace, and_all_after: false };
    let target = Effects::new(plain(to.path()), full);
    restore_to(&pair, 1, &target, &options(Existing::KeepBoth)).unwrap_err();
    restore_to(&pair, 1, &plain(to.path()), &options(Existing::KeepBoth)).unwrap();
    assert_same(&tree(to.path()), &first, "restored in two");
}

/// Every name is what was there before, or what is restored; both whole.
fn assert_whole(is: &Tree, before: &Tree, wanted: &Tree, when: &str) {
    for (path, node) in is.iter().filter(|(path, node)| node.kind == "file" && !is_staged(path)) {
        let is_known = [before, wanted].iter().any(|tree| tree.get(path).is_some_and(|it| it.content == node.content));
        assert!(is_known, "{when}: {path:?} is {node:?}");
    }
    for (path, node) in before.iter().filter(|(_, node)| node.kind == "file") {
        assert!(is.contains_key(path), "{when}: {path:?}, which was {node:?}, is gone");
    }
}

fn is_staged(path: &Path) -> bool {
    path.to_string_lossy().starts_with(".octobackup-restore-")
}

/// Restores over older files with something going wrong at effect k, for every k, and once more without.
fn at_every_effect<T: Trap + 'static>(trap: impl Fn(u64) -> T) {
    let (pair, first) = two_states();
    for k in 1.. {
        let to = tempfile::tempdir().unwrap();
        write(to.path(), "a", b"mine, newer", 3_000_000);
        write(to.path(), "deep/c", b"mine, older", 500_000);
        let before = tree(to.path());
        let target = Effects::new(plain(to.path()), trap(k));
        let ended = restore_to(&pair, 1, &target, &options(Existing::Replace));
        let met = target.log().len() as u64 >= k;
        drop(target);
        let when = format!("after effect {k}");
        assert_whole(&tree(to.path()), &before, &first, &when);
        let is_well = ended.as_ref().is_ok_and(|report| report.counts.problems == 0);
        if is_well {
            assert_same(&tree(to.path()), &first, &when);
        }
        let again = restore_to(&pair, 1, &plain(to.path()), &options(Existing::Replace)).unwrap();
        assert_eq!(again.counts.problems, 0, "{when}: {again:?}");
        assert_same(&tree(to.path()), &first, &format!("{when}, and another restore"));
        if !met {
            assert!(k > 10, "there are effects");
            return;
        }
    }
}

#[test]
fn a_restore_that_dies_after_any_effect_goes_on() {
    at_every_effect(|number| TearAt { number, code: Code::TargetFailed });
}

#[test]
fn an_error_at_any_effect_is_said_and_made_good_by_the_next_restore() {
    at_every_effect(|number| FailAt { number, code: Code::TargetEntry, and_all_after: false });
}

#[test]
fn a_disk_that_is_full_from_any_effect_on_breaks_no_file() {
    at_every_effect(|number| FailAt { number, code: Code::NoSpace, and_all_after: true });
}

#[test]
fn what_is_put_there_meanwhile_stays() {
    struct Put(PathBuf);
    impl Trap for Put {
        fn before(&self, _: u64, what: &str) -> Result<(), Error> {
            if what == "checkpoint" && !self.0.join("a").exists() {
                write(&self.0, "a", b"put there meanwhile", 4_000_000);
            }
            Ok(())
        }
    }
    let (pair, _) = two_states();
    for existing in [Existing::Replace, Existing::KeepBoth] {
        let to = tempfile::tempdir().unwrap();
        let target = Effects::new(plain(to.path()), Put(to.path().to_path_buf()));
        let report = restore_to(&pair, 1, &target, &options(existing)).unwrap();
        assert_eq!(report.counts.problems, 1, "{report:?}");
        assert_eq!(report.problems[0].code, Code::TargetMoved);
        assert_eq!(fs::read(to.path().join("a")).unwrap(), b"put there meanwhile");
    }
}

#[test]
fn effects_of_a_restore_are_all_counted() {
    let (pair, _) = two_states();
    let to = tempfile::tempdir().unwrap();
    let target = Effects::new(plain(to.path()), Count);
    restore_to(&pair, 1, &target, &options(Existing::default())).unwrap();
    assert!(target.log().iter().any(|effect| effect.starts_with("rename")), "{:?}", target.log());
}

#[test]
fn folders_above_what_is_restored_keep_their_permissions_and_times() {
    let (pair, _) = two_states();
    pair.chmod("deep", 0o755);
    let to = tempfile::tempdir().unwrap();
    write(to.path(), "deep/er/other", b"mine", 3_000_000);
    for folder in ["deep", "deep/er"] {
        fs::set_permissions(to.path().join(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let mode = |path: &str| fs::metadata(to.path().join(path)).unwrap().permissions().mode() & 0o7777;
    for existing in [Existing::Replace, Existing::ReplaceOlder] {
        let wanted = RestoreOptions { paths: vec![path("deep/er/b")], ..options(existing) };
        let report = restore_to(&pair, 1, &plain(to.path()), &wanted).unwrap();
        assert_eq!(report.counts.problems, 0, "{report:?}");
        assert_eq!((mode("deep"), mode("deep/er")), (0o700, 0o700), "{existing:?}");
    }
    let all = RestoreOptions { paths: vec![path("deep")], ..options(Existing::Replace) };
    restore_to(&pair, 1, &plain(to.path()), &all).unwrap();
    assert_eq!(mode("deep"), 0o755, "what was asked for gets its own");
}

#[test]
fn a_restore_that_is_cancelled_while_it_copies_says_so() {
    struct Stop(Cancel);
    impl Trap for Stop {
        fn before(&self, _: u64, what: &str) -> Result<(), Error> {
            if what == "write_at" {
                self.0.cancel();
            }
            Ok(())
        }
    }
    let pair = Pair::new();
    (0..700).for_each(|n| pair.write(&format!("{n}"), b"some", 1_000_000));
    pair.run(&everything());
    let (to, cancel) = (tempfile::tempdir().unwrap(), Cancel::new());
    let target = Effects::new(plain(to.path()), Stop(cancel.clone()));
    let mirror = DiskTarget::open(&pair.target, DiskOptions::default()).unwrap();
    let history = History::open(&mirror).unwrap();
    let state = history.state(When::Now).unwrap();
    let ends: (&FolderTarget<'_>, &dyn Target) = (&FolderTarget(&target), &target);
    let monitor = octo_core::monitor::Silent;
    let report = restore(&state, (ends.0, ends.1), &options(Existing::KeepBoth), &monitor, &cancel).unwrap();
    assert!(report.cancelled && report.counts.created < 700, "{report:?}");
    let rest = restore_to(&pair, 1, &plain(to.path()), &options(Existing::KeepBoth)).unwrap();
    assert_eq!(rest.counts.created + report.counts.created, 700, "the next one goes on");
}

#[test]
fn names_that_the_target_takes_for_one_never_replace_each_other() {
    let pair = Pair::new();
    for (name, content) in [("Report", "upper"), ("report", "lower"), ("Docs/x", "1"), ("docs/x", "2")] {
        pair.write(name, content.as_bytes(), 1_000_000);
    }
    pair.run(&everything());
    let mut abilities = octo_core::Abilities::full("memory");
    abilities.names.folds_case = true;
    let clock = std::sync::Arc::new(octo_testkit::clock::TestClock::real());
    let target = octo_testkit::memory::MemTarget::with(abilities, u64::MAX, clock);
    for turn in 0..3 {
        let report = restore_to(&pair, 1, &target, &options(Existing::Replace)).unwrap();
        assert_eq!((report.counts.problems, report.counts.replaced), (2, 0), "{turn}: {report:?}");
        assert!(report.problems[0].detail.contains("only in upper and lower case"), "{report:?}");
        assert_eq!(octo_testkit::tree::read_file(&target, &path("Report")), b"upper", "{turn}");
        assert_eq!(octo_testkit::tree::read_file(&target, &path("Docs/x")), b"1", "{turn}");
    }
}

#[test]
fn a_link_that_was_restored_beside_another_is_not_restored_again() {
    let (pair, _) = two_states();
    let to = tempfile::tempdir().unwrap();
    write(to.path(), "deep/c", b"mine", 3_000_000);
    std::os::unix::fs::symlink("elsewhere", to.path().join("deep/link")).unwrap();
    for links in [1, 0] {
        let report = restore_to(&pair, 1, &plain(to.path()), &options(Existing::KeepBoth)).unwrap();
        assert_eq!((report.counts.links, report.counts.problems), (links, 0), "{report:?}");
    }
    assert_eq!(fs::read_link(to.path().join("deep/link (state 1)")).unwrap(), Path::new("a"));
}
