//! Cases about listings.

use super::{Fixture, fetch, keep_list, path, request};
use octo_core::{Code, Kind, Listed, Name, RelPath, Timestamp};

/// A moment with a fraction of every size: 2020-09-13 12:26:40.1234567 UTC.
pub const MOMENT: Timestamp = Timestamp(16_000_000_001_234_567);
/// More than any case has.
const ALL: usize = usize::MAX;

pub(super) fn incomplete(end: &Listed) -> Code {
    match end {
        Listed::Incomplete(error) => error.code,
        Listed::Complete => unreachable!("the listing claims to be complete"),
    }
}

/// Complete, and nothing in it.
pub fn an_empty_folder_is_complete_and_empty(fixture: &impl Fixture) {
    fixture.make_folder(&path("empty"));
    for folder in ["empty", ""] {
        let list = keep_list(fixture.source(), &path(folder), ALL);
        assert_eq!(list.end, Listed::Complete);
        assert!(list.problems.is_empty(), "{list:?}");
        assert_eq!(list.entries.len(), usize::from(folder.is_empty()), "{list:?}");
    }
}

/// Kind, size and last write time are the origin's, to 100 ns.
pub fn entries_come_with_kind_size_and_time(fixture: &impl Fixture) {
    fixture.make_folder(&path("folder"));
    let times = [MOMENT, Timestamp(MOMENT.0 + 1), Timestamp::from_unix(1, 0), Timestamp::from_unix(4_000_000_000, 700)];
    for (at, time) in times.iter().enumerate() {
        fixture.write(&path(&format!("folder/{at}")), &vec![b'x'; at * 1000], *time);
    }
    assert_eq!(keep_list(fixture.source(), &RelPath::root(), ALL).meta("folder").kind, Kind::Folder);
    let list = keep_list(fixture.source(), &path("folder"), ALL);
    for (at, time) in times.iter().enumerate() {
        let meta = list.meta(&at.to_string());
        assert_eq!((meta.kind, meta.size_bytes, meta.write_time), (Kind::File, at as u64 * 1000, *time));
        assert!(meta.is_local);
    }
}

/// A folder that needs more than one answer.
pub fn each_of_5000_entries_is_listed_once(fixture: &impl Fixture) {
    fixture.make_folder(&path("many"));
    let names: Vec<String> = (0..5000).map(|n| format!("entry number {n:04} with a name of some length")).collect();
    for name in &names {
        fixture.write(&path(&format!("many/{name}")), b"", MOMENT);
    }
    let list = keep_list(fixture.source(), &path("many"), ALL);
    assert_eq!(list.end, Listed::Complete);
    assert_eq!(list.names(), names.iter().map(|name| name.as_bytes()).collect::<Vec<_>>());
}

/// Names are neither normalised nor mangled.
pub fn unicode_and_odd_names_are_listed_and_fetched(fixture: &impl Fixture) {
    let long = "n".repeat(255);
    let names = [
        " leading space",
        "#hash",
        "%41",
        "'quote'",
        ".hidden",
        "a b",
        "a.b.c",
        "a\u{308}",
        "ä",
        "$dollar",
        "-dash",
        "@GMT",
        "[x]",
        "ß",
        "~tilde~1",
        "ÿ",
        "\u{202e}rtl",
        "日本語",
        "🐙 octopus",
        &long,
    ];
    for name in names {
        fixture.write(&path(name), name.as_bytes(), MOMENT);
    }
    let list = keep_list(fixture.source(), &RelPath::root(), ALL);
    let mut sorted: Vec<_> = names.iter().map(|name| name.as_bytes()).collect();
    sorted.sort_unstable();
    assert_eq!((&list.end, list.names()), (&Listed::Complete, sorted));
    let files = fetch(fixture.source(), &names.map(request), None);
    for (name, file) in names.iter().zip(files) {
        assert_eq!((file.content(), file.error), (name.as_bytes().to_vec(), None), "{name}");
    }
}

/// Deeper than the 260 characters of old Windows programs.
pub fn deep_paths_are_listed_and_fetched(fixture: &impl Fixture) {
    let mut folder = RelPath::root();
    let level = Name::new(*b"a folder of a deep path").expect("possible");
    for _ in 0..30 {
        folder = folder.join(&level);
        fixture.make_folder(&folder);
    }
    let file = folder.join(&Name::new(*b"file").expect("possible"));
    fixture.write(&file, b"deep", MOMENT);
    assert_eq!(keep_list(fixture.source(), &folder, ALL).meta("file").size_bytes, 4);
    let mut wanted = request("x");
    wanted.path = file;
    assert_eq!(fetch(fixture.source(), &[wanted], None)[0].content(), b"deep");
}

/// Absence of the folder itself is no proof that its entries are gone.
pub fn a_missing_folder_is_incomplete(fixture: &impl Fixture) {
    for folder in ["missing", "missing/below"] {
        let list = keep_list(fixture.source(), &path(folder), ALL);
        assert_eq!((incomplete(&list.end), list.entries.len()), (Code::NotFound, 0));
    }
}

/// A file has no listing, and does not look like an empty folder.
pub fn a_file_cannot_be_listed(fixture: &impl Fixture) {
    fixture.write(&path("file"), b"content", MOMENT);
    let list = keep_list(fixture.source(), &path("file"), ALL);
    assert_eq!((incomplete(&list.end), list.entries.len()), (Code::KindMoved, 0));
}

/// Between the listing of its parent and its own.
pub fn a_folder_that_became_a_file_is_incomplete(fixture: &impl Fixture) {
    fixture.make_folder(&path("was folder"));
    fixture.write(&path("was folder/file"), b"", MOMENT);
    assert_eq!(keep_list(fixture.source(), &path("was folder"), ALL).end, Listed::Complete);
    fixture.remove(&path("was folder"));
    fixture.write(&path("was folder"), b"a file now", MOMENT);
    let list = keep_list(fixture.source(), &path("was folder"), ALL);
    assert_eq!((incomplete(&list.end), list.entries.len()), (Code::KindMoved, 0));
}

/// Not one entry more, and the source serves on.
pub fn a_listing_stops_at_once_when_no_more_is_wanted(fixture: &impl Fixture) {
    for n in 0..50 {
        fixture.write(&path(&format!("f{n}")), b"", MOMENT);
    }
    for at_most in [1, 7, 49] {
        assert_eq!(keep_list(fixture.source(), &RelPath::root(), at_most).entries.len(), at_most);
    }
    let list = keep_list(fixture.source(), &RelPath::root(), ALL);
    assert_eq!((list.end, list.entries.len()), (Listed::Complete, 50));
}

/// Whatever happens inside.
pub fn the_pin_stays_the_same(fixture: &impl Fixture) {
    let before = fixture.source().pin();
    fixture.write(&path("file"), b"content", MOMENT);
    assert!(before.is_ok(), "{before:?}");
    assert_eq!(before, fixture.source().pin());
}
