//! Names that were replaced by the field's own words stay out of the code, and phrases that were replaced stay out of the documents.
//!
//! Names are looked for in code, not in comments or text in quotes, and as whole names; phrases also in all lines of the folders
//! that are in plain English already.

use super::{files, shown};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// An old name, and what it is called now.
const NAMES: &[(&str, &str)] = &[
    ("Told", "RunSummary, or what it is"),
    ("Wish", "ApplyRequest, or what it is"),
    ("Bell", "Notify"),
    ("Doorman", "Admission"),
    ("Postman", "Delivery"),
    ("postman", "delivery"),
    ("Letter", "Message"),
    ("letter", "message"),
    ("letters", "messages"),
    ("Recipe", "MirrorSpec"),
    ("recipe", "mirror_spec"),
    ("rehearse", "dry_run"),
    ("Refusal", "ServiceError"),
    ("soil", "record_folder_time"),
    ("Placer", "MirrorOps"),
    ("pulse", "liveness"),
    ("lanes", "connection_pool"),
    ("scouting", "prefetch"),
    ("Patience", "BlockingCalls"),
    ("Spot", "EntryAtPath"),
    ("Manner", "AttributeSupport"),
    ("Whereabouts", "FolderLocation"),
    ("Apart", "OverlapCheck"),
    ("Met", "RunProblems"),
    ("Asks", "MetadataSupport, or what it is"),
    ("maybe_time", "optional_time"),
    ("PATIENCE", "CONNECT_TIMEOUT, or what it is"),
    ("NOTICE", "CANCEL_POLL_INTERVAL, or what it is"),
    ("GRACE", "SHUTDOWN_GRACE, or what it is"),
];

/// Words that a plainer one replaced, in documents and in all lines of the plain folders.
const PHRASES: &[(&str, &str)] = &[
    ("anew", "again"),
    ("whoever", "who, anybody"),
    ("Whoever", "Anybody"),
    ("told", "say who does what"),
    ("letters of", "mails of"),
    ("unless said otherwise", "default"),
    ("by the clocks of", "in the time zone"),
];

/// The same for code only.
const CODE_PHRASES: &[(&str, &str)] = &[("refusal", "error"), ("wished", "given, or what it is")];

/// Folders of code whose comments and texts are in plain English already.
const PLAIN: &[&str] = &[
    "crates/agent/src",
    "crates/api/src",
    "crates/client/src",
    "crates/core/src",
    "crates/disk/src",
    "crates/job/src",
    "crates/mirror/src",
    "crates/octobackup/src",
    "crates/server/src",
    "crates/smb/src",
    "crates/testkit/src",
];

/// Documents besides the manual.
const DOCUMENTS: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/DESIGN.md", "docs/reliability.md"];

/// Complaints about words.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for path in files(&root.join("crates"), "rs")? {
        let text = fs::read_to_string(&path).with_context(|| shown(root, &path))?;
        let found = names_in(&text, NAMES).into_iter();
        complaints.extend(found.map(|(line, old, now)| format!("{}:{line}: {old} is now {now}", shown(root, &path))));
    }
    let documents = DOCUMENTS.iter().map(|name| root.join(name)).chain(files(&root.join("docs/manual"), "md")?);
    let mut texts: Vec<_> = documents.map(|path| (path, false)).collect();
    for folder in PLAIN {
        texts.extend(files(&root.join(folder), "rs")?.into_iter().map(|path| (path, true)));
    }
    for (path, is_code) in texts {
        let text = fs::read_to_string(&path).with_context(|| shown(root, &path))?;
        for (line, words) in text.lines().enumerate() {
            let more = if is_code { CODE_PHRASES } else { &[] };
            let found = PHRASES.iter().chain(more).filter(|(old, _)| has_words(words, old));
            complaints.extend(
                found.map(|(old, now)| format!("{}:{}: \"{old}\": write \"{now}\"", shown(root, &path), line + 1)),
            );
        }
    }
    Ok(complaints)
}

/// The line, the old name and the new one, of each that the code has.
fn names_in<'a>(text: &str, names: &'a [(&str, &str)]) -> Vec<(usize, &'a str, &'a str)> {
    let mut found = Vec::new();
    for (line, code) in text.lines().enumerate() {
        let code = code.split("//").next().unwrap_or_default();
        // Every other part between quotes is text; an escaped quote ends nothing.
        let code = code.replace("\\\"", "");
        for part in code.split('"').step_by(2) {
            let words = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let old = words.filter_map(|word| names.iter().find(|(old, _)| *old == word));
            found.extend(old.map(|(old, now)| (line + 1, *old, *now)));
        }
    }
    found
}

fn has_words(line: &str, words: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    line.match_indices(words)
        .any(|(at, _)| is_edge(line[..at].chars().next_back()) && is_edge(line[at + words.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_code_and_not_in_comments_or_text() {
        let names = [("letter", "message")];
        let text = "let letter = 1; // a letter\nlet letters = \"letter \\\" letter\"; f(letter)\n/// letter\n";
        assert_eq!(names_in(text, &names), [(1, "letter", "message"), (2, "letter", "message")]);
        assert!(has_words("it is told here", "told") && !has_words("retold", "told") && !has_words("toldest", "told"));
        assert!(!has_words("fn it_is_told() {", "told"));
    }
}
