//! From a real Samba.

use crate::world::{Ran, World, finish};
use octo_core::Timestamp;
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs::{self, FileTimes};
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

/// A share with ordinary files, and some that only backup intent opens.
pub fn samba() -> Samba {
    let samba = Samba::start(SambaOptions::new());
    let root = samba.share_path("data");
    fs::create_dir_all(root.join("secret")).unwrap();
    for (name, text) in [("open.txt", "open"), ("locked.txt", "locked"), ("secret/inner.txt", "inner")] {
        fs::write(root.join(name), text).unwrap();
    }
    ["locked.txt", "secret/inner.txt", "secret"].iter().for_each(|path| samba.deny(path));
    samba
}

/// `sync` as `user` with a password in the environment.
fn sync(world: &World, source: &str, password: &str, options: &[&str]) -> Ran {
    let dst = world.dst();
    let mut args = vec!["sync".as_ref(), source.as_ref(), dst.as_os_str()];
    args.extend(options.iter().map(std::ffi::OsStr::new));
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", password).spawn().unwrap())
}

fn text(world: &World, path: &str) -> Option<String> {
    fs::read_to_string(world.dst().join(path)).ok()
}

#[test]
fn a_backup_operator_gets_everything_and_changes_follow() {
    let (samba, world) = (samba(), World::new());
    let url = format!("smb://backupop@{}/data", samba.addr());
    sync(&world, &url, "pw-backupop", &[]).ends(0).says("3 new");
    assert_eq!(text(&world, "locked.txt").as_deref(), Some("locked"));
    assert_eq!(text(&world, "secret/inner.txt").as_deref(), Some("inner"));
    sync(&world, &url, "pw-backupop", &[]).ends(0).says("Unchanged   3 files");
    fs::write(samba.share_path("data").join("open.txt"), "changed").unwrap();
    fs::remove_file(samba.share_path("data").join("locked.txt")).unwrap();
    sync(&world, &url, "pw-backupop", &[]).ends(0).says("0 new, 1 changed").says("Deleted     1 file");
    assert_eq!(text(&world, "open.txt").as_deref(), Some("changed"));
    assert_eq!(text(&world, "locked.txt"), None);
}

#[test]
fn all_ways_to_write_a_share_and_administrative_shares_work() {
    let (samba, address) = (samba(), |samba: &Samba| samba.addr());
    let address = address(&samba);
    for source in [format!("//{address}:4450/c$/secret"), format!(r"\\{address}\c$\secret")] {
        let world = World::new();
        sync(&world, &source, "pw-backupop", &["--user", "backupop"]).ends(0);
        assert_eq!(text(&world, "inner.txt").as_deref(), Some("inner"));
    }
}

#[test]
fn without_the_privilege_the_rest_is_copied_and_require_fails() {
    let (samba, world) = (samba(), World::new());
    let url = format!("smb://plain@{}/data", samba.addr());
    sync(&world, &url, "pw-plain", &[]).ends(1).says("access denied").says("locked.txt");
    assert_eq!(text(&world, "open.txt").as_deref(), Some("open"));
    assert_eq!(text(&world, "locked.txt"), None);
    sync(&world, &url, "pw-plain", &["--backup-intent", "require"]).ends(3).says("backup privilege");

    let (off, url) = (World::new(), format!("smb://backupop@{}/data", samba.addr()));
    sync(&off, &url, "pw-backupop", &["--backup-intent", "off"]).ends(1).says("access denied");
}

#[test]
fn logon_share_and_network_errors_are_told_apart() {
    let (samba, world) = (samba(), World::new());
    let address = samba.addr();
    let code = |source: &str, password: &str| {
        let ran = sync(&world, source, password, &["--json"]).ends(3);
        ran.report()["causes"][0]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&format!("smb://backupop@{address}/data"), "wrong"), "logon-failed");
    assert_eq!(code(&format!("smb://nobody-knows@{address}/data"), "wrong"), "logon-failed");
    assert_eq!(code(&format!("smb://backupop@{address}/nothing"), "pw-backupop"), "share-not-found");
    assert_eq!(code(&format!("smb://backupop@{address}/data/nothing"), "pw-backupop"), "source-missing");
    assert_eq!(code(&format!("smb://plain@{address}/c$"), "pw-plain"), "share-denied");
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    assert_eq!(code(&format!("smb://me@127.0.0.1:{port}/data"), "pw"), "unreachable");
    assert!(!world.dst().exists(), "nothing came into being");
}

#[test]
fn approval_logs_on_again() {
    let (samba, world) = (samba(), World::new());
    let many = samba.share_path("data").join("many");
    fs::create_dir(&many).unwrap();
    (0..30).for_each(|n| fs::write(many.join(n.to_string()), "x").unwrap());
    let url = format!("smb://backupop@{}/data", samba.addr());
    sync(&world, &url, "pw-backupop", &[]).ends(0);
    fs::remove_dir_all(&many).unwrap();
    sync(&world, &url, "pw-backupop", &[]).ends(4);
    let shown = world.held(&["--json"]).ends(0).events().remove(0);
    let id = shown["held"]["id"].as_str().unwrap();
    world.held(&["--approve", id]).ends(2).says("password");
    let dst = world.dst();
    let args = ["held".as_ref(), dst.as_os_str(), "--approve".as_ref(), id.as_ref()];
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", "pw-backupop").spawn().unwrap()).ends(0);
    assert!(!dst.join("many").exists());
}

