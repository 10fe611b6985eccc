//! A test that another test starts in a process of its own, because it is to die, or because what it changes belongs to the process.
//! It is `#[ignore]`d, so that it never runs by itself, and it fails without its environment variable.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;

/// The ignored test of this name in the program of tests that is running, as a command.
///
/// # Panics
///
/// If there is no such test: a runner that finds none calls it a success.
pub fn test(name: &str) -> Command {
    assert!(ignored().contains(name), "{name} is not an ignored test of this program");
    let mut command = this_program();
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command
}

/// The ignored tests of this program; asked once, because some tests start hundreds of children.
fn ignored() -> &'static BTreeSet<String> {
    static IGNORED: OnceLock<BTreeSet<String>> = OnceLock::new();
    IGNORED.get_or_init(|| {
        let listed = this_program().args(["--list", "--ignored"]).output().expect("a program of tests lists them");
        let lines = String::from_utf8_lossy(&listed.stdout).into_owned();
        lines.lines().filter_map(|line| line.trim().strip_suffix(": test")).map(str::to_owned).collect()
    })
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().expect("a running program has a path"))
}

/// What the test that starts this one put into the environment under this name.
///
/// # Panics
///
/// If it is not there: somebody ran the ignored test by itself.
pub fn order(name: &str) -> String {
    std::env::var(name).expect("set by the test that starts this one")
}

#[cfg(test)]
mod tests {
    #[test]
    #[ignore = "started by the test below"]
    fn says_its_order() {
        assert_eq!(super::order("OCTO_CHILD_ORDER"), "sing");
    }

    #[test]
    fn a_child_gets_its_order_and_fails_without() {
        let name = "child::tests::says_its_order";
        assert!(super::test(name).env("OCTO_CHILD_ORDER", "sing").output().unwrap().status.success());
        assert!(!super::test(name).output().unwrap().status.success());
        assert!(std::panic::catch_unwind(|| super::test("child::tests::nobody")).is_err());
    }
}
