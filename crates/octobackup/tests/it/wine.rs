//! The program for Windows, under Wine, against a real Samba on this side. `cargo xtask windows --test` builds it and runs these.

use crate::agent;
use crate::server::Server;
use crate::share::samba;
use crate::world::{Ran, World, assert_same, finish, tree};
use octo_testkit::samba::{Samba, SambaOptions};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
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
fn metadata_of_a_share_is_kept_in_a_folder_of_windows_and_read_once() {
    let (samba, world) = (samba(), World::new());
    let share = format!("//{}/data", samba.addr());
    let set = ["-U", "admin%pw-admin", "-c", "setmode open.txt +rh"];
    assert!(Command::new("smbclient").arg(&share).args(set).status().unwrap().success());
    let url = || OsString::from(format!("smb://backupop@{}/data", samba.addr()));
    let counts = |ran: Ran| {
        let report = ran.ends(0).report();
        ["metadata_kept", "metadata_refreshed", "metadata_lost"].map(|name| report["counts"][name].as_u64().unwrap())
    };
    // The root is one of them.
    let all = tree(&samba.share_path("data")).len() as u64 + 1;
    assert_eq!(counts(sync(&world, url(), &["--json"])), [all, 0, 0]);
    assert_eq!(counts(sync(&world, url(), &["--json"])), [0, 0, 0]);
    let set = ["-U", "admin%pw-admin", "-c", "setmode open.txt -h"];
    assert!(Command::new("smbclient").arg(&share).args(set).status().unwrap().success());
    assert_eq!(counts(sync(&world, url(), &["--json"])), [1, 1, 0]);

    // And from there into another mirror: what Windows holds is read again.
    fs::remove_dir_all(world.dst().join(".octobackup")).unwrap();
    let second = World::new();
    let again = ["sync".into(), seen_from_wine(&world.dst()), seen_from_wine(&second.dst()), "--json".into()];
    let [kept, _, lost] = counts(program(&second, again));
    assert!(kept > 1 && lost == 0, "{kept} kept, {lost} lost");
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
fn a_sparse_file_stays_sparse_in_a_folder_of_windows() {
    let world = World::new();
    let file = fs::File::create(world.src().join("disk.img")).unwrap();
    file.set_len(48 << 20).unwrap();
    file.write_all_at(b"in the middle", 20 << 20).unwrap();
    sync(&world, seen_from_wine(&world.src()), &[]).ends(0);
    world.assert_mirrored();
    let taken = fs::metadata(world.dst().join("disk.img")).unwrap().blocks() * 512;
    assert!(taken < 1 << 20, "{taken} bytes taken");
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
fn an_agent_on_windows_is_paired_and_its_folder_mirrored() {
    let world = World::with_files();
    let (server, address) = agent::listening(&world);
    let of = |name: &str| std::env::var_os(name).expect("set by: cargo xtask windows --test");
    let program = PathBuf::from(of("OCTO_WINDOWS_PROGRAM")).with_file_name("octobackup-agent.exe");
    let mut machine = agent::Machine::with(&world, vec![of("OCTO_WINE"), program.into()], &world.src(), |path| {
        seen_from_wine(path).into()
    });
    machine.join(&server, &address);
    agent::add(&server, &format!("agent://{}/Z:{}", agent::HOST, world.src().display()), &[]);
    server.ask(&["run", "demo"]).ends(0).says("complete");
    world.assert_mirrored();
    fs::write(world.src().join("a.txt"), "another").unwrap();
    server.ask(&["run", "demo"]).ends(0).says("1 changed");
    world.assert_mirrored();
}

#[test]
#[ignore = "needs the program for Windows: cargo xtask windows --test"]
fn what_is_not_on_windows_yet_says_so_and_what_there_is_instead() {
    let world = World::new();
    let run = |args: &[&str]| program(&world, args.iter().map(OsString::from));
    for called in [&["serve"][..], &["setup-link", "--config", "x"]] {
        run(called).ends(2).says("does not run on Windows yet");
    }
    run(&["job", "list"]).ends(2).says("--url");
    run(&["--help"]).ends(0).says("Not on Windows yet");
}

#[test]
#[ignore = "needs the program for Windows: cargo xtask windows --test"]
fn a_server_is_managed_from_windows_over_tls_with_a_token() {
    let world = World::with_files();
    let settings = "[http]\nlisten = \"127.0.0.1:0\"\ngenerate_for = [\"127.0.0.1\"]\n";
    let mut server = Server::start_with(&world, settings, &[]);
    let url = server.hears("answers at ");
    assert!(url.starts_with("https://"), "{url}");
    let token = world.path("token");
    server.ask(&["token", "add", "desk", &token.display().to_string(), "--role", "administrator"]).ends(0);
    let certificate = world.path("data/tls/certificate.pem");
    let from_windows = |args: &[&str]| {
        let more = ["--url".into(), url.clone().into(), "--token-file".into(), seen_from_wine(&token)];
        let trust = ["--ca-file".into(), seen_from_wine(&certificate)];
        program(&world, args.iter().map(OsString::from).chain(more).chain(trust))
    };
    let (source, target) = (world.src().display().to_string(), world.dst().display().to_string());
    from_windows(&["job", "add", "demo", &source, &target]).ends(0).says("demo");
    from_windows(&["run", "demo"]).ends(0).says("complete");
    world.assert_mirrored();
    from_windows(&["job", "list"]).ends(0).says("succeeded");
    let jobs: serde_json::Value =
        serde_json::from_str(&from_windows(&["job", "list", "--json"]).ends(0).stdout).unwrap();
    assert_eq!(
        (jobs[0]["spec"]["name"].as_str(), jobs[0]["last_run"]["outcome"].as_str()),
        (Some("demo"), Some("succeeded"))
    );
    from_windows(&["job", "show", "other"]).ends(5);
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
