//! A hostile agent: whatever it answers, the server names the fault, and nothing of it becomes a complete listing or a
//! whole file.

use crate::server::fake;
use crate::server::source::AgentSource;
use crate::wire::{EntryBatch, Frame, FrameCompression};
use bytes::Bytes;
use octo_core::{
    Code, Entry, Error, FetchRequest, FetchSink, Kind, ListSink, Listed, Meta, Name, RelPath, Source, Stop, Timestamp,
};
use std::ops::ControlFlow;

/// A source whose agent answers every listing and fetch with these bytes.
fn agent_that_says(answer: Vec<u8>) -> AgentSource {
    fake::agent(move |_, _| Box::new(std::iter::once(answer.clone().into())))
}

#[derive(Default)]
struct Keep {
    entries: Vec<String>,
    problems: Vec<Code>,
    events: Vec<String>,
    error: Option<Error>,
    takes_holes: bool,
}

impl ListSink for Keep {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.entries.push(entry.name.to_string());
        ControlFlow::Continue(())
    }
    fn problem(&mut self, _: &[u8], error: Error) {
        self.problems.push(error.code);
    }
    fn restart(&mut self) {
        self.entries.clear();
        self.problems.clear();
    }
}

impl FetchSink for Keep {
    fn wants_holes(&self, _: usize) -> bool {
        self.takes_holes
    }
    fn holes(&mut self, _: usize, holes: &octo_core::Ranges) {
        self.events.push(format!("{} in holes", holes.total_bytes()));
    }
    fn opened(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        self.events.push("opened".into());
        Ok(())
    }
    fn data(&mut self, _: usize, offset_bytes: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.events.push(format!("data {offset_bytes}+{}", bytes.len()));
        Ok(())
    }
    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        self.events.push("finished".into());
        Ok(())
    }
    fn failed(&mut self, _: usize, error: Error) -> Result<(), Stop> {
        assert!(self.error.replace(error).is_none(), "two ends");
        Ok(())
    }
}

fn meta(size_bytes: u64) -> Meta {
    Meta::new(Kind::File, size_bytes, Timestamp(0))
}

fn list(answer: &[Bytes]) -> (Listed, Keep) {
    let mut keep = Keep::default();
    let listed = agent_that_says(answer.concat()).list(&RelPath::root(), &mut keep);
    (listed, keep)
}

fn fetch(answer: &[Bytes]) -> Keep {
    fetch_into(Keep::default(), answer)
}

fn fetch_into(mut keep: Keep, answer: &[Bytes]) -> Keep {
    let path = RelPath::parse(b"file").unwrap();
    let wanted = FetchRequest { path, listed: meta(10), parts: None, snapshot: None, metadata: false };
    agent_that_says(answer.concat()).fetch(&[wanted], &mut keep);
    assert_eq!(keep.events.contains(&"finished".to_owned()), keep.error.is_none());
    keep
}

fn entries() -> Bytes {
    let mut batch = EntryBatch::default();
    assert!(batch.push(&Entry { name: Name::new(*b"name").unwrap(), meta: meta(1) }).is_none());
    batch.take().unwrap()
}

fn code(listed: &Listed) -> Code {
    match listed {
        Listed::Incomplete(error) => error.code,
        Listed::Complete => panic!("a complete listing"),
    }
}

#[test]
fn a_listing_that_is_garbage_cut_short_or_of_another_question_is_never_complete() {
    let huge = Bytes::from_static(&[0xFF; 64]);
    assert_eq!(code(&list(&[entries(), huge]).0), Code::Protocol);
    assert_eq!(code(&list(&[Bytes::from_static(&[1, 0, 0, 0, 99])]).0), Code::Protocol);
    assert_eq!(code(&list(&[entries(), Frame::finished(0, &meta(0), &[0; 32])]).0), Code::Protocol);
    let (cut, keep) = list(&[entries()]);
    assert_eq!((code(&cut), keep.entries.len()), (Code::Unreachable, 1), "it is waited for, and does not come back");
    let half = Frame::listed(&Listed::Complete);
    assert_eq!(code(&list(&[entries(), half.slice(..3)]).0), Code::Unreachable);
    let (whole, keep) = list(&[entries(), Frame::listed(&Listed::Complete)]);
    assert_eq!((whole, keep.entries), (Listed::Complete, vec!["name".to_owned()]));
}

#[test]
fn names_that_lead_elsewhere_are_reported_and_never_become_entries() {
    for name in [&b".."[..], b"/etc/passwd", b"a/../../b", b"nul\0", b""] {
        // One entry: shared 0, the name, a plain file.
        let mut frame = vec![1, 0, 0, u8::try_from(name.len()).unwrap()];
        frame.extend_from_slice(name);
        frame.extend_from_slice(&[0, 0, 0]);
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        let (_, keep) = list(&[[&length[..], &frame].concat().into(), Frame::listed(&Listed::Complete)]);
        assert_eq!((keep.entries.len(), keep.problems), (0, vec![Code::BadName]), "{name:?}");
    }
}

