//! Reparse points from a real Samba, which a shim taught to show them as Windows does.

use crate::world::{Ran, World, finish};
use octo_core::{LinkTarget, LinkType, RelPath, Target};
use octo_disk::{DiskOptions, DiskTarget};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs::{self, FileTimes};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

const SYMLINK: u32 = 0xA000_000C;
const JUNCTION: u32 = 0xA000_0003;
const DEDUPLICATED: u32 = 0x8000_0013;
const CLOUD_FOLDER: u32 = 0x9000_001A;
const MANUAL: &str = include_str!("../../../../docs/manual/metadata.md");

/// Where a link leads, as Windows writes it (MS-FSCC 2.1.2.4, 2.1.2.5): the name for the kernel, then that for people.
fn leads_to(tag: u32, name: &str) -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (kernel, people) = (utf16(&format!(r"\??\{name}")), utf16(name));
    let places = [0, kernel.len(), kernel.len(), people.len()];
    let mut data: Vec<u8> = places.iter().flat_map(|&place| (place as u16).to_le_bytes()).collect();
    if tag == SYMLINK {
        data.extend([0; 4]);
    }
    [data, kernel, people].concat()
}

/// Makes a file or folder of the share's a reparse point.
fn make_point(samba: &Samba, path: &str, tag: u32, data: &[u8]) {
    let head = [&tag.to_le_bytes()[..], &(data.len() as u16).to_le_bytes(), &[0; 2]].concat();
    let hex: String = [&head, data].concat().iter().map(|byte| format!("{byte:02x}")).collect();
    let set = ["-n", "user.reparse", "-v", &format!("0x{hex}")];
    let file = samba.share_path("data").join(path);
    assert!(Command::new("setfattr").args(set).arg(file).status().unwrap().success());
}

/// Where no creation time is stored, Samba tells the earliest of all times for it. Reading moves one of them; if the others were not the
/// same before, the next run sees another creation time.
fn age(entries: &[PathBuf]) {
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    for entry in entries {
        let times = FileTimes::new().set_accessed(long_ago).set_modified(long_ago);
        fs::File::open(entry).unwrap().set_times(times).unwrap();
    }
}

fn sync(world: &World, samba: &Samba) -> Ran {
    let (source, dst) = (format!("smb://backupop@{}/data", samba.addr()), world.dst());
    let args = ["sync".as_ref(), source.as_ref(), dst.as_os_str(), "--json".as_ref()];
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", "pw-backupop").spawn().unwrap()).ends(0)
}

fn recorded(mirror: &Path, path: &str) -> Option<LinkTarget> {
    let target = DiskTarget::open(mirror, DiskOptions::default()).unwrap();
    target.read_link(&RelPath::parse(path.as_bytes()).unwrap()).unwrap()
}

fn link(tag: u32, name: &str) -> Option<LinkTarget> {
    Some(LinkTarget { kind: LinkType::Windows(tag), data: leads_to(tag, name) })
}

/// What the manual's mirror spec prints.
fn listed(mirror: &Path) -> String {
    let section = MANUAL.split("## Links of Windows").nth(1).expect("a section about links");
    let mirror_spec =
        section.split("```").nth(1).expect("a block of code").replace("/srv/mirror", mirror.to_str().unwrap());
    let output = Command::new("bash").args(["-euc", &mirror_spec]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn links_are_recorded_and_never_followed_and_other_reparse_points_are_files_and_folders() {
    let (samba, world) = (Samba::start(SambaOptions::new().with_reparse_points()), World::new());
    let share = samba.share_path("data");
    let folders = ["junction", "cloud", "sub"].map(|folder| share.join(folder));
    folders.iter().for_each(|folder| fs::create_dir(folder).unwrap());
    for file in ["link", "sub/link", "junction/inside", "cloud/inside", "deduplicated"] {
        fs::write(share.join(file), format!("data of {file}")).unwrap();
        age(&[share.join(file)]);
    }
    age(&folders);
    age(std::slice::from_ref(&share));
    make_point(&samba, "link", SYMLINK, &leads_to(SYMLINK, r"D:\old"));
    make_point(&samba, "sub/link", SYMLINK, &leads_to(SYMLINK, "..\\na\u{ef}ve"));
    make_point(&samba, "junction", JUNCTION, &leads_to(JUNCTION, r"D:\data"));
    make_point(&samba, "deduplicated", DEDUPLICATED, b"chunks");
    make_point(&samba, "cloud", CLOUD_FOLDER, b"synced");

    let report = sync(&world, &samba).report();
    assert_eq!(report["counts"]["links"], 3, "{report}");
    for (path, tag, name) in
        [("link", SYMLINK, r"D:\old"), ("sub/link", SYMLINK, "..\\na\u{ef}ve"), ("junction", JUNCTION, r"D:\data")]
    {
        assert_eq!(recorded(&world.dst(), path), link(tag, name), "{path}");
        assert!(!world.dst().join(path).exists(), "{path}");
    }
    for path in ["deduplicated", "cloud/inside"] {
        assert_eq!(fs::read_to_string(world.dst().join(path)).unwrap(), format!("data of {path}"));
    }
    let kept = |path: &str| {
        let target = DiskTarget::open(&world.dst(), DiskOptions::default()).unwrap();
        target.metadata(&RelPath::parse(path.as_bytes()).unwrap()).unwrap().unwrap().reparse
    };
    assert_eq!(kept("deduplicated"), Some((DEDUPLICATED, b"chunks".to_vec())));
    assert_eq!(kept("cloud"), Some((CLOUD_FOLDER, b"synced".to_vec())));
    let expected = "/junction (junction) -> D:\\data\n/link (symbolic link) -> D:\\old\nsub/link (symbolic link) -> ..\\na\u{ef}ve\n";
    assert_eq!(listed(&world.dst()), expected);

    let counts = sync(&world, &samba).report()["counts"].clone();
    assert_eq!((&counts["links"], &counts["metadata_kept"]), (&0.into(), &0.into()), "an unchanged run: {counts}");

    // A link that leads elsewhere has a new last write time; the old one is with the versions.
    fs::write(share.join("link"), "again").unwrap();
    make_point(&samba, "link", SYMLINK, &leads_to(SYMLINK, r"D:\new"));
    fs::remove_dir_all(share.join("junction")).unwrap();
    sync(&world, &samba);
    assert_eq!(recorded(&world.dst(), "link"), link(SYMLINK, r"D:\new"));
    assert_eq!(recorded(&world.dst(), "junction"), None);
    assert_eq!(recorded(&world.dst(), ".octobackup/versions/3/tree/link"), link(SYMLINK, r"D:\old"));
    assert_eq!(recorded(&world.dst(), ".octobackup/versions/3/tree/junction"), link(JUNCTION, r"D:\data"));
}
