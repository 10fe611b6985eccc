//! `cargo xtask powercut`: power cuts on real filesystems, as many as a night holds. The tests run a sample of it.

use crate::{apt, shell};
use anyhow::Result;
use std::process::Command;

/// Builds the program and cuts its power.
pub fn run(args: &[String]) -> Result<()> {
    apt::provide()?;
    apt::require_root("powercut")?;
    // The build for tests: it leaves nothing in the home of the user. The engine is optimised in it, too.
    shell::run(shell::cargo().args(["build", "-p", "octobackup", "--bins", "--example", "powercut"]))?;
    let built = shell::built()?;
    shell::run(Command::new(built.join("examples/powercut")).arg(built.join("octobackup")).args(args))
}
