//! Metadata natively on Windows. Wine keeps no streams, and of a security descriptor only what a mode can say: what comes
//! back changed has to be in the records then, so that all of it comes back either way.

use crate::ground::*;
use octo_core::metadata::{Piece, Stream, StreamContent, is_security_descriptor};
use octo_core::{FetchRequest, FetchSink, Kind, Meta, Metadata, Part, Ranges, Source, Stop, Target, Timestamp};
use octo_disk::LocalSource;
use std::os::windows::fs::MetadataExt;

const READ_ONLY: u32 = 0x1;
const HIDDEN: u32 = 0x2;
const ARCHIVE: u32 = 0x20;
const COMPRESSED: u32 = 0x800;

/// For Administrators, with one entry that no mode can say: SYSTEM may append and nothing else.
fn security() -> Vec<u8> {
    let administrators = [1u8, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
    let system = [1u8, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
    let mut security = vec![1, 0, 0x04, 0x94];
    for place in [20u32, 36, 0, 52] {
        security.extend(place.to_le_bytes());
    }
    security.extend(administrators);
    security.extend(administrators);
    security.extend([2u8, 0, 28, 0, 1, 0, 0, 0, 0, 0, 20, 0, 4, 0, 0, 0]);
    security.extend(system);
    assert!(is_security_descriptor(&security));
    security
}

fn some() -> Metadata {
    let content = StreamContent::Bytes(b"of the file".to_vec());
    Metadata {
        attributes: HIDDEN | ARCHIVE,
        creation_time: Some(Timestamp(123_456_789)),
        security: Some(security()),
        streams: vec![Stream { name: b"info".to_vec(), content }],
        ..Metadata::default()
    }
}

fn attributes(yard: &Yard, path: &str) -> u32 {
    std::fs::metadata(yard.root.join(path)).unwrap().file_attributes()
}

#[test]
fn all_of_it_comes_back_whatever_windows_itself_holds() {
    let yard = yard();
    write_file(&yard.target, "f", b"data");
    yard.target.make_folder(&p("d")).unwrap();
    yard.target.set_times(&p("f"), MOMENT, None).unwrap();
    for path in ["f", "d"] {
        for attributes in [HIDDEN | ARCHIVE, HIDDEN | COMPRESSED, READ_ONLY, 0x80] {
            yard.target.set_metadata(&p(path), &Metadata { attributes, ..some() }).unwrap();
            let back = yard.target.metadata(&p(path)).unwrap().unwrap();
            let said = |attributes: u32| attributes & !0x90;
            assert_eq!(said(back.attributes), said(attributes), "{path}");
            assert_eq!((back.creation_time, back.streams), (some().creation_time, some().streams), "{path}");
            assert_eq!(back.security, some().security, "{path}");
        }
    }
    assert_eq!(std::fs::read(yard.root.join("f")).unwrap(), b"data");
    assert_eq!(yard.target.look(&p("f")).unwrap().unwrap().write_time, MOMENT, "the last write time stays");
}

#[test]
fn attributes_are_on_the_files_and_stand_in_nobodys_way() {
    let yard = yard();
    write_file(&yard.target, "place", b"old");
    let set = |path: &str, attributes| {
        yard.target.set_metadata(&p(path), &Metadata { attributes, ..Metadata::default() }).unwrap()
    };
    set("place", READ_ONLY);
    assert_eq!(attributes(&yard, "place") & READ_ONLY, READ_ONLY);
    write_file(&yard.target, "stage", b"new");
    set("stage", READ_ONLY);
    yard.target.rename_over(&p("stage"), &p("place")).unwrap();
    assert_eq!(std::fs::read(yard.root.join("place")).unwrap(), b"new");
    assert_eq!(attributes(&yard, "place") & READ_ONLY, READ_ONLY);
    set("place", ARCHIVE);
    assert_eq!(attributes(&yard, "place") & READ_ONLY, 0);
    // A part of a large file that had got its attributes when the process died.
    make_reserved(&yard.target);
    write_file(&yard.target, ".octobackup/tmp/part", b"abc");
    set(".octobackup/tmp/part", READ_ONLY);
    yard.target.open_file(&p(".octobackup/tmp/part")).unwrap().unwrap().write_at(3, b"def").unwrap();
}

#[test]
fn the_mirrors_own_folder_is_left_alone() {
    let yard = yard();
    let before = attributes(&yard, "");
    assert!(yard.target.set_metadata(&p(""), &some()).unwrap().in_records);
    assert_eq!(attributes(&yard, ""), before);
    let back = yard.target.metadata(&p("")).unwrap().unwrap();
    assert_eq!((back.attributes, back.security), (some().attributes, some().security));
}

/// What a source hands over.
#[derive(Default)]
struct Shown {
    security: Vec<u8>,
    unknown: Vec<Part>,
    lost: usize,
    data: Vec<u8>,
    ended: usize,
}

impl FetchSink for Shown {
    fn opened(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Ok(())
    }

    fn data(&mut self, _: usize, _: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.data.extend(bytes);
        Ok(())
    }

    fn metadata(&mut self, _: usize, piece: Piece<'_>) -> Result<(), Stop> {
        match piece {
            Piece::Security(bytes) => self.security = bytes.to_vec(),
            Piece::Unknown(part, error) => {
                self.unknown.push(part);
                self.lost += usize::from(error.is_some());
            }
            _ => {}
        }
        Ok(())
    }

    fn finished(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        assert_ne!(meta.attributes & HIDDEN, 0);
        self.ended += 1;
        Ok(())
    }

    fn failed(&mut self, _: usize, error: octo_core::Error) -> Result<(), Stop> {
        panic!("{error}");
    }
}

#[test]
fn a_source_hands_over_security_of_files_and_folders() {
    let yard = yard();
    write_file(&yard.target, "f", b"data");
    yard.target.make_folder(&p("d")).unwrap();
    for path in ["f", "d"] {
        yard.target.set_metadata(&p(path), &Metadata { attributes: HIDDEN, ..Metadata::default() }).unwrap();
    }
    let source = LocalSource::open(&yard.root).unwrap();
    assert!(source.features().has_metadata);
    let listed = list_target(&yard.target, "").entries;
    for (path, kind, data) in [("f", Kind::File, &b"data"[..]), ("d", Kind::Folder, b"")] {
        let parts = (kind == Kind::Folder).then(Ranges::new);
        let listed = listed[path.as_bytes()];
        let request = FetchRequest { path: p(path), listed, parts, snapshot: None, metadata: true };
        let mut told = Shown::default();
        source.fetch(&[request], &mut told);
        assert!(is_security_descriptor(&told.security), "{path}");
        assert_eq!((told.ended, told.lost, told.data.as_slice()), (1, 0, data), "{path}: {:?}", told.unknown);
    }
}
