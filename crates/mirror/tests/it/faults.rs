//! Errors at every effect, and power losses: nothing that was there before is lost, and the next run finishes the work.

use crate::crash::{assert_whole, first_state, options, second_state};
use crate::pair::{Pair, Tree, assert_same, before_run, tree};
use crate::support::mirror;
use octo_core::{Code, Error, Outcome};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_testkit::effects::{Effects, FailAt, Trap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

fn run_with<R: Trap + 'static>(pair: &Pair, trap: R, boot_id: Option<&str>) -> (octo_core::RunReport, u64) {
    let source = LocalSource::open(&pair.source).unwrap();
    let target = Effects::new(DiskTarget::open(&pair.target, DiskOptions::default()).unwrap(), trap);
    let target = if let Some(id) = boot_id { target.with_boot_id(id) } else { target };
    (mirror(&source, &target, &options()).report, target.count())
}

fn prepared() -> (Pair, Tree, Tree) {
    let pair = Pair::new();
    first_state(&pair);
    pair.run(&options());
    let first = tree(&pair.target);
    second_state(&pair);
    let second = tree(&pair.source);
    (pair, first, second)
}

fn fail_at_every_effect(code: Code, and_all_after: bool) {
    let mut number = 0;
    loop {
        number += 1;
        let (pair, first, second) = prepared();
        let (report, count) = run_with(&pair, FailAt { number, code, and_all_after }, None);
        let failed = count >= number;
        if code.stops_run() && failed {
            assert_eq!(report.outcome, Outcome::Failed, "effect {number}: {report:#?}");
        }
        if report.outcome == Outcome::Succeeded {
            let context = format!("effect {number} failed, and the run says that it succeeded");
            assert_same(&tree(&pair.target), &second, &context);
        }
        assert_whole(&tree(&pair.target), [&first, &second], number);
        let report = pair.run(&options());
        assert_eq!(report.outcome, Outcome::Succeeded, "after effect {number} failed: {report:#?}");
        assert_same(&tree(&pair.target), &second, &format!("after effect {number} failed"));
        let context = format!("after effect {number} failed the versions give the first state");
        assert_same(&before_run(&pair.target, 2), &first, &context);
        if !failed {
            break;
        }
    }
}

#[test]
fn a_disk_that_is_full_from_any_effect_on_fails_the_run_and_loses_nothing() {
    fail_at_every_effect(Code::NoSpace, true);
}

#[test]
fn an_error_at_any_one_effect_loses_nothing_and_is_never_called_a_success() {
    fail_at_every_effect(Code::TargetEntry, false);
}

/// Keeps what the disk holds after each checkpoint, and loses the power at one effect.
struct PowerLoss {
    mirror: PathBuf,
    kept: PathBuf,
    at: u64,
}

impl Trap for PowerLoss {
    fn before(&self, number: u64, what: &str) -> Result<(), Error> {
        if number < self.at {
            return Ok(());
        }
        Err(Error::new(Code::TargetFailed, format!("the power is gone: {what}")))
    }

    fn after(&self, number: u64, what: &str) {
        if what == "checkpoint" && number < self.at {
            copy(&self.mirror, &self.kept);
        }
    }
}

/// The whole folder as it is, hard links and times included.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}

#[test]
fn losing_everything_since_the_last_checkpoint_is_made_good() {
    let mut at = 0;
    loop {
        at += 7;
        let (pair, first, second) = prepared();
        let kept = pair.folder.path().join("kept");
        copy(&pair.target, &kept);
        let trap = PowerLoss { mirror: pair.target.clone(), kept: kept.clone(), at };
        let (_, count) = run_with(&pair, trap, None);
        if count < at {
            break;
        }
        fs::remove_dir_all(&pair.target).unwrap();
        copy(&kept, &pair.target);
        assert_whole(&tree(&pair.target), [&first, &second], at);
        let (report, _) = run_with(&pair, octo_testkit::effects::Count, Some("another boot"));
        assert_eq!(report.outcome, Outcome::Succeeded, "power lost at effect {at}: {report:#?}");
        assert_same(&tree(&pair.target), &second, &format!("power lost at effect {at}"));
        let context = format!("power lost at effect {at}: the versions give the first state");
        assert_same(&before_run(&pair.target, 2), &first, &context);
    }
    assert!(at > 60, "only {at} effects: is the scenario still what it was?");
}

