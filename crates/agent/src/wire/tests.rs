//! What is written is read back, and no bytes at all make a decoder panic.

use super::*;
use octo_core::{
    Entry, FetchRequest, FileId, Kind, LinkTarget, LinkType, Listed, Meta, Name, Ranges, RelPath, Timestamp,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::File), Just(Kind::Folder), Just(Kind::Link), Just(Kind::Other)]
}

fn metas() -> impl Strategy<Value = Meta> {
    let times = (any::<i64>(), of(any::<i64>()), of(any::<i64>()));
    let id = of((any::<u64>(), any::<u128>()));
    (kinds(), any::<u64>(), times, any::<u32>(), id, any::<u32>(), any::<bool>()).prop_map(
        |(kind, size_bytes, (write, creation, change), attributes, id, links, is_local)| Meta {
            creation_time: creation.map(Timestamp),
            change_time: change.map(Timestamp),
            attributes,
            id: id.map(|(volume, id)| FileId { volume, id }),
            links,
            is_local,
            ..Meta::new(kind, size_bytes, Timestamp(write))
        },
    )
}

fn names() -> impl Strategy<Value = Name> {
    vec(any::<u8>(), 1..40).prop_filter_map("a name", |bytes| Name::new(bytes).ok())
}

fn frames(bytes: &[u8]) -> Vec<bytes::BytesMut> {
    let mut decoder = Decoder::default();
    // In crumbs, as a network may bring them.
    let mut found = Vec::new();
    for crumb in bytes.chunks(7) {
        decoder.push(crumb);
        while let Some(frame) = decoder.next().unwrap() {
            found.push(frame);
        }
    }
    found
}

fn read_entries(bytes: &[u8]) -> Vec<Entry> {
    let mut read = Vec::new();
    for frame in frames(bytes) {
        let Answer::Entries(mut entries) = Answer::decode(&frame).unwrap() else { panic!("another frame") };
        while let Some(entry) = entries.next().unwrap() {
            read.push(entry.unwrap());
        }
    }
    read
}

fn write_entries<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u8> {
    let (mut batch, mut bytes) = (EntryBatch::default(), Vec::new());
    for entry in entries {
        bytes.extend(batch.push(entry).into_iter().flatten());
    }
    bytes.extend(batch.take().into_iter().flatten());
    bytes
}

