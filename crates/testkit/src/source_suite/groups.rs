//! Cases that only some origins can be brought to: see the groups of [`source_suite!`](crate::source_suite).

use super::listing::incomplete;
use super::{Fixture, MOMENT, fetch, keep_list, path, request};
use octo_core::{Code, Kind, Listed, Name, RelPath};

/// Group `ids`: an id is usable, its own, and moves with the file.
pub fn ids_stay_with_a_renamed_file(fixture: &impl Fixture) {
    assert!(fixture.source().features().stable_ids);
    fixture.make_folder(&path("folder"));
    fixture.write(&path("one"), b"1", MOMENT);
    fixture.write(&path("two"), b"2", MOMENT);
    let before = keep_list(fixture.source(), &RelPath::root(), usize::MAX);
    let id = before.meta("one").id.expect("an id");
    assert!(id.is_usable());
    assert_ne!(before.meta("two").id, Some(id));
    fixture.rename(&path("one"), &path("folder/renamed"));
    assert_eq!(keep_list(fixture.source(), &RelPath::root(), usize::MAX).names(), [&b"folder"[..], b"two"]);
    let after = keep_list(fixture.source(), &path("folder"), usize::MAX).meta("renamed");
    assert_eq!((after.id, after.write_time), (Some(id), MOMENT));
    let opened = fetch(fixture.source(), &[request("folder/renamed")], None)[0].opened.expect("opened");
    assert!(opened.id.is_none_or(|opened| opened == id), "the handle says another id");
}

/// Group `links`: to a file, to a folder, to nothing, and to the outside.
pub fn links_are_listed_and_never_followed(fixture: &impl Fixture) {
    fixture.write(&path("file"), b"content", MOMENT);
    fixture.make_folder(&path("folder"));
    fixture.write(&path("folder/inside"), b"content", MOMENT);
    let links = [("to file", "file"), ("to folder", "folder"), ("to nothing", "nothing"), ("out", "/etc")];
    for (link, text) in links {
        fixture.link(&path(link), text);
    }
    let list = keep_list(fixture.source(), &RelPath::root(), usize::MAX);
    for (link, text) in links {
        assert_eq!(list.meta(link).kind, Kind::Link, "{link}");
        assert_eq!(fixture.source().read_link(&path(link)).map(|l| l.data), Ok(text.as_bytes().to_vec()));
        let listed = keep_list(fixture.source(), &path(link), usize::MAX);
        assert_eq!((incomplete(&listed.end), listed.entries.len()), (Code::KindMoved, 0), "{link}");
        let file = &fetch(fixture.source(), &[request(link)], None)[0];
        assert_eq!(file.error.as_ref().map(|error| error.code), Some(Code::KindMoved), "{link}");
    }
    let through = &fetch(fixture.source(), &[request("to folder/inside")], None)[0];
    assert!(through.error.is_some() && through.pieces.is_empty(), "a link in the middle was followed");
}

/// Group `deny`: one file, while the others of its batch come.
pub fn an_unreadable_file_is_denied_and_disturbs_no_other(fixture: &impl Fixture) {
    for name in ["a", "secret", "z"] {
        fixture.write(&path(name), b"content", MOMENT);
    }
    fixture.deny(&path("secret"));
    let files = fetch(fixture.source(), &["a", "secret", "z"].map(request), None);
    assert_eq!(files[1].error.as_ref().map(|error| error.code), Some(Code::AccessDenied));
    assert!(files[1].pieces.is_empty());
    assert_eq!((files[0].content(), files[2].content()), (b"content".to_vec(), b"content".to_vec()));
}

/// Group `deny`: an unreadable folder does not look empty.
pub fn an_unreadable_folder_is_incomplete(fixture: &impl Fixture) {
    fixture.make_folder(&path("secret"));
    fixture.write(&path("secret/file"), b"content", MOMENT);
    fixture.deny(&path("secret"));
    let list = keep_list(fixture.source(), &path("secret"), usize::MAX);
    assert_eq!((incomplete(&list.end), list.entries.len()), (Code::AccessDenied, 0));
}

/// Group `hostile`: what can be no name never becomes one, is reported, and the good ones still come. A listing may
/// also be refused as a whole, but then it is not complete.
pub fn impossible_names_are_reported_and_hide_no_other(fixture: &impl Fixture) {
    fixture.make_folder(&path("folder"));
    let long = [b'n'; 2000];
    let impossible: [&[u8]; 7] = [b"..", b"a/b", b"../../etc/passwd", b"nul\0nul", b"", b"/", &long];
    let names = [&[&b"first"[..]], &impossible[..], &[b"C:", b"last"]].concat();
    fixture.say(&path("folder"), &names);
    let list = keep_list(fixture.source(), &path("folder"), usize::MAX);
    for entry in &list.entries {
        assert!(Name::new(entry.name.as_bytes()).is_ok() && !impossible.contains(&entry.name.as_bytes()));
    }
    if list.end == Listed::Complete {
        assert!(list.names().contains(&&b"first"[..]) && list.names().contains(&&b"last"[..]), "{list:?}");
        let bad = list.problems.iter().filter(|problem| problem.1.code == Code::BadName).count();
        assert!(bad >= impossible.len(), "{bad} of {} reported", impossible.len());
    }
}

/// Group `hostile`: both are handed on, or the listing is not complete; nothing is made up.
pub fn duplicates_and_disorder_do_no_harm(fixture: &impl Fixture) {
    fixture.make_folder(&path("folder"));
    let names: [&[u8]; 6] = [b"z", b"a", b"m", b"a", b"A", b"z"];
    fixture.say(&path("folder"), &names);
    let list = keep_list(fixture.source(), &path("folder"), usize::MAX);
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    match list.end {
        Listed::Complete => assert_eq!(list.names(), sorted),
        Listed::Incomplete(_) => assert!(list.names().iter().all(|name| names.contains(name))),
    }
}
