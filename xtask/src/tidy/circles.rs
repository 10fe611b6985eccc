//! No file of a crate imports itself by way of others: who reads one of them need not know the others that use it.
//!
//! Read from the text, whose layout `cargo fmt --check` guarantees: items begin in the first column. What a path names is
//! followed through `use` and `pub use` to the file that defines it. A `pub use` by itself is no import, and tests may
//! import what they like.

use super::{files, shown};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// `pub use` that leads to `pub use`, and so on: no more than this.
const STEPS_MAX: u32 = 16;

/// A path in the code, by its names.
type Names = Vec<String>;

/// One file, which is one module.
struct Module {
    file: String,
    items: BTreeSet<String>,
    /// What each `use` calls something here, and what it is.
    uses: Vec<(String, Names)>,
    /// Every path that this file needs.
    needs: Vec<Names>,
}

/// The modules of one crate, by their paths.
type Modules = BTreeMap<Names, Module>;

/// Complaints about circles of files.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for entry in fs::read_dir(root.join("crates")).context("crates")? {
        let source = entry?.path().join("src");
        if source.is_dir() {
            complaints.extend(circles(&read(root, &source)?));
        }
    }
    Ok(complaints)
}

/// Reads a crate. Programs in `bin` have no module of their own.
fn read(root: &Path, source: &Path) -> Result<Modules> {
    let mut texts = BTreeMap::new();
    for file in files(source, "rs")? {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let path = file.strip_prefix(source)?.with_extension("");
        let mut names: Names = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        if names.first().is_some_and(|first| first == "bin") {
            continue;
        }
        if names.last().is_some_and(|last| last == "mod") || names == ["lib"] || names == ["main"] {
            names.pop();
        }
        texts.insert(names, (shown(root, &file), text));
    }
    let tests: Vec<Names> = texts.iter().flat_map(|(names, (_, text))| test_modules(names, text)).collect();
    texts.retain(|names, _| !tests.iter().any(|test| names.starts_with(test)));
    Ok(texts.into_iter().map(|(names, (file, text))| (names, module(file, &text))).collect())
}

/// The files that are there for tests only.
fn test_modules(names: &Names, text: &str) -> Vec<Names> {
    let mut is_test = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.split("mod ").nth(1).and_then(|rest| rest.strip_suffix(';')).filter(|_| is_test) {
            found.push(names.iter().cloned().chain([name.to_owned()]).collect());
        }
        is_test = is_for_tests(line) || is_test && line.starts_with("#[");
    }
    found
}

fn is_for_tests(line: &str) -> bool {
    line.starts_with("#[cfg(") && line.contains("test") && !line.contains("not(test)")
}

fn module(file: String, text: &str) -> Module {
    let code = without_tests(text);
    let mut module = Module { file, items: BTreeSet::new(), uses: Vec::new(), needs: Vec::new() };
    let mut rest = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let (is_public, words) = without_visibility(line.trim_start());
        if !words.starts_with("use ") {
            module.items.extend(item(line));
            rest.push_str(line);
            rest.push('\n');
            continue;
        }
        let mut statement = words.to_owned();
        while !statement.ends_with(';') {
            let Some(next) = lines.next() else { break };
            statement.push_str(next.trim());
        }
        let uses = expand(statement.trim_start_matches("use ").trim_end_matches(';'));
        if !is_public {
            module.needs.extend(uses.iter().map(|(_, names)| names.clone()));
        }
        module.uses.extend(uses);
    }
    module.needs.extend(paths(&rest));
    module
}

/// The code without comments, texts, and what is there for tests only.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if is_for_tests(line) {
            while lines.next_if(|next| next.starts_with("#[")).is_some() {}
            let Some(item) = lines.next() else { break };
            if !item.ends_with(';') && !item.ends_with('}') {
                lines.by_ref().find(|line| *line == "}" || *line == "];");
            }
            continue;
        }
        let mut parts = line.split('"');
        let outside: Vec<&str> = parts.by_ref().step_by(2).collect();
        let outside = outside.join("\"\"");
        code.push_str(outside.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    code
}

fn without_visibility(line: &str) -> (bool, &str) {
    let Some(rest) = line.strip_prefix("pub") else { return (false, line) };
    let rest = match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(')').map_or(rest, |(_, rest)| rest),
        None => rest,
    };
    (true, rest.trim_start())
}

/// The name of the item that begins in this line.
fn item(line: &str) -> Option<String> {
    if line.starts_with(' ') {
        return None;
    }
    let words = without_visibility(line).1;
    let mut words = words.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let kinds = ["struct", "enum", "trait", "fn", "type", "const", "static", "union", "macro_rules"];
    let mut is_item = false;
    loop {
        let word = words.next()?;
        if kinds.contains(&word) {
            is_item = true;
        } else if is_item {
            return Some(word.to_owned());
        } else if !["async", "unsafe", "extern"].contains(&word) {
            return None;
        }
    }
}

