//! Memory does not grow with the number of files (DESIGN rule 8): at most 128 MiB resident, and at ten million entries
//! at most 110% of what it is at one million.
#![expect(clippy::print_stdout, reason = "a child process tells its parent")]

use crate::support::mirror;
use octo_core::Outcome;
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::RunOptions;
use octo_testkit::generated::{Difference, GeneratedSource, GeneratedTarget, GeneratedTree};

/// Tells a child process the shape of the tree: folders, files in each.
const ORDER: &str = "OCTO_MEMORY_ORDER";
const KIB_MAX: u64 = 128 << 10;

/// Not a promise of its own: what a child process of the tests below does.
#[test]
#[ignore = "started by other tests, in a process of its own"]
fn child() {
    let order = octo_testkit::child::order(ORDER);
    let (folders, files) = order.split_once('x').unwrap();
    let mut tree = GeneratedTree::new(folders.parse().unwrap(), files.parse().unwrap());
    tree.scattered = true;
    let folder = tempfile::tempdir().unwrap();
    let options = RunOptions { adopt: true, ..RunOptions::default() };
    // Without an index, which is then built, and with it.
    for _ in 0..2 {
        let inner = DiskTarget::open(folder.path(), DiskOptions::default()).unwrap();
        let target = GeneratedTarget::new(tree, Difference::default(), Box::new(inner));
        let report = mirror(&GeneratedSource::new(tree), &target, &options).report;
        assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
        assert_eq!(report.counts.unchanged, tree.files());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("\nresident KiB: {}", peak.trim().trim_end_matches(" kB"));
}

/// The most memory that a process of its own had resident, in KiB, for two runs over such a tree.
fn resident_kib(folders: u64, files: u64) -> u64 {
    let output = octo_testkit::child::test("memory::child")
        .env(ORDER, format!("{folders}x{files}"))
        // What counts is what the program holds, not what the C library keeps of each thread that has ended.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.strip_prefix("resident KiB: "));
    line.and_then(|kib| kib.parse().ok()).unwrap_or_else(|| panic!("the child did not tell: {text}"))
}

fn assert_bounded(one_million: u64, ten_million: u64) {
    assert!(ten_million <= KIB_MAX, "{ten_million} KiB at ten million entries");
    assert!(ten_million * 10 <= one_million * 11, "{one_million} KiB at one million, {ten_million} KiB at ten million");
}

#[test]
fn ten_million_files_in_many_folders_take_no_more_memory_than_one_million() {
    assert_bounded(resident_kib(10_000, 100), resident_kib(100_000, 100));
}

#[test]
fn ten_million_files_in_one_folder_take_no_more_memory_than_one_million() {
    assert_bounded(resident_kib(1, 1_000_000), resident_kib(1, 10_000_000));
}
