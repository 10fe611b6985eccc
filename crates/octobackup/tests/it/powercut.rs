//! A sample of `cargo xtask powercut`: the real program on a real filesystem, whose power is cut.

#![expect(clippy::print_stdout, reason = "a failure can be repeated")]

use octo_testkit::powercut::{Amount, CutsAt, Filesystem, prove};
use std::path::Path;

const CUTS: usize = 66;

/// Other blocks are lost in every run of the test.
fn power_cuts_lose_nothing_on(filesystem: Filesystem) {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let amount = Amount { files: 300, cuts: CutsAt::Spread(CUTS), workers: 1, seed };
    let proof =
        prove(Path::new(env!("CARGO_BIN_EXE_octobackup")), filesystem, amount, None, &|line| println!("{line}"));
    assert!(proof.failures.is_empty(), "{:#?}", proof.failures);
    assert!(proof.entries > 100 && proof.cuts >= CUTS, "{proof:?}");
}

#[test]
fn ext4_power_cuts_lose_nothing() {
    power_cuts_lose_nothing_on(Filesystem::Ext4);
}

#[test]
fn xfs_power_cuts_lose_nothing() {
    power_cuts_lose_nothing_on(Filesystem::Xfs);
}

#[test]
fn btrfs_power_cuts_lose_nothing() {
    power_cuts_lose_nothing_on(Filesystem::Btrfs);
}