/// The process dies when it makes its first checkpoint.
struct DiesBeforeCheckpoint(AtomicBool);

impl Trap for DiesBeforeCheckpoint {
    fn before(&self, _: u64, what: &str) -> Result<(), Error> {
        if what == "checkpoint" {
            self.0.store(true, Ordering::SeqCst);
        }
        match self.0.load(Ordering::SeqCst) {
            true => Err(Error::new(Code::TargetFailed, "the process is dead")),
            false => Ok(()),
        }
    }
}

/// What ext4 and xfs really leave: names, sizes and times are there, data that was not synced is zeros.
#[test]
fn files_that_lost_their_data_with_the_power_are_copied_again() {
    let (pair, _, second) = prepared();
    // After all copies.
    let disk = DiskTarget::open(&pair.target, DiskOptions::default()).unwrap();
    let target = Effects::new(disk, DiesBeforeCheckpoint(AtomicBool::new(false))).on_filesystem("ext4");
    let report = mirror(&LocalSource::open(&pair.source).unwrap(), &target, &options()).report;
    drop(target);
    assert_eq!(report.outcome, Outcome::Failed, "{report:#?}");
    let mut emptied = 0;
    for path in ["changes", "new", "new folder/new"] {
        let full = pair.target.join(path);
        let meta = fs::metadata(&full).unwrap();
        let file = fs::File::options().write(true).open(&full).unwrap();
        std::io::Write::write_all(&mut &file, &vec![0; meta.len() as usize]).unwrap();
        file.set_modified(meta.modified().unwrap()).unwrap();
        emptied += 1;
    }
    let (report, _) = run_with(&pair, octo_testkit::effects::Count, Some("another boot"));
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
    assert!(report.counts.replaced >= emptied, "{report:#?}");
    assert_same(&tree(&pair.target), &second, "after the power loss");
    let (report, _) = run_with(&pair, octo_testkit::effects::Count, Some("another boot"));
    assert_eq!((report.outcome, report.counts.replaced), (Outcome::Succeeded, 0), "only once: {report:#?}");
}

/// Where changes of names reach the disk in any order. (On Windows every file is synced by itself.)
#[cfg(unix)]
#[test]
fn on_a_filesystem_that_keeps_no_order_old_contents_are_durable_before_their_names_get_new_ones() {
    let (pair, _, _) = prepared();
    let source = LocalSource::open(&pair.source).unwrap();
    let target = DiskTarget::open(&pair.target, DiskOptions::default()).unwrap();
    let target = Effects::new(target, octo_testkit::effects::Count).on_filesystem("btrfs");
    let options = octo_mirror::RunOptions { workers: Some(8), ..options() };
    assert_eq!(mirror(&source, &target, &options).report.outcome, Outcome::Succeeded);
    let log = target.log();
    let mut replaced = 0;
    for (renamed, effect) in log.iter().enumerate() {
        let Some(place) = effect.strip_prefix("rename_over ").filter(|it| !it.starts_with(".octobackup")) else {
            continue;
        };
        let link = format!("hard_link .octobackup/versions/2/tree/{place}");
        let linked = log.iter().position(|it| *it == link).expect(place);
        let is_durable =
            log.get(linked..renamed).is_some_and(|between| between.iter().any(|it| it.trim() == "checkpoint"));
        assert!(is_durable, "{place}: {:#?}", &log[..=renamed]);
        replaced += 1;
    }
    assert!(replaced >= 2, "{log:#?}");
}