proptest! {
    #[test]
    fn entries_round_trip(entries in vec((names(), metas()), 0..300)) {
        let entries: Vec<_> = entries.into_iter().map(|(name, meta)| Entry { name, meta }).collect();
        prop_assert_eq!(read_entries(&write_entries(&entries)), entries);
    }

    #[test]
    fn fetch_events_round_trip(file in any::<usize>(), meta in metas(), at in any::<u64>(), content in vec(any::<u8>(), 0..3000), zeros in 0usize..5000) {
        let content = [content, vec![0; zeros]].concat();
        for packing in [FrameCompression::Plain, FrameCompression::Zstd] {
            let frame = frames(&Frame::piece(file, at, &content, packing)).remove(0);
            let Answer::Piece { file: f, offset_bytes, bytes } = Answer::decode(&frame).unwrap() else { panic!() };
            prop_assert_eq!((f, offset_bytes, &*bytes), (file, at, content.as_slice()));
        }
        let Answer::Opened { file: f, meta: m } = Answer::decode(&frames(&Frame::opened(file, &meta))[0]).unwrap() else { panic!() };
        prop_assert_eq!((f, m), (file, meta));
        let Answer::Finished { file: f, meta: m, hash } = Answer::decode(&frames(&Frame::finished(file, &meta, &[7; 32]))[0]).unwrap() else { panic!() };
        prop_assert_eq!((f, m, hash), (file, meta, [7; 32]));
    }

    #[test]
    fn holes_round_trip(file in any::<usize>(), list in vec((0u64..1 << 40, 1u64..1 << 40), 0..20)) {
        let mut holes = Ranges::new();
        list.into_iter().for_each(|(start, length)| holes.insert(start..start + length));
        let Answer::Holes { file: f, holes: h } = Answer::decode(&frames(&Frame::holes(file, &holes))[0]).unwrap() else { panic!() };
        prop_assert_eq!((f, h), (file, holes));
    }

    #[test]
    fn orders_round_trip(root in ".{0,20}", parts in of(vec((0u64..1 << 40, 1u64..1 << 40), 0..20)), snapshot in of(any::<i64>()), may_pack in any::<bool>(), metadata in any::<bool>()) {
        let parts = parts.map(|list| {
            let mut ranges = Ranges::new();
            list.into_iter().for_each(|(start, length)| ranges.insert(start..start + length));
            ranges
        });
        let path = RelPath::parse(b"folder/file").unwrap();
        let wanted = FetchRequest { path: path.clone(), listed: Meta::new(Kind::File, 0, Timestamp(0)), parts, snapshot: snapshot.map(Timestamp), metadata };
        let mut writer = FetchOrder::writer(&root, may_pack, !may_pack);
        prop_assert!(writer.push(&wanted));
        let read = FetchOrder::decode(&writer.finish()).unwrap();
        prop_assert_eq!((&read.root, read.may_pack, read.tell_holes, read.files.len()), (&root, may_pack, !may_pack, 1));
        prop_assert_eq!((&read.files[0].path, &read.files[0].parts, read.files[0].snapshot), (&wanted.path, &wanted.parts, wanted.snapshot));
        prop_assert_eq!(read.files[0].metadata, metadata);
        prop_assert_eq!(Order::decode(&Order::encode(&root, &path)).unwrap(), Order { root, path });
    }

    #[test]
    fn no_bytes_make_a_decoder_panic_and_every_frame_is_read_whole(bytes in vec(any::<u8>(), 0..200), kind in 0u8..12) {
        let _ = Order::decode(&bytes);
        let _ = FetchOrder::decode(&bytes);
        let frame = [&[kind], bytes.as_slice()].concat();
        if let Ok(Answer::Entries(mut entries)) = Answer::decode(&frame) {
            while let Ok(Some(_)) = entries.next() {}
        }
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.next() {}
    }

    #[test]
    fn a_message_cut_short_or_with_something_behind_it_is_a_fault(meta in metas(), cut in 1usize..6) {
        let frame = frames(&Frame::opened(300, &meta)).remove(0);
        prop_assert!(Answer::decode(&frame[..frame.len() - 1]).is_err());
        prop_assert!(Answer::decode(&[&frame[..], &vec![0; cut]].concat()).is_err());
    }
}

#[test]
fn an_ordinary_entry_takes_less_than_40_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..2000 {
        std::fs::write(folder.path().join(format!("Invoice {n:05} customer {}.pdf", n * 7919 % 1000)), [0; 100])
            .unwrap();
    }
    struct Keep(Vec<Entry>);
    impl octo_core::ListSink for Keep {
        fn entry(&mut self, entry: Entry) -> std::ops::ControlFlow<()> {
            self.0.push(entry);
            std::ops::ControlFlow::Continue(())
        }
        fn problem(&mut self, _: &[u8], error: octo_core::Error) {
            panic!("{error}");
        }
        fn restart(&mut self) {}
    }
    let mut keep = Keep(Vec::new());
    let source = octo_disk::LocalSource::open(folder.path()).unwrap();
    assert_eq!(octo_core::Source::list(&source, &RelPath::root(), &mut keep), Listed::Complete);
    let bytes = write_entries(&keep.0).len();
    assert!(bytes < 40 * 2000, "{} bytes an entry", bytes as f64 / 2000.0);
}

