//! A source in memory passes the suite, the groups included that a real folder cannot be brought to; and the suite
//! catches a source that lies.

use octo_core::{
    Code, Entry, Error, FetchRequest, FetchSink, FileId, Kind, LinkTarget, LinkType, ListSink, Listed, Meta, Name,
    Ranges, RelPath, Source, SourceFeatures, SourcePin, Stop, Timestamp,
};
use octo_testkit::source_suite;
use octo_testkit::source_suite::Fixture;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

#[derive(Clone)]
enum Node {
    Folder,
    File(Vec<u8>),
    Link(String),
}

#[derive(Default)]
struct Tree {
    nodes: BTreeMap<Vec<u8>, (Node, Meta)>,
    denied: BTreeSet<Vec<u8>>,
    said: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    ids: u128,
}

/// Origin and source in one.
#[derive(Default)]
struct Memory(Mutex<Tree>);

impl Memory {
    fn put(&self, path: &RelPath, node: Node, kind: Kind, size: usize, time: Timestamp) {
        let mut tree = self.0.lock().unwrap();
        tree.ids += 1;
        let id = Some(FileId { volume: 1, id: tree.ids });
        tree.nodes.insert(path.as_bytes().to_vec(), (node, Meta { id, ..Meta::new(kind, size as u64, time) }));
    }

    /// What is there, without following links on the way.
    fn get(&self, path: &RelPath) -> Result<(Node, Meta), Error> {
        let tree = self.0.lock().unwrap();
        if tree.denied.contains(path.as_bytes()) {
            return Err(Error::new(Code::AccessDenied, ""));
        }
        if path.is_root() {
            return Ok((Node::Folder, Meta::new(Kind::Folder, 0, Timestamp(0))));
        }
        tree.nodes.get(path.as_bytes()).cloned().ok_or(Error::new(Code::NotFound, ""))
    }

    fn fetch_one(&self, at: usize, wanted: &FetchRequest, sink: &mut dyn FetchSink) -> Result<(), Stop> {
        let (content, meta) = match self.get(&wanted.path) {
            Ok((Node::File(content), meta)) => (content, meta),
            Ok(_) => return sink.failed(at, Error::new(Code::KindMoved, "")),
            Err(error) => return sink.failed(at, error),
        };
        sink.opened(at, meta)?;
        let parts = wanted.parts.clone().unwrap_or_else(|| Ranges::new().missing(meta.size_bytes));
        for part in parts.iter() {
            let Some(bytes) = content.get(part.start as usize..part.end as usize) else {
                return sink.failed(at, Error::new(Code::ChangedWhileRead, ""));
            };
            // Backwards: pieces may come in any order.
            for (n, piece) in bytes.chunks(100_000).enumerate().collect::<Vec<_>>().into_iter().rev() {
                sink.data(at, part.start + n as u64 * 100_000, piece)?;
            }
        }
        sink.finished(at, meta)
    }
}

impl Source for Memory {
    fn features(&self) -> SourceFeatures {
        SourceFeatures {
            listings_in_flight: 1,
            fetches_in_flight: 1,
            batch_files: 16,
            folds_case: false,
            stable_ids: true,
            hides_unreadable: false,
        }
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        Ok(SourcePin { kind: "memory".into(), server: String::new(), path: String::new(), volume: "1".into() })
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        match self.get(folder) {
            Ok((Node::Folder, _)) => {}
            Ok(_) => return Listed::Incomplete(Error::new(Code::KindMoved, "")),
            Err(error) => return Listed::Incomplete(error),
        }
        let tree = self.0.lock().unwrap();
        for name in tree.said.get(folder.as_bytes()).into_iter().flatten() {
            match Name::new(name.as_slice()) {
                Ok(name) => {
                    let _ = sink.entry(Entry { name, meta: Meta::new(Kind::File, 0, Timestamp(0)) });
                }
                Err(bad) => sink.problem(name, Error::new(Code::BadName, bad.reason())),
            }
        }
        for (path, (_, meta)) in &tree.nodes {
            let path = RelPath::parse(path).unwrap();
            if path.parent().as_ref() == Some(folder)
                && sink.entry(Entry { name: path.name().unwrap(), meta: *meta }).is_break()
            {
                return Listed::Incomplete(Error::new(Code::ListingCut, ""));
            }
        }
        Listed::Complete
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        for (at, wanted) in batch.iter().enumerate() {
            if self.fetch_one(at, wanted, sink) == Err(Stop::Everything) {
                return;
            }
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        match self.get(path)? {
            (Node::Link(text), _) => Ok(LinkTarget { kind: LinkType::Posix, data: text.into_bytes() }),
            _ => Err(Error::new(Code::KindMoved, "")),
        }
    }
}

impl Fixture for Memory {
    fn source(&self) -> &dyn Source {
        self
    }
    fn make_folder(&self, path: &RelPath) {
        self.put(path, Node::Folder, Kind::Folder, 0, Timestamp(0));
    }
    fn write(&self, path: &RelPath, content: &[u8], time: Timestamp) {
        self.put(path, Node::File(content.to_vec()), Kind::File, content.len(), time);
    }
    fn remove(&self, path: &RelPath) {
        self.0.lock().unwrap().nodes.retain(|p, _| !RelPath::parse(p).unwrap().is_within(path) && p != path.as_bytes());
    }
    fn rename(&self, from: &RelPath, to: &RelPath) {
        let mut tree = self.0.lock().unwrap();
        let node = tree.nodes.remove(from.as_bytes()).unwrap();
        tree.nodes.insert(to.as_bytes().to_vec(), node);
    }
    fn link(&self, path: &RelPath, text: &str) {
        self.put(path, Node::Link(text.to_owned()), Kind::Link, text.len(), Timestamp(0));
    }
    fn deny(&self, path: &RelPath) {
        self.0.lock().unwrap().denied.insert(path.as_bytes().to_vec());
    }
    fn say(&self, folder: &RelPath, names: &[&[u8]]) {
        let names = names.iter().map(|name| name.to_vec()).collect();
        self.0.lock().unwrap().said.insert(folder.as_bytes().to_vec(), names);
    }
}

source_suite!(Memory::default(), ids, links, deny, hostile);

/// A source that tells of the end of each file twice.
struct Twice(Memory);

impl Source for Twice {
    fn features(&self) -> SourceFeatures {
        self.0.features()
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        self.0.pin()
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        self.0.list(folder, sink)
    }
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        self.0.fetch(batch, sink);
        let _ = sink.failed(0, Error::new(Code::SourceEntry, "once more"));
    }
}

#[test]
#[should_panic(expected = "an event of file 0 after its end")]
fn the_suite_catches_a_second_end_of_a_file() {
    let source = Twice(Memory::default());
    source.0.write(&source_suite::path("file"), b"content", Timestamp(0));
    source_suite::fetch(&source, &[source_suite::request("file")], None);
}
