//! Every path that a document names exists, and every crate is named in ARCHITECTURE.md.

use super::{files, shown};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;

const DOCUMENTS: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// A word in backticks that begins so is a path of the project.
const ROOMS: &[&str] = &["crates/", "xtask/", "docs/", "fuzz/", ".ci/", ".cargo/"];

/// Complaints about documents.
pub fn check(root: &Path, metadata: &Value) -> Result<Vec<String>> {
    let mut documents: Vec<_> = DOCUMENTS.iter().map(|name| root.join(name)).collect();
    documents.extend(files(&root.join("docs"), "md")?);
    let mut complaints = Vec::new();
    for document in documents {
        let name = shown(root, &document);
        let text = fs::read_to_string(&document).with_context(|| name.clone())?;
        let folder = document.parent().unwrap_or(root);
        for path in named(&text).into_iter().filter(|path| !root.join(path).exists()) {
            complaints.push(format!("{name}: names {path}, which does not exist"));
        }
        for link in links(&text).into_iter().filter(|link| !folder.join(link).exists()) {
            complaints.push(format!("{name}: links to {link}, which does not exist"));
        }
    }
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md"))?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let room = shown(root, manifest.parent().unwrap_or(manifest));
        if !architecture.contains(&format!("`{room}")) {
            complaints.push(format!("ARCHITECTURE.md: does not name `{room}`"));
        }
    }
    Ok(complaints)
}

/// The paths of the project that the text names in backticks. Fenced blocks are examples.
fn named(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in prose(text) {
        let words = line.split('`').skip(1).step_by(2);
        found.extend(words.filter(|word| is_path(word)).map(|word| word.trim_end_matches('/')));
    }
    found
}

fn is_path(word: &str) -> bool {
    let plain = !word.contains([' ', '<', '*', '{']);
    plain && (ROOMS.iter().any(|room| word.starts_with(room)) || word.ends_with(".md") && !word.contains('/'))
}

/// What the text links to inside the project.
fn links(text: &str) -> Vec<&str> {
    let targets = prose(text).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|link| !link.contains("://") && !link.starts_with(['#', '<']));
    inside.filter_map(|link| link.split('#').next()).collect()
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_backticks_and_links_are_found_and_examples_are_not() {
        let text = "See `crates/core/src` and `crates/disk/`, `cargo test`, `.octobackup/tmp/<run>`, `NOPE.md`,\n\
                    [there](docs/a.md#part), [web](https://example.org/x), [here](#below).\n\
                    ```\n`crates/example`\n[x](y)\n```\nand `.ci/run`";
        assert_eq!(named(text), ["crates/core/src", "crates/disk", "NOPE.md", ".ci/run"]);
        assert_eq!(links(text), ["docs/a.md"]);
    }
}
