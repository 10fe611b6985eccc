//! A local folder as a source.

use crate::fetch::{Kept, one as fetch_one, request};
use crate::ground::*;
use octo_core::{Code, FetchRequest, Kind, LinkTarget, LinkType, Listed, Ranges, Source, Stop, Timestamp};
use octo_disk::LocalSource;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

fn set_modified(path: &Path, nanos: u64) {
    std::fs::File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_nanos(nanos)).unwrap();
}

#[test]
fn a_listing_says_what_each_entry_is_with_times_floored_to_100_ns() {
    let temp = temp();
    std::fs::write(temp.path().join("file"), "12345").unwrap();
    set_modified(&temp.path().join("file"), 1_600_000_000_123_456_789);
    std::fs::create_dir(temp.path().join("folder")).unwrap();
    symlink("some/../where", temp.path().join("link")).unwrap();
    run("coreutils", "mkfifo", &[temp.path().join("pipe").to_str().unwrap()]);
    let source = LocalSource::open(temp.path()).unwrap();
    let (kept, listed) = list_source(&source, "");
    assert_eq!(listed, Listed::Complete);
    let kinds: Vec<_> = kept.entries.values().map(|meta| meta.kind).collect();
    assert_eq!(kinds, [Kind::File, Kind::Folder, Kind::Link, Kind::Other]);
    let file = kept.entries[&b"file"[..]];
    assert_eq!((file.size_bytes, file.write_time), (5, MOMENT));
    let real = temp.path().join("file").metadata().unwrap();
    assert_eq!(file.id.unwrap().id, u128::from(real.ino()));
    let born = real.created().unwrap().duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(file.creation_time, Some(Timestamp::from_unix(born.as_secs() as i64, born.subsec_nanos())));
    let text = LinkTarget { kind: LinkType::Posix, data: b"some/../where".to_vec() };
    assert_eq!(source.read_link(&p("link")), Ok(text));
    assert_eq!(code(source.read_link(&p("file"))), Code::KindMoved);
}

#[test]
fn a_file_is_handed_over_whole_with_what_its_handle_says() {
    let temp = temp();
    let content: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    for (name, content) in [("large", &content[..]), ("small", b"small"), ("none", b"")] {
        std::fs::write(temp.path().join(name), content).unwrap();
        let source = LocalSource::open(temp.path()).unwrap();
        let (opened, finished, data) = fetch_one(&source, name).unwrap();
        assert!(data == content && opened == finished && opened.size_bytes == content.len() as u64, "{name}");
        assert_eq!(list_source(&source, "").0.entries[name.as_bytes()], opened);
    }
}

#[test]
fn only_the_parts_asked_for_are_handed_over() {
    let temp = temp();
    let content: Vec<u8> = (0..2_000_000u32).map(|n| (n / 7) as u8).collect();
    std::fs::write(temp.path().join("file"), &content).unwrap();
    let source = LocalSource::open(temp.path()).unwrap();
    let mut parts = Ranges::new();
    parts.insert(10..20);
    parts.insert(1_000_000..1_900_000);
    let mut kept = Kept::default();
    source.fetch(&[FetchRequest { parts: Some(parts.clone()), ..request("file") }], &mut kept);
    let mut got = Ranges::new();
    for (at, bytes) in &kept.data {
        assert_eq!(&content[*at as usize..][..bytes.len()], bytes);
        got.insert(*at..*at + bytes.len() as u64);
    }
    assert_eq!((got, kept.told), (parts, vec![(0, "opened"), (0, "data"), (0, "finished")]));
    let mut beyond = Ranges::new();
    beyond.insert(1_999_999..2_000_001);
    let mut kept = Kept::default();
    source.fetch(&[FetchRequest { parts: Some(beyond), ..request("file") }], &mut kept);
    assert_eq!(kept.error.unwrap().code, Code::ChangedWhileRead);
}

