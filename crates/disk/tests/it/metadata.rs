//! Metadata: in Samba's attributes where they fit, in the records where not, and always with its file.

use crate::ground::{Yard, p, temp, yard};
use octo_core::metadata::{Posix, Stream, StreamContent, is_security_descriptor};
use octo_core::{Done, Metadata, Part, Target, Timestamp};
use rustix::fs::getxattr;

/// A security descriptor with an ACL of `bytes` bytes.
fn security(bytes: u16) -> Vec<u8> {
    let sid = [1u8, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    let mut security = vec![1, 0, 4, 0x80, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0];
    security.extend(sid);
    security.extend([2u8, 0]);
    security.extend(bytes.to_le_bytes());
    security.resize(32 + usize::from(bytes), 0);
    assert!(is_security_descriptor(&security));
    security
}

fn stream(name: &str, data: &[u8]) -> Stream {
    Stream { name: name.into(), content: StreamContent::Bytes(data.to_vec()) }
}

fn some() -> Metadata {
    Metadata {
        attributes: 0x21,
        creation_time: Some(Timestamp(123_456_789)),
        security: Some(security(8)),
        streams: vec![stream("info", b"of the file")],
        extended: vec![(b"COMMENT".to_vec(), b"yes".to_vec())],
        ..Metadata::default()
    }
}

fn make(yard: &Yard, path: &str) {
    drop(yard.target.create_file(&p(path)).unwrap());
}

fn kept(yard: &Yard, path: &str) -> Option<Metadata> {
    yard.target.metadata(&p(path)).unwrap()
}

fn assert_alike(a: &Metadata, b: &Metadata) {
    assert_eq!((a.attributes, a.creation_time, &a.security), (b.attributes, b.creation_time, &b.security));
    assert_eq!((&a.streams, &a.extended, &a.xattrs), (&b.streams, &b.extended, &b.xattrs));
    assert_eq!((&a.reparse, a.posix), (&b.reparse, b.posix));
}

#[test]
fn what_fits_is_in_sambas_attributes_and_comes_back_as_it_was() {
    let yard = yard();
    make(&yard, "f");
    yard.target.make_folder(&p("d")).unwrap();
    for path in ["f", "d"] {
        assert!(!yard.target.set_metadata(&p(path), &some()).unwrap().in_records);
        assert_alike(&kept(&yard, path).unwrap(), &some());
        let mut value = [0; 64];
        let len = getxattr(yard.root.join(path), "user.DosStream.info:$DATA", &mut value).unwrap();
        assert_eq!(&value[..len], b"of the file\0");
        getxattr(yard.root.join(path), "security.NTACL", &mut value).ok();
    }
    assert!(!yard.root.join(".octobackup/meta").exists());
}

#[test]
fn what_is_gone_on_the_source_goes_and_what_is_not_known_stays() {
    let yard = yard();
    make(&yard, "f");
    yard.target.set_metadata(&p("f"), &some()).unwrap();
    let unknown = vec![Part::Security, Part::Streams];
    yard.target.set_metadata(&p("f"), &Metadata { attributes: 2, unknown, ..Metadata::default() }).unwrap();
    let now = kept(&yard, "f").unwrap();
    assert_eq!((now.attributes, now.creation_time, now.security.is_some()), (2, None, true));
    assert_eq!((now.streams.len(), now.extended.len()), (1, 0));
}

#[test]
fn what_does_not_fit_is_recorded_and_follows_links_renames_and_removals() {
    let yard = yard();
    let big = Metadata {
        security: Some(security(60_000)),
        streams: vec![stream("huge", &[7; 60_000]), stream("tiny", b"x")],
        reparse: Some((0x8000_0013, b"dedup".to_vec())),
        posix: Some(Posix { uid: 1, gid: 2, mode: 0o4755 }),
        ..some()
    };
    make(&yard, "f");
    assert!(yard.target.set_metadata(&p("f"), &big).unwrap().in_records);
    let sorted = |path: &str| {
        let mut metadata = kept(&yard, path).unwrap();
        metadata.streams.sort_by(|a, b| a.name.cmp(&b.name));
        metadata
    };
    assert_alike(&sorted("f"), &big);
    assert_eq!(yard.target.hard_link(&p("f"), &p("version")).unwrap(), Done::Yes);
    make(&yard, "new");
    yard.target.set_metadata(&p("new"), &some()).unwrap();
    assert_eq!(yard.target.rename_over(&p("new"), &p("f")).unwrap(), Done::Yes);
    assert_alike(&kept(&yard, "f").unwrap(), &some());
    assert_alike(&sorted("version"), &big);
    yard.target.make_folder(&p("d")).unwrap();
    assert_eq!(yard.target.rename_new(&p("version"), &p("d/v")).unwrap(), Done::Yes);
    assert_eq!(yard.target.rename_new(&p("d"), &p("e")).unwrap(), Done::Yes);
    assert_alike(&sorted("e/v"), &big);
    assert_eq!(yard.target.remove_file(&p("e/v")).unwrap(), Done::Yes);
    make(&yard, "e/v");
    assert!(kept(&yard, "e/v").is_none(), "nothing of the file that was removed");
}

#[test]
fn a_smaller_value_takes_the_place_of_a_recorded_one_and_the_other_way_round() {
    let yard = yard();
    make(&yard, "f");
    let big = Metadata { security: Some(security(60_000)), ..some() };
    for metadata in [&big, &some(), &big, &some()] {
        yard.target.set_metadata(&p("f"), metadata).unwrap();
        assert_alike(&kept(&yard, "f").unwrap(), metadata);
    }
}

#[test]
fn a_versions_metadata_stays_as_it_was_first_left_and_goes_with_the_folder_above() {
    let yard = yard();
    make(&yard, "f");
    yard.target.set_metadata(&p("f"), &some()).unwrap();
    yard.target.make_folder(&p("versions")).unwrap();
    yard.target.leave_metadata(&p("f"), &p("versions/tree/f")).unwrap();
    yard.target.set_metadata(&p("f"), &Metadata { attributes: 2, ..Metadata::default() }).unwrap();
    yard.target.leave_metadata(&p("f"), &p("versions/tree/f")).unwrap();
    assert_alike(&kept(&yard, "versions/tree/f").unwrap(), &some());
    assert_eq!(yard.target.rename_new(&p("versions"), &p("away")).unwrap(), Done::Yes);
    assert_alike(&kept(&yard, "away/tree/f").unwrap(), &some());
    assert_eq!(yard.target.remove_folder(&p("away")).unwrap(), Done::Yes);
    assert!(kept(&yard, "away/tree/f").is_none());
}

#[test]
fn a_large_stream_goes_through_without_being_held_in_memory() {
    let yard = yard();
    make(&yard, "f");
    let bulk = yard.target.scratch().unwrap();
    let data: Vec<u8> = (0..2_500_000u32).map(|n| (n % 253) as u8).collect();
    bulk.write_at(0, &data).unwrap();
    let content = StreamContent::Bulk { offset_bytes: 0, size_bytes: data.len() as u64 };
    let streams = vec![Stream { name: b"large".to_vec(), content: content.clone() }];
    yard.target.set_metadata(&p("f"), &Metadata { streams, bulk: Some(bulk), ..Metadata::default() }).unwrap();
    let back = kept(&yard, "f").unwrap();
    assert_eq!(back.streams[0].content, content);
    let mut read = vec![0; data.len()];
    assert_eq!(back.bulk.unwrap().read_at(0, &mut read).unwrap(), data.len());
    assert!(read == data);
}

#[test]
fn metadata_is_never_set_through_a_link_and_names_of_sambas_own_are_only_recorded() {
    let yard = yard();
    let outside = temp();
    std::fs::write(outside.path().join("victim"), "x").unwrap();
    std::os::unix::fs::symlink(outside.path().join("victim"), yard.root.join("link")).unwrap();
    assert!(yard.target.set_metadata(&p("link"), &some()).is_err());
    let mut value = [0; 64];
    assert!(getxattr(outside.path().join("victim"), "user.DOSATTRIB", &mut value).is_err());
    make(&yard, "f");
    let hostile = Metadata { extended: vec![(b"DosAttrib".to_vec(), b"evil".to_vec())], ..some() };
    assert!(yard.target.set_metadata(&p("f"), &hostile).unwrap().in_records);
    assert!(getxattr(yard.root.join("f"), "user.DosAttrib", &mut value).is_err());
    assert_alike(&kept(&yard, "f").unwrap(), &hostile);
}
