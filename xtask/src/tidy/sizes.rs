//! No file and no function outgrows its room without saying why, and every module says what it is for.
//!
//! Functions are measured by their layout, which `cargo fmt --check` guarantees: a body ends at the first line that is
//! a closing brace in the column where the function began.

use super::{files, shown};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// An exception in `tidy.toml`: the function, or the whole file, may be this long.
struct Exception {
    path: String,
    function: Option<String>,
    lines_max: usize,
    used: bool,
}

/// Complaints about sizes and module heads.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let list = fs::read_to_string(root.join("tidy.toml")).context("tidy.toml")?;
    let mut exceptions = parse(&list)?;
    let mut complaints = Vec::new();
    for folder in ["crates", "xtask", "fuzz"] {
        let folder = root.join(folder);
        if !folder.is_dir() {
            continue;
        }
        for file in files(&folder, "rs")? {
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            complaints.extend(measure(&shown(root, &file), &text, &mut exceptions));
        }
    }
    let idle = exceptions.iter().filter(|exception| !exception.used);
    complaints.extend(idle.map(|it| {
        let function = it.function.as_deref().unwrap_or("the file");
        format!("tidy.toml: {} {function} needs no exception any more", it.path)
    }));
    Ok(complaints)
}

fn parse(list: &str) -> Result<Vec<Exception>> {
    let table: toml::Table = list.parse().context("tidy.toml")?;
    let entries = table.get("longer").and_then(|value| value.as_array()).map(Vec::as_slice).unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            let text = |key| entry.get(key).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
            text("reason").context("tidy.toml: an exception without a reason")?;
            let lines = entry.get("lines_max").and_then(|value| value.as_integer());
            Ok(Exception {
                path: text("path").context("tidy.toml: an exception without a path")?.to_owned(),
                function: text("function").map(str::to_owned),
                lines_max: lines.and_then(|it| usize::try_from(it).ok()).context("tidy.toml: no lines_max")?,
                used: false,
            })
        })
        .collect()
}

fn measure(path: &str, text: &str, exceptions: &mut [Exception]) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push(format!("{path}: does not say in a //! head what it is for"));
    }
    let mut judge = |function: Option<&str>, lines: usize, lines_max: usize| {
        if lines <= lines_max {
            return;
        }
        let exception = exceptions.iter_mut().find(|it| it.path == path && it.function.as_deref() == function);
        let lines_max = exception.map_or(lines_max, |it| {
            it.used = true;
            it.lines_max
        });
        if lines > lines_max {
            let what = function.map_or(String::from("the file"), |name| format!("fn {name}"));
            complaints.push(format!("{path}: {what} has {lines} lines, {lines_max} are allowed"));
        }
    };
    judge(None, text.lines().count(), FILE_LINES_MAX);
    for (name, lines) in functions(text) {
        judge(Some(name), lines, FUNCTION_LINES_MAX);
    }
    complaints
}

/// Every function with a body, and its lines from `fn` to the closing brace.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let column = line.len() - line.trim_start().len();
        let head = lines[start..].iter().take_while(|line| !line.ends_with(['{', ';', '}'])).count();
        if !lines.get(start + head).is_some_and(|line| line.ends_with('{')) {
            continue;
        }
        let is_end = |line: &&str| line.trim_end().len() == column + 1 && line.trim_start() == "}";
        let body = lines[start..].iter().position(is_end).unwrap_or(lines.len() - start - 1);
        found.push((name, body + 1));
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern", "\"C\""];
    if !before.split_whitespace().all(|word| modifiers.contains(&word)) {
        return None;
    }
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| &after[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(lines: usize) -> String {
        format!(
            "//! head\npub(crate) fn long(\n    a: u8,\n) {{\n{}}}\nfn short() {{}}\n",
            "    a;\n".repeat(lines - 4)
        )
    }

    #[test]
    fn functions_are_measured_from_name_to_brace() {
        assert_eq!(functions(&long(71)), [("long", 71)]);
        let nested = "impl A {\n    fn a() {\n        x(|| {\n        });\n    }\n    fn b();\n}\n// fn c() {\n";
        assert_eq!(functions(nested), [("a", 4)]);
    }

    #[test]
    fn what_is_too_long_needs_an_exception_and_a_needless_exception_is_found() {
        assert_eq!(measure("a.rs", &long(70), &mut []), [""; 0]);
        assert_eq!(measure("a.rs", &long(71), &mut []).len(), 1);
        let list = "[[longer]]\npath = 'a.rs'\nfunction = 'long'\nlines_max = 75\nreason = 'r'\n";
        let mut exceptions = parse(list).unwrap();
        assert_eq!(measure("a.rs", &long(75), &mut exceptions), [""; 0]);
        assert!(exceptions[0].used);
        assert_eq!(measure("a.rs", &long(76), &mut exceptions).len(), 1);
        let mut idle = parse(list).unwrap();
        measure("a.rs", &long(70), &mut idle);
        assert!(!idle[0].used);
        assert!(parse("[[longer]]\npath = 'a.rs'\nlines_max = 9\n").is_err(), "a reason is asked for");
    }

    #[test]
    fn a_long_file_and_a_missing_head_are_found() {
        assert_eq!(measure("a.rs", &"// x\n".repeat(401), &mut []).len(), 2);
    }
}
