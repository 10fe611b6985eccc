//! Links and names that the filesystem cannot hold.

use crate::ground::*;
use octo_core::{Code, Done, Kind, LinkTarget, LinkType, Target, Timestamp};

fn junction() -> LinkTarget {
    LinkTarget { kind: LinkType::Windows(0xA000_0003), data: vec![0, 255, 7] }
}

#[test]
fn a_mirror_that_records_nothing_has_no_database() {
    let yard = yard();
    write_file(&yard.target, "file", b"file");
    assert_eq!(yard.target.rename_new(&p("file"), &p("other")).unwrap(), Done::Yes);
    yard.target.checkpoint().unwrap();
    assert!(!yard.root.join(".octobackup").exists());
}

#[test]
fn who_only_looks_leaves_no_trace_and_locks_nobody_out() {
    let yard = yard();
    yard.target.make_link(&p("link"), &junction(), MOMENT).unwrap();
    drop(yard.target);
    let meta = yard.root.join(".octobackup/meta");
    let times = || ["", "meta.db"].map(|name| std::fs::metadata(meta.join(name)).unwrap().modified().unwrap());
    let before = times();
    let looking = open(&yard.root);
    assert_eq!(looking.read_link(&p("link")).unwrap(), Some(junction()));
    assert_eq!(looking.checkpoint(), Ok(()));
    assert_eq!(std::fs::read_dir(&meta).unwrap().count(), 1);
    assert_eq!(before, times());

    let changing = open(&yard.root);
    assert_eq!(changing.remove_file(&p("link")).unwrap(), Done::Yes);
    drop(changing);
    let _lock = looking.lock().unwrap();
    assert_eq!(looking.read_link(&p("link")).unwrap(), None, "seen before the mirror was its own");
    assert_eq!(looking.make_link(&p("link"), &junction(), MOMENT).unwrap(), Done::Yes);
}

#[test]
fn a_recorded_link_is_an_entry_like_others() {
    let yard = yard();
    let target = &yard.target;
    target.make_folder(&p("folder")).unwrap();
    let link = p("folder/link");
    assert_eq!(target.make_link(&link, &junction(), MOMENT).unwrap(), Done::Yes);
    assert_eq!(target.make_link(&link, &junction(), MOMENT).unwrap(), Done::Exists);
    assert_eq!(target.make_link(&p("none/link"), &junction(), MOMENT).unwrap(), Done::Missing);
    assert_eq!(target.make_folder(&link).unwrap(), Done::Exists);
    assert!(target.create_file(&link).is_err());
    assert_eq!(target.read_link(&link).unwrap(), Some(junction()));
    let meta = list_target(target, "folder").entries[&b"link"[..]];
    assert_eq!((meta.kind, meta.write_time), (Kind::Link, MOMENT));
    assert_eq!(target.look(&link).unwrap(), Some(meta));
    assert!(!yard.root.join("folder/link").exists());

    assert_eq!(target.remove_folder(&p("folder")).unwrap(), Done::NotEmpty);
    target.set_times(&link, Timestamp(7), None).unwrap();
    assert_eq!(target.look(&link).unwrap().unwrap().write_time, Timestamp(7));
    write_file(target, "file", b"file");
    assert_eq!(target.rename_new(&p("file"), &link).unwrap(), Done::Exists);
    assert_eq!(target.hard_link(&p("file"), &link).unwrap(), Done::Exists);
    assert_eq!(target.rename_new(&link, &p("moved")).unwrap(), Done::Yes);
    assert_eq!(target.rename_new(&link, &p("moved")).unwrap(), Done::Missing);
    assert_eq!(target.read_link(&p("moved")).unwrap(), Some(junction()));
    assert_eq!(target.remove_folder(&p("folder")).unwrap(), Done::Yes);

    assert_eq!(target.rename_over(&p("file"), &p("moved")).unwrap(), Done::Yes);
    assert_eq!(target.look(&p("moved")).unwrap().unwrap().kind, Kind::File);
    assert_eq!(target.remove_file(&p("moved")).unwrap(), Done::Yes);
    assert_eq!(target.look(&p("moved")).unwrap(), None, "the link does not come back");
}

