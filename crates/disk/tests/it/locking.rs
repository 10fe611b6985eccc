//! One run at a time.

use crate::ground::*;
use octo_core::{Code, Target};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

#[test]
fn a_second_process_is_kept_out_while_the_lock_is_held() {
    let yard = yard();
    let lock = yard.root.join(".octobackup/lock");
    let held = yard.target.lock().unwrap();
    let try_it = || Command::new("flock").args(["--nonblock", lock.to_str().unwrap(), "true"]).status();
    assert!(!try_it().expect("flock: apt-get install util-linux").success());
    assert_eq!(code(yard.target.lock().map(|_| ())), Code::TargetBusy, "nor twice in one process");
    drop(held);
    assert!(try_it().unwrap().success());
}

#[test]
fn a_lock_held_by_another_process_is_respected_until_it_dies() {
    let yard = yard();
    drop(yard.target.lock().unwrap());
    let lock = yard.root.join(".octobackup/lock");
    let mut other = Command::new("flock")
        .args(["--no-fork", "--nonblock", lock.to_str().unwrap(), "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("flock: apt-get install util-linux");
    // An echo proves that it runs, and so holds the lock.
    other.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    other.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    assert_eq!(code(yard.target.lock().map(|_| ())), Code::TargetBusy);
    other.kill().unwrap();
    other.wait().unwrap();
    yard.target.lock().unwrap();
}

#[test]
fn the_lock_and_its_folder_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let yard = yard();
    let _held = yard.target.lock().unwrap();
    let mode = |path: &str| yard.root.join(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(".octobackup"), mode(".octobackup/lock")), (0o700, 0o600));
}
