//! Metadata from a real Samba, proven by serving the mirror with Samba again.

use crate::world::{Ran, World, finish};
use octo_core::metadata::StreamContent;
use octo_core::{Metadata, RelPath, Target};
use octo_disk::{DiskOptions, DiskTarget};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The share of the manual.
const SERVED: &[&str] = &[
    "read only = yes",
    "force user = root",
    "valid users = admin",
    "veto files = /.octobackup/",
    SambaOptions::ACL_OF_ROOT,
];

/// A server whose share `mirror` is the mirror, read only; `deep` is a share whose streams may be large.
fn samba() -> Samba {
    let options = SambaOptions::new().share("mirror", "mirror", SERVED);
    Samba::start(options.share("deep", "deep", &["vfs objects = acl_xattr streams_depot"]))
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

fn smbclient(samba: &Samba, share: &str, commands: &str) -> String {
    let share = format!("//{}/{share}", samba.addr());
    said(Command::new("smbclient").args([&share, "-U", "admin%pw-admin", "-c", commands]))
}

fn smbcacls(samba: &Samba, share: &str, path: &str, more: &[&str]) -> String {
    let share = format!("//{}/{share}", samba.addr());
    said(Command::new("smbcacls").args([&share, path, "-U", "admin%pw-admin"]).args(more))
}

/// What must be equal of `allinfo`: creation and last write time, attributes, streams with their sizes.
fn info(samba: &Samba, share: &str, path: &str) -> Vec<String> {
    let all = smbclient(samba, share, &format!("allinfo \"{path}\""));
    let wanted = ["create_time", "write_time", "attributes", "stream"];
    all.lines().filter(|line| wanted.iter().any(|w| line.starts_with(w))).map(str::to_owned).collect()
}

/// A file with an ACL, attributes and a stream, and a folder with an ACL and attributes.
fn prepare(samba: &Samba, share: &str, stream: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let local = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).unwrap();
        format!("put {} ", folder.path().join(name).display())
    };
    let (data, info) = (local("data", b"the data"), local("info", stream));
    let commands = format!(
        "mkdir sub; {data} a.txt; {info} a.txt:info; {data} sub/b.txt; {data} plain; setmode a.txt +rh; setmode sub +h"
    );
    smbclient(samba, share, &commands);
    let acl = "ACL:OCTOTEST\\plain:ALLOWED/0x0/READ,ACL:OCTOTEST\\owner:ALLOWED/0x0/FULL,ACL:OCTOTEST\\backupop:DENIED/0x0/WDPO";
    for path in ["a.txt", "sub"] {
        let owned = format!("REVISION:1,OWNER:OCTOTEST\\owner,GROUP:Unix Group\\plain,{acl}");
        smbcacls(samba, share, path, &["-S", &owned]);
    }
}

fn sync(world: &World, samba: &Samba, share: &str, target: &Path, options: &[&str]) -> Ran {
    let source = format!("smb://backupop@{}/{share}", samba.addr());
    let mut args = vec!["sync".as_ref(), source.as_ref(), target.as_os_str(), "--json".as_ref()];
    args.extend(options.iter().map(std::ffi::OsStr::new));
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", "pw-backupop").spawn().unwrap())
}

fn counts(ran: &Ran, names: &[&str]) -> Vec<u64> {
    let report = ran.report();
    names.iter().map(|name| report["counts"][name].as_u64().unwrap()).collect()
}

fn kept(target: &Path, path: &str) -> Option<Metadata> {
    let target = DiskTarget::open(target, DiskOptions::default()).unwrap();
    target.metadata(&RelPath::parse(path.as_bytes()).unwrap()).unwrap()
}

fn assert_served_alike(samba: &Samba, share: &str) {
    for path in ["a.txt", "plain", "sub", "sub/b.txt"] {
        assert_eq!(info(samba, share, path), info(samba, "mirror", path), "{path}");
        assert_eq!(smbcacls(samba, share, path, &[]), smbcacls(samba, "mirror", path, &[]), "{path}");
    }
}

#[test]
fn samba_over_the_mirror_shows_permissions_attributes_times_and_streams_as_the_source_does() {
    let (samba, world) = (samba(), World::new());
    prepare(&samba, "data", b"a stream");
    let mirror = samba.share_path("mirror");
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &["metadata_kept", "metadata_recorded", "metadata_lost"]), [4, 0, 0], "{}", ran.stdout);
    assert_served_alike(&samba, "data");
    assert!(info(&samba, "mirror", "a.txt").iter().any(|line| line.contains("info") && line.contains('8')));
    assert!(smbcacls(&samba, "mirror", "a.txt", &[]).contains("backupop:DENIED"));
    let got = world.path("got");
    smbclient(&samba, "mirror", &format!("get a.txt:info {}", got.display()));
    assert_eq!(fs::read(got).unwrap(), b"a stream");
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &["metadata_kept", "metadata_refreshed"]), [0, 0], "nothing is read on an unchanged run");
}

