//! `cargo xtask demo`: the real program mirrors a real Samba share, twice, and a server does it on a schedule.

use crate::{apt, shell};
use anyhow::Result;
use std::process::Command;

/// Builds the program and the demonstration, and runs it.
pub fn run() -> Result<()> {
    apt::provide()?;
    apt::require_root("demo")?;
    shell::run(shell::cargo().args(["build", "--package", "octobackup", "--bins", "--example", "demo"]))?;
    let built = shell::built()?;
    shell::run(Command::new(built.join("examples/demo")).arg(built.join("octobackup")))
}
