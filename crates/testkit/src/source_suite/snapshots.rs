//! Group `snapshots`: what a source still holds as it was.

use super::fetching::{assert_whole, content};
use super::{Fixture, KeptFile, MOMENT, fetch, path, request};
use octo_core::{Code, FetchRequest, Ranges, Timestamp};

fn then(text: &str, taken: Timestamp) -> FetchRequest {
    FetchRequest { snapshot: Some(taken), ..request(text) }
}

fn code(file: &KeptFile) -> Option<Code> {
    file.error.as_ref().map(|error| error.code)
}

/// None at first; then all of them.
pub fn snapshots_are_told_newest_first(fixture: &impl Fixture) {
    fixture.write(&path("file"), b"content", MOMENT);
    assert_eq!(fixture.source().snapshots(), Ok(Vec::new()));
    let (first, second) = (fixture.take_snapshot(), fixture.take_snapshot());
    assert!(second > first);
    assert_eq!(fixture.source().snapshots(), Ok(vec![second, first]));
}

/// Content, size and last write time are those of then; and what is there now can be asked for in the same batch.
pub fn a_file_comes_as_it_was_in_each_snapshot(fixture: &impl Fixture) {
    fixture.make_folder(&path("folder"));
    let mut states = Vec::new();
    for (size, secs) in [(5_usize, 0), (3_000_000, 10), (0, 20), (70_000, 30)] {
        let (content, time) = (content(size), MOMENT.plus_secs(secs));
        fixture.write(&path("folder/file"), &content, time);
        states.push((content, time, (secs < 30).then(|| fixture.take_snapshot())));
    }
    let wanted = |snapshot: &Option<Timestamp>| FetchRequest { snapshot: *snapshot, ..request("folder/file") };
    let batch: Vec<_> = states.iter().map(|(_, _, taken)| wanted(taken)).collect();
    for (file, (content, time, taken)) in fetch(fixture.source(), &batch, None).iter().zip(&states) {
        assert_eq!(file.error, None, "{taken:?}");
        assert!(file.content() == *content, "{taken:?}: other content");
        for meta in [file.opened, file.finished] {
            let size_and_time = meta.map(|meta| (meta.size_bytes, meta.write_time));
            assert_eq!(size_and_time, Some((content.len() as u64, *time)), "{taken:?}");
        }
    }
}

/// Made later, a folder then, or a moment of which there is no snapshot at all.
pub fn a_file_that_a_snapshot_does_not_have_is_not_found_and_disturbs_no_other(fixture: &impl Fixture) {
    for name in ["file", "changed"] {
        fixture.write(&path(name), name.as_bytes(), MOMENT);
    }
    fixture.make_folder(&path("was a folder"));
    let taken = fixture.take_snapshot();
    fixture.write(&path("later"), b"later", MOMENT);
    fixture.write(&path("changed"), b"since then", MOMENT.plus_secs(1));
    fixture.remove(&path("was a folder"));
    fixture.write(&path("was a folder"), b"a file", MOMENT);
    let never = taken.plus_secs(-86_400);
    let batch = [then("file", taken), then("later", taken), then("file", never), then("was a folder", taken)];
    let batch = [&batch[..], &[then("changed", taken)]].concat();
    let files = fetch(fixture.source(), &batch, None);
    assert_whole(&files[0], b"file", &path("file"));
    assert_eq!((code(&files[1]), code(&files[2])), (Some(Code::NotFound), Some(Code::NotFound)));
    assert_eq!(code(&files[3]), Some(Code::KindMoved));
    assert_whole(&files[4], b"changed", &path("changed"));
}

/// Parts of then, not of now.
pub fn parts_of_a_file_in_a_snapshot_are_those_of_then(fixture: &impl Fixture) {
    fixture.write(&path("large"), &content(3_000_000), MOMENT);
    let taken = fixture.take_snapshot();
    fixture.write(&path("large"), b"small now", MOMENT.plus_secs(1));
    let mut parts = Ranges::new();
    parts.insert(1_500_000..2_600_001);
    let wanted = FetchRequest { parts: Some(parts.clone()), ..then("large", taken) };
    let file = &fetch(fixture.source(), &[wanted], None)[0];
    let mut came = Ranges::new();
    for (offset_bytes, bytes) in &file.pieces {
        let start = usize::try_from(*offset_bytes).expect("small");
        assert!(content(3_000_000)[start..][..bytes.len()] == bytes[..], "other bytes at {start}");
        came.insert(*offset_bytes..*offset_bytes + bytes.len() as u64);
    }
    assert_eq!((came, file.error.clone()), (parts, None));
}
