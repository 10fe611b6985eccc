//! Random sequences of primitives against a naive model that knows names, contents, links and times.

use crate::ground::*;
use octo_core::{Done, Error, Kind, LinkTarget, LinkType, Meta, RelPath, Target, Timestamp};
use octo_disk::DiskTarget;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Op {
    MakeFolder(RelPath),
    CreateFile(RelPath, u8),
    Overwrite(RelPath, u8),
    MakeLink(RelPath, Option<u32>, u8),
    HardLink(RelPath, RelPath),
    RenameOver(RelPath, RelPath),
    RenameNew(RelPath, RelPath),
    RemoveFile(RelPath),
    RemoveFolder(RelPath),
    SetTimes(RelPath, i64),
    Checkpoint,
    Reopen,
}

/// What an operation answers; `open_file` with nothing there counts as missing.
type Answer = Result<Done, ()>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Folder,
    File(u8),
    /// A symbolic link, an entry of the disk.
    Made(LinkTarget),
    /// A link that is only recorded.
    Recorded(LinkTarget),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    what: What,
    /// Of files and links; those of folders move by themselves.
    time: i64,
}

/// Names lead to nodes, as they lead to inodes.
#[derive(Default)]
struct Model {
    names: BTreeMap<RelPath, usize>,
    nodes: Vec<Node>,
}

enum FollowedPath {
    /// The folder of the path exists.
    Open,
    /// Something on the way is missing; a recorded link is nothing one could go through.
    Missing,
    /// A file or a link is in the way.
    Blocked,
}

impl Model {
    fn at(&self, path: &RelPath) -> Option<&What> {
        self.names.get(path).map(|&node| &self.nodes[node].what)
    }

    fn is_folder(&self, path: &RelPath) -> bool {
        path.is_root() || self.at(path) == Some(&What::Folder)
    }

    fn way(&self, path: &RelPath) -> FollowedPath {
        let Some(parent) = path.parent() else { return FollowedPath::Open };
        let names: Vec<_> = parent.names().collect();
        let mut folder = RelPath::root();
        for name in names {
            folder = folder.join(&name);
            match self.at(&folder) {
                Some(What::Folder) => {}
                None | Some(What::Recorded(_)) => return FollowedPath::Missing,
                Some(_) => return FollowedPath::Blocked,
            }
        }
        FollowedPath::Open
    }

    fn add(&mut self, path: &RelPath, what: What, time: i64) -> Answer {
        match (self.way(path), self.at(path)) {
            (FollowedPath::Blocked, _) => Err(()),
            (FollowedPath::Missing, _) => Ok(Done::Missing),
            (FollowedPath::Open, Some(_)) => Ok(Done::Exists),
            (FollowedPath::Open, None) => {
                self.nodes.push(Node { what, time });
                self.names.insert(path.clone(), self.nodes.len() - 1);
                Ok(Done::Yes)
            }
        }
    }

    /// What stops an operation with two paths before anything is done; `None` if nothing does.
    fn obstacle(&self, from: &RelPath, to: &RelPath) -> Option<Answer> {
        match (self.way(from), self.way(to)) {
            (FollowedPath::Blocked, _) => Some(Err(())),
            (FollowedPath::Missing, _) => Some(Ok(Done::Missing)),
            (_, FollowedPath::Blocked) => Some(Err(())),
            (_, FollowedPath::Missing) => Some(Ok(Done::Missing)),
            _ if self.at(from).is_none() => Some(Ok(Done::Missing)),
            _ => None,
        }
    }

    fn hard_link(&mut self, from: &RelPath, to: &RelPath) -> Answer {
        if let Some(answer) = self.obstacle(from, to) {
            return answer;
        }
        match self.at(from) {
            _ if self.at(to).is_some() => Ok(Done::Exists),
            Some(What::Folder) => Err(()),
            Some(What::Recorded(_)) => {
                self.nodes.push(self.nodes[self.names[from]].clone());
                self.names.insert(to.clone(), self.nodes.len() - 1);
                Ok(Done::Yes)
            }
            _ => {
                self.names.insert(to.clone(), self.names[from]);
                Ok(Done::Yes)
            }
        }
    }

