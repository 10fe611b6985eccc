//! From a share into a mirror, and from the mirror back to a share: everything is as it was, as another client sees it.

use crate::fixture::*;
use octo_core::monitor::Silent;
use octo_core::{Cancel, Code, Error, Monitor, Outcome, SmbAddress};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::RunOptions;
use octo_mirror::history::{History, When};
use octo_mirror::restore::{Existing, RestoreOptions, RestoreReport, restore};
use octo_smb::{SmbOptions, SmbRestore};
use octo_testkit::clock::TestClock;
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::path::Path;

const ENTRIES: [&str; 6] = ["a.txt", "plain", "empty", "sub", "sub/b.txt", "sub/large"];
const LARGE_BYTES: usize = 3_000_000;

/// A share with files, an empty one, and an account that may restore.
pub fn samba(options: SambaOptions) -> Samba {
    let samba = Samba::start(options.user("restoreop").share("empty", "empty", &[]));
    for right in ["SeBackupPrivilege", "SeRestorePrivilege", "SeSecurityPrivilege"] {
        samba.grant("restoreop", right);
    }
    samba
}

/// Files with permissions, attributes, streams and extended attributes.
fn prepare(samba: &Samba, share: &str) {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).unwrap();
        format!("put {}", folder.path().join(name).display())
    };
    let large: Vec<u8> = (0..LARGE_BYTES).map(|at| (at / 7) as u8).collect();
    let (data, info) = (put("data", b"the data"), put("info", b"a stream"));
    let (none, large) = (put("none", b""), put("large", &large));
    let commands = [
        "mkdir sub".to_owned(),
        format!("{data} a.txt; {info} a.txt:info; {data} sub/b.txt; {data} plain; {none} empty; {large} sub/large"),
        "setea a.txt COMMENT noted; setmode a.txt +rh; setmode sub +h; setmode plain +r; setmode empty -a".to_owned(),
    ];
    samba.client(share, &commands.join("; "));
    let acl = "ACL:OCTOTEST\\plain:ALLOWED/0x0/READ,ACL:OCTOTEST\\owner:ALLOWED/0x0/FULL,ACL:OCTOTEST\\backupop:DENIED/0x0/WDPO";
    for (path, more) in [
        ("a.txt", ""),
        ("sub", ",ACL:OCTOTEST\\plain:ALLOWED/0x3/FULL"),
        ("sub/large", ",ACL:OCTOTEST\\plain:ALLOWED/0x10/FULL"),
    ] {
        let owned = format!("REVISION:1,OWNER:OCTOTEST\\owner,GROUP:Unix Group\\plain,{acl}{more}");
        samba.acl(share, path, &["-S", &owned]);
    }
    assert!(samba.acl(share, "sub/large", &[]).contains("ALLOWED/I/FULL"), "an entry that is inherited");
    samba.acl(share, "sub/b.txt", &["--inherit=remove"]);
}

/// All that can be seen of the entries by another client.
fn seen(samba: &Samba, share: &str, folder: &str) -> Vec<String> {
    let mut all = Vec::new();
    for entry in ENTRIES {
        let path = format!("{folder}{entry}");
        all.extend(samba.info(share, &path));
        all.push(samba.acl(share, &path, &[]));
    }
    let got = tempfile::tempdir().unwrap();
    for (name, file) in
        [("a.txt", "a"), ("a.txt:info", "info"), ("sub/b.txt", "b"), ("plain", "plain"), ("sub/large", "l")]
    {
        let to = got.path().join(file);
        samba.client(share, &format!("get {folder}{name} {}", to.display()));
        let bytes = fs::read(to).unwrap();
        all.push(format!("{name}: {} bytes, {:?}", bytes.len(), octo_mirror_hash(&bytes)));
    }
    all.push(samba.client(share, &format!("geteas {folder}a.txt")));
    all.extend(times(samba, share, folder));
    all
}