#[test]
fn other_attributes_refresh_metadata_without_copying_and_the_version_keeps_the_old() {
    let (samba, world) = (samba(), World::new());
    prepare(&samba, "data", b"a stream");
    let mirror = samba.share_path("mirror");
    sync(&world, &samba, "data", &mirror, &[]).ends(0);
    let old = kept(&mirror, "a.txt").unwrap();
    for path in ["a.txt", "sub"] {
        smbcacls(&samba, "data", path, &["-a", "ACL:OCTOTEST\\admin:ALLOWED/0x0/READ"]);
    }
    smbclient(&samba, "data", "setmode a.txt -h; setmode sub -h");
    let stream = ["-x", "user.DosStream.info:$DATA"];
    said(Command::new("setfattr").args(stream).arg(samba.share_path("data").join("a.txt")));
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    let wanted = ["metadata_refreshed", "created", "replaced", "copied_bytes", "metadata_lost"];
    assert_eq!(counts(&ran, &wanted), [2, 0, 0, 0, 0], "{}", ran.stdout);
    assert_served_alike(&samba, "data");
    assert!(smbcacls(&samba, "mirror", "sub", &[]).contains("admin:ALLOWED"));
    let version = kept(&mirror, ".octobackup/versions/2/tree/a.txt").unwrap();
    assert_eq!((version.attributes, version.security, version.streams), (old.attributes, old.security, old.streams));
    let changes = fs::read_to_string(mirror.join(".octobackup/versions/2/changes")).unwrap();
    assert_eq!(changes.matches("\"metadata\"").count(), 2, "{changes}");
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &wanted), [0, 0, 0, 0, 0]);
}

#[test]
fn a_stream_that_no_attribute_holds_is_kept_in_the_records_and_goes_with_its_file() {
    let (samba, world) = (samba(), World::new());
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    prepare(&samba, "deep", &large);
    let mirror = samba.share_path("mirror");
    let ran = sync(&world, &samba, "deep", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &["metadata_recorded", "metadata_lost"]), [1, 0], "{}", ran.stdout);
    assert_eq!(large_stream(&mirror, "a.txt"), large);
    smbclient(&samba, "deep", "setmode a.txt -r");
    fs::write(samba.share_path("deep").join("a.txt"), "new data").unwrap();
    fs::remove_dir_all(samba.share_path("deep").join(".streams")).unwrap();
    sync(&world, &samba, "deep", &mirror, &[]).ends(0);
    assert!(kept(&mirror, "a.txt").unwrap().streams.is_empty());
    assert_eq!(large_stream(&mirror, ".octobackup/versions/2/tree/a.txt"), large);
}

fn large_stream(mirror: &Path, path: &str) -> Vec<u8> {
    let metadata = kept(mirror, path).unwrap();
    let stream = &metadata.streams[0];
    assert_eq!(stream.name, b"info");
    let (offset_bytes, size_bytes) = match &stream.content {
        StreamContent::Bulk { offset_bytes, size_bytes } => (*offset_bytes, *size_bytes),
        StreamContent::Bytes(bytes) => return bytes.clone(),
    };
    let mut data = vec![0; size_bytes as usize];
    assert_eq!(metadata.bulk.as_ref().unwrap().read_at(offset_bytes, &mut data).unwrap(), data.len());
    data
}

#[test]
fn a_service_user_keeps_permissions_in_its_own_attribute_and_says_so_once() {
    let (samba, world) = (samba(), World::new());
    prepare(&samba, "data", b"a stream");
    let mirror = service_folder(&world, "mirror");
    let source = format!("smb://backupop@{}/data", samba.addr());
    let mut command = world.program(&["sync".as_ref(), source.as_ref(), mirror.as_os_str(), "--json".as_ref()]);
    command.env("OCTOBACKUP_PASSWORD", "pw-backupop").env("XDG_STATE_HOME", service_folder(&world, "own-state"));
    let ran = finish(command.uid(42_001).gid(42_001).spawn().unwrap()).ends(0);
    assert_eq!(counts(&ran, &["metadata_kept", "metadata_lost"]), [4, 0]);
    assert_eq!(ran.report()["remarks"].to_string().matches("user.NTACL").count(), 2, "{}", ran.stdout);
    let attributes = said(Command::new("getfattr").args(["-m", "-"]).arg(mirror.join("a.txt")));
    assert!(attributes.contains("user.NTACL") && !attributes.contains("security.NTACL"), "{attributes}");
    assert!(kept(&mirror, "a.txt").unwrap().security.is_some());
}

/// A folder of the service user, and the way to it.
fn service_folder(world: &World, name: &str) -> PathBuf {
    let folder = world.path(name);
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(42_001), Some(42_001)).unwrap();
    fs::set_permissions(folder.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn basic_keeps_data_and_times_only_and_full_catches_up() {
    let (samba, world) = (samba(), World::new());
    prepare(&samba, "data", b"a stream");
    let mirror = samba.share_path("mirror");
    let ran = sync(&world, &samba, "data", &mirror, &["--metadata", "basic"]).ends(0);
    assert_eq!(counts(&ran, &["created", "metadata_kept"]), [3, 0]);
    assert!(kept(&mirror, "a.txt").is_none());
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &["created", "copied_bytes", "metadata_refreshed"]), [0, 0, 4]);
    assert_served_alike(&samba, "data");
}
