//! Permissions that somebody loosened in the mirror.

use crate::pair::Pair;
use crate::support::mirror;
use octo_core::{Code, FilterBuilder, Outcome, RunReport};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::RunOptions;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

fn run(pair: &Pair, options: &RunOptions) -> RunReport {
    let source = LocalSource::open(&pair.source).unwrap();
    let target = DiskTarget::open(&pair.target, DiskOptions { repair: true, ..DiskOptions::default() }).unwrap();
    mirror(&source, &target, options).report
}

#[test]
fn a_loosened_mirror_is_repaired_and_no_file_is_copied_for_it() {
    let pair = Pair::new();
    for file in ["a", "folder/b", "changed"] {
        pair.write(file, b"one", 1_000_000);
    }
    assert_eq!(run(&pair, &RunOptions::default()).outcome, Outcome::Succeeded);
    let mode = |path: &str| fs::metadata(pair.target.join(path)).unwrap().permissions().mode() & 0o7777;
    let all = ["", "folder", "a", "folder/b", "changed"];
    for path in all {
        fs::set_permissions(pair.target.join(path), Permissions::from_mode(0o777)).unwrap();
    }
    let says = |report: &RunReport, end: &str| {
        let is = |remark: &String| remark.contains("looser permissions") && remark.ends_with(end);
        assert!(report.remarks.iter().any(is), "{:?}", report.remarks);
    };
    says(&run(&pair, &RunOptions { dry_run: true, ..RunOptions::default() }), "would be repaired");
    assert_eq!(all.map(mode), [0o777; 5]);

    pair.write("changed", b"two", 1_000_009);
    let report = run(&pair, &RunOptions::default());
    assert_eq!((report.outcome, report.counts.unchanged, report.counts.replaced), (Outcome::Succeeded, 2, 1));
    says(&report, "repaired");
    assert_eq!(all.map(mode), [0o700, 0o700, 0o600, 0o600, 0o600]);
    let old = pair.target.join(".octobackup/versions/2/tree/changed");
    assert_eq!(fs::metadata(old).unwrap().permissions().mode() & 0o7777, 0o600);

    let report = run(&pair, &RunOptions::default());
    assert_eq!((report.counts.unchanged, report.counts.replaced), (3, 0));
    assert!(!report.remarks.iter().any(|remark| remark.contains("permissions")), "{:?}", report.remarks);
}

#[test]
fn what_belongs_to_another_account_is_named_in_the_report_but_not_what_is_excluded() {
    let pair = Pair::new();
    for file in ["a", "folder/b", "excluded.tmp"] {
        pair.write(file, b"one", 1_000_000);
    }
    assert_eq!(run(&pair, &RunOptions::default()).outcome, Outcome::Succeeded);
    for path in ["folder", "folder/b", "excluded.tmp"] {
        chown(pair.target.join(path), Some(4321), Some(4321)).unwrap();
    }
    let filter = FilterBuilder::new().exclude("*.tmp").unwrap().build().unwrap();
    let report = run(&pair, &RunOptions { filter, ..RunOptions::default() });
    assert_eq!((report.outcome, report.counts.unchanged), (Outcome::Warnings, 2), "{report:#?}");
    assert_eq!((report.causes.len(), report.causes[0].code), (1, Code::TargetDenied), "{report:#?}");
    let named: Vec<_> = report.causes[0].examples.iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(named, ["folder", "folder/b"]);
}