/// Creation and last write times to 100 ns.
fn times(samba: &Samba, share: &str, folder: &str) -> Vec<String> {
    let source = connect(samba, share, "restoreop");
    let folder = folder.trim_end_matches('/');
    let mut all = Vec::new();
    for below in ["", "/sub"] {
        let listed = list_all(&source, format!("{folder}{below}").trim_start_matches('/'));
        let mut entries = listed.entries;
        entries.retain(|entry| ENTRIES.iter().any(|name| name.rsplit('/').next() == Some(&entry.name.to_string())));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let meta = entry.meta;
            all.push(format!("{}: {:?} {:?}", entry.name, meta.write_time, meta.creation_time));
        }
    }
    assert_eq!(all.len(), ENTRIES.len());
    all
}

fn octo_mirror_hash(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// One run from a share into a mirror.
fn sync(samba: &Samba, share: &str, mirror: &Path) {
    let source = connect(samba, share, "restoreop");
    let target = DiskTarget::open(mirror, DiskOptions { create: true, ..DiskOptions::default() }).unwrap();
    let report =
        octo_mirror::run(&source, &target, &RunOptions::default(), &Silent, &TestClock::real(), &Cancel::new()).report;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
}

/// Restores the newest state.
pub fn restore_as(
    samba: &Samba,
    (user, to): (&str, &str),
    mirror: &Path,
    existing: Existing,
) -> Result<RestoreReport, Error> {
    restore_watched((&address(samba, to), user), mirror, existing, &Silent)
}

/// The same, while somebody listens.
pub fn restore_watched(
    (address, user): (&SmbAddress, &str),
    mirror: &Path,
    existing: Existing,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, Error> {
    let mirror = DiskTarget::open(mirror, DiskOptions::default()).unwrap();
    let history = History::open(&mirror).unwrap();
    let state = history.state(When::Now).unwrap();
    let share = SmbRestore::connect(address, &credentials(user), &SmbOptions::default(), true)?;
    let options = RestoreOptions { existing, beside: " (old)".to_owned(), ..RestoreOptions::default() };
    restore(&state, (&share, &mirror), &options, monitor, &Cancel::new())
}

fn nothing_is_staged(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.starts_with(".octobackup"), "{name}");
    }
}

#[test]
fn a_privileged_account_restores_everything_to_an_empty_share_and_to_its_own() {
    let samba = samba(SambaOptions::new());
    prepare(&samba, "data");
    let folder = tempfile::tempdir().unwrap();
    let mirror = folder.path().join("mirror");
    sync(&samba, "data", &mirror);
    let before = seen(&samba, "data", "");
    let report = restore_as(&samba, ("restoreop", "empty/new/folder"), &mirror, Existing::default()).unwrap();
    assert_eq!(
        (report.counts.created, report.counts.folders_created, report.counts.problems),
        (5, 1, 0),
        "{report:#?}"
    );
    assert_eq!(seen(&samba, "empty", "new/folder/"), before);
    let report = restore_as(&samba, ("restoreop", "empty/new/folder"), &mirror, Existing::default()).unwrap();
    assert_eq!((report.counts.created, report.counts.unchanged, report.counts.problems), (0, 5, 0), "{report:#?}");
    assert_eq!(seen(&samba, "empty", "new/folder/"), before);

    let root = samba.share_path("data");
    fs::remove_dir_all(root.join("sub")).unwrap();
    for name in ["plain", "a.txt"] {
        fs::write(root.join(name), "overwritten by mistake").unwrap();
    }
    let report = restore_as(&samba, ("restoreop", "data"), &mirror, Existing::Keep).unwrap();
    assert_eq!((report.counts.created, report.left, report.counts.problems), (2, 2, 0), "{report:#?}");
    let report = restore_as(&samba, ("restoreop", "data"), &mirror, Existing::Replace).unwrap();
    assert_eq!((report.counts.replaced, report.counts.problems), (2, 0), "{report:#?}");
    assert_eq!(seen(&samba, "data", ""), before);
    nothing_is_staged(&root);
    nothing_is_staged(&samba.share_path("empty").join("new/folder"));
}

