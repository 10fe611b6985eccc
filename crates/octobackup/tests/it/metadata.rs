//! Metadata from a real Samba, proven by serving the mirror with Samba again.

mod again;

use crate::world::{Ran, World, finish};
use octo_core::metadata::StreamContent;
use octo_core::{Metadata, RelPath, Target};
use octo_disk::{DiskOptions, DiskTarget};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The share of the manual. Nobody in it is more than the manual says.
const SERVED: &[&str] = &[
    "read only = yes",
    "force user = root",
    "valid users = admin",
    "admin users =",
    "veto files = /.octobackup/",
    SambaOptions::ACL_OF_ROOT,
];
/// The same for a mirror that is not root's.
const SERVED_OF_SERVICE: &[&str] =
    &["read only = yes", "force user = root", "valid users = admin", "admin users =", "veto files = /.octobackup/"];
/// Permissions and streams of any size, beside the files.
const VAST: &[&str] = &["vfs objects = acl_tdb streams_depot", "acl_tdb:ignore system acls = yes"];

/// A server whose share `mirror` is the mirror, read only, and `service` one that is not root's; in `vast` permissions and
/// streams may be large.
fn options() -> SambaOptions {
    let options = SambaOptions::new().share("mirror", "mirror", SERVED).share("service", "service", SERVED_OF_SERVICE);
    options.share("vast", "vast", VAST)
}

fn samba() -> Samba {
    Samba::start(options())
}

pub fn said(command: &mut Command) -> String {
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
        "mkdir sub; {data} a.txt; {info} a.txt:info; {data} sub/b.txt; {data} plain; setea a.txt COMMENT noted; setmode a.txt +rh; setmode sub +h"
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

pub fn counts(ran: &Ran, names: &[&str]) -> Vec<u64> {
    let report = ran.report();
    names.iter().map(|name| report["counts"][name].as_u64().unwrap()).collect()
}

pub fn kept(target: &Path, path: &str) -> Option<Metadata> {
    let target = DiskTarget::open(target, DiskOptions::default()).unwrap();
    target.metadata(&RelPath::parse(path.as_bytes()).unwrap()).unwrap()
}

fn assert_served_alike(samba: &Samba, share: &str, served: &str) {
    for path in ["a.txt", "plain", "sub", "sub/b.txt"] {
        assert_eq!(info(samba, share, path), info(samba, served, path), "{path}");
        assert_eq!(smbcacls(samba, share, path, &[]), smbcacls(samba, served, path, &[]), "{path}");
    }
    assert_eq!(smbcacls(samba, share, "/", &[]), smbcacls(samba, served, "/", &[]), "the root");
    assert!(smbclient(samba, served, "geteas a.txt").contains("COMMENT"));
}

#[test]
fn samba_over_the_mirror_shows_permissions_attributes_times_and_streams_as_the_source_does() {
    let (samba, world) = (samba(), World::new());
    prepare(&samba, "data", b"a stream");
    let mirror = samba.share_path("mirror");
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &["metadata_kept", "metadata_recorded", "metadata_lost"]), [5, 0, 0], "{}", ran.stdout);
    assert_served_alike(&samba, "data", "mirror");
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
    assert_served_alike(&samba, "data", "mirror");
    assert!(smbcacls(&samba, "mirror", "sub", &[]).contains("admin:ALLOWED"));
    let version = kept(&mirror, ".octobackup/versions/2/tree/a.txt").unwrap();
    assert_eq!((version.attributes, version.security, version.streams), (old.attributes, old.security, old.streams));
    crate::history::assert_restored(&world, &mirror, [("1", ".octobackup/versions/2/tree/a.txt"), ("2", "a.txt")]);
    let changes = fs::read_to_string(mirror.join(".octobackup/versions/2/changes")).unwrap();
    assert_eq!(changes.matches("\"metadata\"").count(), 2, "{changes}");
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &wanted), [0, 0, 0, 0, 0]);
}

