//! What keeps the project as its documents say it is. Runs as a test, and by hand as `cargo xtask tidy`.
//!
//! Every check is a function from the workspace to complaints; it changes nothing. Exceptions are in `tidy.toml`, with
//! a reason each, and an exception that is no longer needed is a complaint too.

mod borders;
mod circles;
mod documents;
mod packages;
mod sizes;
mod words;

use crate::shell;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Fails with every complaint.
pub fn run() -> Result<()> {
    let complaints = complaints(shell::root())?;
    if complaints.is_empty() {
        println!("tidy");
        return Ok(());
    }
    bail!("untidy:\n  {}", complaints.join("\n  "))
}

fn complaints(root: &Path) -> Result<Vec<String>> {
    let metadata = shell::metadata()?;
    let mut complaints = borders::check(&metadata)?;
    complaints.extend(circles::check(root)?);
    complaints.extend(documents::check(root, &metadata)?);
    complaints.extend(packages::check(root)?);
    complaints.extend(sizes::check(root)?);
    complaints.extend(words::check(root)?);
    Ok(complaints)
}

/// The files below `folder` with this ending, in order, without what cargo built.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name();
            let kind = entry.file_type()?;
            if kind.is_dir() && name != "target" && name != ".git" {
                open.push(entry.path());
            } else if kind.is_file() && Path::new(&name).extension().is_some_and(|it| it == ending) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The path as documents and `tidy.toml` name it.
fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        let complaints = super::complaints(crate::shell::root()).unwrap();
        assert!(complaints.is_empty(), "\n  {}", complaints.join("\n  "));
    }
}
