//! `cargo xtask simulate`: worlds that follow from a seed, with several faults in one run, as many as a night holds. The tests run
//! a minute of them.

use crate::shell;
use anyhow::{Context, Result};
use std::process::Command;

/// A world and the program that plays it: name, package, example. Each takes `--seed N`, `--runs M` or `--minutes K`, and fails
/// with the seed of the world that went wrong.
const WORLDS: &[(&str, &str, &str)] = &[("mirror", "octo-testkit", "simulate"), ("server", "octo-server", "simulate")];

/// Plays one world, or each in turn.
pub fn run(args: &[String]) -> Result<()> {
    let mut rest = Vec::new();
    let mut wanted = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--world" => wanted = Some(args.next().context("--world needs the name of a world")?),
            _ => rest.push(arg),
        }
    }
    let named = |(name, ..): &&(&str, _, _)| wanted.is_none_or(|wanted| wanted == name);
    let worlds: Vec<_> = WORLDS.iter().filter(named).collect();
    anyhow::ensure!(
        !worlds.is_empty(),
        "the worlds are: {}",
        WORLDS.iter().map(|world| world.0).collect::<Vec<_>>().join(", ")
    );
    for (_, package, example) in worlds {
        // The build for tests: it checks its sums, and the engine is optimised in it, too.
        shell::run(shell::cargo().args(["build", "-p", package, "--example", example]))?;
        shell::run(Command::new(shell::built()?.join("examples").join(example)).args(&rest))?;
    }
    Ok(())
}
