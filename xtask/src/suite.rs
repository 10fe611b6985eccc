//! `cargo xtask test`: every test there is, the ones against a real Samba included.

use crate::{apt, shell};
use anyhow::Result;

/// Provides what the tests need, builds the program they start, and runs them.
pub fn run(args: &[String]) -> Result<()> {
    apt::provide()?;
    apt::require_root("test")?;
    shell::run(shell::cargo().args(["build", "--workspace", "--bins"]))?;
    if shell::exists("cargo-nextest") {
        shell::run(shell::cargo().args(["nextest", "run", "--workspace"]).args(args))?;
        // nextest leaves out the examples in comments.
        return shell::run(shell::cargo().args(["test", "--workspace", "--doc", "--quiet"]));
    }
    // One crate that fails must not hide what the next would say, unless somebody asks for something special. One test
    // at a time: in one process, a child that one test starts holds the locks of all others until it is a program of
    // its own.
    let all: &[&str] = if args.is_empty() { &["--no-fail-fast", "--", "--test-threads=1"] } else { &[] };
    shell::run(shell::cargo().args(["test", "--workspace"]).args(all).args(args))
}
