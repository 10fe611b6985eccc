//! The real program under strace: how many system calls of a kind it makes, and what happens if it dies at, or is refused, the
//! k-th of them. So every write, sync, truncate, rename and removal is a scenario, those of libraries included.

#![expect(clippy::panic, reason = "a test without its tool fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// What changes something on a disk.
pub const EFFECTS: &[&str] = &[
    "pwrite64",
    "write",
    "ftruncate",
    "fdatasync",
    "fsync",
    "syncfs",
    "renameat2",
    "rename",
    "linkat",
    "unlinkat",
    "unlink",
    "mkdirat",
];

/// Calls spread over a run when not all are tried, of each kind.
const SAMPLES: u32 = 3;
/// Stops the program at the traced calls only, which is much faster. Signals are then hardly ever sent (strace 6.1).
const STOP_ONLY_THERE: &str = "--seccomp-bpf";
/// Set, it makes the tests try every call.
const ALL: &str = "OCTO_EVERY_CALL";

fn under(command: &Command, options: &[&str]) -> Command {
    let mut under = Command::new("strace");
    under.args(["-f", "-qq"]).args(options).arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => under.env(name, value),
            None => under.env_remove(name),
        };
    }
    under
}

/// Runs the program to its end. How often it makes each of the `calls`: the most of its threads, as strace counts them one by one.
pub fn count(command: &Command, calls: &[&str], scratch: &Path) -> BTreeMap<String, u32> {
    let trace = format!("trace={}", calls.join(","));
    let mut child = under(command, &[STOP_ONLY_THERE, "-o", &scratch.display().to_string(), "-e", &trace]);
    let output = child.output().unwrap_or_else(|e| panic!("strace: {e}; `cargo xtask apt` installs it"));
    assert!(output.status.success(), "{child:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&std::fs::read(scratch).unwrap_or_default()).into_owned();
    let mut by_thread: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(rest)) = (words.next(), words.next()) else { continue };
        if let Some((call, _)) = rest.split_once('(') {
            *by_thread.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), count) in by_thread {
        let entry = most.entry(call.to_owned()).or_default();
        *entry = count.max(*entry);
    }
    most
}

/// Runs the program; `fate` befalls the k-th `call` of each thread: `signal=SIGKILL`, `error=EIO`. With `and_all_after` every
/// later one too. Tells how it ended, and what it said.
pub fn with_fate(command: &Command, call: &str, fate: &str, k: u32, and_all_after: bool) -> (ExitStatus, String) {
    let more = if and_all_after { "+" } else { "" };
    let inject = format!("inject={call}:{fate}:when={k}{more}");
    let trace = format!("trace={call}");
    let mut options = vec!["-o", "/dev/null", "-e", &trace, "-e", &inject];
    if !fate.starts_with("signal=") {
        options.push(STOP_ONLY_THERE);
    }
    let mut child = under(command, &options);
    let output = child.output().unwrap_or_else(|e| panic!("strace: {e}; `cargo xtask apt` installs it"));
    let said = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8_lossy(&said).into_owned())
}

/// Which of `count` calls are tried: all if `OCTO_EVERY_CALL` is set, else a few spread over them, others with another `seed`.
pub fn samples(count: u32, seed: u32) -> Vec<u32> {
    if std::env::var_os(ALL).is_some() || count <= SAMPLES {
        return (1..=count).collect();
    }
    let stride = count / SAMPLES;
    (0..SAMPLES).map(|i| 1 + i * stride + seed % stride).collect()
}