#[test]
fn streams_and_permissions_that_no_attribute_holds_are_kept_in_the_records_and_go_with_their_file() {
    let (samba, world) = (samba(), World::new());
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    prepare(&samba, "vast", &large);
    let entries: Vec<String> = (1..=300).map(|n| format!("ACL:S-1-5-21-1-2-3-{n}:ALLOWED/0x0/READ")).collect();
    smbcacls(&samba, "vast", "plain", &["-S", &format!("REVISION:1,OWNER:S-1-5-21-1-2-3-1,{}", entries.join(","))]);
    let (source, mirror) = (samba.share_path("vast"), samba.share_path("mirror"));
    let ran = sync(&world, &samba, "vast", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &["metadata_recorded", "metadata_lost"]), [2, 0], "{}", ran.stdout);
    assert_eq!(large_stream(&mirror, "a.txt"), large);
    let vast = dacl(&smbcacls(&samba, "vast", "plain", &["--numeric"]));
    assert_eq!(vast.len(), 300);
    assert_eq!(dacl(&words(&kept(&mirror, "plain").unwrap().security.unwrap())), vast);

    smbclient(&samba, "vast", "setmode a.txt -r");
    fs::write(source.join("a.txt"), "new data").unwrap();
    fs::write(source.join("plain"), "new data").unwrap();
    fs::remove_dir_all(source.join(".streams")).unwrap();
    smbcacls(&samba, "vast", "plain", &["-S", &entries[0]]);
    sync(&world, &samba, "vast", &mirror, &[]).ends(0);
    assert!(kept(&mirror, "a.txt").unwrap().streams.is_empty());
    assert_eq!(dacl(&words(&kept(&mirror, "plain").unwrap().security.unwrap())).len(), 1);
    assert_eq!(large_stream(&mirror, ".octobackup/versions/2/tree/a.txt"), large);
    let old = kept(&mirror, ".octobackup/versions/2/tree/plain").unwrap();
    assert_eq!(dacl(&words(&old.security.unwrap())), vast);
}

/// The entries among the lines of `smbcacls --numeric`.
fn dacl(lines: &str) -> Vec<String> {
    lines.lines().filter(|line| line.starts_with("ACL:")).map(str::to_owned).collect()
}

/// The DACL of a security descriptor in the words of `smbcacls --numeric` (MS-DTYP 2.4.2, 2.4.4.2, 2.4.5, 2.4.6).
fn words(security: &[u8]) -> String {
    let u32_at = |at: usize| u32::from_le_bytes(security[at..at + 4].try_into().unwrap());
    let u16_at = |at: usize| u16::from_le_bytes(security[at..at + 2].try_into().unwrap());
    let acl = u32_at(16) as usize;
    let mut at = acl + 8;
    let mut words = String::new();
    for _ in 0..u16_at(acl + 4) {
        let authority = u64::from_be_bytes([&[0, 0], &security[at + 10..at + 16]].concat().try_into().unwrap());
        let subs = (0..usize::from(security[at + 9])).map(|n| format!("-{}", u32_at(at + 16 + 4 * n)));
        let sid = format!("S-1-{authority}{}", subs.collect::<String>());
        words += &format!("ACL:{sid}:{}/0x{:x}/0x{:08x}\n", security[at], security[at + 1], u32_at(at + 4));
        at += usize::from(u16_at(at + 2));
    }
    words
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
    let mirror = samba.share_path("service");
    chown(&mirror, Some(42_001), Some(42_001)).unwrap();
    fs::set_permissions(&mirror, fs::Permissions::from_mode(0o700)).unwrap();
    let source = format!("smb://backupop@{}/data", samba.addr());
    let home = service_folder(&world, "own-state");
    let args = ["sync".as_ref(), source.as_ref(), mirror.as_os_str(), "--json".as_ref()];
    let mut command = world.program_as(42_001, &args);
    command.env("OCTOBACKUP_PASSWORD", "pw-backupop").env("OCTOBACKUP_TEST_HOME", home);
    let ran = finish(command.spawn().unwrap()).ends(0);
    assert_eq!(counts(&ran, &["metadata_kept", "metadata_lost"]), [5, 0]);
    assert_eq!(ran.report()["remarks"].to_string().matches("user.NTACL").count(), 2, "{}", ran.stdout);
    let attributes = said(Command::new("getfattr").args(["-m", "-"]).arg(mirror.join("a.txt")));
    assert!(attributes.contains("user.NTACL") && !attributes.contains("security.NTACL"), "{attributes}");
    assert_served_alike(&samba, "data", "service");
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
    assert_served_alike(&samba, "data", "mirror");
}

