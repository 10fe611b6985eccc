//! The tool that comes from PyPI, in a folder of its own below `target`.

use crate::shell;
use anyhow::Result;
use std::process::Command;

/// Makes requests of all kinds from the API's document. Newer ones may ask for other things.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Installs it, unless it is there.
pub fn provide() -> Result<()> {
    let home = shell::root().join("target/python");
    let is_there = home.join("installed");
    if std::fs::read_to_string(&is_there).is_ok_and(|what| what == SCHEMATHESIS) {
        return Ok(());
    }
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    shell::run(Command::new(home.join("bin/python")).args(["-m", "pip", "install", "--quiet", SCHEMATHESIS]))?;
    // Last: an installation that was cut off is done again.
    std::fs::write(is_there, SCHEMATHESIS)?;
    Ok(())
}
