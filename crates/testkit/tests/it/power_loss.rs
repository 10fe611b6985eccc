//! The power goes after any effect of a run, and takes what a disk would lose: nothing that was there before is lost,
//! no run says that it succeeded when it did not, and the next one finishes the work.

use octo_core::guard::MaxDelete;
use octo_core::{Abilities, Cancel, Code, Kind, Outcome, RelPath, RunReport, Timestamp, monitor::Silent};
use octo_mirror::{RunOptions, run};
use octo_testkit::clock::TestClock;
use octo_testkit::effects::{Count, Effects, FailAt, TearAt, Trap};
use octo_testkit::memory::{MemSource, MemTarget, MemTree, PowerLoss};
use octo_testkit::source_suite::path;
use octo_testkit::tree::{Tree, assert_same_tree, source_tree, target_tree};
use octo_testkit::versions::before_run;
use std::sync::Arc;

const OLD: Timestamp = Timestamp(10_000_000_000_000);
const NEW: Timestamp = Timestamp(20_000_000_000_000);

/// Large enough to be synced by itself before its rename.
fn large(byte: u8) -> Vec<u8> {
    vec![byte; (8 << 20) + 1]
}

/// The first state: everything that the second one changes.
fn first_state() -> MemTree {
    MemTree::new()
        .file("stays", b"stays", OLD)
        .file("changes", b"old content", OLD)
        .file("goes", b"goes", OLD)
        .file("a/changes too", b"old", OLD)
        .file("a/moves", b"moves to another folder", OLD)
        .file("a/b/inner", b"inner", OLD)
        .file("folder goes/deep/y", b"y", OLD)
        .file("file becomes folder", b"file", OLD)
        .file("folder becomes file/z", b"z", OLD)
        .file("same name moves/n", b"n 1", OLD)
        .link("link", "stays", OLD)
        .folder("a", OLD)
        .folder("a/b", OLD)
}

fn second_state(tree: &MemTree) {
    tree.write(&path("changes"), b"new content", NEW);
    tree.write(&path("a/changes too"), b"new", NEW);
    tree.write(&path("new"), b"new", NEW);
    tree.write(&path("new folder/new"), b"new in new", NEW);
    tree.remove(&path("goes"));
    tree.rename(&path("a/moves"), &path("new folder/moved"));
    tree.remove(&path("folder goes"));
    tree.remove(&path("file becomes folder"));
    tree.write(&path("file becomes folder/inside"), b"inside", NEW);
    tree.remove(&path("folder becomes file"));
    tree.write(&path("folder becomes file"), b"file now", NEW);
    tree.rename(&path("same name moves/n"), &path("same name moves/m"));
    tree.write(&path("same name moves/n"), b"another n", NEW);
    tree.make_link(&path("link"), "changes", NEW);
    tree.make_folder(&path("a"), NEW);
}

struct World {
    tree: MemTree,
    target: MemTarget,
    clock: Arc<TestClock>,
}

impl World {
    fn new(tree: MemTree) -> World {
        let clock = Arc::new(TestClock::real());
        World { tree, target: MemTarget::new(Arc::clone(&clock) as _), clock }
    }

    /// A mirror of the first state, and a source in the second; with both states.
    fn changed() -> (World, Tree, Tree) {
        World::changed_by(first_state(), second_state)
    }

    fn changed_by(first_state: MemTree, second_state: impl Fn(&MemTree)) -> (World, Tree, Tree) {
        let world = World::new(first_state);
        assert_eq!(world.run(Count).0.outcome, Outcome::Succeeded);
        let first = world.mirror();
        assert_same_tree(&first, &source_tree(&MemSource::new(&world.tree)), "the first run");
        second_state(&world.tree);
        let second = source_tree(&MemSource::new(&world.tree));
        (world, first, second)
    }

    fn run(&self, trap: impl Trap + 'static) -> (RunReport, u64) {
        let target = Effects::new(self.target.clone(), trap);
        let options =
            RunOptions { workers: Some(1), max_delete: Some(MaxDelete::Percent(100)), ..RunOptions::default() };
        let source = MemSource::new(&self.tree);
        let report = run(&source, &target, &options, &Silent, &*self.clock, &Cancel::new()).report;
        (report, target.count())
    }

    fn mirror(&self) -> Tree {
        target_tree(&self.target, &RelPath::root())
    }

    /// The next run makes the mirror equal; and then there is nothing left to do.
    fn assert_next_run_settles(&self, second: &Tree, context: &str) {
        let (report, _) = self.run(Count);
        assert_eq!(report.outcome, Outcome::Succeeded, "{context}: {report:#?}");
        assert_same_tree(&self.mirror(), second, context);
        let (report, _) = self.run(Count);
        let counts = &report.counts;
        assert_eq!((report.outcome, counts.created, counts.replaced, counts.deleted), (Outcome::Succeeded, 0, 0, 0));
    }
}

/// Tells how many effects there are, and one more.
fn at_every_effect(
    loss: PowerLoss,
    changed: impl Fn() -> (World, Tree, Tree),
    check: impl Fn(&World, &Tree, &Tree, &str),
) -> u64 {
    let mut number = 0;
    loop {
        number += 1;
        let (world, first, second) = changed();
        let (report, count) = world.run(FailAt { number, code: Code::TargetFailed, and_all_after: true });
        let context = format!("{loss:?} at effect {number}");
        let failed = count >= number;
        assert_eq!(report.outcome == Outcome::Succeeded, !failed, "{context}: {report:#?}");
        world.target.power_loss(loss);
        check(&world, &first, &second, &context);
        if !failed {
            return number;
        }
    }
}

