//! The program for Windows, under Wine, against a real Samba on this side. `cargo xtask windows --test` builds it and runs these.

use crate::share::samba;
use crate::world::{Ran, World, assert_same, finish, tree};
use octo_testkit::samba::{Samba, SambaOptions};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// How Wine names a path of this side.
fn seen_from_wine(path: &Path) -> OsString {
    format!("Z:{}", path.to_str().unwrap().replace('/', "\\")).into()
}

/// `octobackup.exe sync` into the world's mirror.
fn sync(world: &World, source: OsString, options: &[&str]) -> Ran {
    let options = options.iter().map(OsString::from);
    program(world, ["sync".into(), source, seen_from_wine(&world.dst())].into_iter().chain(options))
}

/// `octobackup.exe`.
fn program(world: &World, args: impl IntoIterator<Item = OsString>) -> Ran {
    let of = |name: &str| std::env::var_os(name).expect("set by: cargo xtask windows --test");
    let mut wine = Command::new(of("OCTO_WINE"));
    wine.arg(of("OCTO_WINDOWS_PROGRAM")).args(args);
    let state = world.path("state");
    fs::create_dir_all(&state).unwrap();
    wine.env("LOCALAPPDATA", seen_from_wine(&state)).env("OCTOBACKUP_PASSWORD", "pw-backupop");
    finish(wine.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
#[ignore = "needs the program for Windows: cargo xtask windows --test"]
fn a_share_is_mirrored_into_a_folder_of_windows_with_backup_intent() {
    let (samba, world) = (samba(), World::new());
    let share = samba.share_path("data");
    fs::create_dir_all(share.join("deep/er/st")).unwrap();
    fs::create_dir(share.join("empty")).unwrap();
    for (name, text) in [("na\u{ef}ve \u{1f419}.txt", "x"), ("deep/er/st/file", "down here"), ("none", "")] {
        fs::write(share.join(name), text).unwrap();
    }
    fs::write(share.join("large"), vec![7; 3 << 20]).unwrap();
    let url = || OsString::from(format!("smb://backupop@{}/data", samba.addr()));
    sync(&world, url(), &[]).ends(0).says("7 new");
    assert_same(&world.mirror(), &tree(&share));
    sync(&world, url(), &[]).ends(0).says("Unchanged   7 files");

    fs::write(share.join("open.txt"), "changed").unwrap();
    fs::rename(share.join("large"), share.join("deep/moved")).unwrap();
    fs::remove_file(share.join("locked.txt")).unwrap();
    fs::remove_dir(share.join("empty")).unwrap();
    fs::write(share.join("empty"), "a file now").unwrap();
    sync(&world, url(), &["--max-delete", "100%"]).ends(0);
    assert_same(&world.mirror(), &tree(&share));
    let old = world.dst().join(".octobackup/versions");
    let kept: Vec<_> = tree(&old).into_values().filter_map(|entry| entry.0).collect();
    assert!(kept.contains(&b"open".to_vec()) && kept.contains(&b"locked".to_vec()), "old content is kept");
}

#[test]
#[ignore = "needs the program for Windows: cargo xtask windows --test"]
fn a_folder_of_windows_is_mirrored_and_changes_follow() {
    let world = World::with_files();
    let source = || seen_from_wine(&world.src());
    sync(&world, source(), &[]).ends(0).says("4 new");
    world.assert_mirrored();
    fs::write(world.src().join("a.txt"), "another").unwrap();
    fs::remove_dir_all(world.src().join("docs/empty")).unwrap();
    sync(&world, source(), &["--max-delete", "100%"]).ends(0).says("1 changed");
    world.assert_mirrored();
}

#[test]
#[ignore = "needs the program for Windows: cargo xtask windows --test"]
fn a_share_without_an_account_is_left_to_windows() {
    let (samba, world) = (samba(), World::new());
    // Wine has no redirector: Windows' own answer is that there is no such place. Ours would be that a share needs an account.
    let share = OsString::from(format!(r"\\{}\data", samba.addr()));
    sync(&world, share, &[]).ends(3).says("the source folder does not exist");
}

#[test]
#[ignore = "needs the program for Windows: cargo xtask windows --test"]
fn what_is_not_on_windows_yet_says_so_and_what_there_is_instead() {
    let world = World::new();
    let run = |args: &[&str]| program(&world, args.iter().map(OsString::from));
    for called in [&["serve"][..], &["job", "list"], &["report", "7", "--json"], &["credential", "set", "x"]] {
        run(called).ends(2).says("not on Windows yet");
    }
    run(&["--help"]).ends(0).says("Not on Windows yet");
}

#[test]
#[ignore = "needs the program for Windows: cargo xtask windows --test"]
fn names_that_windows_cannot_hold_are_stored_escaped() {
    // Samba would show them under short names of its own.
    let (samba, world) = (Samba::start(SambaOptions::new().global("mangled names = no")), World::new());
    let share = samba.share_path("data");
    for name in ["NUL.txt", "end.", "Twin", "tWIN"] {
        fs::write(share.join(name), name).unwrap();
    }
    sync(&world, format!("smb://backupop@{}/data", samba.addr()).into(), &[]).ends(0);
    let mirror = world.mirror();
    let content = |name: &str| mirror.get(Path::new(name)).and_then(|entry| entry.0.clone());
    assert_eq!(content("%4EUL.txt.~octo"), Some(b"NUL.txt".to_vec()), "{:?}", mirror.keys());
    assert_eq!(content("end..~octo"), Some(b"end.".to_vec()));
    let twins = mirror.values().filter(|entry| matches!(entry.0.as_deref(), Some(b"Twin" | b"tWIN"))).count();
    assert_eq!(twins, 2, "{:?}", mirror.keys());
}
