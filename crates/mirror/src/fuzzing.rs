//! The readers of the mirror's own files, which others may have written or damaged, one name each, as the fuzz targets and the
//! run over their corpus call them. Each file is that of a real small mirror in memory, with the input in its place; then
//! real runs go over it. Whatever it says, they end, delete nothing that the source has, and make no name that neither side had.
//! Not an interface: only there in tests and with the feature `fuzzing`.

use crate::copy::parts_there;
use crate::index::{Journal, Placed};
use crate::vanished::Vanished;
use crate::{RunOptions, files, held_plan, layout, run, saved_job, small_files, target_id};
use octo_core::guard::MaxDelete;
use octo_core::monitor::Silent;
use octo_core::{Abilities, Cancel, Outcome, RelPath, RunReport, Target, Timestamp};
use octo_testkit::clock::TestClock;
use octo_testkit::memory::{MemSource, MemTarget, MemTree};
use octo_testkit::tree::{Tree, target_tree};
use std::sync::{Arc, LazyLock};

/// A parser that must take any bytes.
pub type Parser = fn(&[u8]);

/// Every parser, by the name of its corpus.
pub const PARSERS: &[(&str, Parser)] = &[
    ("marker", |bytes| World::with(&layout::marker(), bytes).is_run()),
    ("run_open", |bytes| World::with(&layout::run_open(), bytes).is_run()),
    ("suspects", |bytes| World::with(&layout::suspects(), bytes).is_run()),
    ("placed", |bytes| {
        let world = World::with(&layout::placed(INTERRUPTED), bytes);
        world.put(&layout::run_open(), POWER_CUT.as_bytes());
        world.is_run();
    }),
    ("changes", |bytes| {
        let world = World::with(&layout::changes(INTERRUPTED), bytes);
        // As after a crash between the two renames of a replacement where there are no hard links.
        world.rename("a/changes", &layout::version(INTERRUPTED, &path("a/changes")));
        world.put(&layout::run_open(), POWER_CUT.as_bytes());
        world.is_run();
        // On a full disk it is asked what the old versions take.
        World::full(&layout::changes(INTERRUPTED - 1), bytes).is_run();
    }),
    ("index", |bytes| World::with(&layout::index(9), bytes).is_run()),
    ("index_ids", |bytes| {
        let world = World::with(&layout::index_ids(9), bytes);
        let index = TEMPLATE.file(&layout::index(TEMPLATE.generation()));
        world.put(&layout::index(9), &index);
        world.is_run();
    }),
    ("journal", |bytes| World::with(&layout::journal(), bytes).is_run()),
    // With the check that fits.
    ("journal_record", |bytes| {
        let target = MemTarget::new(Arc::new(TestClock::at(NOW)));
        if let Ok(placed) = Placed::decode(bytes) {
            assert_eq!(Placed::decode(&placed.encode()).ok().as_ref(), Some(&placed), "what is written is read again");
            let journal = Journal::new(&target);
            assert!(journal.push(&placed).and_then(|()| journal.sync()).is_ok());
            World::with(
                &layout::journal(),
                &small_files::read_small(&target, &layout::journal()).ok().flatten().unwrap_or_default(),
            )
            .is_run();
        }
        let _ = Vanished::decode(bytes);
    }),
    ("held", |bytes| World::with(&layout::held_plan(), bytes).is_run()),
    ("unread", |bytes| World::with(&layout::unread_folders(), bytes).is_run()),
    ("report", |bytes| World::full(&layout::report(3), bytes).is_run()),
    ("part_map", |bytes| {
        const SIZE_BYTES: u64 = 4096;
        let world = World::with(&layout::part_map("key"), bytes);
        world.put(&layout::part_data("key"), &[1; SIZE_BYTES as usize]);
        let there = parts_there(&world.target, "key", SIZE_BYTES);
        assert!(there.iter().all(|part| part.start < part.end && part.end <= SIZE_BYTES));
        assert!(there.missing(SIZE_BYTES).is_well_formed());
    }),
];

/// The run that was interrupted.
const INTERRUPTED: u64 = 3;
/// The power went in it, before its first checkpoint.
const POWER_CUT: &str = "run = 3\nboot_id = \"x\"\n\n[durable]\nchanges_bytes = 0\nplaced_bytes = 0\n";
const OLD: Timestamp = Timestamp(16_000_000_000_000_000);
const NEW: Timestamp = Timestamp(16_500_000_000_000_000);
const NOW: Timestamp = Timestamp(17_000_000_000_000_000);

/// What the source of the next run has.
const SOURCE: &[&str] =
    &["a", "a/b", "a/b/deep", "a/changes", "a/moved on", "link", "new", "stays", "unread", "unread/inner"];

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap_or_default()
}

