//! Somebody swaps what lies on the way while it is opened, in a loop, as fast as the kernel can.

use crate::ground::*;
use octo_core::{Code, Kind, LinkTarget, LinkType, Listed, Target};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::BTreeSet;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const STRANGER: u32 = 4321;
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Does `work` while the two names are exchanged again and again. `work` is given the number of exchanges so far.
fn while_swapping<T>(a: &Path, b: &Path, work: impl FnOnce(&AtomicU64) -> T) -> T {
    /// However `work` ends, the swapping does.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (is_over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _end = End(&is_over);
        work(&swaps)
    })
}

#[test]
fn a_folder_swapped_for_a_link_to_a_secret_never_shows_the_secret() {
    let temp = temp();
    let at = |name: &str| temp.path().join(name);
    for folder in ["allowed/a/inner", "secret/inner"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    std::fs::write(at("allowed/a/inner/public"), "").unwrap();
    std::fs::write(at("secret/inner/secret"), "").unwrap();
    symlink(at("secret"), at("allowed/b")).unwrap();
    let (mut opened, mut refused) = (0, 0);
    while_swapping(&at("allowed/a"), &at("allowed/b"), |swaps| {
        let begun = Instant::now();
        for _ in 0..4000 {
            match LocalSource::open_within(&at("allowed"), &at("allowed/a/inner")) {
                Ok(Some(source)) => {
                    opened += 1;
                    let (kept, listed) = list_source(&source, "");
                    let names: Vec<_> =
                        kept.entries.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
                    assert_eq!((names, listed), (vec!["public".to_owned()], Listed::Complete));
                    let pin = octo_core::Source::pin(&source).unwrap().path;
                    assert!(!pin.contains("secret"), "{pin}");
                }
                Ok(None) | Err(_) => refused += 1,
            }
        }
        // However busy the machine: at least once each way.
        while opened == 0 || swaps.load(Ordering::Relaxed) < 2 {
            assert!(begun.elapsed() < WAIT_MAX, "{opened} opened, {refused} refused");
            opened += u64::from(
                LocalSource::open_within(&at("allowed"), &at("allowed/a/inner")).is_ok_and(|it| it.is_some()),
            );
        }
    });
    // It does happen that what is swapped is asked for.
    assert!(opened > 0);
}

#[test]
fn a_mirror_swapped_for_another_keeps_its_own_records() {
    let temp = temp();
    let at = |name: &str| temp.path().join(name);
    let junction = LinkTarget { kind: LinkType::Windows(0xA000_0003), data: vec![7] };
    for mirror in ["a", "b"] {
        write_file(&open(&at(mirror)), mirror, b"whose mirror it is");
    }
    let mut made = Vec::new();
    while_swapping(&at("a"), &at("b"), |_| {
        for n in 0..300 {
            let target = open(&at("a"));
            let whose = if target.look(&p("a")).unwrap().is_some() { "a" } else { "b" };
            let name = format!("{whose}-{n}");
            target.make_link(&p(&name), &junction, MOMENT).unwrap();
            made.push(name);
        }
    });
    for place in ["a", "b"] {
        let target = open(&at(place));
        let whose = if target.look(&p("a")).unwrap().is_some() { "a" } else { "b" };
        let links = list_target(&target, "").entries;
        let links = links.iter().filter(|(_, meta)| meta.kind == Kind::Link);
        let links: BTreeSet<String> = links.map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        let expected = made.iter().filter(|name| name.starts_with(whose)).cloned().collect();
        assert_eq!(links, expected, "the links recorded in mirror {whose}");
    }
}

/// A folder in which everybody may write, with a link of this owner to a folder outside.
fn square(owner: u32) -> (tempfile::TempDir, PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let temp = temp();
    let (square, outside) = (temp.path().join("square"), temp.path().join("outside"));
    std::fs::create_dir(&square).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::set_permissions(&square, std::fs::Permissions::from_mode(0o1777)).unwrap();
    symlink(&outside, square.join("link")).unwrap();
    lchown(square.join("link"), Some(owner), Some(owner)).unwrap();
    (temp, square.join("link"), outside)
}

#[test]
fn a_target_or_source_named_by_a_strangers_link_is_refused_before_anything_is_made() {
    let (_temp, link, outside) = square(STRANGER);
    let options = || DiskOptions { create: true, ..DiskOptions::default() };
    for way in [link.clone(), link.join("new"), link.join("new/deeper"), link.join("../link")] {
        let refused = DiskTarget::open(&way, options()).unwrap_err();
        assert_eq!(refused.code, Code::TargetFailed, "{refused:?}");
        assert!(refused.detail.contains("belongs to another user"), "{refused:?}");
    }
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    let refused = LocalSource::open(&link).unwrap_err();
    assert!(refused.code == Code::SourceMissing && refused.detail.contains("belongs to another user"), "{refused:?}");
    // A link to such a link is no better.
    let second = link.parent().unwrap().parent().unwrap().join("second");
    symlink(&link, &second).unwrap();
    assert!(DiskTarget::open(&second, options()).is_err());
}

#[test]
fn a_link_that_an_administrator_made_is_followed_wherever_it_lies() {
    let (_temp, link, outside) = square(0);
    write_file(&open(&link.join("new/deeper")), "file", b"");
    assert!(outside.join("new/deeper/file").exists());
    assert_eq!(list_source(&LocalSource::open(&link).unwrap(), "").1, Listed::Complete);
}
