//! A hostile server: whatever it asks, the agent shows nothing outside its roots, changes nothing, runs nothing, and goes on
//! answering.

use crate::agent::allowed_roots::AllowedRoots;
use crate::agent::answer_memory::AnswerMemory;
use crate::agent::serving::serve;
use crate::reactor::Reactor;
use crate::server::session::Session;
use crate::wire::{FetchOrder, Order};
use octo_core::{FetchRequest, Kind, Meta, RelPath, Timestamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

/// The content and the name of what must never be reported.
const SECRETS: [&[u8]; 2] = [b"CONTENT-OUTSIDE", b"NAME-OUTSIDE"];

pub(super) struct World {
    pub folder: tempfile::TempDir,
    pub reactor: Reactor,
    /// One for all connections, as in the program.
    pub memory: Arc<AnswerMemory>,
    link: Session,
}

impl World {
    /// An agent that may read `allowed`, beside which something else lies; a link leads there.
    pub fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["allowed", "allowed/sub", "outside"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("allowed/file"), "for everybody").unwrap();
        std::fs::write(at("allowed/sub/inner"), vec![b'x'; 3000]).unwrap();
        std::fs::write(at("outside/NAME-OUTSIDE"), "CONTENT-OUTSIDE").unwrap();
        std::os::unix::fs::symlink("../outside", at("allowed/way-out")).unwrap();
        std::os::unix::fs::symlink("../outside/NAME-OUTSIDE".replace("NAME-", "NAME_"), at("allowed/file-out"))
            .unwrap();
        let roots = Arc::new(AllowedRoots::new(vec![at("allowed")]));
        let reactor = Reactor::start("test").unwrap();
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let memory = Arc::<AnswerMemory>::default();
        let theirs_memory = Arc::clone(&memory);
        let link = reactor.run(async {
            tokio::spawn(async move { serve(theirs, roots, &theirs_memory, &AtomicBool::default()).await });
            Session::begin(ours, std::net::Ipv4Addr::LOCALHOST.into()).await
        });
        World { folder, reactor, memory, link: link.unwrap() }
    }

    pub fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// All that the agent says to this; and that it is nothing that it must not say.
    fn ask(&self, what: &str, body: Vec<u8>) -> Vec<u8> {
        let shown = body.clone();
        let said = self.reactor.run(async {
            let mut said = Vec::new();
            if let Ok(mut answers) = self.link.ask(what, body).await {
                while let Ok(Some(piece)) = answers.piece().await {
                    said.extend_from_slice(&piece);
                }
            }
            Ok(said)
        });
        let said = said.unwrap();
        for secret in SECRETS {
            // A name that was asked for may be repeated in an error.
            let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret);
            assert!(!has(&said) || has(&shown), "{what} {shown:?}");
        }
        said
    }

    fn tree(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        fn fill(folder: &Path, found: &mut BTreeMap<PathBuf, (Vec<u8>, SystemTime)>) {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let (path, meta) = (entry.path(), std::fs::symlink_metadata(entry.path()).unwrap());
                let content = if meta.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
                found.insert(path.clone(), (content, meta.modified().unwrap()));
                if meta.is_dir() {
                    fill(&path, found);
                }
            }
        }
        let mut found = BTreeMap::new();
        fill(self.folder.path(), &mut found);
        found
    }

    pub fn list(&self) -> Vec<u8> {
        Order::encode(&self.at("allowed"), &RelPath::root())
    }

    pub fn fetch(&self, path: &str) -> Vec<u8> {
        let mut writer = FetchOrder::writer(&self.at("allowed"), true, false);
        let listed = Meta::new(Kind::File, 0, Timestamp(0));
        let path = RelPath::parse(path.as_bytes()).unwrap();
        assert!(writer.push(&FetchRequest { path, listed, parts: None, snapshot: None, metadata: false }));
        writer.finish()
    }

    #[track_caller]
    pub fn assert_still_honest(&self) {
        assert!(self.ask("list", self.list()).len() > 20);
        let said = self.ask("fetch", self.fetch("file"));
        assert!(said.windows(13).any(|bytes| bytes == b"for everybody"));
    }
}

/// A root and a path as they are on the wire, whatever they are.
fn raw(root: &str, path: &[u8]) -> Vec<u8> {
    assert!(root.len() < 128 && path.len() < 128);
    let length = |len: usize| u8::try_from(len).unwrap();
    [&[length(root.len())], root.as_bytes(), &[length(path.len())], path].concat()
}

