//! Source and target in relation to each other.

use crate::ground::*;
use octo_core::Code;
use octo_disk::{marker_above, overlap};
use std::os::unix::fs::symlink;

#[test]
fn nesting_is_seen_in_both_directions_and_through_links() {
    let temp = temp();
    let at = |path: &str| temp.path().join(path);
    for folder in ["a/b/c", "d", "ab"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    symlink(at("a/b"), at("link")).unwrap();
    for (source, target) in [
        ("a", "a"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("a", "link"),
        ("link", "a"),
        ("link", "a/b/c"),
        ("a", "link/c/new/newer"),
        ("a", "a/new"),
        ("a", "d/../a/new"),
    ] {
        assert_eq!(code(overlap(&at(source), &at(target))), Code::Nested, "{source} {target}");
    }
    for (source, target) in [("a", "d"), ("a", "ab"), ("a/b", "a/new"), ("a", "new"), ("d", "link"), ("a/b", "a/b2/x")]
    {
        overlap(&at(source), &at(target)).unwrap_or_else(|error| panic!("{source} {target}: {error}"));
    }
    assert_eq!(code(overlap(&at("a"), &at("new/../a"))), Code::Usage);
}

#[test]
fn nesting_is_seen_through_a_bind_mount() {
    own_mounts();
    let temp = temp();
    let at = |path: &str| temp.path().join(path);
    std::fs::create_dir_all(at("a/b")).unwrap();
    std::fs::create_dir(at("bound")).unwrap();
    let _mounted = mount(&["--bind", at("a").to_str().unwrap()], &at("bound"));
    assert_eq!(code(overlap(&at("a"), &at("bound/b"))), Code::Nested);
    assert_eq!(code(overlap(&at("bound"), &at("a/b/new"))), Code::Nested);
}

#[test]
fn a_mirror_above_the_target_is_seen_and_the_target_itself_is_none() {
    let temp = temp();
    let at = |path: &str| temp.path().join(path);
    std::fs::create_dir_all(at("mirror/.octobackup")).unwrap();
    std::fs::create_dir_all(at("mirror/sub")).unwrap();
    marker_above(&at("mirror/sub")).unwrap();
    std::fs::write(at("mirror/.octobackup/marker.toml"), "").unwrap();
    marker_above(&at("mirror")).unwrap();
    marker_above(&at("beside")).unwrap();
    for inside in ["mirror/sub", "mirror/new", "mirror/sub/new/newer"] {
        assert_eq!(code(marker_above(&at(inside))), Code::Nested, "{inside}");
    }
    symlink(at("mirror/sub"), at("link")).unwrap();
    assert_eq!(code(marker_above(&at("link"))), Code::Nested);
}
