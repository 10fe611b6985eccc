//! Finding one's way, and the doctor, against a real Samba.

use crate::share;
use crate::world::{Ran, World, finish};
use octo_testkit::samba::{Samba, SambaOptions};
use serde_json::Value;
use std::fs;

fn ask(world: &World, user: &str, args: &[&str]) -> Ran {
    let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", Samba::password(user)).spawn().unwrap())
}

/// What `doctor --json` says on each topic: its verdict and its words.
struct Findings(Value);

impl Findings {
    #[track_caller]
    fn on(&self, topic: &str) -> (&str, &str) {
        let all = self.0["findings"].as_array().unwrap();
        let found = all.iter().find(|finding| finding["topic"] == topic).expect(topic);
        (found["verdict"].as_str().unwrap(), found["says"].as_str().unwrap())
    }
}

/// Runs `doctor --json` on a share as a user, and checks its exit code.
#[track_caller]
fn doctor(world: &World, samba: &Samba, user: &str, share: &str, more: &[&str], code: i32) -> Findings {
    let url = format!("smb://{user}@{}/{share}", samba.addr());
    let args: Vec<&str> = ["doctor", &url, "--json"].into_iter().chain(more.iter().copied()).collect();
    let mut lines = ask(world, user, &args).ends(code).events();
    assert_eq!(lines.len(), 1);
    Findings(lines.remove(0))
}

#[test]
fn the_backup_privilege_is_proven_missing_or_untold() {
    let (samba, world) = (share::samba(), World::new());
    let (verdict, says) =
        (doctor(&world, &samba, "backupop", "data", &[], 0), doctor(&world, &samba, "plain", "data", &[], 1));
    assert!(
        matches!(verdict.on("backup-privilege"), ("ok", says) if says.starts_with("works") && says.contains("locked.txt"))
    );
    assert!(
        matches!(says.on("backup-privilege"), ("look", says) if says.starts_with("missing") && says.contains("secret"))
    );
    assert!(matches!(says.on("unlisted"), ("look", says) if says.contains("secret")));
    // The administrator may read everything anyway.
    let untold = doctor(&world, &samba, "admin", "data", &[], 0);
    assert!(matches!(untold.on("backup-privilege"), ("note", says) if says.starts_with("cannot tell")));
    assert_eq!(untold.on("clock").0, "ok");
    assert_eq!(untold.on("protocol"), ("ok", "SMB 3.1.1"));
    assert_eq!(untold.on("previous-versions").0, "note");
    assert_eq!(untold.0["looked_at"]["entries"], 4);
}

#[test]
fn encryption_access_based_enumeration_and_previous_versions_are_named() {
    let options = SambaOptions::new()
        .share("enc", "data", &["server smb encrypt = required"])
        .share("abe", "data", &["access based share enum = yes", "hide unreadable = yes"])
        .share(
            "shadow",
            "shadow",
            &[
                "vfs objects = shadow_copy2",
                "shadow:snapdir = .snapshots",
                "shadow:snapdirseverywhere = yes",
                "shadow:format = @GMT-%Y.%m.%d-%H.%M.%S",
                "shadow:localtime = no",
            ],
        );
    let (samba, world) = (Samba::start(options), World::new());
    fs::create_dir_all(samba.share_path("shadow").join(".snapshots/@GMT-2023.11.14-22.13.20")).unwrap();
    let encrypted = doctor(&world, &samba, "plain", "enc", &[], 0);
    assert!(matches!(encrypted.on("encryption"), ("ok", says) if says.contains("AES-")));
    let hiding = doctor(&world, &samba, "plain", "abe", &[], 1);
    assert!(matches!(hiding.on("listings"), ("look", says) if says.contains("access-based")));
    let shadow = doctor(&world, &samba, "plain", "shadow", &[], 0);
    assert_eq!(shadow.on("previous-versions"), ("ok", "1 offered, the newest of 2023-11-14 22:13:20 UTC"));
}