/// The same as a request for one file.
fn raw_fetch(root: &str, path: &[u8]) -> Vec<u8> {
    let length = |len: usize| u8::try_from(len).unwrap();
    [&[length(root.len())], root.as_bytes(), &[0, 1, length(path.len())], path, &[0]].concat()
}

#[test]
fn nothing_outside_the_roots_is_listed_read_or_opened() {
    let world = World::new();
    let (allowed, outside) = (world.at("allowed"), world.at("outside"));
    for path in
        ["../outside", "..", "/etc", "way-out", "way-out/NAME-OUTSIDE", "sub/../../outside", ".", "file\0", "file-out"]
    {
        for what in ["list", "link", "walk"] {
            world.ask(what, raw(&allowed, path.as_bytes()));
        }
        world.ask("fetch", raw_fetch(&allowed, path.as_bytes()));
    }
    for root in [
        &outside,
        &format!("{allowed}/../outside"),
        &format!("{allowed}/way-out"),
        "/",
        "",
        "outside",
        "/proc/self/root",
    ] {
        for (path, what) in [("", "list"), ("NAME-OUTSIDE", "link"), ("etc", "list"), ("", "walk"), ("etc", "walk")] {
            world.ask(what, raw(root, path.as_bytes()));
        }
        world.ask("fetch", raw_fetch(root, b"NAME-OUTSIDE"));
        world.ask("open", format!(r#"{{"root":{root:?}}}"#).into_bytes());
    }
    world.assert_still_honest();
}

#[test]
fn nothing_is_written_deleted_or_run() {
    let world = World::new();
    let before = world.tree();
    for what in
        ["write", "put", "delete", "restore", "run", "exec", "shell", "enroll", "delta", "", "../list", "list/../run"]
    {
        let refused =
            world.reactor.run(async { world.link.ask(what, raw(&world.at("allowed"), b"file")).await.map(drop) });
        assert!(refused.is_err(), "{what}");
    }
    world.assert_still_honest();
    assert_eq!(world.tree(), before);
}

#[test]
fn requests_with_any_byte_changed_or_cut_anywhere_show_and_change_nothing_more() {
    let world = World::new();
    let before = world.tree();
    let seeds = [
        ("list", world.list()),
        ("walk", world.list()),
        ("link", raw(&world.at("allowed"), b"way-out")),
        ("fetch", world.fetch("sub/inner")),
    ];
    for (what, seed) in seeds {
        for at in 0..seed.len() {
            world.ask(what, seed[..at].to_vec());
            for change in [0x01, 0x80, 0xFF] {
                let mut bytes = seed.clone();
                bytes[at] ^= change;
                world.ask(what, bytes);
            }
        }
        world.ask(what, [&seed[..], &[0]].concat());
        // Longer than any request.
        world.ask(what, [&seed[..], &vec![0; 5 << 20]].concat());
    }
    world.assert_still_honest();
    assert_eq!(world.tree(), before);
}

#[test]
fn whatever_comes_instead_of_the_protocol_ends_the_connection_and_nothing_else() {
    let world = World::new();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // A frame of HTTP/2: its length, its kind, flags, the stream.
    let frame = |len: u32, kind: u8, stream: u8| {
        let head = [&len.to_be_bytes()[1..], &[kind, 0, 0, 0, 0, stream]].concat();
        [&preface[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0], &head].concat()
    };
    let said: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0; 4096],
        vec![0xFF; 4096],
        b"GET / HTTP/1.1\r\nHost: agent\r\n\r\n".to_vec(),
        preface[..10].to_vec(),
        frame(0x00FF_FFFF, 0, 1),
        frame(100, 0, 7),
        frame(5, 1, 1),
        frame(5, 5, 0),
        frame(0, 9, 0),
        frame(3, 4, 0),
    ];
    for said in said {
        let roots = Arc::new(AllowedRoots::new(vec![world.folder.path().join("allowed")]));
        let ended = world.reactor.run(async {
            let (mut ours, theirs) = tokio::io::duplex(1 << 20);
            let memory = Arc::clone(&world.memory);
            let serving = tokio::spawn(async move { serve(theirs, roots, &memory, &AtomicBool::default()).await });
            let _ = tokio::io::AsyncWriteExt::write_all(&mut ours, &said).await;
            drop(ours);
            tokio::time::timeout(std::time::Duration::from_secs(60), serving)
                .await
                .map_err(crate::carrier::connection_lost)
        });
        assert!(ended.unwrap().is_ok(), "a panic");
    }
    world.assert_still_honest();
}