#[test]
fn one_bad_file_does_not_disturb_the_others_of_its_batch() {
    let temp = temp();
    for name in ["a", "b", "c"] {
        std::fs::write(temp.path().join(name), name).unwrap();
    }
    std::fs::create_dir(temp.path().join("folder")).unwrap();
    let source = LocalSource::open(temp.path()).unwrap();
    let batch: Vec<_> = ["a", "gone", "folder", "a/below", "b", "c"].iter().map(|path| request(path)).collect();
    let mut kept = Kept { stop_at: Some((4, Stop::ThisFile)), ..Kept::default() };
    source.fetch(&batch, &mut kept);
    let whole = |file| [(file, "opened"), (file, "data"), (file, "finished")];
    let expected = [&whole(0)[..], &[(1, "failed"), (2, "failed"), (3, "failed"), (4, "opened")], &whole(5)].concat();
    assert_eq!(kept.told, expected);
    let mut kept = Kept { stop_at: Some((0, Stop::Everything)), ..Kept::default() };
    source.fetch(&batch, &mut kept);
    assert_eq!(kept.told, [(0, "opened")]);
    assert_eq!(fetch_one(&source, "gone").unwrap_err().code, Code::NotFound);
    assert_eq!(fetch_one(&source, "folder").unwrap_err().code, Code::KindMoved);
}

#[test]
fn a_file_that_shrinks_or_grows_while_it_is_read_is_seen() {
    let temp = temp();
    let path = temp.path().join("file");
    std::fs::write(&path, vec![1u8; 2_000_000]).unwrap();
    let source = LocalSource::open(temp.path()).unwrap();
    let resize = |size: u64| {
        let path = path.clone();
        Some(Box::new(move || {
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
        }) as Box<dyn FnMut()>)
    };
    let mut shrunk = Kept { meanwhile: resize(1000), ..Kept::default() };
    source.fetch(&[request("file")], &mut shrunk);
    assert_eq!(shrunk.error.unwrap().code, Code::ChangedWhileRead);
    let mut grown = Kept { meanwhile: resize(5000), ..Kept::default() };
    source.fetch(&[request("file")], &mut grown);
    assert_eq!(grown.data.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(), 1000, "no more than was announced");
    assert_ne!(grown.opened, grown.finished);
}

#[test]
fn a_file_that_became_a_link_or_pipe_since_it_was_listed_is_not_read() {
    let temp = temp();
    std::fs::write(temp.path().join("secret"), "secret").unwrap();
    symlink("secret", temp.path().join("link")).unwrap();
    run("coreutils", "mkfifo", &[temp.path().join("pipe").to_str().unwrap()]);
    let source = LocalSource::open(temp.path()).unwrap();
    for path in ["link", "pipe"] {
        assert_eq!(fetch_one(&source, path).unwrap_err().code, Code::KindMoved, "{path}");
    }
}

#[test]
fn a_folder_that_is_gone_or_no_folder_is_not_complete() {
    let temp = temp();
    std::fs::write(temp.path().join("file"), "").unwrap();
    std::fs::create_dir(temp.path().join("root")).unwrap();
    let source = LocalSource::open(temp.path()).unwrap();
    for (folder, code) in [("gone", Code::NotFound), ("file", Code::KindMoved), ("file/below", Code::KindMoved)] {
        assert!(matches!(list_source(&source, folder).1, Listed::Incomplete(error) if error.code == code), "{folder}");
    }
    let root = LocalSource::open(&temp.path().join("root")).unwrap();
    std::fs::remove_dir(temp.path().join("root")).unwrap();
    let listed = list_source(&root, "").1;
    assert!(matches!(&listed, Listed::Incomplete(error) if error.code == Code::SourceMissing), "{listed:?}");
    assert_eq!(code(LocalSource::open(&temp.path().join("root"))), Code::SourceMissing);
    assert_eq!(code(LocalSource::open(&temp.path().join("file"))), Code::SourceMissing);
}

#[test]
fn reading_leaves_no_access_time() {
    let temp = temp();
    let path = temp.path().join("file");
    std::fs::write(&path, "content").unwrap();
    let old = std::fs::FileTimes::new().set_accessed(UNIX_EPOCH + Duration::from_secs(5));
    std::fs::File::options().write(true).open(&path).unwrap().set_times(old).unwrap();
    fetch_one(&LocalSource::open(temp.path()).unwrap(), "file").unwrap();
    assert_eq!(path.metadata().unwrap().atime(), 5);
}

