//! The server dies at single system calls that SQLite makes in its database: what was committed is there, and whole.

use octo_server::store::{Store, settings};
use octo_testkit::{child, strace};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// Tells a child process where its database is.
const ORDER: &str = "OCTO_DATABASE_ORDER";
/// Enough changes of enough bytes that the log is taken into the database meanwhile.
const CHANGES: usize = 40;
const VALUE_BYTES: usize = 120_000;

fn name(n: usize) -> String {
    format!("setting-{n}")
}

fn value(n: usize) -> String {
    format!("{n} ").repeat(VALUE_BYTES / 3)
}

/// Not a promise of its own: what a child process of the tests below does.
#[test]
#[ignore = "started by other tests, in a process of its own"]
#[expect(clippy::print_stdout, reason = "a child process tells its parent")]
fn child() {
    let place = child::order(ORDER);
    let store = match Store::open(Path::new(&place)) {
        Ok(store) => store,
        Err(error) => return println!("\nrefused: {error}"),
    };
    for n in 0..CHANGES {
        match store.change(|db| settings::put(db, &name(n), &value(n))) {
            Ok(()) => println!("\ncommitted {n}"),
            Err(error) => println!("\nrefused: {error}"),
        }
    }
}

fn child_of(place: &Path) -> Command {
    let mut command = child::test("kills::child");
    command.env(ORDER, place);
    command
}

fn for_samples(calls: &[&str], fate: &str, and_all_after: bool) {
    let folder = tempfile::tempdir().unwrap();
    let counted = strace::count(&child_of(&folder.path().join("counted")), calls, &folder.path().join("trace"));
    for (call, count) in counted {
        for k in strace::samples(count, std::process::id()) {
            let place = folder.path().join(format!("{call}-{k}"));
            let (status, said) = strace::with_fate(&child_of(&place), &call, fate, k, and_all_after);
            if fate == "signal=SIGKILL" {
                assert_eq!(status.signal(), Some(9), "the kill at {call} {k} did not fall into the work: {status}");
            }
            if fate != "signal=SIGKILL" && fate != "error=EIO" {
                let refused: Vec<_> = said.lines().filter(|line| line.starts_with("refused: ")).collect();
                assert!(refused.iter().all(|it| it.contains("no room is left")), "{fate} at {call} {k}: {refused:?}");
            }
            let store = Store::open(&place);
            let store = store.map_err(|e| format!("{fate} at {call} {k}: {e:?}")).unwrap();
            assert_eq!(store.prove(), Ok(()), "{fate} at {call} {k}");
            for n in said.lines().filter_map(|line| line.strip_prefix("committed ")?.parse().ok()) {
                let there = store.read(|db| settings::get(db, &name(n))).unwrap();
                assert!(there == Some(value(n)), "{fate} at {call} {k}: change {n} is lost");
            }
        }
    }
}

#[test]
fn killed_at_any_system_call_the_database_has_all_that_was_committed() {
    for_samples(&["pwrite64", "ftruncate", "fdatasync", "fsync", "unlink"], "signal=SIGKILL", false);
}

#[test]
fn a_disk_that_is_full_or_fails_costs_nothing_that_was_committed() {
    for_samples(&["pwrite64", "ftruncate"], "error=ENOSPC", true);
    for_samples(&["pwrite64", "ftruncate", "fdatasync"], "error=EDQUOT", true);
    for_samples(&["pwrite64", "fdatasync", "ftruncate"], "error=EIO", false);
}
