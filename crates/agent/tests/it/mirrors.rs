//! Whole runs: the real engine, a real agent, a real target.

use crate::world::{Agent, World, loopback};
use octo_core::{Cancel, Event, Monitor, Outcome, RunReport, Source};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::RunOptions;
use octo_testkit::clock::TestClock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

pub fn mirror(source: &dyn Source, target: &Path) -> RunReport {
    mirror_watched(source, target, &octo_core::monitor::Silent)
}

/// The same, and `monitor` hears what happens.
pub fn mirror_watched(source: &dyn Source, target: &Path, monitor: &dyn Monitor) -> RunReport {
    let options = DiskOptions { create: true, ..DiskOptions::default() };
    let target = DiskTarget::open(target, options).unwrap();
    octo_mirror::run(source, &target, &RunOptions::default(), monitor, &TestClock::real(), &Cancel::new()).report
}

/// Every file below `folder` with its content and last write time in 100 ns, our own folder left out.
pub fn tree(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u128)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            if meta.is_dir() && entry.file_name() != ".octobackup" {
                folders.push(path);
            } else if meta.is_file() {
                let content = std::fs::read(&path).unwrap();
                let ticks = meta.modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos() / 100;
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), (content, ticks));
            }
        }
    }
    found
}

pub fn fill(world: &World, folders: usize, files: usize) {
    for folder in 0..folders {
        let folder = world.data().join(format!("folder {folder}"));
        std::fs::create_dir(&folder).unwrap();
        for n in 0..files {
            std::fs::write(folder.join(format!("file {n}")), vec![n as u8; n * 211]).unwrap();
        }
    }
}

#[test]
fn a_run_makes_an_equal_mirror_the_next_copies_nothing_and_a_third_deletes_what_is_gone() {
    let world = World::new();
    fill(&world, 20, 30);
    std::fs::write(world.data().join("large"), vec![7; 70 << 20]).unwrap();
    let listener = world.listener(loopback());
    let _agent = world.join(&listener, listener.address());
    let source = world.source(&listener);
    let first = mirror(&source, &world.at("mirror"));
    assert_eq!(first.outcome, Outcome::Succeeded, "{first:#?}");
    assert!(tree(&world.data()) == tree(&world.at("mirror")));
    assert_hashes_are_kept(&world);
    let second = mirror(&source, &world.at("mirror"));
    assert_eq!((second.outcome, second.counts.unchanged, second.counts.copied_bytes), (Outcome::Succeeded, 601, 0));
    std::fs::remove_dir_all(world.data().join("folder 3")).unwrap();
    let third = mirror(&source, &world.at("mirror"));
    assert_eq!(third.outcome, Outcome::Succeeded, "{third:#?}");
    assert!(tree(&world.data()) == tree(&world.at("mirror")));
    assert_hashes_are_kept(&world);
}

#[test]
fn the_holes_of_a_huge_file_do_not_travel() {
    use std::os::unix::fs::{FileExt, MetadataExt};
    let world = World::new();
    fill(&world, 4, 30);
    let size = 8u64 << 40;
    let file = std::fs::File::create(world.data().join("huge")).unwrap();
    file.set_len(size).unwrap();
    file.write_all_at(b"in the middle", size / 2).unwrap();
    let listener = world.listener(loopback());
    let _agent = world.join(&listener, listener.address());
    let source = world.source(&listener);
    let first = mirror(&source, &world.at("mirror"));
    assert_eq!((first.outcome, first.counts.created), (Outcome::Succeeded, 121), "{first:#?}");
    assert!(first.counts.copied_bytes < 8 << 20, "{}", first.counts.copied_bytes);
    let copy = std::fs::File::open(world.at("mirror/huge")).unwrap();
    let meta = copy.metadata().unwrap();
    assert!(meta.len() == size && meta.blocks() * 512 < 8 << 20, "{} blocks", meta.blocks());
    let mut middle = [0; 13];
    copy.read_exact_at(&mut middle, size / 2).unwrap();
    assert_eq!(&middle, b"in the middle");
    let second = mirror(&source, &world.at("mirror"));
    assert_eq!((second.outcome, second.counts.unchanged), (Outcome::Succeeded, 121), "{second:#?}");
}

/// The newest generation of the index knows the content of each file that it can know.
fn assert_hashes_are_kept(world: &World) {
    let generations = std::fs::read_dir(world.at("mirror/.octobackup/index")).unwrap().map(|it| it.unwrap().path());
    let newest = generations.filter_map(|path| path.file_name()?.to_str()?.parse::<u64>().ok()).max().unwrap();
    let index = std::fs::read(world.at("mirror/.octobackup/index").join(newest.to_string())).unwrap();
    let kept: std::collections::HashSet<&[u8]> = index.windows(32).collect();
    for (path, (content, _)) in tree(&world.data()) {
        assert!(kept.contains(&blake3::hash(&content).as_bytes()[..]), "{}", path.display());
    }
}

/// Kills the agent, and starts it again, when so many entries have changed.
struct Killer<'a> {
    world: &'a World,
    state: Mutex<(usize, Agent)>,
    at: &'static [usize],
}

impl Monitor for Killer<'_> {
    fn event(&self, event: &Event<'_>) {
        let Event::Change(_) = event else { return };
        let (changes, agent) = &mut *self.state.lock().unwrap();
        *changes += 1;
        if self.at.contains(changes) {
            agent.die();
            *agent = self.world.start();
        }
    }
}

#[test]
fn an_agent_killed_again_and_again_leads_to_an_equal_mirror() {
    let world = World::new();
    fill(&world, 40, 40);
    std::fs::write(world.data().join("large"), vec![7; 100 << 20]).unwrap();
    let listener = world.listener(loopback());
    let agent = world.join(&listener, listener.address());
    let source = world.source(&listener);
    // Without a common measure, so that the deaths fall on different work.
    let killer = Killer { world: &world, state: Mutex::new((0, agent)), at: &[1, 70, 301, 640, 1111, 1590] };
    // A run may end as failed when its agent is gone; the next one finishes the work.
    let reports = (0..=killer.at.len()).map(|_| mirror_watched(&source, &world.at("mirror"), &killer));
    let failed = reports.take_while(|report| report.outcome != Outcome::Succeeded).count();
    assert!(failed <= killer.at.len(), "more runs failed than agents died");
    assert!(killer.state.lock().unwrap().0 >= 1590, "not every kill fell into a run");
    assert!(tree(&world.data()) == tree(&world.at("mirror")));
}