fn assert_whole(mirror: &Tree, states: [&Tree; 2], context: &str) {
    for (path, node) in mirror.iter().filter(|(_, node)| node.kind == Kind::File) {
        let is_whole = states.iter().any(|state| state.get(path).is_some_and(|n| n.content == node.content));
        assert!(is_whole, "{context}: {path:?} is {node:?}");
    }
}

#[test]
fn what_the_power_takes_entirely_is_done_again() {
    let number = at_every_effect(PowerLoss::Forgets, World::changed, |world, first, second, context| {
        assert_whole(&world.mirror(), [first, second], context);
        world.assert_next_run_settles(second, context);
        assert_same_tree(&before_run(&world.target, 2), first, &format!("{context}: the versions"));
    });
    assert!(number > 100, "only {number} effects: is the scenario still what it was?");
}

/// Records of the run that were not synced are zeros too: of what it created, the versions then know nothing. But
/// nothing that was there before is missing in them, or another.
#[test]
fn files_of_which_the_power_left_zeros_are_copied_again() {
    at_every_effect(PowerLoss::LeavesZeros, World::changed, |world, first, second, context| {
        world.assert_next_run_settles(second, context);
        let versions = before_run(&world.target, 2);
        for (path, node) in first.iter().filter(|(_, node)| node.kind != Kind::Folder) {
            assert_eq!(versions.get(path), Some(node), "{context}: the version of {path}");
        }
    });
}

/// Its data is on the disk before its name is.
#[test]
fn a_large_file_is_never_zeros_under_its_name() {
    let changed = || {
        let first = MemTree::new().file("large", &large(b'o'), OLD);
        World::changed_by(first, |tree| tree.write(&path("large"), &large(b'n'), NEW))
    };
    at_every_effect(PowerLoss::LeavesZeros, changed, |world, first, second, context| {
        assert_whole(&world.mirror(), [first, second], context);
        world.assert_next_run_settles(second, context);
        assert_eq!(before_run(&world.target, 2).get(&path("large")), first.get(&path("large")), "{context}");
    });
}

#[test]
fn the_power_goes_in_the_first_run_and_again_in_the_second() {
    for loss in [PowerLoss::Forgets, PowerLoss::LeavesZeros] {
        let mut number = 0;
        loop {
            number += 1;
            let world = World::new(first_state());
            let tree = source_tree(&MemSource::new(&world.tree));
            let (_, count) = world.run(FailAt { number, code: Code::TargetFailed, and_all_after: true });
            world.target.power_loss(loss);
            // Somewhere else each time.
            let again = 1 + number * 7 % 100;
            world.run(FailAt { number: again, code: Code::TargetFailed, and_all_after: true });
            world.target.power_loss(loss);
            world.assert_next_run_settles(&tree, &format!("{loss:?} at effect {number}, then {again}"));
            if count < number {
                break;
            }
        }
        assert!(number > 80, "only {number} effects: is the scenario still what it was?");
    }
}

#[test]
fn a_write_that_is_torn_anywhere_leaves_every_name_whole() {
    let mut number = 0;
    loop {
        number += 1;
        let (world, first, second) = World::changed();
        let (report, count) = world.run(TearAt { number, code: Code::NoSpace });
        let context = format!("torn at effect {number}");
        let failed = count >= number;
        assert_eq!(report.outcome == Outcome::Succeeded, !failed, "{context}: {report:#?}");
        assert_whole(&world.mirror(), [&first, &second], &context);
        world.assert_next_run_settles(&second, &context);
        assert_same_tree(&before_run(&world.target, 2), &first, &format!("{context}: the versions"));
        if !failed {
            break;
        }
    }
}

#[test]
fn a_mirror_that_was_shut_down_in_good_order_is_believed() {
    let (world, _, second) = World::changed();
    assert_eq!(world.run(Count).0.outcome, Outcome::Succeeded);
    world.target.boot();
    let (report, _) = world.run(Count);
    assert_eq!((report.outcome, report.counts.replaced, report.counts.created), (Outcome::Succeeded, 0, 0));
    assert_same_tree(&world.mirror(), &second, "after the start");
}

/// Its full name is recorded apart, which can fail after the old content was moved away.
#[test]
fn without_hard_links_no_error_leaves_a_cut_name_without_content() {
    let long = "n".repeat(250) + ".txt~with a longer end";
    for number in 1.. {
        let clock = Arc::new(TestClock::real());
        let abilities = Abilities { hard_links: false, ..Abilities::full("memory") };
        let target = MemTarget::with(abilities, u64::MAX, Arc::clone(&clock) as _);
        let world = World { tree: MemTree::new().file(&long, b"old", OLD), target, clock };
        assert_eq!(world.run(Count).0.outcome, Outcome::Succeeded);
        assert!(world.mirror().keys().all(|path| path.name_bytes() != long.as_bytes()), "the name is not cut");
        world.tree.write(&path(&long), b"new content", NEW);
        let (_, count) = world.run(FailAt { number, code: Code::TargetEntry, and_all_after: false });
        assert_eq!(world.mirror().len(), 1, "after effect {number} failed the name is gone");
        assert_eq!(world.run(Count).0.outcome, Outcome::Succeeded);
        if number > count {
            break;
        }
    }
}
