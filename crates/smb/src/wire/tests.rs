//! Known-bad input for every parser, and random bytes.

use super::{Bytes, listing, reply, volume};
use crate::fuzzing::PARSERS;
use octo_core::{Kind, Timestamp};
use proptest::prelude::*;

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

/// One directory entry with a name, at a whole multiple of eight bytes.
fn wire_entry(name: &str, attributes: u32, tag: u32, next: bool) -> Vec<u8> {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut entry = vec![0; (80 + name.len()).next_multiple_of(8)];
    let len = entry.len() as u32;
    put(&mut entry, 0, &if next { len } else { 0 }.to_le_bytes());
    for (i, time) in [1u64, 2, 3, 4].iter().enumerate() {
        put(&mut entry, 8 + 8 * i, &(time + 116_444_736_000_000_000).to_le_bytes());
    }
    put(&mut entry, 40, &77u64.to_le_bytes());
    put(&mut entry, 56, &attributes.to_le_bytes());
    put(&mut entry, 60, &(name.len() as u32).to_le_bytes());
    put(&mut entry, 64, &tag.to_le_bytes());
    put(&mut entry, 72, &9u64.to_le_bytes());
    put(&mut entry, 80, &name);
    entry
}

fn kinds(buffer: &[u8]) -> Vec<(Kind, bool)> {
    listing::entries(buffer, 5).map(|e| e.unwrap().meta).map(|m| (m.kind, m.is_local)).collect()
}

#[test]
fn an_entry_gives_all_four_times_the_id_and_the_size() {
    let entry = listing::entries(&wire_entry("a", 0x20, 0, false), 5).next().unwrap().unwrap();
    let meta = entry.meta;
    assert_eq!((meta.size_bytes, meta.write_time), (77, Timestamp(3)));
    assert_eq!((meta.creation_time, meta.change_time), (Some(Timestamp(1)), Some(Timestamp(4))));
    assert_eq!(meta.id.map(|id| (id.volume, id.id)), Some((5, 9)));
}

#[test]
fn only_symlinks_mount_points_and_links_of_dfs_are_links() {
    let buffer: Vec<u8> = [
        wire_entry("link", 0x400, 0xA000_000C, true),
        wire_entry("junction", 0x410, 0xA000_0003, true),
        wire_entry("deduplicated", 0x400, 0x8000_0013, true),
        wire_entry("cloud folder", 0x410, 0x9000_001A, true),
        wire_entry("another server's", 0x410, 0x8000_000A, true),
        wire_entry("another server's, replicated", 0x410, 0x8000_0012, true),
        wire_entry("not a reparse point", 0x20, 0xA000_000C, true),
        wire_entry("offline", 0x1020, 0, true),
        wire_entry("recall on open", 0x4_0000, 0, true),
        wire_entry("recall on access", 0x40_0000, 0, false),
    ]
    .concat();
    use Kind::{File, Folder, Link, Other};
    let expected = [Link, Link, File, Folder, Other, Other, File].map(|kind| (kind, true));
    assert_eq!(kinds(&buffer)[..7], expected);
    assert_eq!(kinds(&buffer)[7..], [(File, false); 3]);
}

#[test]
fn broken_listings_are_refused() {
    let good = wire_entry("abc", 0x20, 0, false);
    let with = |at: usize, field: &[u8]| {
        let mut bad = [wire_entry("abc", 0x20, 0, true), good.clone()].concat();
        put(&mut bad, at, field);
        bad
    };
    for (why, bad) in [
        ("empty", Vec::new()),
        ("cut in the fixed part", good[..70].to_vec()),
        ("cut in the name", good[..82].to_vec()),
        ("half a character", with(60, &3u32.to_le_bytes())),
        ("a name beyond the end", with(60, &4000u32.to_le_bytes())),
        ("a name of four gigabytes", with(60, &0xFFFF_FFFEu32.to_le_bytes())),
        ("the next entry in this one", with(0, &8u32.to_le_bytes())),
        ("the next entry not aligned", with(0, &93u32.to_le_bytes())),
        ("the next entry beyond the end", with(0, &4096u32.to_le_bytes())),
        ("the next entry at the very end", with(0, &((good.len() * 2) as u32).to_le_bytes())),
        ("a negative size", with(40, &u64::MAX.to_le_bytes())),
    ] {
        assert!(listing::entries(&bad, 0).any(|entry| entry.is_err()), "{why}");
    }
}