/// The single imports of a `use`: what each is called here, and its path.
fn expand(tree: &str) -> Vec<(String, Names)> {
    let tree = tree.trim();
    if let Some((before, inner)) = tree.strip_suffix('}').and_then(|tree| tree.split_once('{')) {
        let prefix: Names = before.split("::").map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
        let mut parts = Vec::new();
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&inner[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(&inner[start..]);
        for part in parts.into_iter().filter(|part| !part.trim().is_empty()) {
            for (name, names) in expand(part) {
                match (names.as_slice(), prefix.last()) {
                    ([only], Some(last)) if only == "self" => found.push((last.clone(), prefix.clone())),
                    _ => found.push((name, prefix.iter().cloned().chain(names).collect())),
                }
            }
        }
        return found;
    }
    let (path, name) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name.trim())));
    let names: Names = path.split("::").map(|name| name.trim().to_owned()).collect();
    let name = name.map(str::to_owned).or_else(|| names.last().cloned()).unwrap_or_default();
    vec![(name, names)]
}

/// Every path with `::` in the code.
fn paths(code: &str) -> Vec<Names> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_part(c)).filter(|word| word.contains("::"));
    words.map(|word| word.split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect()).collect()
}

/// The module whose file defines what `path` names, seen from `from`.
fn resolve(modules: &Modules, from: &[String], path: &[String], steps: u32) -> Option<Names> {
    if steps > STEPS_MAX {
        return None;
    }
    let (mut at, mut path) = (from.to_vec(), path);
    match path.first()?.as_str() {
        "crate" => (at, path) = (Vec::new(), &path[1..]),
        "self" => path = &path[1..],
        "super" => {
            while path.first().is_some_and(|name| name == "super") {
                at.pop();
                path = &path[1..];
            }
        }
        _ => {}
    }
    while let Some(name) = path.first() {
        let module = modules.get(&at)?;
        if module.items.contains(name) {
            return Some(at);
        }
        let below: Names = at.iter().cloned().chain([name.clone()]).collect();
        if modules.contains_key(&below) {
            (at, path) = (below, &path[1..]);
            continue;
        }
        let named =
            module.uses.iter().find(|(used, names)| used == name && names.as_slice() != std::slice::from_ref(name));
        if let Some((_, names)) = named {
            let whole: Names = names.iter().chain(&path[1..]).cloned().collect();
            return resolve(modules, &at, &whole, steps + 1);
        }
        return module.uses.iter().filter(|(used, _)| used == "*").find_map(|(_, names)| {
            let whole: Names = names[..names.len() - 1].iter().chain(path).cloned().collect();
            resolve(modules, &at, &whole, steps + 1)
        });
    }
    None
}

/// One complaint for each group of files that reach each other.
fn circles(modules: &Modules) -> Vec<String> {
    let needs = |names: &Names, module: &Module| -> BTreeSet<Names> {
        let resolved = module.needs.iter().filter_map(|path| resolve(modules, names, path, 0));
        resolved.filter(|needed| needed != names).collect()
    };
    let needs: BTreeMap<&Names, BTreeSet<Names>> =
        modules.iter().map(|(names, module)| (names, needs(names, module))).collect();
    let reached = |from: &Names| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            open.extend(needs.get(at).into_iter().flatten().filter(|next| reached.insert((*next).clone())));
        }
        reached
    };
    let reach: BTreeMap<&Names, BTreeSet<Names>> = modules.keys().map(|names| (names, reached(names))).collect();
    let mut groups = BTreeSet::new();
    for (names, reached) in reach.iter().filter(|(names, reached)| reached.contains(**names)) {
        let is_mutual = |other: &&Names| reach.get(*other).is_some_and(|back| back.contains(*names));
        let group: Vec<&str> = reached.iter().filter(is_mutual).map(|it| modules[it].file.as_str()).collect();
        groups.insert(group.join(", "));
    }
    groups.into_iter().map(|group| format!("these files import each other in a circle: {group}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> Modules {
        let names = |path: &str| path.split('/').filter(|it| !it.is_empty()).map(str::to_owned).collect::<Names>();
        files.iter().map(|(path, text)| (names(path), module((*path).to_owned(), text))).collect()
    }

    #[test]
    fn a_circle_is_found_through_a_facade_and_tests_make_none() {
        let facade = ("", "mod a;\nmod b;\npub use a::{A, f as g};\n");
        let a = ("a", "use crate::b::B;\npub struct A(B);\npub fn f() {}\n");
        let circle = crate_of(&[facade, a, ("b", "pub struct B;\nfn h() {\n    crate::g();\n}\n")]);
        assert_eq!(circles(&circle), ["these files import each other in a circle: a, b"]);
        let b = ("b", "pub struct B;\n\n#[cfg(test)]\nmod tests {\n    use crate::A;\n}\n");
        assert!(circles(&crate_of(&[facade, a, b])).is_empty());
        let b = ("b", "pub struct B;\n// crate::A\nconst TEXT: &str = \"crate::a::A\";\n");
        assert!(circles(&crate_of(&[facade, a, b])).is_empty());
    }

    #[test]
    fn a_module_and_what_is_in_it_are_two_files() {
        let inner = ("a/inner", "use super::A;\npub fn f(_: A) {}\n");
        let circle =
            crate_of(&[("", "mod a;\n"), ("a", "mod inner;\npub struct A;\nfn g() {\n    inner::f(A);\n}\n"), inner]);
        assert_eq!(circles(&circle), ["these files import each other in a circle: a, a/inner"]);
    }
}