    fn rename(&mut self, from: &RelPath, to: &RelPath, over: bool) -> Answer {
        if over && matches!(self.way(to), FollowedPath::Blocked) {
            return Err(());
        }
        if let Some(answer) = self.obstacle(from, to) {
            return answer;
        }
        if self.at(to).is_some() && !over {
            return Ok(Done::Exists);
        }
        let into_itself = self.is_folder(from) && to.is_within(from);
        let over_what_is_no_folder = self.is_folder(from) && matches!(self.at(to), Some(What::File(_) | What::Made(_)));
        if self.is_folder(to) || into_itself || over_what_is_no_folder {
            return Err(());
        }
        // Two names of one file: POSIX says that nothing happens.
        if self.names.get(to) == self.names.get(from) {
            return Ok(Done::Yes);
        }
        let moved: Vec<_> = self.names.keys().filter(|path| path.is_within(from)).cloned().collect();
        for path in moved {
            let below = path.as_bytes()[from.as_bytes().len()..].strip_prefix(b"/").unwrap_or_default();
            let below = RelPath::parse(below).unwrap();
            let node = self.names.remove(&path).unwrap();
            self.names.insert(to.join_path(&below), node);
        }
        Ok(Done::Yes)
    }

    fn remove(&mut self, path: &RelPath, folder: bool) -> Answer {
        match (self.way(path), self.at(path)) {
            (FollowedPath::Blocked, _) => Err(()),
            (FollowedPath::Missing, _) | (_, None) => Ok(Done::Missing),
            (_, Some(What::Recorded(_))) if folder => Ok(Done::Missing),
            (_, Some(what)) if (*what == What::Folder) != folder => Err(()),
            _ if self.names.keys().any(|other| other != path && other.is_within(path)) => Ok(Done::NotEmpty),
            _ => {
                self.names.remove(path);
                Ok(Done::Yes)
            }
        }
    }

    fn existing(&mut self, path: &RelPath) -> Result<Option<&mut Node>, ()> {
        match self.way(path) {
            FollowedPath::Blocked => Err(()),
            FollowedPath::Missing => Ok(None),
            FollowedPath::Open => Ok(self.names.get(path).map(|&node| &mut self.nodes[node])),
        }
    }

    fn apply(&mut self, op: &Op) -> Answer {
        match op {
            Op::MakeFolder(path) => self.add(path, What::Folder, 0),
            Op::CreateFile(path, content) => match self.add(path, What::File(*content), 0) {
                Ok(Done::Yes) => Ok(Done::Yes),
                _ => Err(()),
            },
            Op::Overwrite(path, content) => match self.existing(path)? {
                None => Ok(Done::Missing),
                Some(Node { what: What::Recorded(_), .. }) => Ok(Done::Missing),
                Some(node @ Node { what: What::File(_), .. }) => {
                    *node = Node { what: What::File(*content), time: 0 };
                    Ok(Done::Yes)
                }
                Some(_) => Err(()),
            },
            Op::MakeLink(path, tag, data) => {
                let link = link(*tag, *data);
                // Windows makes no links: it records all of them.
                let is_made = tag.is_none() && cfg!(unix);
                self.add(path, if is_made { What::Made(link) } else { What::Recorded(link) }, 5)
            }
            Op::HardLink(from, to) => self.hard_link(from, to),
            Op::RenameOver(from, to) => self.rename(from, to, true),
            Op::RenameNew(from, to) => self.rename(from, to, false),
            Op::RemoveFile(path) => self.remove(path, false),
            Op::RemoveFolder(path) => self.remove(path, true),
            Op::SetTimes(path, time) => match self.existing(path)? {
                None => Err(()),
                Some(node) => {
                    node.time = *time;
                    Ok(Done::Yes)
                }
            },
            Op::Checkpoint | Op::Reopen => Ok(Done::Yes),
        }
    }
}

fn link(tag: Option<u32>, data: u8) -> LinkTarget {
    LinkTarget { kind: tag.map_or(LinkType::Posix, LinkType::Windows), data: vec![b'a' + data % 26] }
}

