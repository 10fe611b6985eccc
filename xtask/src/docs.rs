//! `cargo xtask docs`: the manual as a book with a search, in `target/book`. That its links lead somewhere and that no page is
//! missing is checked by `cargo xtask tidy`, with every test run.

use crate::shell;
use anyhow::{Result, ensure};
use std::process::Command;

/// What makes the book. Newer ones may lay it out in another way.
const MDBOOK: &str = "0.5.4";

/// Builds it.
pub fn run() -> Result<()> {
    let mdbook = shell::tool("mdbook", MDBOOK)?;
    shell::run(Command::new(mdbook).current_dir(shell::root()).args(["build", "docs"]))?;
    let first = shell::root().join("target/book/manual/quick-start.html");
    ensure!(first.is_file(), "mdbook did not write {}", first.display());
    println!("{}", shell::root().join("target/book/index.html").display());
    Ok(())
}