/// A mirror after three runs, the last of which holds deletions and could not read a folder; and the source of the next one.
static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::new);

struct Template {
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

    fn file(&self, path: &RelPath) -> Vec<u8> {
        small_files::read_small(&self.target, path).ok().flatten().unwrap_or_default()
    }

    /// The number of its index.
    fn generation(&self) -> u64 {
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
struct World {
    target: MemTarget,
}

impl World {
    fn with(file: &RelPath, bytes: &[u8]) -> World {
        let is_plain = *file == layout::changes(INTERRUPTED);
        let template = if is_plain { &TEMPLATE.plain } else { &TEMPLATE.target };
        let world = World { target: template.fork(u64::MAX) };
        world.put(file, bytes);
        world
    }

    /// On a disk that is full.
    fn full(file: &RelPath, bytes: &[u8]) -> World {
        let world = World::with(file, bytes);
        let used_bytes = world.target.space().map_or(0, |space| space.total_bytes - space.free_bytes);
        World { target: world.target.fork(used_bytes) }
    }

    fn put(&self, file: &RelPath, bytes: &[u8]) {
        let written = files::ensure_folder(&self.target, &file.parent().unwrap_or_default())
            .and_then(|()| self.target.remove_file(file))
            .and_then(|_| self.target.create_file(file)?.write_at(0, bytes));
        assert_eq!(written, Ok(()), "a file of ours is put into the mirror");
    }

    fn rename(&self, from: &str, to: &RelPath) {
        let folder = to.parent().unwrap_or_default();
        let renamed =
            files::ensure_folder(&self.target, &folder).and_then(|()| self.target.rename_new(&path(from), to));
        assert!(renamed.is_ok(), "a version is made: {renamed:?}");
    }

    /// Everything that reads the mirror's files, two runs among it.
    fn is_run(&self) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::IndexRecord;
    use octo_testkit::corpus;

    /// What a real mirror has in these files.
    fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
        let file = |path: RelPath| vec![TEMPLATE.file(&path)];
        let number = TEMPLATE.generation();
        let older = b"run = 3\nboot_id = \"x\"\nlast_checkpoint = 16900000000000000\n".to_vec();
        let run_open = vec![POWER_CUT.as_bytes().to_vec(), older];
        let suspects = b"\"stays\"\n\"a/changes\"\n".to_vec();
        let placed = b"{\"do\":\"created\",\"path\":\"stays\",\"kind\":\"file\"}\n".to_vec();
        let mut map = octo_core::Ranges::new();
        map.insert(0..1000);
        map.insert(2000..4096);
        let map = serde_json::json!({"format": 1, "size_bytes": 4096, "ranges": map}).to_string().into_bytes();
        let records = vec![record_of("a/changes"), record_of("a/moved on"), record_of("gone")];
        vec![
            ("marker", file(layout::marker())),
            ("run_open", run_open),
            ("suspects", vec![suspects, b"\"\"\n".to_vec()]),
            ("placed", vec![placed]),
            ("changes", [1, 2, 3].map(|run| TEMPLATE.file(&layout::changes(run))).into()),
            ("index", file(layout::index(number))),
            ("index_ids", file(layout::index_ids(number))),
            ("journal", vec![journal(&records)]),
            ("journal_record", records.iter().map(Placed::encode).collect()),
            ("held", file(layout::held_plan())),
            ("unread", file(layout::unread_folders())),
            ("report", file(layout::report(3))),
            ("part_map", vec![map]),
        ]
    }

    fn record_of(at: &str) -> Placed {
        let meta = octo_core::Meta {
            id: Some(octo_core::FileId { volume: 1, id: 3 }),
            ..octo_core::Meta::new(octo_core::Kind::File, 5, NEW)
        };
        let record = IndexRecord::new(&meta, &meta, false).unwrap();
        Placed { place: path(at), record: IndexRecord { hash: Some([7; 32]), ..record } }
    }

    fn journal(records: &[Placed]) -> Vec<u8> {
        let target = MemTarget::new(Arc::new(TestClock::at(NOW)));
        let journal = Journal::new(&target);
        records.iter().for_each(|record| journal.push(record).unwrap());
        journal.sync().unwrap();
        small_files::read_small(&target, &layout::journal()).unwrap().unwrap()
    }

    #[test]
    fn a_mirror_whose_files_somebody_wrote_loses_nothing_and_no_run_panics() {
        for (name, seeds) in seeds() {
            assert!(seeds.iter().all(|seed| !seed.is_empty()), "{name}: the real mirror has this file");
            corpus::write_seeds("mirror", name, &seeds);
        }
        corpus::replay("mirror", PARSERS);
    }
}
