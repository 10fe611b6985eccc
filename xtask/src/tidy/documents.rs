//! Every path that a document names exists, every crate is named in ARCHITECTURE.md, and every dependency has its reason
//! in docs/decisions.

use super::{files, shown};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;
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
    let mut reasons = String::new();
    for page in files(&root.join("docs/decisions"), "md")? {
        reasons.push_str(&fs::read_to_string(page)?);
    }
    complaints.extend(unnamed_crates(root, metadata, &architecture));
    complaints.extend(unexplained(metadata, &reasons));
    Ok(complaints)
}

fn unnamed_crates(root: &Path, metadata: &Value, architecture: &str) -> Vec<String> {
    let manifests = packages(metadata).filter_map(|package| package["manifest_path"].as_str());
    let rooms = manifests.filter_map(|manifest| Path::new(manifest).parent()).map(|room| shown(root, room));
    let missing = rooms.filter(|room| !architecture.contains(&format!("`{room}")));
    missing.map(|room| format!("ARCHITECTURE.md: does not name `{room}`")).collect()
}

fn unexplained(metadata: &Value, reasons: &str) -> Vec<String> {
    let ours: BTreeSet<&str> = packages(metadata).filter_map(|package| package["name"].as_str()).collect();
    let dependencies = packages(metadata).filter_map(|package| package["dependencies"].as_array()).flatten();
    let others: BTreeSet<&str> =
        dependencies.filter_map(|it| it["name"].as_str()).filter(|name| !ours.contains(name)).collect();
    let missing = others.into_iter().filter(|name| !reasons.contains(&format!("`{name}`")));
    missing.map(|name| format!("docs/decisions: does not say why `{name}` is used")).collect()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
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
    use serde_json::json;

    #[test]
    fn paths_in_backticks_and_links_are_found_and_examples_are_not() {
        let text = "See `crates/core/src` and `crates/disk/`, `cargo test`, `.octobackup/tmp/<run>`, `NOPE.md`,\n\
                    [there](docs/a.md#part), [web](https://example.org/x), [here](#below).\n\
                    ```\n`crates/example`\n[x](y)\n```\nand `.ci/run`";
        assert_eq!(named(text), ["crates/core/src", "crates/disk", "NOPE.md", ".ci/run"]);
        assert_eq!(links(text), ["docs/a.md"]);
    }

    #[test]
    fn a_crate_that_is_not_named_and_a_dependency_without_a_reason_are_found() {
        let package = json!({"name": "a", "manifest_path": "/w/crates/a/Cargo.toml", "dependencies": [{"name": "x"}]});
        let metadata = json!({ "packages": [package] });
        assert_eq!(unnamed_crates(Path::new("/w"), &metadata, "rooms: `crates/b`").len(), 1);
        assert_eq!(unnamed_crates(Path::new("/w"), &metadata, "rooms: `crates/a`").len(), 0);
        assert_eq!(unexplained(&metadata, "| `y` | reason |").len(), 1);
        assert_eq!(unexplained(&metadata, "| `x` | reason |").len(), 0);
    }
}