#[test]
fn content_is_held_to_what_was_announced_and_asked_for() {
    let opened = || Frame::opened(0, &meta(10));
    let piece = |at, size: usize| Frame::piece(0, at, &vec![7; size], FrameCompression::Plain);
    let finished = |size: usize| Frame::finished(0, &meta(10), blake3::hash(&vec![7; size]).as_bytes());
    assert_eq!(fetch(&[opened(), piece(0, 10), finished(10)]).events, ["opened", "data 0+10", "finished"]);
    let bad: &[&[Bytes]] = &[
        &[opened(), piece(0, 11)],
        &[opened(), piece(u64::MAX, 1)],
        &[opened(), piece(5, 6)],
        &[opened(), piece(0, 0)],
        &[opened(), piece(0, 6), piece(0, 6)],
        &[opened(), opened()],
        &[opened(), piece(0, 9), finished(9)],
        &[piece(0, 1)],
        &[finished(0)],
        &[Frame::opened(1, &meta(10))],
        &[Frame::opened(usize::MAX, &meta(10))],
        &[entries()],
    ];
    for (at, answer) in bad.iter().enumerate() {
        assert_eq!(fetch(answer).error.map(|error| error.code), Some(Code::Protocol), "case {at}");
    }
    let lie = fetch(&[opened(), piece(0, 10), Frame::finished(0, &meta(10), &[0; 32])]);
    assert_eq!(lie.error.map(|error| error.code), Some(Code::SourceEntry));
    let ours = fetch(&[Frame::failed(0, &Error::new(Code::NoSpace, ""))]);
    assert_eq!(ours.error.map(|error| error.code), Some(Code::SourceEntry), "it knows nothing of our disk");
}

#[test]
fn holes_are_held_to_what_was_asked_for_and_must_leave_nothing_out() {
    let opened = || Frame::opened(0, &meta(10));
    let holes = |at: u64, end: u64| {
        Frame::holes(0, &octo_core::Ranges::new().missing(end).minus(&octo_core::Ranges::new().missing(at)))
    };
    let piece = |at, size: usize| Frame::piece(0, at, &vec![7; size], FrameCompression::Plain);
    let finished = |size: usize| Frame::finished(0, &meta(10), blake3::hash(&vec![7; size]).as_bytes());
    let takes = |answer: &[Bytes]| fetch_into(Keep { takes_holes: true, ..Keep::default() }, answer);
    let good = takes(&[holes(4, 10), opened(), piece(0, 4), finished(4)]);
    assert_eq!(good.events, ["6 in holes", "opened", "data 0+4", "finished"]);
    let bad: &[&[Bytes]] = &[
        &[holes(4, 11), opened(), piece(0, 4), finished(4)],
        &[holes(4, 10), opened(), finished(0)],
        &[holes(4, 10), opened(), piece(0, 5), finished(5)],
        &[holes(4, 10), holes(4, 10), opened()],
        &[opened(), holes(4, 10), piece(0, 4), finished(4)],
        &[opened(), piece(0, 4), finished(4)],
    ];
    for (at, answer) in bad.iter().enumerate() {
        assert_eq!(takes(answer).error.map(|error| error.code), Some(Code::Protocol), "case {at}");
    }
    let unasked = fetch(&[holes(4, 10), opened(), piece(0, 4), finished(4)]);
    assert_eq!(unasked.error.map(|error| error.code), Some(Code::Protocol));
}

#[test]
fn an_agent_that_only_ever_hangs_up_ends_the_run() {
    let keep = fetch(&[]);
    assert_eq!(keep.error.map(|error| error.code), Some(Code::Unreachable));
}

#[test]
fn a_few_bytes_that_repeat_a_huge_name_are_a_fault() {
    // One name of a mebibyte, then entries that share all of it.
    let mut plain = vec![0];
    plain.extend_from_slice(&[0x80, 0x80, 0x3C]);
    plain.extend_from_slice(&vec![b'n'; 0xF_0000]);
    plain.extend_from_slice(&[0, 0, 0]);
    let mut frame = vec![1, 0];
    frame.extend_from_slice(&plain);
    let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
    let (listed, keep) = list(&[[&length[..], &frame].concat().into(), Frame::listed(&Listed::Complete)]);
    assert_eq!((code(&listed), keep.entries.len()), (Code::Protocol, 0));
}

fn at(path: &str) -> RelPath {
    RelPath::parse(path.as_bytes()).unwrap()
}

