//! Starting other programs, cargo first of all.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace, wherever the chore was started.
pub fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// The cargo that started us, in the workspace's folder.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Shows the command, runs it, and fails unless it succeeded.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("+ {line}");
    let status = command.status().with_context(|| format!("could not start {line}"))?;
    ensure!(status.success(), "{line}: {status}");
    Ok(())
}

/// What the command wrote to its output; its errors stay on ours.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let line = line(command);
    let output =
        command.stderr(std::process::Stdio::inherit()).output().with_context(|| format!("could not start {line}"))?;
    ensure!(output.status.success(), "{line}: {}", output.status);
    Ok(output.stdout)
}

/// A program that cargo installs, of exactly this version, in a folder of its own.
pub fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let program = tools.join("bin").join(name);
    // Plugins of cargo want to be called as one.
    let plugin = name.strip_prefix("cargo-").unwrap_or_default();
    let is_there = [vec!["--version"], vec![plugin, "--version"]].iter().any(|words| {
        let said = Command::new(&program).args(words).output();
        said.is_ok_and(|it| {
            String::from_utf8_lossy(&it.stdout).split_whitespace().any(|word| word.trim_start_matches('v') == version)
        })
    });
    if !is_there {
        let install = ["install", name, "--locked", "--debug", "--force", "--version", version, "--root"];
        run(cargo().args(install).arg(&tools))?;
    }
    Ok(program)
}

/// Whether a program of this name can be found.
pub fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// What cargo knows of the workspace.
pub fn metadata() -> Result<serde_json::Value> {
    let json = output(cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    serde_json::from_slice(&json).context("cargo metadata")
}

/// Where cargo puts what it builds for development.
pub fn built() -> Result<PathBuf> {
    match metadata()?.get("target_directory").and_then(|folder| folder.as_str()) {
        Some(folder) => Ok(Path::new(folder).join("debug")),
        None => bail!("cargo metadata names no target directory"),
    }
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
