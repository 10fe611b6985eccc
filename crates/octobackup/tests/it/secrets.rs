//! A password is nowhere but where it came from.

use crate::share::samba;
use crate::world::{World, finish, tree};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const SECRET: &str = "pw-backupop";

fn assert_no_secret(what: &str, bytes: &[u8]) {
    let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    assert!(!found, "the password is in {what}");
}

#[test]
fn no_output_report_record_or_argument_has_the_password() {
    let (samba, world) = (samba(), World::new());
    let (report, file, dst) = (world.path("r.json"), world.path("pw"), world.dst());
    fs::write(&file, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let url = format!("smb://backupop@{}/data", samba.addr());
    let args = [
        "sync",
        &url,
        dst.to_str().unwrap(),
        "--json",
        "--report",
        report.to_str().unwrap(),
        "--bandwidth",
        "1K",
        "--password-file",
        file.to_str().unwrap(),
    ];
    let child = world.program(&args.map(AsRef::as_ref)).spawn().unwrap();
    assert_no_secret("the argument list", &fs::read(format!("/proc/{}/cmdline", child.id())).unwrap());
    let ran = finish(child).ends(0);
    assert_no_secret("standard output", ran.stdout.as_bytes());
    assert_no_secret("standard error", ran.stderr.as_bytes());
    assert_no_secret("the report", &fs::read(&report).unwrap());
    let records: Vec<_> = [dst, world.path("home")].iter().flat_map(|root| tree(root)).collect();
    assert!(records.iter().any(|(path, _)| path.ends_with("marker.toml")));
    for (path, (content, _)) in records {
        assert_no_secret(&path.display().to_string(), &content.unwrap_or_default());
    }
}

#[test]
fn a_password_comes_from_standard_input_too() {
    let (samba, world) = (samba(), World::new());
    let (url, dst) = (format!("smb://backupop@{}/data", samba.addr()), world.dst());
    let args = ["sync".as_ref(), url.as_ref(), dst.as_os_str(), "--password-stdin".as_ref()];
    let mut child = world.program(&args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{SECRET}\n").as_bytes()).unwrap();
    finish(child).ends(0);
}

#[test]
fn without_a_private_password_nothing_begins() {
    let world = World::new();
    let file = world.path("pw");
    fs::write(&file, SECRET).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let url = "smb://me@127.0.0.1/data";
    world.sync_from(url.as_ref(), &["--password-file", file.to_str().unwrap()]).ends(2).says("others may read it");
    world.sync_from(url.as_ref(), &[]).ends(2).says("OCTOBACKUP_PASSWORD");
    let ran =
        world.sync_from(format!("smb://me:{SECRET}@127.0.0.1/data").as_ref(), &[]).ends(2).says("--password-file");
    assert_no_secret("standard error", ran.stderr.as_bytes());
    assert!(!world.dst().exists());
}
