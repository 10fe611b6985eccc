//! What the crates say their tests need is what the chores install: every constant of packages in our sources is read.

use super::{files, shown};
use crate::apt;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// How a crate says what it needs: `pub const PACKAGES: &[&str] = &["samba"];`, with anything before the name.
const SAID: &str = "PACKAGES: &[&str] =";

/// Complaints about packages that a fresh machine would not have.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for file in files(&root.join("crates"), "rs")? {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        for package in said(&text).filter(|package| !apt::provides(package)) {
            complaints.push(format!("{}: xtask/src/apt.rs does not install {package}", shown(root, &file)));
        }
    }
    Ok(complaints)
}

fn said(text: &str) -> impl Iterator<Item = &str> {
    let lists = text.split(SAID).skip(1).filter_map(|rest| rest.split(';').next());
    lists.flat_map(|list| list.split('"').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    #[test]
    fn packages_are_read_from_the_source() {
        let text = "pub const TEST_PACKAGES: &[&str] =\n    &[\"a\", \"b-c\"];\nconst X: &[&str] = &[\"d\"];";
        assert_eq!(super::said(text).collect::<Vec<_>>(), ["a", "b-c"]);
    }
}
