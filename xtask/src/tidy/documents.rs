//! Every path that a document names exists, every link leads to a page and to a heading of it, every page of the manual is in the
//! book's table of contents, every crate is named in ARCHITECTURE.md, and every dependency has its reason in docs/decisions.

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
        complaints.extend(
            links(&text)
                .into_iter()
                .filter_map(|link| dead(&document, &text, folder, link))
                .map(|why| format!("{name}: {why}")),
        );
    }
    complaints.extend(missing_pages(root)?);
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

/// What the text links to inside the project, with the heading after `#`.
fn links(text: &str) -> Vec<&str> {
    let targets = prose(text).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    targets.filter(|link| !link.contains("://") && !link.starts_with('<')).collect()
}

/// Why a link leads nowhere.
fn dead(document: &Path, text: &str, folder: &Path, link: &str) -> Option<String> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { document.to_path_buf() } else { folder.join(path) };
    if !target.exists() {
        return Some(format!("links to {path}, which does not exist"));
    }
    let there = if path.is_empty() { text.to_owned() } else { fs::read_to_string(&target).unwrap_or_default() };
    let is_there = heading.is_empty() || headings(&there).any(|it| it == heading);
    (!is_there).then(|| format!("links to {link}, and there is no such heading"))
}

/// The headings as links name them, on GitHub and in the book, and the places that were given an id.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let ids = prose(text).flat_map(|line| line.split("<a id=\"").skip(1)).filter_map(|rest| rest.split('"').next());
    let lines = prose(text).filter_map(|line| line.strip_prefix('#'));
    lines.map(|line| anchor(line.trim_start_matches('#').trim())).chain(ids.map(str::to_owned))
}

fn anchor(heading: &str) -> String {
    let letters = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    letters.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Pages of the manual that the book leaves out.
fn missing_pages(root: &Path) -> Result<Vec<String>> {
    let contents = fs::read_to_string(root.join("docs/SUMMARY.md")).context("docs/SUMMARY.md")?;
    let listed = links(&contents);
    let pages = files(&root.join("docs/manual"), "md")?;
    let names = pages.iter().map(|page| shown(&root.join("docs"), page));
    let missing = names.filter(|name| !listed.contains(&name.as_str()));
    Ok(missing.map(|name| format!("docs/SUMMARY.md: does not list {name}")).collect())
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
        assert_eq!(links(text), ["docs/a.md#part", "#below"]);
    }

    #[test]
    fn a_link_to_a_heading_that_is_not_there_is_found() {
        let text = "# A page\n## 4. When deletions are held: `--approve`\n<a id=\"here\"></a>text\n";
        let page = &crate::shell::root().join("README.md");
        assert_eq!(dead(page, text, Path::new("."), "#4-when-deletions-are-held---approve"), None);
        assert_eq!(dead(page, text, Path::new("."), "#here"), None);
        assert!(dead(page, text, Path::new("."), "#held").is_some_and(|why| why.contains("heading")));
        assert!(dead(page, text, Path::new("."), "NOPE.md").is_some_and(|why| why.contains("exist")));
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