#[test]
fn an_ordinary_account_restores_what_it_may_and_names_the_rest() {
    let samba = samba(SambaOptions::new());
    prepare(&samba, "data");
    let folder = tempfile::tempdir().unwrap();
    let mirror = folder.path().join("mirror");
    sync(&samba, "data", &mirror);
    let report = restore_as(&samba, ("plain", "empty/here"), &mirror, Existing::default()).unwrap();
    assert_eq!((report.counts.created, report.counts.folders_created), (5, 1), "{report:#?}");
    assert!(report.counts.metadata_lost > 0, "{report:#?}");
    assert!(report.problems.iter().all(|it| it.detail.contains("owner and group")), "{report:#?}");
    for entry in ENTRIES {
        assert_eq!(samba.info("empty", &format!("here/{entry}")), samba.info("data", entry), "{entry}");
        let entries = |share: &str, path: &str| -> Vec<String> {
            let all = samba.acl(share, path, &[]);
            all.lines().filter(|line| line.starts_with("ACL")).map(str::to_owned).collect()
        };
        assert_eq!(entries("empty", &format!("here/{entry}")), entries("data", entry), "{entry}");
    }
    // What it may not write is refused.
    let error = restore_as(&samba, ("plain", "c$"), &mirror, Existing::default()).unwrap_err();
    assert_eq!(error.code, Code::ShareDenied, "{error}");
}

#[test]
fn a_file_of_which_no_permissions_are_known_gets_those_of_its_place() {
    let samba = samba(SambaOptions::new());
    let folder = tempfile::tempdir().unwrap();
    let (from, mirror) = (folder.path().join("from"), folder.path().join("mirror"));
    fs::create_dir_all(from.join("private")).unwrap();
    let large = vec![7; LARGE_BYTES];
    for (name, bytes) in [("replaced", &b"new"[..]), ("new", b"new"), ("large", &large)] {
        fs::write(from.join("private").join(name), bytes).unwrap();
    }
    let target = DiskTarget::open(&mirror, DiskOptions { create: true, ..DiskOptions::default() }).unwrap();
    let source = LocalSource::open(&from).unwrap();
    let run = octo_mirror::run(&source, &target, &RunOptions::default(), &Silent, &TestClock::real(), &Cancel::new());
    assert_eq!(run.report.outcome, Outcome::Succeeded, "{:#?}", run.report);
    drop(target);

    fs::write(folder.path().join("other"), "what is there").unwrap();
    let put = |name: &str| {
        samba.client("empty", &format!("put {} private/{name}", folder.path().join("other").display()));
    };
    let entries = |path: &str| -> Vec<String> {
        let all = samba.acl("empty", path, &[]);
        all.lines().filter(|line| line.starts_with("ACL")).map(str::to_owned).collect()
    };
    let owned = "REVISION:1,OWNER:OCTOTEST\\owner,GROUP:Unix Group\\plain,ACL:OCTOTEST\\plain";
    samba.client("empty", "mkdir private");
    let list = format!("{owned}:ALLOWED/0x3/FULL,ACL:OCTOTEST\\owner:ALLOWED/0x3/READ");
    samba.acl("empty", "private", &["-S", &list]);
    put("theirs");
    put("replaced");
    let list = format!("{owned}:ALLOWED/0x0/FULL,ACL:OCTOTEST\\backupop:ALLOWED/0x0/READ");
    samba.acl("empty", "private/replaced", &["-S", &list]);
    let (inherited, replaced) = (entries("private/theirs"), entries("private/replaced"));
    assert!(inherited.iter().any(|it| it.contains("owner")) && inherited != replaced, "{inherited:?}");

    let report = restore_as(&samba, ("plain", "empty"), &mirror, Existing::Replace).unwrap();
    assert_eq!((report.counts.created, report.counts.replaced), (2, 1), "{report:#?}");
    assert_eq!((report.counts.problems, report.counts.metadata_lost), (0, 0), "{report:#?}");
    let root = samba.share_path("empty");
    assert_eq!(fs::read(root.join("private/large")).unwrap(), large);
    for (name, list) in [("new", &inherited), ("large", &inherited), ("replaced", &replaced)] {
        assert_eq!(&entries(&format!("private/{name}")), list, "{name}");
    }
    nothing_is_staged(&root);
    nothing_is_staged(&root.join("private"));
}