fn apply(target: &DiskTarget, op: &Op) -> Result<Done, Error> {
    let content = |file: &dyn octo_core::TargetFile, content: u8| {
        file.set_len(0)?;
        file.write_at(0, &[content; 3])?;
        file.set_times(Timestamp(0), None)
    };
    match op {
        Op::MakeFolder(path) => target.make_folder(path),
        Op::CreateFile(path, byte) => content(&*target.create_file(path)?, *byte).map(|()| Done::Yes),
        Op::Overwrite(path, byte) => match target.open_file(path)? {
            None => Ok(Done::Missing),
            Some(file) => content(&*file, *byte).map(|()| Done::Yes),
        },
        Op::MakeLink(path, tag, data) => target.make_link(path, &link(*tag, *data), Timestamp(5)),
        Op::HardLink(from, to) => target.hard_link(from, to),
        Op::RenameOver(from, to) => target.rename_over(from, to),
        Op::RenameNew(from, to) => target.rename_new(from, to),
        Op::RemoveFile(path) => target.remove_file(path),
        Op::RemoveFolder(path) => target.remove_folder(path),
        Op::SetTimes(path, time) => target.set_times(path, Timestamp(*time), None).map(|()| Done::Yes),
        Op::Checkpoint => target.checkpoint().map(|()| Done::Yes),
        Op::Reopen => Ok(Done::Yes),
    }
}

/// Everything below the root as the target tells it, our own folder left out.
fn read_back(target: &DiskTarget) -> BTreeMap<RelPath, Node> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![RelPath::root()]);
    while let Some(folder) = folders.pop() {
        for (name, meta) in list_target(target, &folder.to_text()).entries {
            let path = folder.join(&octo_core::Name::new(name).unwrap());
            if path.as_bytes() == b".octobackup" {
                continue;
            }
            let looked = target.look(&path).unwrap().unwrap();
            // A listing of Windows does not tell how many names a file has.
            let links = if cfg!(windows) { meta.links } else { looked.links };
            assert_eq!(Meta { links, ..looked }, meta);
            let what = match meta.kind {
                Kind::Folder => {
                    folders.push(path.clone());
                    What::Folder
                }
                Kind::File => {
                    let mut bytes = [0; 9];
                    let read = target.open_file(&path).unwrap().unwrap().read_at(0, &mut bytes).unwrap();
                    assert_eq!((read, bytes[0]), (3, bytes[2]));
                    What::File(bytes[0])
                }
                _ => match target.read_link(&path).unwrap().unwrap() {
                    link if link.kind == LinkType::Posix && cfg!(unix) => What::Made(link),
                    link => What::Recorded(link),
                },
            };
            let time = if what == What::Folder { 0 } else { meta.write_time.0 };
            found.insert(path, Node { what, time });
        }
    }
    found
}

fn path() -> impl Strategy<Value = RelPath> {
    let name = prop_oneof![Just("a"), Just("b"), Just("a!"), Just("ab")];
    proptest::collection::vec(name, 1..4).prop_map(|names| p(&names.join("/")))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => path().prop_map(Op::MakeFolder),
        3 => (path(), any::<u8>()).prop_map(|(path, byte)| Op::CreateFile(path, byte)),
        1 => (path(), any::<u8>()).prop_map(|(path, byte)| Op::Overwrite(path, byte)),
        3 => (path(), any::<Option<bool>>(), any::<u8>())
            .prop_map(|(path, tag, data)| Op::MakeLink(path, tag.map(|tag| 0xA000_0003 + u32::from(tag)), data)),
        2 => (path(), path()).prop_map(|(from, to)| Op::HardLink(from, to)),
        3 => (path(), path()).prop_map(|(from, to)| Op::RenameOver(from, to)),
        3 => (path(), path()).prop_map(|(from, to)| Op::RenameNew(from, to)),
        2 => path().prop_map(Op::RemoveFile),
        2 => path().prop_map(Op::RemoveFolder),
        1 => (path(), -9_999_999i64..9_999_999).prop_map(|(path, time)| Op::SetTimes(path, time)),
        1 => Just(Op::Checkpoint),
        1 => Just(Op::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(unix) { 150 } else { 40 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_sequence_of_primitives_does_what_the_naive_model_does(ops in proptest::collection::vec(op(), 1..60)) {
        let yard = yard();
        let (mut target, mut model) = (Some(yard.target), Model::default());
        for op in &ops {
            if matches!(op, Op::Reopen) {
                drop(target.take());
                target = Some(open(&yard.root));
            }
            let target = target.as_ref().unwrap();
            let answer = apply(target, op).map_err(|_| ());
            prop_assert_eq!(answer, model.apply(op), "{:?}", op);
        }
        let expected: BTreeMap<_, _> = model
            .names
            .iter()
            .map(|(path, &node)| (path.clone(), model.nodes[node].clone()))
            .map(|(path, node)| { let time = if node.what == What::Folder { 0 } else { node.time }; (path, Node { time, ..node }) })
            .collect();
        prop_assert_eq!(read_back(target.as_ref().unwrap()), expected);
    }
}
