//! Cases about fetching.

use super::keep::At;
use super::{Fixture, KeptFile, MOMENT, fetch, keep_list, path, request};
use octo_core::{Code, FetchRequest, RelPath, Stop};

/// Bytes without a short period, so that a piece in the wrong place shows.
pub(super) fn content(size_bytes: usize) -> Vec<u8> {
    (0..size_bytes as u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0]).collect()
}

fn small(fixture: &impl Fixture, count: usize) -> Vec<FetchRequest> {
    let names: Vec<String> = (0..count).map(|n| format!("file {n}")).collect();
    for name in &names {
        fixture.write(&path(name), name.as_bytes(), MOMENT);
    }
    names.iter().map(|name| request(name)).collect()
}

pub(super) fn assert_whole(file: &KeptFile, expected: &[u8], name: &RelPath) {
    assert_eq!(file.error, None, "{name}");
    assert!(file.content() == expected, "{name}: other bytes");
    assert_eq!(file.opened, file.finished, "{name}");
    assert_eq!(file.opened.map(|meta| (meta.size_bytes, meta.write_time)), Some((expected.len() as u64, MOMENT)));
}

/// Nothing, one byte, and both sides of the borders at which adapters change their way.
pub fn files_of_all_sizes_come_whole(fixture: &impl Fixture) {
    let sizes = [0, 1, 65_535, 65_536, 65_537, 1_048_575, 1_048_576, 1_048_577, 3_000_001];
    for size in sizes {
        fixture.write(&path(&size.to_string()), &content(size), MOMENT);
    }
    let list = keep_list(fixture.source(), &RelPath::root(), usize::MAX);
    // In one batch as listed, and one by one with nothing known.
    let mut batch = sizes.map(|size| request(&size.to_string()));
    for (wanted, size) in batch.iter_mut().zip(sizes) {
        wanted.listed = list.meta(&size.to_string());
    }
    let files = fetch(fixture.source(), &batch, None);
    for ((size, file), wanted) in sizes.iter().zip(&files).zip(&batch) {
        assert_whole(file, &content(*size), &wanted.path);
        let alone = fetch(fixture.source(), &[request(&size.to_string())], None);
        assert_whole(&alone[0], &content(*size), &wanted.path);
    }
}

/// The call returns, that is all.
pub fn an_empty_batch_tells_nothing(fixture: &impl Fixture) {
    assert!(fetch(fixture.source(), &[], None).is_empty());
}

/// More than fit into any compound or window.
pub fn many_files_come_in_one_batch(fixture: &impl Fixture) {
    let batch = small(fixture, 600);
    for (file, wanted) in fetch(fixture.source(), &batch, None).iter().zip(&batch) {
        assert_whole(file, wanted.path.as_bytes(), &wanted.path);
    }
}

/// Nothing beyond the parts, and all of them.
pub fn only_the_parts_asked_for_come(fixture: &impl Fixture) {
    let whole = content(4_000_000);
    fixture.write(&path("large"), &whole, MOMENT);
    let mut parts = octo_core::Ranges::new();
    for part in [0..1, 65_000..66_000, 1_000_000..2_200_001, 3_999_999..4_000_000] {
        parts.insert(part);
    }
    let wanted = FetchRequest { parts: Some(parts.clone()), ..request("large") };
    let file = &fetch(fixture.source(), &[wanted], None)[0];
    let mut came = octo_core::Ranges::new();
    for (offset_bytes, bytes) in &file.pieces {
        let start = usize::try_from(*offset_bytes).expect("small");
        assert!(whole[start..][..bytes.len()] == bytes[..], "other bytes at {start}");
        came.insert(*offset_bytes..*offset_bytes + bytes.len() as u64);
    }
    let total: usize = file.pieces.iter().map(|piece| piece.1.len()).sum();
    assert_eq!((came, total as u64), (parts.clone(), parts.total_bytes()));
    assert_eq!(file.finished.map(|meta| meta.size_bytes), Some(4_000_000));
    let none = FetchRequest { parts: Some(octo_core::Ranges::new()), ..request("large") };
    let file = &fetch(fixture.source(), &[none], None)[0];
    assert!(file.pieces.is_empty() && file.finished.is_some(), "no parts are no bytes");
}