#[test]
fn ends_problems_and_links_round_trip() {
    let cause = Error::new(Code::AccessDenied, "no\u{7}");
    let read = |bytes: bytes::Bytes| frames(&bytes).remove(0);
    let frame = read(Frame::listed(&Listed::Incomplete(cause.clone())));
    let Answer::Listed(Listed::Incomplete(error)) = Answer::decode(&frame).unwrap() else { panic!() };
    assert_eq!(error, Error::new(Code::AccessDenied, "no\u{FFFD}"), "no control character reaches a terminal");
    assert!(matches!(
        Answer::decode(&read(Frame::listed(&Listed::Complete))).unwrap(),
        Answer::Listed(Listed::Complete)
    ));
    let frame = read(Frame::failed(3, &Error::new(Code::NoSpace, "")));
    let Answer::Failed { file: 3, error } = Answer::decode(&frame).unwrap() else { panic!() };
    assert_eq!(error.code, Code::SourceEntry, "an agent knows nothing of our disk");
    for kind in [LinkType::Posix, LinkType::Windows(0xA000_000C)] {
        let link = LinkTarget { kind, data: b"../elsewhere".to_vec() };
        let frame = read(Frame::link(&link));
        let Answer::Link(same) = Answer::decode(&frame).unwrap() else { panic!() };
        assert_eq!(same, link);
    }
}

#[test]
fn impossible_names_are_named_and_hide_no_other() {
    let meta = Meta::new(Kind::File, 1, Timestamp(2));
    let mut plain = Vec::new();
    let mut before = meta::PreviousMeta::default();
    for name in [&b"first"[..], b"..", b"a/b", b"", b"last"] {
        cursor::put_varint(&mut plain, 0u8);
        cursor::put_bytes(&mut plain, name);
        before.put(&mut plain, &meta);
    }
    let frame = [&[1, 0], plain.as_slice()].concat();
    let Answer::Entries(mut entries) = Answer::decode(&frame).unwrap() else { panic!() };
    let mut good = Vec::new();
    let mut bad = 0;
    while let Some(entry) = entries.next().unwrap() {
        match entry {
            Ok(entry) => good.push(entry.name.to_string()),
            Err(_) => bad += 1,
        }
    }
    assert_eq!((good, bad), (vec!["first".to_owned(), "last".to_owned()], 3));
}

#[test]
fn lengths_are_believed_only_within_bounds() {
    for length in [0u32, FRAME_BYTES_MAX as u32 + 1, u32::MAX] {
        let mut decoder = Decoder::default();
        decoder.push(&length.to_le_bytes());
        assert!(decoder.next().is_err());
    }
    // A bomb: 2 MiB of nothing, packed.
    let bomb = zstd::bulk::compress(&vec![0; 2 << 20], 1).unwrap();
    for announced in [2u64 << 20, 1 << 20, 10] {
        let mut frame = vec![5, 0, 0, 1];
        cursor::put_varint(&mut frame, announced);
        frame.extend_from_slice(&bomb);
        assert!(Answer::decode(&frame).is_err(), "{announced}");
    }
}

#[test]
fn metadata_and_the_folders_of_a_walk_round_trip() {
    use octo_core::metadata::Posix;
    use octo_core::{Part, Piece};
    let lost = Error::new(Code::AccessDenied, "no");
    let pieces = [
        Piece::Security(b"descriptor"),
        Piece::Extended { name: b"NAME", value: b"value" },
        Piece::Stream { name: b"stream", size_bytes: u64::MAX },
        Piece::StreamData(&[7; 1 << 20]),
        Piece::Reparse { tag: u32::MAX, data: b"data" },
        Piece::Posix(Posix { uid: u32::MAX, gid: 0, mode: 0o7777 }),
        Piece::Xattr { name: b"system.posix_acl_access", value: b"" },
        Piece::Unknown(Part::Attributes, None),
        Piece::Unknown(Part::Security, Some(lost.clone())),
        Piece::Unknown(Part::Streams, None),
        Piece::Unknown(Part::Extended, None),
        Piece::Unknown(Part::Reparse, Some(lost)),
        Piece::Unknown(Part::Posix, None),
    ];
    for piece in pieces {
        let frame = frames(&Frame::metadata(9, &piece)).remove(0);
        let Answer::Metadata { file: 9, piece: same } = Answer::decode(&frame).unwrap() else { panic!() };
        assert_eq!(format!("{same:?}"), format!("{piece:?}"));
    }
    for path in ["", "a", "a/b c"] {
        let path = RelPath::parse(path.as_bytes()).unwrap();
        let frame = frames(&Frame::folder(&path)).remove(0);
        assert!(matches!(Answer::decode(&frame).unwrap(), Answer::Folder(same) if same == path));
    }
}
