//! Listings and contents are exactly what lies on the server's disk.

use crate::fixture::*;
use octo_core::{
    Code, Entry, Error, FetchRequest, FetchSink, Kind, ListSink, Listed, Meta, Ranges, Source, Stop, Timestamp,
};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Bytes that repeat at no power of two.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 ^ (i / 65_536) as u8).collect()
}

fn stamp(path: &Path, secs: i64, nanos: u32) {
    let whole = Duration::from_secs(secs.unsigned_abs());
    let whole = if secs < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    fs::File::open(path).unwrap().set_modified(whole + Duration::from_nanos(nanos.into())).unwrap();
}

#[test]
fn files_of_all_sizes_come_byte_by_byte() {
    let samba = samba();
    let data = samba.share_path("data");
    let kib = 1024;
    let sizes = [
        0,
        1,
        64 * kib - 1,
        64 * kib,
        64 * kib + 1,
        1024 * kib - 1,
        1024 * kib,
        1024 * kib + 1,
        5 * 1024 * kib + 3,
        20 * 1024 * kib + 7,
    ];
    for size in sizes {
        fs::write(data.join(size.to_string()), content(size)).unwrap();
    }
    let source = connect(&samba, "data", "plain");
    let kept = list_all(&source, "");
    let batch: Vec<_> = sizes.iter().map(|s| request(&s.to_string(), *s as u64)).collect();
    for (fetched, &size) in fetch(&source, &batch).iter().zip(&sizes) {
        assert_eq!(fetched.failed, None);
        assert!(fetched.bytes() == content(size), "{size} bytes");
        let listed = kept.meta(size.to_string().as_bytes());
        let (opened, finished) = (fetched.opened.unwrap(), fetched.finished.unwrap());
        for meta in [listed, opened, finished] {
            assert_eq!((meta.kind, meta.size_bytes), (Kind::File, size as u64));
        }
        assert_eq!((opened.id, finished.id), (listed.id, listed.id), "the id of its own handle is the listed one");
        assert!(listed.id.unwrap().is_usable());
        assert_eq!(opened.write_time, listed.write_time);
        assert_eq!(finished.write_time, listed.write_time);
    }
}

#[test]
fn a_listing_that_was_wrong_about_the_size_does_no_harm() {
    let samba = samba();
    let data = samba.share_path("data");
    for (name, size) in [("grown", 300_000), ("from-nothing", 10), ("shrunk", 5), ("emptied", 0)] {
        fs::write(data.join(name), content(size)).unwrap();
    }
    let source = connect(&samba, "data", "plain");
    let listed = [("grown", 100), ("from-nothing", 0), ("shrunk", 70_000), ("emptied", 9_000_000)];
    let batch: Vec<_> = listed.iter().map(|(name, size)| request(name, *size)).collect();
    for (fetched, size) in fetch(&source, &batch).iter().zip([300_000, 10, 5, 0]) {
        assert!(fetched.bytes() == content(size) && fetched.finished.unwrap().size_bytes == size as u64);
    }
}

#[test]
fn parts_of_every_shape_are_what_was_asked_for_and_no_more() {
    let samba = samba();
    let size = 6_000_000;
    fs::write(samba.share_path("data").join("f"), content(size)).unwrap();
    let source = connect(&samba, "data", "plain");
    let mut parts = Ranges::new();
    for range in [5..70_000, 1_048_575..1_048_577, 2_000_000..4_500_000, 5_999_000..6_000_000] {
        parts.insert(range);
    }
    let fetched = fetch(&source, &[FetchRequest { parts: Some(parts.clone()), ..request("f", size as u64) }]);
    let mut got = Ranges::new();
    for (&at, piece) in &fetched[0].pieces {
        assert_eq!(piece[..], content(size)[at as usize..at as usize + piece.len()]);
        got.insert(at..at + piece.len() as u64);
    }
    assert_eq!(got, parts);
    assert!(fetched[0].finished.is_some());
}