#[test]
fn a_file_in_use_comes_from_the_newest_previous_version_and_later_as_it_is() {
    let (samba, world) = (Samba::start(SambaOptions::new().share_with_snapshots("shadow", "data")), World::new());
    let root = samba.share_path("shadow");
    fs::write(root.join("db.mdf"), "as it was").unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let taken = Timestamp::from_unix(i64::try_from(now.as_secs()).unwrap() - 3600, 0);
    samba.take_snapshot("shadow", taken);
    fs::write(root.join("db.mdf"), "as it is now").unwrap();
    fs::write(root.join("mail.pst"), "not in any previous version").unwrap();
    let held = [samba.hold("shadow", "db.mdf"), samba.hold("shadow", "mail.pst")];
    let url = format!("smb://backupop@{}/shadow", samba.addr());
    let ran = sync(&world, &url, "pw-backupop", &[]).ends(1).says("1 problem: in use by another program");
    assert!(ran.stdout.contains("the newest previous versions do not have it; there is no copy of it yet"));
    let said = format!("db.mdf  (as it was at {taken} UTC; copied)");
    assert!(ran.stdout.contains("1 note: in use, and read from a previous version instead"), "{}", ran.stdout);
    assert!(ran.stdout.contains(&said), "{}", ran.stdout);
    assert_eq!(text(&world, "db.mdf").as_deref(), Some("as it was"));
    assert_eq!(text(&world, "mail.pst"), None);
    drop(held);
    sync(&world, &url, "pw-backupop", &[]).ends(0).says("1 new, 1 changed");
    assert_eq!(text(&world, "db.mdf").as_deref(), Some("as it is now"));
    assert_eq!(text(&world, "mail.pst").as_deref(), Some("not in any previous version"));
    let _held = samba.hold("shadow", "db.mdf");
    fs::write(root.join("db.mdf"), "newer again").unwrap();
    // The only previous version is older than the copy by now.
    let ran =
        sync(&world, &url, "pw-backupop", &[]).ends(1).says("is older than the copy; the copy in the mirror is from");
    assert!(!ran.stdout.contains("note"), "{}", ran.stdout);
    assert_eq!(text(&world, "db.mdf").as_deref(), Some("as it is now"));
}

#[test]
fn where_listings_hide_what_is_unreadable_nothing_is_deleted_until_they_are_trusted() {
    let hiding = ["access based share enum = yes", "hide unreadable = yes"];
    let samba = Samba::start(SambaOptions::new().share("abe", "data", &hiding));
    let (world, trusting) = (World::new(), World::new());
    let root = samba.share_path("abe");
    for name in ["stays", "gone", "hidden"] {
        fs::write(root.join(name), name).unwrap();
    }
    let url = format!("smb://plain@{}/abe", samba.addr());
    for world in [&world, &trusting] {
        sync(world, &url, "pw-plain", &[]).ends(0).says("3 new");
    }
    fs::remove_file(root.join("gone")).unwrap();
    samba.deny("hidden");
    sync(&world, &url, "pw-plain", &[]).ends(4);
    assert_eq!(text(&world, "hidden").as_deref(), Some("hidden"));
    assert_eq!(text(&world, "gone").as_deref(), Some("gone"));
    sync(&trusting, &url, "pw-plain", &["--trust-listings"]).ends(0);
    assert_eq!(text(&trusting, "gone"), None);
    assert_eq!(text(&trusting, "stays").as_deref(), Some("stays"));
}

#[test]
fn what_a_share_has_moved_elsewhere_is_not_read() {
    let options = SambaOptions::new().share("shelf", "shelf", &["vfs objects = offline"]);
    let (samba, world) = (Samba::start(options), World::new());
    fs::create_dir(samba.share_path("shelf").join("folder")).unwrap();
    fs::write(samba.share_path("shelf").join("folder/on tape"), "x").unwrap();
    let url = format!("smb://plain@{}/shelf", samba.addr());
    let ran = sync(&world, &url, "pw-plain", &["--json"]);
    assert_eq!(ran.report()["counts"]["not_local"], 1, "{}", ran.stdout);
    assert_eq!(text(&world, "folder/on tape"), None);
}

#[test]
fn files_that_a_share_has_moved_one_by_one_are_not_read_again() {
    let (samba, world) = (samba(), World::new());
    let share = samba.share_path("data");
    // Of the second of this and the fraction of the change time, which renaming moves, Samba makes up a creation time.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 999_999_600);
    ["from", "to"].iter().for_each(|name| fs::create_dir(share.join(name)).unwrap());
    for n in 0..20 {
        let file = fs::File::create(share.join(format!("from/{n}"))).unwrap();
        (&file).write_all(b"more").unwrap();
        file.set_times(FileTimes::new().set_accessed(long_ago).set_modified(long_ago)).unwrap();
    }
    let source = format!("smb://backupop@{}/data", samba.addr());
    let nightly = || sync(&world, &source, "pw-backupop", &["--json"]);
    nightly().ends(0);
    (0..20).for_each(|n| fs::rename(share.join(format!("from/{n}")), share.join(format!("to/{n}"))).unwrap());
    let report = nightly().ends(0).report();
    assert_eq!((&report["counts"]["moved"], &report["counts"]["copied_bytes"]), (&20.into(), &0.into()), "{report}");
}
