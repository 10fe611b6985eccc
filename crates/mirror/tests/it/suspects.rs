//! What a power cut may have torn is copied again, whenever that becomes possible, and whatever the clock showed.

use crate::support::verify;
use octo_core::monitor::Silent;
use octo_core::retention::KeepVersions;
use octo_core::{Abilities, Cancel, Clock, Code, Error, FilterBuilder, Outcome, RelPath, RunReport, Target, Timestamp};
use octo_mirror::{RunOptions, VerifyOptions};
use octo_testkit::clock::TestClock;
use octo_testkit::effects::{Effects, Trap};
use octo_testkit::memory::{MemSource, MemTarget, MemTree, PowerLoss};
use octo_testkit::tree::target_tree;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const OLD: Timestamp = Timestamp(16_000_000_000_000_000);
const NEW: Timestamp = Timestamp(16_500_000_000_000_000);
const NOW: Timestamp = Timestamp(17_000_000_000_000_000);
/// The power is cut at every fourth effect. Under Wine a run takes long, so only some are tried.
const STEP: usize = if cfg!(windows) { 9 } else { 4 };

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// The process dies at an effect. Before each the clock goes on by so much, or back.
struct DiesAt {
    number: u64,
    dead: Arc<AtomicBool>,
    clock: Arc<TestClock>,
    step_secs: i64,
}

impl Trap for DiesAt {
    fn before(&self, number: u64, _: &str) -> Result<(), Error> {
        self.clock.set(self.clock.now().plus_secs(self.step_secs));
        if number < self.number {
            return Ok(());
        }
        self.dead.store(true, Ordering::SeqCst);
        Err(Error::new(Code::TargetFailed, "the process is dead"))
    }
}

struct World {
    tree: MemTree,
    target: MemTarget,
    clock: Arc<TestClock>,
    keep_versions: KeepVersions,
}

impl World {
    /// A mirror after its first run, or not begun yet.
    fn new(keep_versions: KeepVersions, is_first: bool) -> World {
        let clock = Arc::new(TestClock::at(NOW));
        let target = MemTarget::with(Abilities::full("ext4"), u64::MAX, Arc::clone(&clock) as _);
        let tree = MemTree::new().file("a", b"a, old", OLD).file("b/stays", b"stays", OLD);
        let world = World { tree, target, clock, keep_versions };
        if !is_first {
            assert_eq!(world.run(None).outcome, Outcome::Succeeded);
        }
        world.tree.write(&path("a"), b"a, new", NEW);
        world.tree.write(&path("b/new"), b"new", NEW);
        world
    }

    fn options(&self, exclude: Option<&str>) -> RunOptions {
        let filter = FilterBuilder::new().defaults(false);
        let filter = exclude.into_iter().fold(filter, |filter, pattern| filter.exclude(pattern).unwrap());
        let filter = filter.build().unwrap();
        RunOptions { filter, keep_versions: self.keep_versions, workers: Some(1), ..RunOptions::default() }
    }

    fn run_on(&self, target: &dyn Target, exclude: Option<&str>) -> RunReport {
        let source = MemSource::new(&self.tree);
        let options = self.options(exclude);
        octo_mirror::run(&source, target, &options, &Silent, &*self.clock, &Cancel::new()).report
    }

    fn run(&self, exclude: Option<&str>) -> RunReport {
        self.run_on(&self.target, exclude)
    }

    /// The power goes at this effect, and of what was not synced only zeros are there. False if the run ended before.
    fn loses_power_at(&self, number: u64, step_secs: i64) -> bool {
        let dead = Arc::new(AtomicBool::new(false));
        let trap = DiesAt { number, dead: Arc::clone(&dead), clock: Arc::clone(&self.clock), step_secs };
        self.run_on(&Effects::new(self.target.clone(), trap), None);
        self.target.power_loss(PowerLoss::LeavesZeros);
        dead.load(Ordering::SeqCst)
    }

    fn assert_equal(&self, context: &str) {
        let mirror = target_tree(&self.target, &RelPath::root());
        for (path, should) in self.tree.as_tree() {
            let is = mirror.get(&path).unwrap_or_else(|| panic!("{context}: {path} is missing"));
            assert_eq!(is.content, should.content, "{context}: {path}");
        }
    }
}

/// At every fourth effect of a first run, of one with versions and of one without: `then` brings all back.
fn at_every_fourth_effect(step_secs: i64, then: impl Fn(&World, &str)) {
    for (keep_versions, is_first) in
        [(KeepVersions::default(), true), (KeepVersions::default(), false), (KeepVersions::No, false)]
    {
        for number in (1..).step_by(STEP) {
            let world = World::new(keep_versions, is_first);
            let context = format!("power lost at effect {number}, {keep_versions:?}, first: {is_first}");
            if !world.loses_power_at(number, step_secs) {
                assert!(number > 16, "only {number} effects");
                break;
            }
            // What was torn is known for it: nobody takes it for damage of the disk.
            if (number / STEP as u64).is_multiple_of(2) && octo_mirror::target_id(&world.target).unwrap().is_some() {
                let (_, problems) = verify(&world.target, &VerifyOptions::default());
                let others: Vec<_> = problems.iter().filter(|problem| problem.code != Code::MayBeTorn).collect();
                assert!(others.is_empty(), "{context}: {others:#?}");
            }
            then(&world, &context);
            world.assert_equal(&context);
            let (report, problems) = verify(&world.target, &VerifyOptions::default());
            let current: Vec<_> = problems.iter().filter(|it| !it.path.to_string().contains("versions")).collect();
            assert!(report.counts.unrecorded == 0 && current.is_empty(), "{context}: {report:#?} {current:#?}");
            let once_more = world.run(None);
            assert_eq!((once_more.outcome, once_more.counts.replaced), (Outcome::Succeeded, 0), "{context}: only once");
            assert_eq!(
                world.target.look(&path(".octobackup/suspects")),
                Ok(None),
                "{context}: nothing is left in doubt"
            );
        }
    }
}

#[test]
fn what_is_excluded_when_the_next_run_ends_well_is_copied_again_when_it_is_included() {
    for excluded in ["/a", "/b"] {
        at_every_fourth_effect(1, |world, context| {
            for _ in 0..2 {
                assert_eq!(world.run(Some(excluded)).outcome, Outcome::Succeeded, "{context}");
            }
            assert_eq!(world.run(None).outcome, Outcome::Succeeded, "{context}");
        });
    }
}

#[test]
fn a_clock_that_goes_back_in_the_run_hides_nothing_that_the_power_cut_tore() {
    at_every_fourth_effect(-60, |world, context| {
        assert_eq!(world.run(None).outcome, Outcome::Succeeded, "{context}");
    });
}

#[test]
fn a_folder_that_cannot_be_read_for_long_costs_no_copies_again_and_what_is_in_it_is_not_forgotten() {
    at_every_fourth_effect(1, |world, context| {
        world.tree.deny(&path("b"));
        world.run(None);
        let again = world.run(None);
        assert_eq!(again.counts.replaced, 0, "{context}: {again:#?}");
        world.tree.allow(&path("b"));
        assert_eq!(world.run(None).outcome, Outcome::Succeeded, "{context}");
    });
}

#[test]
fn a_second_power_cut_adds_to_the_first() {
    at_every_fourth_effect(1, |world, context| {
        assert_eq!(world.run(Some("/a")).outcome, Outcome::Succeeded, "{context}");
        world.tree.write(&path("b/third"), b"third", NEW);
        world.loses_power_at(35, 1);
        assert_eq!(world.run(None).outcome, Outcome::Succeeded, "{context}");
    });
}