#[test]
fn broken_answers_are_refused() {
    let structure = |size: u16, len: usize| {
        let mut body = vec![0; len];
        put(&mut body, 0, &size.to_le_bytes());
        body
    };
    let create = structure(89, 88);
    assert!(reply::create(&create, 0).is_ok());
    assert!(reply::create(&create[..87], 0).is_err(), "cut");
    assert!(reply::create(&structure(88, 88), 0).is_err(), "wrong size");
    let mut bad = create.clone();
    put(&mut bad, 48, &(1u64 << 63).to_le_bytes());
    assert!(reply::create(&bad, 0).is_err(), "negative size");
    for (offset, len) in [(0u32, 16u32), (152, 16), (u32::MAX, 16), (152, u32::MAX)] {
        let mut bad = create.clone();
        put(&mut bad, 80, &offset.to_le_bytes());
        put(&mut bad, 84, &len.to_le_bytes());
        assert!(reply::create(&bad, 0).is_err(), "contexts at {offset}, {len} bytes");
    }
    assert!(reply::close(&structure(60, 59)).is_err());
    assert_eq!(reply::close(&structure(60, 60)), Ok(None), "no state without the flag");
    let mut read = structure(17, 16 + 4);
    put(&mut read, 2, &[80]);
    put(&mut read, 4, &4u32.to_le_bytes());
    assert_eq!(reply::read(&read, 4), Ok(&[0u8; 4][..]));
    assert!(reply::read(&read, 3).is_err(), "more than asked");
    put(&mut read, 2, &[81]);
    assert!(reply::read(&read, 4).is_err(), "beyond the end");
    put(&mut read, 2, &[10]);
    assert!(reply::read(&read, 4).is_err(), "inside the header");
    let mut query = structure(9, 8);
    put(&mut query, 4, &1u32.to_le_bytes());
    assert!(reply::query(&query).is_err());
    assert!(reply::ioctl(&structure(48, 48)).is_err());
    assert!(reply::reparse(&[0; 7]).is_err());
    assert!(reply::reparse(&[0, 0, 0, 0, 9, 0, 0, 0, 1]).is_err(), "data beyond the end");
    assert!(reply::reparse(&vec![0; reply::REPARSE_BYTES_MAX + 1]).is_err(), "too large");
    assert!(reply::is_link(&[0; 7]).is_err());
    assert!(reply::validate_negotiate(&[0; 23]).is_err());
    assert!(reply::negotiate(&structure(64, 64)).is_err());
    assert!(volume::volume(&[0; 11]).is_err());
    assert!(volume::filesystem(&[0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 65]).is_err());
    assert!(Bytes(&[0; 8]).slice(usize::MAX, 2).is_err());
}

#[test]
fn contexts_that_run_in_place_are_refused() {
    let mut body = vec![0; 88 + 24];
    put(&mut body, 0, &89u16.to_le_bytes());
    put(&mut body, 80, &(64 + 88u32).to_le_bytes());
    put(&mut body, 84, &24u32.to_le_bytes());
    put(&mut body, 88, &8u32.to_le_bytes());
    assert!(reply::create(&body, 0).is_err());
}

#[test]
fn a_reparse_point_gives_tag_and_data() {
    let output = [&0xA000_000Cu32.to_le_bytes()[..], &[3, 0, 0, 0], b"abc"].concat();
    assert_eq!(reply::reparse(&output), Ok((0xA000_000C, &b"abc"[..])));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (_, parse) in PARSERS {
            parse(&data);
        }
    }
}