#[cfg(target_os = "linux")]
#[test]
fn records_survive_without_a_checkpoint_and_with_one() {
    let yard = yard();
    let raw = octo_core::RelPath::parse(b"f\xFFf/cut~").unwrap();
    yard.target.make_folder(&raw.parent().unwrap()).unwrap();
    yard.target.record_name(&raw, b"the whole \xFF name").unwrap();
    yard.target.make_link(&p("link"), &junction(), MOMENT).unwrap();
    let root = yard.root.clone();
    assert_eq!(code(open(&root).record_name(&raw, b"other")), Code::TargetBusy, "one program at a time");
    let Yard { target, _temp, .. } = yard;
    // A killed process runs no destructor.
    std::mem::forget(target);
    let copy = _temp.path().join("copy");
    run("coreutils", "cp", &["-a", root.to_str().unwrap(), copy.to_str().unwrap()]);
    let meta = copy.join(".octobackup/meta");
    let files = || ["meta.db", "meta.db-wal"].map(|name| std::fs::read(meta.join(name)).unwrap());
    let before = files();
    let after = open(&copy);
    assert_eq!(after.recorded_name(&raw).unwrap().unwrap(), b"the whole \xFF name");
    assert_eq!(after.read_link(&p("link")).unwrap(), Some(junction()));
    drop(after);
    assert_eq!((files(), std::fs::read_dir(&meta).unwrap().count()), (before, 2), "who looks changes nothing");
    let after = open(&copy);

    // A name goes where its entry goes, folders that are not UTF-8 included.
    let moved = octo_core::RelPath::parse(b"g\xFE").unwrap();
    assert_eq!(after.rename_new(&raw.parent().unwrap(), &moved).unwrap(), Done::Yes);
    assert_eq!(after.recorded_name(&raw).unwrap(), None);
    let place = moved.join(&raw.name().unwrap());
    assert_eq!(after.recorded_name(&place).unwrap().unwrap(), b"the whole \xFF name");
    drop(after.create_file(&place).unwrap());
    assert_eq!(after.hard_link(&place, &p("second")).unwrap(), Done::Yes);
    assert_eq!(after.remove_file(&place).unwrap(), Done::Yes);
    assert_eq!(after.recorded_name(&place).unwrap(), None);
    after.checkpoint().unwrap();
    drop(after);
    assert!(!copy.join(".octobackup/meta/meta.db-wal").exists());
    assert_eq!(open(&copy).recorded_name(&p("second")).unwrap().unwrap(), b"the whole \xFF name");
}

#[test]
fn a_renamed_folder_takes_its_recorded_links_along_and_no_others() {
    let yard = yard();
    let target = &yard.target;
    for folder in ["a", "a/b", "ab", "a!"] {
        target.make_folder(&p(folder)).unwrap();
        target.make_link(&p(&format!("{folder}/link")), &junction(), MOMENT).unwrap();
    }
    assert_eq!(target.rename_new(&p("a"), &p("ab/new")).unwrap(), Done::Yes);
    for there in ["ab/new/link", "ab/new/b/link", "ab/link", "a!/link"] {
        assert!(target.read_link(&p(there)).unwrap().is_some(), "{there}");
    }
    assert_eq!(target.make_folder(&p("a")).unwrap(), Done::Yes);
    assert!(list_target(target, "a").entries.is_empty());
}

#[test]
fn a_recorded_link_takes_its_full_name_along() {
    let yard = yard();
    let target = &yard.target;
    let name_of = |place: &str| target.recorded_name(&p(place)).unwrap();
    let full = || Some(b"a very long name".to_vec());
    target.make_link(&p("cut~"), &junction(), MOMENT).unwrap();
    target.record_name(&p("cut~"), b"a very long name").unwrap();
    // Kept as a version, renamed, renamed over a file, removed: what the engine does with links.
    assert_eq!(target.hard_link(&p("cut~"), &p("version~")).unwrap(), Done::Yes);
    assert_eq!((name_of("cut~"), name_of("version~")), (full(), full()));
    assert_eq!(target.rename_new(&p("cut~"), &p("new~")).unwrap(), Done::Yes);
    assert_eq!((name_of("cut~"), name_of("new~")), (None, full()));
    write_file(target, "file~", b"file");
    assert_eq!(target.rename_over(&p("new~"), &p("file~")).unwrap(), Done::Yes);
    assert_eq!((name_of("new~"), name_of("file~")), (None, full()));
    assert_eq!(target.remove_file(&p("file~")).unwrap(), Done::Yes);
    assert_eq!((name_of("file~"), name_of("version~")), (None, full()));
}

#[test]
fn many_recorded_links_are_all_listed() {
    let yard = yard();
    for n in 0..2345 {
        yard.target.make_link(&p(&format!("link{n}")), &junction(), MOMENT).unwrap();
    }
    write_file(&yard.target, "a file", b"");
    // And our own folder.
    assert_eq!(list_target(&yard.target, "").entries.len(), 2345 + 2);
}

#[cfg(target_os = "linux")]
#[test]
fn posix_links_that_cannot_be_made_are_recorded() {
    let yard = yard();
    for (name, data) in [("empty", Vec::new()), ("nul", b"a\0b".to_vec()), ("long", vec![b'x'; 5000])] {
        let link = LinkTarget { kind: LinkType::Posix, data };
        assert_eq!(yard.target.make_link(&p(name), &link, MOMENT).unwrap(), Done::Yes);
        assert_eq!(yard.target.read_link(&p(name)).unwrap(), Some(link));
    }
}

#[test]
fn a_damaged_database_stops_the_run_with_its_name() {
    let yard = yard();
    std::fs::create_dir_all(yard.root.join(".octobackup/meta")).unwrap();
    let file = yard.root.join(".octobackup/meta/meta.db");
    std::fs::write(&file, vec![b'x'; 8192]).unwrap();
    let error = yard.target.look(&p("missing")).unwrap_err();
    assert_eq!(error.code, Code::RecordsDamaged);
    assert!(error.detail.contains("meta.db"), "{error}");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(yard.target.record_name(&p("x"), b"y").is_err());
}

#[test]
fn a_database_of_a_newer_program_is_refused_and_left_alone() {
    let yard = yard();
    yard.target.make_link(&p("link"), &junction(), MOMENT).unwrap();
    drop(yard.target);
    let file = yard.root.join(".octobackup/meta/meta.db");
    // The user version is a big-endian number at offset 60 (SQLite file format, 1.3).
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[60..64].copy_from_slice(&999u32.to_be_bytes());
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(code(open(&yard.root).read_link(&p("link"))), Code::NewerFormat);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}