/// The file has shrunk since the parts were chosen: it fails, and alone.
pub fn parts_beyond_the_end_fail(fixture: &impl Fixture) {
    let mut batch = small(fixture, 2);
    let mut parts = octo_core::Ranges::new();
    parts.insert(2..5_000_000);
    batch[0].parts = Some(parts);
    let files = fetch(fixture.source(), &batch, None);
    assert_eq!(files[0].error.as_ref().map(|error| error.code), Some(Code::ChangedWhileRead));
    assert_whole(&files[1], b"file 1", &batch[1].path);
}

/// A listing's size may be old: the whole file comes, as large as its own handle says.
pub fn what_the_listing_said_is_not_believed(fixture: &impl Fixture) {
    for (size, listed) in [(0, 70_000), (10, 0), (10, 5_000_000), (70_000, 3), (2_000_000, 3), (10, u64::MAX)] {
        fixture.write(&path("file"), &content(size), MOMENT);
        let mut wanted = request("file");
        wanted.listed.size_bytes = listed;
        assert_whole(&fetch(fixture.source(), &[wanted], None)[0], &content(size), &path("file"));
    }
}

/// Gone between listing and fetching.
pub fn a_file_that_is_gone_is_not_found_and_disturbs_no_other(fixture: &impl Fixture) {
    let batch = small(fixture, 9);
    fixture.remove(&batch[0].path);
    fixture.remove(&batch[4].path);
    let files = fetch(fixture.source(), &batch, None);
    for (at, (file, wanted)) in files.iter().zip(&batch).enumerate() {
        match at {
            0 | 4 => assert_eq!(file.error.as_ref().map(|error| error.code), Some(Code::NotFound)),
            _ => assert_whole(file, wanted.path.as_bytes(), &wanted.path),
        }
    }
}

/// Became something else between listing and fetching.
pub fn a_file_that_became_a_folder_has_moved_kind(fixture: &impl Fixture) {
    let batch = small(fixture, 3);
    fixture.remove(&batch[1].path);
    fixture.make_folder(&batch[1].path);
    let files = fetch(fixture.source(), &batch, None);
    assert_eq!(files[1].error.as_ref().map(|error| error.code), Some(Code::KindMoved));
    assert!(files[1].pieces.is_empty());
    for at in [0, 2] {
        assert_whole(&files[at], batch[at].path.as_bytes(), &batch[at].path);
    }
}

/// No data and no end of that file follow; the others come whole. (The sink panics otherwise.)
pub fn stopping_one_file_ends_it_without_another_word(fixture: &impl Fixture) {
    let mut batch = small(fixture, 5);
    fixture.write(&path("large"), &content(5_000_000), MOMENT);
    batch.insert(2, request("large"));
    for at in [At::Opened, At::Data] {
        for stopped in [2, 4] {
            let files = fetch(fixture.source(), &batch, Some((stopped, at, Stop::ThisFile)));
            assert!(files[stopped].stopped);
            for (n, wanted) in batch.iter().enumerate().filter(|(n, _)| *n != stopped && *n != 2) {
                assert_whole(&files[n], wanted.path.as_bytes(), &wanted.path);
            }
        }
    }
}

/// No event at all follows, and the source serves on. (The sink panics otherwise.)
pub fn stopping_everything_ends_the_call(fixture: &impl Fixture) {
    let mut batch = small(fixture, 30);
    fixture.write(&path("large"), &content(5_000_000), MOMENT);
    batch.insert(2, request("large"));
    for at in [At::Opened, At::Data] {
        for stopped in [0, 2, 30] {
            let files = fetch(fixture.source(), &batch, Some((stopped, at, Stop::Everything)));
            assert!(files[stopped].stopped);
        }
    }
    assert_whole(&fetch(fixture.source(), &batch[..1], None)[0], b"file 0", &batch[0].path);
}

/// Listings and fetches from several threads do not get into each other's way.
pub fn several_threads_are_served_at_once(fixture: &impl Fixture) {
    let batch = small(fixture, 40);
    fixture.write(&path("large"), &content(2_500_000), MOMENT);
    let source = fixture.source();
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let batch = &batch;
            scope.spawn(move || match worker % 3 {
                0 => assert_eq!(keep_list(source, &RelPath::root(), usize::MAX).entries.len(), 41),
                1 => assert_whole(&fetch(source, &[request("large")], None)[0], &content(2_500_000), &path("large")),
                _ => {
                    for (file, wanted) in fetch(source, batch, None).iter().zip(batch) {
                        assert_whole(file, wanted.path.as_bytes(), &wanted.path);
                    }
                }
            });
        }
    });
}
