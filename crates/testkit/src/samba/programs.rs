//! The programs that the fixture calls.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Fails unless all programs and libraries are there.
pub(super) fn require_packages(programs: &[&str], libraries: &[&str], packages: &[&str]) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<_> = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    let found = |program: &str| dirs.iter().any(|dir| dir.join(program).is_file());
    let present = |name: &str| ["/usr/lib", "/usr/lib64", "/lib"].iter().any(|dir| has_library(Path::new(dir), name));
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| !found(program))
        .chain(libraries.iter().filter(|library| !present(library)))
        .collect();
    assert!(
        missing.is_empty(),
        "the tests against a real Samba need {missing:?}; run:\n  apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
}

/// Whether a library lies in `dir` or in one folder below it, where Debian keeps one for each architecture.
fn has_library(dir: &Path, name: &str) -> bool {
    let below = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    dir.join(name).exists() || below.into_iter().any(|sub| sub.join(name).exists())
}

/// Runs a program that has to end well, with this input. What it printed.
pub(super) fn run_plain(command: &mut Command, input: &str) -> String {
    use std::io::Write;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{:?}: {e}", command.get_program()));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the program reads its input");
    let output = child.wait_with_output().expect("the program ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?} failed: {said}", command.get_program());
    said
}
