//! Kerberos, guests and demands on the connection, from the command line to the saved job.

use crate::world::{Ran, World, finish};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::path::Path;

const NOT_ENCRYPTED: &str = "the server does not encrypt";

/// The program with a ticket cache in the environment, and no password.
fn with_tickets(world: &World, cache: &Path, args: &[&str]) -> Ran {
    let args: Vec<_> = args.iter().map(std::ffi::OsStr::new).collect();
    finish(world.program(&args).env("KRB5CCNAME", format!("FILE:{}", cache.display())).spawn().unwrap())
}

fn with_password(world: &World, password: &str, args: &[&str]) -> Ran {
    let args: Vec<_> = args.iter().map(std::ffi::OsStr::new).collect();
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", password).spawn().unwrap())
}

#[test]
fn tickets_are_enough_for_a_run_and_for_the_approval_after_it() {
    let (samba, world) = (Samba::start(SambaOptions::new().with_kerberos()), World::new());
    let many = samba.share_path("data").join("many");
    fs::create_dir(&many).unwrap();
    (0..30).for_each(|n| fs::write(many.join(n.to_string()), "x").unwrap());
    let (cache, kdc) = (samba.kdc().log_in("backupop"), samba.kdc().address().to_owned());
    let (source, dst) = (format!("//{}/data", samba.addr()), world.dst());
    let dst = dst.to_str().unwrap();
    let demands = ["--kerberos", "--kdc", &kdc, "--encrypt", "require", "--min-dialect", "3.1.1"];
    let sync = [&["sync", &source, dst][..], &demands].concat();
    with_tickets(&world, &cache, &sync).ends(0).says("30 new");
    fs::remove_dir_all(&many).unwrap();
    with_tickets(&world, &cache, &sync).ends(4);
    let shown = with_tickets(&world, &cache, &["held", dst, "--json"]).ends(0).events().remove(0);
    let id = shown["held"]["id"].as_str().unwrap();
    let none = world.path("no-such-cache");
    with_tickets(&world, &none, &["held", dst, "--approve", id]).ends(3).says("no-such-cache");
    with_tickets(&world, &cache, &["held", dst, "--approve", id]).ends(0);
    assert!(!world.dst().join("many").exists());

    let marker = fs::read_to_string(world.dst().join(".octobackup/marker.toml")).unwrap();
    assert!(marker.contains("3.1.1") && marker.contains("require") && marker.contains("kerberos"), "{marker}");
    assert!(!marker.contains(cache.to_str().unwrap()), "where tickets lie is no part of a job");
}

#[test]
fn a_password_gets_tickets_too_and_questions_take_the_same_options() {
    let (samba, world) = (Samba::start(SambaOptions::new().with_kerberos()), World::new());
    fs::write(samba.share_path("data").join("file"), "x").unwrap();
    let (source, dst) = (format!("//{}/data", samba.addr()), world.dst());
    let kdc = samba.kdc().address().to_owned();
    let account = ["--kerberos", "--kdc", &kdc, "--user", r"OCTO.TEST\plain"];
    let sync = [&["sync", &source, dst.to_str().unwrap()][..], &account].concat();
    with_password(&world, "pw-plain", &sync).ends(0).says("1 new");
    with_password(&world, "wrong", &sync).ends(3).says("wrong password");
    with_password(&world, "pw-plain", &[&["ls", &source][..], &account].concat()).ends(0).says("file");
    with_password(&world, "pw-plain", &[&["shares", &samba.addr()][..], &account].concat()).ends(0).says("data");
    let homeless = ["ls", &source, "--kerberos", "--user", "plain"];
    with_password(&world, "pw-plain", &homeless).ends(2).says("REALM\\USER");
}

#[test]
fn a_guest_is_let_in_only_when_asked_for_and_the_report_says_what_that_means() {
    let options = SambaOptions::new().global("map to guest = Bad User").global("guest account = plain");
    let samba = Samba::start(options.share("public", "public", &["guest ok = yes"]));
    fs::write(samba.share_path("public").join("file"), "x").unwrap();
    let (source, world) = (format!("//{}/public", samba.addr()), World::new());
    world.sync_from(source.as_ref(), &["--guest"]).ends(0).says("1 new").says("neither signed nor encrypted");
    let world = World::new();
    let dst = world.dst();
    let sync = ["sync", &source, dst.to_str().unwrap(), "--user", "nobody-of-that-name"];
    with_password(&world, "x", &sync).ends(3).says("guest");
}

#[test]
fn encryption_that_cannot_be_had_is_refused_named_or_switched_off() {
    let samba = Samba::start(SambaOptions::new().global("server smb encrypt = off"));
    fs::write(samba.share_path("data").join("file"), "x").unwrap();
    let (source, world) = (format!("smb://plain@{}/data", samba.addr()), World::new());
    let dst = world.dst();
    let sync = |options: &[&str]| {
        let all = [&["sync", &source, dst.to_str().unwrap()][..], options].concat();
        with_password(&world, "pw-plain", &all)
    };
    sync(&["--encrypt", "require"]).ends(3).says("encryption is demanded");
    assert!(!world.dst().exists(), "nothing came into being");
    sync(&[]).ends(0).says(NOT_ENCRYPTED);
    let silent = sync(&["--encrypt", "off"]).ends(0);
    assert!(!silent.stdout.contains(NOT_ENCRYPTED));
    sync(&["--min-dialect", "3.1.1"]).ends(0);
}