#[test]
fn a_path_deeper_than_the_kernel_takes_at_once_is_read() {
    let temp = temp();
    let target = open(temp.path());
    let mut path = octo_core::RelPath::root();
    for _ in 0..30 {
        path = path.join(&octo_core::Name::new(vec![b'd'; 200]).unwrap());
        target_make(&target, &path);
    }
    let file = path.join(&octo_core::Name::new(*b"file").unwrap());
    octo_core::Target::create_file(&target, &file).unwrap().write_at(0, b"deep").unwrap();
    let source = LocalSource::open(temp.path()).unwrap();
    let mut kept = Kept::default();
    source.fetch(&[FetchRequest { path: file, ..request("x") }], &mut kept);
    assert_eq!(kept.data, [(0, b"deep".to_vec())]);
}

fn target_make(target: &dyn octo_core::Target, path: &octo_core::RelPath) {
    assert_eq!(target.make_folder(path).unwrap(), octo_core::Done::Yes);
}

#[test]
fn the_pin_is_the_same_for_the_same_folder_however_it_is_written() {
    let temp = temp();
    std::fs::create_dir_all(temp.path().join("a/b")).unwrap();
    symlink("a/b", temp.path().join("link")).unwrap();
    let pin = |path: &str| LocalSource::open(&temp.path().join(path)).unwrap().pin().unwrap();
    assert_eq!(pin("a/b"), pin("link"));
    assert_eq!(pin("a/b"), pin("a/./b/"));
    assert_ne!(pin("a/b"), pin("a"));
    assert_eq!((pin("a").kind.as_str(), pin("a").server.as_str()), ("local", ""));
    assert!(!pin("a").volume.is_empty());
}

#[test]
fn what_the_program_keeps_for_itself_is_never_read_by_whatever_name_and_its_neighbours_are() {
    let temp = temp();
    let at = |path: &str| temp.path().join(path);
    std::fs::create_dir_all(at("lib/own/inner")).unwrap();
    std::fs::create_dir(at("other")).unwrap();
    for file in ["lib/own/key", "lib/own/inner/key", "lib/file", "other/file"] {
        std::fs::write(at(file), "x").unwrap();
    }
    symlink(at("lib"), at("way")).unwrap();
    // Named by way of a link, which is nothing else.
    let keeping = |source: &str| LocalSource::open(&at(source)).unwrap().keeping_out_of(&at("way/own"));
    for inside in ["lib/own", "lib/own/inner", "way/own"] {
        assert_eq!(keeping(inside).unwrap_err().code, Code::OwnData, "{inside}");
    }
    for (root, below) in [("", "lib/"), ("lib", ""), ("way", "")] {
        let source = keeping(root).unwrap();
        let path = |name: &str| format!("{below}{name}");
        let is_kept_out = |folder: &str| {
            let (kept, listed) = list_source(&source, &path(folder));
            kept.entries.is_empty() && matches!(listed, Listed::Incomplete(error) if error.code == Code::OwnFolder)
        };
        assert!(is_kept_out("own"), "{root:?}");
        for file in ["own/key", "own/inner/key"] {
            assert_eq!(fetch_one(&source, &path(file)).unwrap_err().code, Code::OwnFolder, "{root:?} {file}");
        }
        assert!(fetch_one(&source, &path("file")).is_ok());
        let (kept, listed) = list_source(&source, below.trim_end_matches('/'));
        assert!(listed == Listed::Complete && kept.entries.len() == 2, "{listed:?}");
        // It is what it is, not what it is called.
        std::fs::rename(at("lib/own"), at("lib/renamed")).unwrap();
        assert!(is_kept_out("renamed"), "{root:?}");
        assert_eq!(fetch_one(&source, &path("renamed/key")).unwrap_err().code, Code::OwnFolder);
        std::fs::rename(at("lib/renamed"), at("lib/own")).unwrap();
    }
    let source = keeping("other").unwrap();
    assert!(fetch_one(&source, "file").is_ok());
    let source = LocalSource::open(temp.path()).unwrap().keeping_out_of(&at("not there")).unwrap();
    assert!(fetch_one(&source, "lib/own/key").is_ok());
}