#[test]
fn times_are_exact_to_a_hundred_nanoseconds_from_long_ago_to_far_ahead() {
    let samba = samba();
    let data = samba.share_path("data");
    let moments = [
        (-2_000_000_000, 100),
        (-2, 999_999_900),
        (1, 100),
        (951_782_399, 999_999_900),
        (1_785_877_205, 123_456_700),
        (4_102_444_800, 900),
        (14_000_000_000, 700),
    ];
    for (i, (secs, nanos)) in moments.iter().enumerate() {
        let (file, folder) = (data.join(format!("f{i}")), data.join(format!("d{i}")));
        fs::write(&file, b"x").unwrap();
        fs::create_dir(&folder).unwrap();
        for entry in [&file, &folder] {
            stamp(entry, *secs, *nanos);
        }
        // Each another time than the file's last write.
        let (secs, nanos) = moments[(i + 1) % moments.len()];
        samba.set_creation_time(&file, Timestamp::from_unix(secs, nanos));
    }
    let source = connect(&samba, "data", "plain");
    let kept = list_all(&source, "");
    for (i, (secs, nanos)) in moments.iter().enumerate() {
        let exact = Timestamp::from_unix(*secs, *nanos);
        let fetched = fetch_one(&source, &format!("f{i}"), 1);
        let listed = kept.meta(format!("f{i}").as_bytes());
        let (secs, nanos) = moments[(i + 1) % moments.len()];
        for meta in [listed, fetched.opened.unwrap(), fetched.finished.unwrap()] {
            assert_eq!(meta.write_time, exact);
            // What Samba calls the change time moves with the last write time.
            assert_eq!(meta.change_time, Some(exact));
            assert_eq!(meta.creation_time, Some(Timestamp::from_unix(secs, nanos)), "created, of {exact}");
        }
        assert_eq!(kept.meta(format!("d{i}").as_bytes()).write_time, exact);
    }
}

#[test]
fn a_folder_of_five_thousand_and_an_empty_one_are_listed_whole() {
    let samba = samba();
    let data = samba.share_path("plainfs");
    fs::create_dir_all(data.join("many")).unwrap();
    fs::create_dir_all(data.join("empty")).unwrap();
    let mut expected = Vec::new();
    for i in 0..5_000 {
        let name = format!("file number {i:05} with a name of some length");
        fs::File::create(data.join("many").join(&name)).unwrap();
        expected.push(name);
    }
    let source = connect(&samba, "plainfs", "plain");
    assert_eq!(list_all(&source, "many").names(), expected);
    assert_eq!(list_all(&source, "empty").entries.len(), 0);
    let ids: std::collections::HashSet<_> = list_all(&source, "many").entries.iter().map(|e| e.meta.id).collect();
    assert_eq!(ids.len(), 5_000);
}

#[test]
fn many_threads_list_and_fetch_at_once() {
    let samba = samba();
    let data = samba.share_path("plainfs");
    for folder in 0..20 {
        fs::create_dir(data.join(folder.to_string())).unwrap();
        for file in 0..40 {
            fs::write(data.join(format!("{folder}/{file}")), content(folder * 1000 + file)).unwrap();
        }
    }
    let source = connect(&samba, "plainfs", "plain");
    std::thread::scope(|scope| {
        for folder in 0..20 {
            let source = &source;
            scope.spawn(move || {
                let kept = list_all(source, &folder.to_string());
                assert_eq!(kept.entries.len(), 40);
                let batch: Vec<_> = (0..40).map(|f| request(&format!("{folder}/{f}"), 500)).collect();
                for (file, fetched) in fetch(source, &batch).iter().enumerate() {
                    assert!(fetched.bytes() == content(folder * 1000 + file), "{folder}/{file}: {:?}", fetched.failed);
                }
            });
        }
    });
}

