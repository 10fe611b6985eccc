//! Completions and manual pages know every command, and the shells that are there can read them.

use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_octobackup");

fn commands() -> Vec<String> {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let list = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_shell_gets_every_command() {
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = Command::new(PROGRAM).args(["completions", shell]).output().unwrap();
        assert!(script.status.success());
        let script = String::from_utf8(script.stdout).unwrap();
        let missing: Vec<_> = commands.iter().filter(|name| !script.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{shell} does not know {missing:?}");
    }
}

/// As a shell would: what is offered after `octobackup job `.
#[test]
fn bash_completes_a_command() {
    let script = format!(
        "source <('{}' completions bash); COMP_WORDS=(octobackup job ''); COMP_CWORD=2; \
         _octobackup octobackup '' job; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        PROGRAM
    );
    let offered = Command::new("bash").args(["-c", &script]).output().unwrap();
    let offered = String::from_utf8(offered.stdout).unwrap();
    assert!(offered.lines().any(|line| line == "add"), "{offered}");
}

#[test]
fn every_command_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let done = Command::new(PROGRAM).arg("man-pages").arg(&pages).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for command in commands() {
        let page = std::fs::read_to_string(pages.join(format!("octobackup-{command}.1"))).unwrap();
        assert!(page.contains(".TH ") && page.contains("SYNOPSIS"), "{command}: {page}");
    }
    let done = Command::new(PROGRAM).args(["man-pages", "/proc/nothing/here"]).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
}