/// Adds an audit entry for everybody to the permissions that Samba keeps of a file: its own tool cannot. They are an
/// xattr_NTACL of version 3: a head of 80 bytes, then the descriptor of MS-DTYP 2.4.6, but with places from the head's start.
fn audit(file: &Path) {
    let mut value = xattr(file, "user.NTACL");
    let (head, everybody) = (80, [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    value.resize(value.len().next_multiple_of(4), 0);
    let place = u32::try_from(value.len()).unwrap().to_le_bytes();
    value[head + 2] |= SACL_PRESENT;
    value[head + 12..head + 16].copy_from_slice(&place);
    // One entry of 20 bytes: audit, of success and failure, of all access.
    value.extend([2, 0, 28, 0, 1, 0, 0, 0, 2, 0xC0, 20, 0, 0xFF, 1, 0x1F, 0]);
    value.extend(everybody);
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    said(Command::new("setfattr").args(["-n", "user.NTACL", "-v", &format!("0x{hex}")]).arg(file));
}

fn xattr(file: &Path, name: &str) -> Vec<u8> {
    let output = Command::new("getfattr").args(["--only-values", "-n", name]).arg(file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

const SACL_PRESENT: u8 = 0x10;

#[test]
fn audit_entries_come_along_where_the_account_may_read_them() {
    let (samba, world) = (samba(), World::new());
    prepare(&samba, "data", b"a stream");
    audit(&samba.share_path("data").join("a.txt"));
    assert!(smbcacls(&samba, "data", "a.txt", &["--sddl", "--query-security-info", "15"]).contains("S:(AU;SAFA"));
    let audited = |target: &Path| {
        let security = kept(target, "a.txt").unwrap().security.unwrap();
        // MS-DTYP 2.4.6: the place of the SACL, its entries after a head of 8; an audit entry is of type 2.
        let at = u32::from_le_bytes(security[12..16].try_into().unwrap()) as usize;
        security[2] & SACL_PRESENT != 0 && at != 0 && security[at + 8] == 2
    };
    let (of_admin, of_operator) = (samba.share_path("mirror"), world.path("operator"));
    let source = format!("smb://admin@{}/data", samba.addr());
    let mut command = world.program(&["sync".as_ref(), source.as_ref(), of_admin.as_os_str(), "--json".as_ref()]);
    let ran = finish(command.env("OCTOBACKUP_PASSWORD", "pw-admin").spawn().unwrap()).ends(0);
    assert_eq!(counts(&ran, &["metadata_kept", "metadata_lost"]), [5, 0], "{}", ran.stdout);
    assert!(audited(&of_admin), "an administrator may read them");
    // SeBackupPrivilege alone does not show them; everything else comes.
    let ran = sync(&world, &samba, "data", &of_operator, &[]).ends(0);
    assert_eq!(counts(&ran, &["metadata_kept", "metadata_lost"]), [5, 0], "{}", ran.stdout);
    assert!(!audited(&of_operator));
}

/// How often the server was asked for what an entry has besides its data.
fn questions(samba: &Samba) -> usize {
    let logs = samba.share_path("mirror").ancestors().nth(2).unwrap().join("logs");
    let text = |entry: std::io::Result<fs::DirEntry>| fs::read(entry.unwrap().path()).unwrap_or_default();
    let count = |log: Vec<u8>| String::from_utf8_lossy(&log).matches("opcode[SMB2_OP_GETINFO]").count();
    fs::read_dir(logs).unwrap().map(text).map(count).sum()
}

#[test]
fn an_unchanged_run_asks_for_no_metadata_but_that_of_the_root() {
    let (samba, world) = (Samba::start(options().global("log level = 1 smb2:10")), World::new());
    prepare(&samba, "data", b"a stream");
    // Samba makes up a creation time from this second and the fraction of the change time, and rounds it up to a microsecond.
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 999_999_664);
    for n in 0..30 {
        let file = fs::File::create(samba.share_path("data").join(format!("sub/{n}"))).unwrap();
        file.write_all_at(b"more", 0).unwrap();
        let accessed = long_ago - std::time::Duration::from_secs(60);
        file.set_times(fs::FileTimes::new().set_accessed(accessed).set_modified(long_ago)).unwrap();
    }
    let (full, basic) = (samba.share_path("mirror"), world.path("basic"));
    let asked = |target: &Path, options: &[&str]| {
        let before = questions(&samba);
        sync(&world, &samba, "data", target, options).ends(0);
        questions(&samba) - before
    };
    let first = asked(&full, &[]);
    assert!(first > 3 * 34, "{first} questions at first: does the log still tell them?");
    asked(&basic, &["--metadata", "basic"]);
    // Where none is stored, Samba tells the earliest of a file's times for its creation, and reading moves one of them.
    touched_by_readers(&samba.share_path("data").join("sub"), long_ago);
    let (unchanged, without) = (asked(&full, &[]), asked(&basic, &["--metadata", "basic"]));
    assert!(unchanged <= without + 6, "{unchanged} questions in an unchanged run, {without} without metadata");
}

/// Somebody read all files in the folder: the last access is now.
fn touched_by_readers(folder: &Path, modified: std::time::SystemTime) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().parse::<u32>().is_ok() {
            let times = fs::FileTimes::new().set_accessed(std::time::SystemTime::now()).set_modified(modified);
            fs::File::options().write(true).open(path).unwrap().set_times(times).unwrap();
        }
    }
}

#[test]
fn a_folder_moved_on_samba_is_moved_whatever_creation_times_samba_makes_up_and_a_reused_id_is_not() {
    let (samba, world) = (samba(), World::new());
    let root = samba.share_path("data");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let write = |path: &str, accessed| {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), path).unwrap();
        let times = fs::FileTimes::new().set_accessed(accessed).set_modified(long_ago);
        fs::File::options().write(true).open(root.join(path)).unwrap().set_times(times).unwrap();
    };
    for n in 0..30 {
        write(&format!("project/{}/{n:02}", n % 3), long_ago - std::time::Duration::from_secs(60 + n));
    }
    write("renamed", long_ago - std::time::Duration::from_secs(60));
    write("one", long_ago);
    let mirror = world.dst();
    sync(&world, &samba, "data", &mirror, &[]).ends(0);
    for n in 0..3 {
        touched_by_readers(&root.join(format!("project/{n}")), long_ago);
    }
    fs::create_dir(root.join("archive")).unwrap();
    fs::rename(root.join("project"), root.join("archive/project")).unwrap();
    fs::rename(root.join("renamed"), root.join("renamed again")).unwrap();
    // The same id, size and times, and other content: what a filesystem that gives inodes out again may do.
    fs::rename(root.join("one"), root.join("two")).unwrap();
    write("two", long_ago);
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    // What was renamed by itself after its made-up time had moved is in doubt too, and is copied.
    assert_eq!(counts(&ran, &["moved", "created", "held"]), [30, 2, 0], "{}", ran.stdout);
    assert_eq!(fs::read_to_string(mirror.join("two")).unwrap(), "two");
    assert!(mirror.join("archive/project/2/29").exists() && !mirror.join("project").exists());
}

#[test]
fn the_roots_own_permissions_are_kept_and_its_old_ones_are_those_of_a_version() {
    let (samba, world) = (samba(), World::new());
    prepare(&samba, "data", b"a stream");
    let mirror = samba.share_path("mirror");
    sync(&world, &samba, "data", &mirror, &[]).ends(0);
    let old = kept(&mirror, "").unwrap().security;
    smbcacls(&samba, "data", "/", &["-a", "ACL:OCTOTEST\\plain:ALLOWED/0x0/READ"]);
    let ran = sync(&world, &samba, "data", &mirror, &[]).ends(0);
    assert_eq!(counts(&ran, &["metadata_refreshed", "metadata_lost"]), [1, 0], "{}", ran.stdout);
    assert_served_alike(&samba, "data", "mirror");
    assert!(smbcacls(&samba, "mirror", "/", &[]).contains("plain:ALLOWED"));
    assert_eq!(kept(&mirror, ".octobackup/versions/2/tree").unwrap().security, old);
}
