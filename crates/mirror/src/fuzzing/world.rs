//! A real small mirror in memory in which one file of ours is what somebody wrote, and what is done with it.

use crate::history::{History, When};
use crate::verify::{VerifyCounts, VerifyOptions, VerifyWatch, verify};
use crate::{RunOptions, files, held_plan, layout, run, saved_job, small_files, target_id};
use octo_core::guard::MaxDelete;
use octo_core::monitor::Silent;
use octo_core::{
    Abilities, Cancel, Entry, Error, FetchRequest, FetchSink, Kind, ListSink, Meta, Outcome, Problem, RelPath,
    RunReport, Source, Stop, Target, Timestamp,
};
use octo_testkit::clock::TestClock;
use octo_testkit::memory::{MemSource, MemTarget, MemTree};
use octo_testkit::tree::{Tree, target_tree};
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

/// The run that was interrupted.
pub const INTERRUPTED: u64 = 3;
/// The power went in it, before its first checkpoint.
pub const POWER_CUT: &str = "run = 3\nboot_id = \"x\"\n\n[durable]\nchanges_bytes = 0\nplaced_bytes = 0\n";
pub const OLD: Timestamp = Timestamp(16_000_000_000_000_000);
pub const NEW: Timestamp = Timestamp(16_500_000_000_000_000);
pub const NOW: Timestamp = Timestamp(17_000_000_000_000_000);

/// What the source of the next run has.
const SOURCE: &[&str] =
    &["a", "a/b", "a/b/deep", "a/changes", "a/moved on", "link", "new", "stays", "unread", "unread/inner"];

pub fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap_or_default()
}

/// A mirror after three runs, the last of which holds deletions and could not read a folder; and the source of the next one.
pub static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::new);

pub struct Template {
    tree: MemTree,
    target: MemTarget,
    /// The same in a store without hard links.
    plain: MemTarget,
}

impl Template {
    fn new() -> Template {
        let (tree, target) = Template::lived(Abilities::full("memory"));
        let plain = Abilities { hard_links: false, ..Abilities::full("memory") };
        Template { tree, target, plain: Template::lived(plain).1 }
    }

    fn lived(abilities: Abilities) -> (MemTree, MemTarget) {
        let tree = MemTree::new()
            .file("a/changes", b"old", OLD)
            .file("a/moves", b"moves to another folder", OLD)
            .file("a/b/deep", b"deep", OLD)
            .file("stays", b"stays", OLD)
            .file("goes/x", b"x", OLD)
            .file("goes/y", b"y", OLD)
            .file("goes later", b"later", OLD)
            .file("unread/inner", b"inner", OLD)
            .link("link", "stays", OLD);
        let target = MemTarget::with(abilities, u64::MAX, Arc::new(TestClock::at(NOW)));
        run_once(&tree, &target, None, 0);
        tree.write(&path("a/changes"), b"newer", NEW);
        tree.rename(&path("a/moves"), &path("moved"));
        run_once(&tree, &target, None, 60);
        tree.remove(&path("goes"));
        tree.deny(&path("unread"));
        run_once(&tree, &target, None, 120);
        tree.remove(&path("goes later"));
        tree.rename(&path("moved"), &path("a/moved on"));
        tree.write(&path("new"), b"new", NEW);
        (tree, target)
    }

    pub fn file(&self, path: &RelPath) -> Vec<u8> {
        small_files::read_small(&self.target, path).ok().flatten().unwrap_or_default()
    }

    /// The number of its index.
    pub fn generation(&self) -> u64 {
        let names = files::list_small(&self.target, &layout::index_folder()).unwrap_or_default();
        names
            .iter()
            .filter_map(|entry| std::str::from_utf8(entry.name.as_bytes()).ok()?.parse().ok())
            .max()
            .unwrap_or(0)
    }
}

fn run_once(tree: &MemTree, target: &MemTarget, approve: Option<String>, after_secs: i64) -> RunReport {
    let mut options = RunOptions { workers: Some(1), approve, ..RunOptions::default() };
    options.max_delete = Some(MaxDelete::Files(1));
    let clock = TestClock::at(NOW.plus_secs(after_secs));
    run(&MemSource::new(tree), target, &options, &Silent, &clock, &Cancel::new()).report
}

/// A mirror with one file of ours that somebody wrote.
pub struct World {
    pub target: MemTarget,
}

impl World {
    pub fn with(file: &RelPath, bytes: &[u8]) -> World {
        let is_plain = *file == layout::changes(INTERRUPTED);
        let template = if is_plain { &TEMPLATE.plain } else { &TEMPLATE.target };
        let world = World { target: template.fork(u64::MAX) };
        world.put(file, bytes);
        world
    }

    /// On a disk that is full.
    pub fn full(file: &RelPath, bytes: &[u8]) -> World {
        let world = World::with(file, bytes);
        let used_bytes = world.target.space().map_or(0, |space| space.total_bytes - space.free_bytes);
        World { target: world.target.fork(used_bytes) }
    }