#[test]
fn a_server_that_cannot_encrypt_is_fine_and_named_and_one_that_is_too_old_fails() {
    let samba = Samba::start(SambaOptions::new().global("server smb encrypt = off"));
    let world = World::new();
    let plain = doctor(&world, &samba, "plain", "data", &[], 0);
    assert!(matches!(plain.on("encryption"), ("note", says) if says.contains("cannot")));
    assert_eq!(plain.on("signing").0, "ok");
    let samba = Samba::start(SambaOptions::new().global("server max protocol = SMB2_10"));
    let old = doctor(&world, &samba, "plain", "data", &[], 3);
    assert!(matches!(old.on("source"), ("failed", says) if says.contains("SMB 2.1")));
}

#[test]
fn source_and_target_are_both_judged_when_one_of_them_fails() {
    let world = World::with_files();
    let dst = world.dst().display().to_string();
    let nowhere = Findings(
        ask(&world, "me", &["doctor", "smb://me@127.0.0.1:1/data", &dst, "--json"]).ends(3).events().remove(0),
    );
    assert!(matches!(nowhere.on("source"), ("failed", says) if says.contains("reached")));
    assert!(matches!(nowhere.on("target"), ("ok", says) if says.starts_with("will be made")));
    assert!(!world.dst().exists(), "nothing came into being");
    let src = world.src().display().to_string();
    let inside = format!("{src}/docs/mirror");
    ask(&world, "me", &["doctor", &src, &inside]).ends(3).says("FAILED").says("lies inside the");
    // Nobody, not even root, can make a folder there.
    ask(&world, "me", &["doctor", &src, "/proc/mirror"]).ends(3).says("FAILED").says("target");
    let text = ask(&world, "me", &["doctor", &src, &dst]).ends(0).says("all is fine").says("every name can be stored");
    assert!(!text.stdout.contains("privilege"), "a folder of this machine has no share's matters: {}", text.stdout);
    ask(&world, "me", &["doctor", &src, &dst, "--entries", "2"]).ends(0).says("that is not all");
    world.sync(&[]).ends(0);
    ask(&world, "me", &["doctor", &src, &dst]).ends(0).says("a mirror of octoBackup");
    fs::remove_dir_all(world.dst()).unwrap();
    ask(&world, "me", &["doctor", &src, &dst]).ends(3).says("not mounted");
    fs::create_dir(world.dst()).unwrap();
    fs::write(world.dst().join("mine"), "").unwrap();
    let elsewhere = World::new();
    ask(&elsewhere, "me", &["doctor", &src, &dst]).ends(3).says("--adopt");
    assert_eq!(fs::read_dir(world.dst()).unwrap().count(), 1, "nothing was left behind");
}

#[test]
fn ls_shows_what_a_run_would_see_and_shares_shows_administrative_ones() {
    let samba = Samba::start(SambaOptions::new().share("d$", "data", &["comment = drive"]));
    let world = World::new();
    fs::create_dir(samba.share_path("data").join("folder")).unwrap();
    fs::write(samba.share_path("data").join("a.txt"), "1234").unwrap();
    let url = format!("smb://plain@{}/data", samba.addr());
    let listed = ask(&world, "plain", &["ls", &url]).ends(0);
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].ends_with("  4  a.txt") && lines[1].ends_with("<folder>  folder"),
        "{lines:?}"
    );
    let json = ask(&world, "plain", &["ls", &url, "--json"]).ends(0).events();
    assert_eq!((&json[0]["name"], &json[0]["size_bytes"]), (&"a.txt".into(), &4.into()));
    ask(&world, "plain", &["ls", &format!("{url}/nothing")]).ends(3).says("does not exist");

    let host = format!("smb://plain@{}", samba.addr());
    let shares = ask(&world, "plain", &["shares", &host]).ends(0).says("d$").says("administrative").says("drive");
    assert!(shares.stdout.lines().next().unwrap().starts_with("data"), "administrative ones last: {}", shares.stdout);
    let json = ask(&world, "plain", &["shares", &samba.addr(), "--user", "plain", "--json"]).ends(0).events();
    assert!(json.iter().any(|share| share["name"] == "d$" && share["is_administrative"] == true));
    ask(&world, "wrong", &["shares", &host]).ends(3).says("user name or password");
    ask(&world, "plain", &["shares", &url]).ends(2).says("names more than a server");
}