/// What a source whose agent walks so says of these folders, asked for one after the other. Asked for one, it says that it is
/// complete and empty.
fn walk(answer: &[Bytes], folders: &[&str]) -> Vec<Result<usize, Code>> {
    let answer: Bytes = answer.concat().into();
    let source = fake::walker(move |what, _| match what {
        "/v1/walk" => Box::new(std::iter::once(answer.clone())),
        _ => Box::new(std::iter::once(Frame::listed(&Listed::Complete))),
    });
    let listing_of = folders.iter().map(|folder| {
        let mut keep = Keep::default();
        match source.list(&at(folder), &mut keep) {
            Listed::Complete => Ok(keep.entries.len()),
            Listed::Incomplete(error) => Err(error.code),
        }
    });
    listing_of.collect()
}

#[test]
fn a_walk_is_held_to_its_beginning_and_its_order_and_what_it_leaves_out_is_asked_for() {
    let listing_of = |folder: &str| vec![Frame::folder(&at(folder)), entries(), Frame::listed(&Listed::Complete)];
    let all = |folders: &[&str]| folders.iter().flat_map(|folder| listing_of(folder)).collect::<Vec<_>>();
    assert_eq!(walk(&all(&["", "a", "b"]), &["", "a", "b"]), [Ok(1), Ok(1), Ok(1)]);
    assert_eq!(walk(&all(&["", "a", "a/x", "b"]), &["", "a", "b"]), [Ok(1), Ok(1), Ok(1)], "one is not wanted");
    assert_eq!(walk(&all(&["", "b"]), &["", "a", "b"]), [Ok(1), Ok(0), Ok(1)], "one is new");
    assert_eq!(walk(&all(&["a"]), &[""]), [Err(Code::Protocol)], "it begins elsewhere");
    for disorder in [["", "b", "a"], ["", "a", "a"], ["", "a/b", "a"], ["", "a", ""]] {
        let said = walk(&all(&disorder), &["", "a", "a/b", "b"]);
        assert!(said.contains(&Err(Code::Protocol)), "{disorder:?}: {said:?}");
    }
    for wrong in [Frame::opened(0, &meta(1)), Frame::folder(&at("a")), Bytes::from_static(&[2, 0, 0, 0, 10, 9])] {
        let answer = [vec![Frame::folder(&at("")), entries(), wrong], listing_of("b")].concat();
        assert_eq!(walk(&answer, &[""]), [Err(Code::Protocol)]);
    }
    let cut = [listing_of(""), vec![Frame::folder(&at("a")), entries()]].concat();
    assert_eq!(walk(&cut, &["", "a"])[1], Err(Code::Unreachable), "a listing that was cut is none");
}

#[test]
fn a_walk_without_end_through_what_nobody_wants_is_left() {
    let source = fake::walker(|what, body| match what {
        "/v1/walk" => {
            let within = Name::new(*b"in").unwrap();
            let from = crate::wire::Order::decode(body).unwrap().path;
            let wanted = [Frame::folder(&from), Frame::listed(&Listed::Complete), Frame::folder(&from.join(&within))];
            // In large pieces: an agent that sends crumbs is hung up on.
            let many: Bytes = vec![entries(); 4000].concat().into();
            Box::new(wanted.into_iter().chain(std::iter::repeat(many)))
        }
        _ => Box::new(std::iter::once(Frame::listed(&Listed::Complete))),
    });
    for folder in ["", "z"] {
        assert_eq!(source.list(&at(folder), &mut Keep::default()), Listed::Complete);
    }
}

#[test]
fn metadata_is_held_to_what_was_asked_for_and_has_an_end() {
    use octo_core::Piece;
    let fetch = |metadata: bool, answer: Vec<Bytes>| {
        let mut keep = Keep::default();
        let wanted = FetchRequest { path: at("file"), listed: meta(0), parts: None, snapshot: None, metadata };
        fake::agent(move |_, _| Box::new(answer.clone().into_iter())).fetch(&[wanted], &mut keep);
        (keep.events, keep.error.map(|error| error.code))
    };
    let (opened, end) = (Frame::opened(0, &meta(0)), Frame::finished(0, &meta(0), blake3::hash(b"").as_bytes()));
    let note = Frame::metadata(0, &Piece::Xattr { name: b"user.note", value: b"noted" });
    let stream = Frame::metadata(0, &Piece::Stream { name: b"stream", size_bytes: 5 });
    let data = |bytes| Frame::metadata(0, &Piece::StreamData(bytes));
    let good = vec![opened.clone(), note.clone(), stream.clone(), data(b"some"), data(b"!"), end];
    assert_eq!(fetch(true, good.clone()).1, None);
    assert_eq!(fetch(false, good).1, Some(Code::Protocol), "nobody asked");
    let bad = [
        vec![note.clone()],
        vec![opened.clone(), data(b"x")],
        vec![opened.clone(), stream.clone(), data(b"")],
        vec![opened.clone(), stream.clone(), data(b"some"), data(b"!!")],
        vec![opened.clone(), stream, note.clone(), data(b"x")],
        [vec![opened], vec![note; 40_000]].concat(),
    ];
    for (at, answer) in bad.into_iter().enumerate() {
        assert_eq!(fetch(true, answer).1, Some(Code::Protocol), "case {at}");
    }
}