    pub fn put(&self, file: &RelPath, bytes: &[u8]) {
        let written = files::ensure_folder(&self.target, &file.parent().unwrap_or_default())
            .and_then(|()| self.target.remove_file(file))
            .and_then(|_| self.target.create_file(file)?.write_at(0, bytes));
        assert_eq!(written, Ok(()), "a file of ours is put into the mirror");
    }

    pub fn rename(&self, from: &str, to: &RelPath) {
        let folder = to.parent().unwrap_or_default();
        let renamed =
            files::ensure_folder(&self.target, &folder).and_then(|()| self.target.rename_new(&path(from), to));
        assert!(renamed.is_ok(), "a version is made: {renamed:?}");
    }

    /// Everything that reads the mirror's files, two runs among it.
    pub fn is_run(&self) {
        let _ = (saved_job(&self.target), target_id(&self.target));
        let plan = held_plan(&self.target, 10).ok().flatten();
        let before = target_tree(&self.target, &RelPath::root());
        for approve in [plan.map(|plan| plan.id), None] {
            let report = run_once(&TEMPLATE.tree, &self.target, approve, 180);
            let words = serde_json::to_vec(&report);
            assert!(words.is_ok(), "a run leaves a report");
            self.check(&report, &before);
        }
    }

    /// The past of the mirror is shown, as far as its records let: whatever they say, reading ends and changes nothing.
    pub fn is_read(&self) {
        let before = target_tree(&self.target, &layout::reserved());
        if let Ok(history) = History::open(&self.target) {
            let newest = history.state(When::Now).ok();
            for kept in history.states().unwrap_or_default() {
                let Ok(state) = history.state(When::Number(kept.number)) else { continue };
                read_all(&state);
                if let Some(newest) = &newest {
                    let _ = history
                        .diff([&state, newest], &RelPath::root(), &Cancel::new(), &mut |_| ControlFlow::Continue(()));
                }
            }
            let _ = history
                .find((&RelPath::root(), None), &|_| true, &Cancel::new(), &mut |_, _| ControlFlow::Continue(()));
            let _ = history.spans(&path("a/changes"));
        }
        assert_eq!(target_tree(&self.target, &layout::reserved()), before, "reading changes nothing");
    }

    /// Records of hashes accuse no run and change no file: the mirror is verified, and run over.
    pub fn is_verified(&self) {
        let before = target_tree(&self.target, &RelPath::root());
        for record in [false, true] {
            let options = VerifyOptions { record, ..VerifyOptions::default() };
            let clock = TestClock::at(NOW.plus_secs(170));
            let verified = verify(&self.target, &options, &Unwatched, &clock, &Cancel::new());
            assert!(verified.is_ok(), "damaged records are no reason to stop: {verified:?}");
        }
        assert_eq!(target_tree(&self.target, &RelPath::root()), before, "a verify changes no file");
        self.is_run();
    }

    fn check(&self, report: &RunReport, before: &Tree) {
        let source: Vec<RelPath> = SOURCE.iter().map(|path| self::path(path)).collect();
        let after = target_tree(&self.target, &RelPath::root());
        for path in before.keys().filter(|path| source.contains(path)) {
            assert!(after.contains_key(path), "{path} was deleted, and the source has it: {report:?}");
        }
        let of_old = |path: &RelPath| before.contains_key(path) || *path == self::path("a/changes");
        for path in after.keys() {
            assert!(
                source.contains(path) || of_old(path),
                "{path} is in neither the source nor the mirror: {report:?}"
            );
        }
        if matches!(report.outcome, Outcome::Failed) {
            assert!(!report.causes.is_empty(), "a run that fails says why: {report:?}");
        }
    }
}

struct Unwatched;

impl VerifyWatch for Unwatched {
    fn problem(&self, _: &Problem) {}
    fn progress(&self, _: &VerifyCounts, _: &RelPath) {}
}

/// Lists and fetches whatever a state shows, as far as that goes.
fn read_all(state: &dyn Source) {
    let mut folders = vec![RelPath::root()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let mut list = List(Vec::new());
        state.list(&folder, &mut list);
        for Entry { name, meta } in list.0 {
            seen += 1;
            assert!(seen < 10_000, "a state of a mirror of ten files has an end");
            let path = folder.join(&name);
            match meta.kind {
                Kind::Folder => folders.push(path),
                Kind::Link => drop(state.read_link(&path)),
                _ => {
                    let wanted = FetchRequest { path, listed: meta, parts: None, snapshot: None, metadata: true };
                    state.fetch(&[wanted], &mut Ignored);
                }
            }
        }
    }
}

struct List(Vec<Entry>);

impl ListSink for List {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        self.0.push(entry);
        ControlFlow::Continue(())
    }
    fn problem(&mut self, _: &[u8], _: Error) {}
    fn restart(&mut self) {
        self.0.clear();
    }
}

struct Ignored;

impl FetchSink for Ignored {
    fn opened(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Ok(())
    }
    fn data(&mut self, _: usize, _: u64, _: &[u8]) -> Result<(), Stop> {
        Ok(())
    }
    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        Ok(())
    }
    fn failed(&mut self, _: usize, _: Error) -> Result<(), Stop> {
        Ok(())
    }
}
