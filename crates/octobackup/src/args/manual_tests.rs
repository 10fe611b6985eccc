//! The manual and the program say the same: every option of the program is in the manual, every option in the manual
//! exists, and every command in it is one.

use super::Cli;
use clap::{CommandFactory, Parser};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn page(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(name)).unwrap()
}

fn pages() -> Vec<(String, String)> {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manual");
    let pages = fs::read_dir(manual).unwrap().map(|page| page.unwrap().path());
    let named = |path: std::path::PathBuf| (path.display().to_string(), fs::read_to_string(path).unwrap());
    pages.map(named).chain([("README.md".to_owned(), page("README.md"))]).collect()
}

/// `--name` wherever it is written.
fn options_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let names = words.filter_map(|word| word.strip_prefix("--"));
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).map(str::to_owned).collect()
}

/// The options of each command.
fn options() -> Vec<(String, BTreeSet<String>)> {
    let cli = Cli::command();
    let names =
        |command: &clap::Command| command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned).collect();
    let everywhere: BTreeSet<String> = names(&cli);
    let all = |command: &clap::Command| names(command).union(&everywhere).cloned().collect();
    cli.get_subcommands().map(|command| (command.get_name().to_owned(), all(command))).collect()
}

#[test]
fn every_option_of_the_program_is_in_the_manual() {
    let sync = options_in(&page("docs/manual/options.md"));
    let anywhere: BTreeSet<_> = pages().iter().flat_map(|(_, text)| options_in(text)).collect();
    for (command, options) in options() {
        let documented = if command == "sync" { &sync } else { &anywhere };
        let missing: Vec<_> = options.difference(documented).collect();
        assert!(missing.is_empty(), "the manual does not tell of {missing:?} of {command}");
    }
}

#[test]
fn every_option_in_the_list_of_options_exists() {
    let exist: BTreeSet<_> = options().into_iter().flat_map(|(_, options)| options).collect();
    let documented = options_in(&page("docs/manual/options.md"));
    let unknown: Vec<_> = documented.difference(&exist).collect();
    assert!(unknown.is_empty(), "there are no such options: {unknown:?}");
}

/// The words of a line as a shell takes them. A comment ends it, and so does what becomes of the output.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            '#' | '>' if !quoted && word.is_empty() => break,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[test]
fn every_command_in_the_manual_is_one() {
    let mut tried = 0;
    for (name, text) in pages() {
        let fenced = text.split("```").skip(1).step_by(2);
        for line in fenced.flat_map(str::lines) {
            let words = words(line.trim());
            if words.first().is_none_or(|program| program != "octobackup" && !program.ends_with("/octobackup")) {
                continue;
            }
            if let Err(error) = Cli::try_parse_from(&words) {
                unreachable!("{name}: {line}\n{error}");
            }
            tried += 1;
        }
    }
    assert!(tried > 15, "only {tried} commands were found");
}
