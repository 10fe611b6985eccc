//! Names: every one that a share can hold comes through and opens its own file.

use crate::fixture::*;
use octo_core::{Code, Kind, Listed, Name, RelPath, Source};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

#[test]
fn strange_names_are_listed_and_open_their_own_files() {
    let samba = samba();
    let data = samba.share_path("data");
    let long = "x".repeat(255);
    let long_wide = "\u{4e2d}".repeat(85);
    let names = [
        "ordinary.txt",
        "UPPER and lower",
        "äöü ß é",
        "日本語",
        "\u{1F600} emoji",
        "e\u{301} combining",
        "100%.txt",
        "a;b,c=d+e",
        "#hash [x] {y} !~^$",
        "...",
        "..a",
        "x.",
        "trailing space ",
        &long,
        &long_wide,
        "\u{FFFD}\u{FEFF}",
    ];
    for name in names {
        fs::write(data.join(name), name.as_bytes()).unwrap();
    }
    let source = connect(&samba, "data", "plain");
    let kept = list_all(&source, "");
    assert_eq!(kept.entries.len(), names.len());
    let batch: Vec<_> = kept.entries.iter().map(|e| request_at(RelPath::root().join(&e.name))).collect();
    let contents: Vec<_> = fetch(&source, &batch).iter().map(|f| f.bytes()).collect();
    for name in names {
        assert!(contents.contains(&name.as_bytes().to_vec()), "{name:?}");
    }
    // Samba shows what Windows could not write (a trailing dot or space) under a mangled name; the rest is as it is.
    for name in names.iter().filter(|n| !n.ends_with(['.', ' '])) {
        let at = kept.entries.iter().position(|e| e.name.as_bytes() == name.as_bytes());
        assert_eq!(at.map(|at| contents[at].as_slice()), Some(name.as_bytes()), "{name:?}");
    }
}

fn request_at(path: RelPath) -> octo_core::FetchRequest {
    octo_core::FetchRequest { path, ..request("x", 300) }
}

#[test]
fn an_unpaired_surrogate_is_listed_as_it_is() {
    let samba = samba();
    let plain = samba.share_path("plainfs");
    let name = OsStr::from_bytes(b"lone\xED\xA0\x80surrogate");
    fs::create_dir(plain.join(name)).unwrap();
    fs::write(plain.join(name).join("file"), b"inside").unwrap();
    let source = connect(&samba, "plainfs", "plain");
    let kept = list_all(&source, "");
    assert_eq!(kept.meta(name.as_bytes()).kind, Kind::Folder);
    // Samba lists such a name and then does not take it back: that is a problem of this entry, and of no other.
    let folder = RelPath::root().join(&Name::new(name.as_bytes()).unwrap());
    let file = folder.join(&Name::new(b"file".as_slice()).unwrap());
    fs::write(plain.join("other"), b"other").unwrap();
    let fetched = fetch(&source, &[request_at(file), request("other", 5)]);
    assert_eq!(fetched[0].failed.as_ref().map(|e| e.code), Some(Code::SourceEntry));
    assert_eq!(fetched[1].bytes(), b"other");
    let mut kept = Kept::default();
    let listed = source.list(&folder, &mut kept);
    assert!(matches!(listed, Listed::Incomplete(e) if !e.code.stops_run() && e.detail.contains("name")));
}

#[test]
fn separators_of_windows_in_a_name_never_lead_elsewhere() {
    let samba = samba();
    let plain = samba.share_path("plainfs");
    fs::create_dir(plain.join("a")).unwrap();
    fs::write(plain.join("a/b"), b"another file").unwrap();
    for name in ["a\\b", "colon:stream", "quote\"d", "star*"] {
        fs::write(plain.join(name), name.as_bytes()).unwrap();
    }
    let source = connect(&samba, "plainfs", "plain");
    let kept = list_all(&source, "");
    assert_eq!(kept.entries.len(), 5);
    for entry in &kept.entries {
        assert!(!entry.name.as_bytes().contains(&b'\\'), "Samba mangles it");
    }
    let files: Vec<_> = kept.entries.iter().filter(|e| e.meta.kind == Kind::File).collect();
    let batch: Vec<_> = files.iter().map(|e| request_at(RelPath::root().join(&e.name))).collect();
    let mut contents: Vec<_> = fetch(&source, &batch).iter().map(|f| String::from_utf8(f.bytes()).unwrap()).collect();
    contents.sort();
    assert_eq!(contents, ["a\\b", "colon:stream", "quote\"d", "star*"]);
    // Asked for by a name that the protocol would read as a path, nothing is opened at all.
    let asked = fetch(&source, &[request_at(RelPath::parse(b"a\\b").unwrap())]);
    assert!(asked[0].failed.is_some() && asked[0].opened.is_none());
}

#[test]
fn a_path_that_is_listed_and_too_long_to_be_opened_is_called_so_and_not_gone() {
    let samba = samba();
    let plain = samba.share_path("plainfs");
    // No path may be so long when it is made: what is above is put on top of it afterwards.
    let chain = |folders: usize| vec!["f".repeat(200); folders].join("/");
    fs::create_dir_all(plain.join("top").join(chain(10))).unwrap();
    fs::create_dir_all(plain.join("below").join(chain(15))).unwrap();
    fs::write(plain.join("below").join(chain(15)).join("file"), b"deep").unwrap();
    fs::rename(plain.join("below"), plain.join("top").join(chain(10)).join("below")).unwrap();
    let source = connect(&samba, "plainfs", "plain");
    let mut folder = path("top");
    // The deepest folder that can be listed, and what is said of the one below.
    let error = loop {
        let mut kept = Kept::default();
        match source.list(&folder, &mut kept) {
            Listed::Complete => folder = folder.join(&kept.entries[0].name),
            Listed::Incomplete(error) => break error,
        }
        assert!(folder.to_text().len() < 6_000, "the end is reached");
    };
    assert_eq!(error.code, Code::PathTooLong, "{error}");
    let fetched = fetch(&source, &[request_at(folder.join(&Name::new(*b"file").unwrap()))]);
    assert_eq!(fetched[0].failed.as_ref().map(|error| error.code), Some(Code::PathTooLong));
    // What is short and gone is gone.
    let (listed, _) = list(&source, "gone");
    assert!(matches!(listed, Listed::Incomplete(error) if error.code == Code::NotFound));
}