#[test]
fn what_has_become_something_else_or_is_gone_is_said() {
    let samba = samba();
    let data = samba.share_path("data");
    fs::create_dir(data.join("folder")).unwrap();
    fs::write(data.join("file"), b"x").unwrap();
    let source = connect(&samba, "data", "plain");
    let code = |name: &str, size| fetch_one(&source, name, size).failed.map(|e| e.code);
    for size in [1, 50_000_000] {
        assert_eq!(code("folder", size), Some(Code::KindMoved));
        assert_eq!(code("gone", size), Some(Code::NotFound));
        assert_eq!(code("gone/too", size), Some(Code::NotFound));
    }
    let incomplete = |folder: &str| match list(&source, folder).0 {
        Listed::Incomplete(error) => error.code,
        Listed::Complete => panic!("{folder} is complete"),
    };
    assert_eq!(incomplete("file"), Code::KindMoved);
    assert_eq!(incomplete("gone"), Code::NotFound);
    // The others of a batch do not suffer.
    let fetched = fetch(&source, &[request("gone", 1), request("file", 1), request("folder", 1)]);
    assert_eq!(fetched[1].bytes(), b"x");
}

/// Says `stop` at the first piece of data.
struct Stops {
    stop: Stop,
    events: Vec<(usize, &'static str)>,
}

impl FetchSink for Stops {
    fn opened(&mut self, file: usize, _: Meta) -> Result<(), Stop> {
        self.events.push((file, "opened"));
        Ok(())
    }
    fn data(&mut self, file: usize, _: u64, _: &[u8]) -> Result<(), Stop> {
        self.events.push((file, "data"));
        Err(self.stop)
    }
    fn finished(&mut self, file: usize, _: Meta) -> Result<(), Stop> {
        self.events.push((file, "finished"));
        Ok(())
    }
    fn failed(&mut self, file: usize, _: Error) -> Result<(), Stop> {
        self.events.push((file, "failed"));
        Ok(())
    }
}

#[test]
fn a_sink_that_wants_no_more_gets_no_more() {
    struct First(usize);
    impl ListSink for First {
        fn entry(&mut self, _: Entry) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Break(())
        }
        fn problem(&mut self, _: &[u8], _: Error) {}
        fn restart(&mut self) {}
    }
    let samba = samba();
    for (name, size) in [("small1", 10), ("small2", 10), ("large", 9_000_000)] {
        fs::write(samba.share_path("data").join(name), content(size)).unwrap();
    }
    let source = connect(&samba, "data", "plain");
    let mut first = First(0);
    assert!(matches!(source.list(&path(""), &mut first), Listed::Incomplete(_)));
    assert_eq!(first.0, 1);
    let batch = [request("small1", 10), request("small2", 10), request("large", 9_000_000)];
    let mut sink = Stops { stop: Stop::ThisFile, events: Vec::new() };
    source.fetch(&batch, &mut sink);
    sink.events.sort();
    let both = |file| [(file, "data"), (file, "opened")];
    assert_eq!(sink.events, [both(0), both(1), both(2)].concat());
    let mut sink = Stops { stop: Stop::Everything, events: Vec::new() };
    source.fetch(&batch, &mut sink);
    assert_eq!(sink.events.len(), 2);
}

#[test]
fn a_file_that_another_client_does_not_share_is_locked_now_and_whole_in_a_previous_version() {
    let samba = Samba::start(SambaOptions::new().share_with_snapshots("shadow", "data"));
    fs::write(samba.share_path("data").join("held"), "as it was").unwrap();
    let taken = Timestamp::from_unix(1_700_000_000, 0);
    samba.take_snapshot("shadow", taken);
    fs::write(samba.share_path("data").join("held"), "as it is").unwrap();
    let source = connect(&samba, "shadow", "plain");
    let held = samba.hold("shadow", "held");
    let then = FetchRequest { snapshot: Some(taken), ..request("held", 9) };
    let files = fetch(&source, &[request("held", 8), then]);
    assert_eq!(files[0].failed.as_ref().map(|e| e.code), Some(Code::Locked), "{:?}", files[0].failed);
    assert_eq!((files[1].bytes(), &files[1].failed), (b"as it was".to_vec(), &None));
    drop(held);
    assert_eq!(fetch(&source, &[request("held", 8)])[0].bytes(), b"as it is");
}
