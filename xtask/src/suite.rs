//! `cargo xtask test`: every test there is, the ones against a real Samba and those of the programs for Windows included.

use crate::{apt, python, shell, windows};
use anyhow::Result;

/// Provides what the tests need, builds the programs they start, and runs them. With `args` for the test runner, only what
/// it runs: somebody looks for something.
pub fn run(args: &[String]) -> Result<()> {
    apt::provide()?;
    apt::require_root("test")?;
    python::provide()?;
    shell::run(shell::cargo().args(["build", "--workspace", "--bins"]))?;
    if shell::exists("cargo-nextest") {
        shell::run(shell::cargo().args(["nextest", "run", "--workspace"]).args(args))?;
        // nextest leaves out the examples in comments.
        shell::run(shell::cargo().args(["test", "--workspace", "--doc", "--quiet"]))?;
    } else {
        plainly(args)?;
    }
    // The tests that need the programs for Windows were left out above.
    if args.is_empty() { windows::test() } else { Ok(()) }
}

fn plainly(args: &[String]) -> Result<()> {
    // One crate that fails must not hide what the next would say, unless somebody asks for something special. One test
    // at a time: in one process, a child that one test starts holds the locks of all others until it is a program of
    // its own.
    let all: &[&str] = if args.is_empty() { &["--no-fail-fast", "--", "--test-threads=1"] } else { &[] };
    shell::run(shell::cargo().args(["test", "--workspace"]).args(all).args(args))
}