#[test]
fn local_folders_are_listed_and_odd_names_cannot_steer_a_terminal() {
    let world = World::new();
    fs::write(world.src().join("\u{1b}[2J"), "").unwrap();
    let src = world.src().display().to_string();
    let listed = ask(&world, "me", &["ls", &src]).ends(0);
    assert!(!listed.stdout.contains('\u{1b}'), "{:?}", listed.stdout);
    ask(&world, "me", &["ls", &src, "--user", "x"]).ends(2);
    ask(&world, "me", &["ls", &format!("{src}/none")]).ends(3);
}

/// A small disk of its own, mounted; unmounted when dropped.
struct Disk(std::path::PathBuf);

impl Disk {
    fn exfat(world: &World) -> Disk {
        Disk::mount(world, "mkfs.exfat", &["-t", "exfat-fuse", "-o", "loop"])
    }

    fn ext4(world: &World) -> Disk {
        Disk::mount(world, "mkfs.ext4", &["-o", "loop"])
    }

    fn mount(world: &World, mkfs: &str, options: &[&str]) -> Disk {
        let (image, place) = (world.path("image"), world.path("disk"));
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        fs::create_dir(&place).unwrap();
        let run = |program: &str, args: &[&std::ffi::OsStr]| {
            let ran = std::process::Command::new(program).args(args).output();
            let ran = ran.expect("apt-get install exfatprogs exfat-fuse mount");
            assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
        };
        run(mkfs, &[image.as_os_str()]);
        let options: Vec<_> = options.iter().map(std::ffi::OsStr::new).collect();
        run("mount", &[&options[..], &[image.as_os_str(), place.as_os_str()]].concat());
        Disk(place)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn names_that_a_real_exfat_cannot_hold_are_foretold_as_a_run_then_stores_them() {
    let world = World::new();
    for name in ["plain", "what?", "Twin", "twin"] {
        fs::write(world.src().join(name), "x").unwrap();
    }
    let disk = Disk::exfat(&world);
    let (src, dst) = (world.src().display().to_string(), disk.0.join("mirror").display().to_string());
    let told = Findings(ask(&world, "me", &["doctor", &src, &dst, "--json"]).ends(0).events().remove(0));
    assert!(matches!(told.on("names"), ("note", says) if says.starts_with("2 names")), "{:#}", told.0);
    assert!(matches!(told.on("filesystem"), ("note", says) if says.contains("no hard links")));
    assert_eq!(told.on("space").0, "ok");
    ask(&world, "me", &["sync", &src, &dst]).ends(0);
    for example in told.0["escaped_examples"].as_array().unwrap() {
        assert!(disk.0.join("mirror").join(example[1].as_str().unwrap()).exists(), "{example}");
    }
}

#[test]
fn a_fresh_disk_is_empty_for_the_doctor_as_for_a_run() {
    let world = World::with_files();
    let disk = Disk::ext4(&world);
    // What Windows makes on each volume.
    for folder in ["System Volume Information", "$Recycle.Bin"] {
        fs::create_dir(disk.0.join(folder)).unwrap();
        fs::write(disk.0.join(folder).join("theirs"), "theirs").unwrap();
    }
    fs::write(disk.0.join("pagefile.sys"), "theirs").unwrap();
    let (src, dst) = (world.src().display().to_string(), disk.0.display().to_string());
    ask(&world, "me", &["doctor", &src, &dst]).ends(0).says("an empty folder, on ext4");
    let with_them = ["sync", &src, &dst, "--no-default-excludes"];
    ask(&world, "me", &with_them).ends(3).says("--adopt");
    fs::write(disk.0.join("mine"), "mine").unwrap();
    ask(&world, "me", &["doctor", &src, &dst]).ends(3).says("--adopt");
    ask(&world, "me", &["sync", &src, &dst]).ends(3).says("--adopt");
    fs::remove_file(disk.0.join("mine")).unwrap();
    ask(&world, "me", &["sync", &src, &dst]).ends(0);
    ask(&world, "me", &["doctor", &src, &dst]).ends(0).says("a mirror of octoBackup");
    for theirs in ["System Volume Information/theirs", "$Recycle.Bin/theirs", "pagefile.sys"] {
        assert_eq!(fs::read(disk.0.join(theirs)).unwrap(), b"theirs");
    }
}
