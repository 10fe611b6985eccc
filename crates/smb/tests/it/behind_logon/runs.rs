//! Whole runs of the engine from a server that alters its real answers as a seed says, and protects them as it should: every file
//! of the mirror is one of the source's states, nothing is lost, and the next run with an honest server makes it equal.
//!
//! A few seeds are tried in each test run; `OCTO_SEEDS=FIRST..END` tries those instead. A failure names its seed.

use super::*;
use crate::relay::parts;
use octo_core::{Cancel, Outcome, RunReport};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::RunOptions;
use octo_testkit::clock::TestClock;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

const SEEDS: Range<u64> = 0..6;
/// Answers of a run, about: the altered one is among them.
const ANSWERS: u64 = 40;
/// So long no run takes whose server says nothing for longer than [`HASTY`] lets it.
const HANGS: Duration = Duration::from_secs(300);
const HASTY: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    response: Duration::from_millis(300),
    answer: Duration::from_secs(2),
    reconnect: Duration::from_secs(1),
};
static PANICS: AtomicU64 = AtomicU64::new(0);

/// SplitMix64.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Each line says which file it is of, where, and in which state.
fn content(name: &str, state: u32) -> Vec<u8> {
    let lines = if name.ends_with('0') { 20_000 } else { 3 + name.len() };
    (0..lines).flat_map(|line| format!("{name} {state} {line:06}\n").into_bytes()).collect()
}

/// The source's files and their contents, before and after somebody worked on it.
fn states() -> [BTreeMap<String, Vec<u8>>; 2] {
    let names = (0..22).map(|number| format!("{}f{number:02}", ["", "a/", "a/b/", "c/"][number % 4]));
    let before: BTreeMap<_, _> = names.map(|name| (name.clone(), content(&name, 1))).collect();
    let mut after = before.clone();
    for name in ["f00", "a/f01", "a/b/f02", "a/b/f10"] {
        after.insert(name.to_owned(), content(name, 20));
    }
    after.remove("c/f07");
    after.insert("c/new".to_owned(), content("c/new", 20));
    [before, after]
}

fn put(folder: &Path, state: &BTreeMap<String, Vec<u8>>) {
    let there = files(folder);
    for (name, content) in state.iter().filter(|(name, content)| there.get(*name) != Some(content)) {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), content).unwrap();
    }
    for name in there.keys().filter(|name| !state.contains_key(*name)) {
        fs::remove_file(folder.join(name)).unwrap();
    }
}

/// All files below, but what a mirror keeps for itself.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn fill(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let is_ours = path == root.join(".octobackup");
            if path.is_dir() && !is_ours {
                fill(root, &path, found);
            } else if !is_ours {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    fill(folder, folder, &mut found);
    found
}

/// Every content that the mirror still has, older versions included.
fn contents(mirror: &Path) -> BTreeSet<Vec<u8>> {
    let versions = mirror.join(".octobackup/versions");
    let older = if versions.exists() { files(&versions) } else { BTreeMap::new() };
    files(mirror).into_values().chain(older.into_values()).collect()
}

fn run(bench: &Bench, mirror: &Path, timeouts: Timeouts) -> Result<RunReport, Error> {
    let source = bench.connect(timeouts)?;
    let target = DiskTarget::open(mirror, DiskOptions { create: true, ..DiskOptions::default() }).unwrap();
    let silent = octo_core::monitor::Silent;
    let result =
        octo_mirror::run(&source, &target, &RunOptions::default(), &silent, &TestClock::real(), &Cancel::new());
    Ok(result.report)
}

/// Alters an answer; what a file contains is left alone, as a server may say of that what it likes.
fn alter(reply: &mut Reply, seeded: &mut Seeded) {
    let bytes = reply.bytes();
    let all = parts(bytes);
    let part = all[seeded.below(all.len() as u64) as usize].clone();
    let part = &mut bytes[part];
    let end = if part[12] == READ { part.len().min(80) } else { part.len() };
    let at = seeded.below(end as u64) as usize;
    let is_free = part[12] != READ || at < 64 || (68..72).contains(&at);
    match seeded.below(8) {
        0..=2 if is_free => part[at] ^= 1 << seeded.below(8),
        3..=4 if part[12] != READ && end >= 4 => {
            let value = [0, 1, 7, 64, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 1 << 20][seeded.below(8) as usize];
            let at = at.min(end - 4) & !3;
            part[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        5 => {
            let status = [0xC000_0022_u32, 0xC000_0034, 0xC000_0043, 0xC000_0203, 0xC000_035C, 0x8000_0006, 0x103, 1];
            part[8..12].copy_from_slice(&status[seeded.below(8) as usize].to_le_bytes());
        }
        6 => {
            let len = bytes.len() as u64;
            bytes.truncate(seeded.below(len) as usize);
        }
        _ => match seeded.below(4) {
            0 => reply.messages.clear(),
            1 => reply.hang_up = true,
            2 => reply.messages[0].is_forged = true,
            _ => reply.messages.extend_from_within(..),
        },
    }
}

/// What the seed makes of the server, and where it is noted whether it touched a listing.
fn lie(seed: u64, listing_touched: Arc<AtomicU64>) -> impl FnMut(&mut Reply) + Send + 'static {
    let mut seeded = Seeded(seed);
    let (first, again) = (seeded.below(ANSWERS), seeded.below(4) == 0);
    let mut said = 0;
    move |reply| {
        said += 1;
        // Once, or every fifth answer from then on.
        if said - 1 == first || (again && said > first && (said - first) % 5 == 0) {
            listing_touched.fetch_add(reply.answers(QUERY_DIRECTORY).into(), Ordering::SeqCst);
            alter(reply, &mut seeded);
        }
    }
}

/// One seed: a first run with an honest server, one with a hostile one after changes, and an honest one again.
fn live_through(bench: &Bench, seed: u64) {
    let (around, share) = (tempfile::tempdir().unwrap(), bench.samba.share_path("public"));
    let (mirror, [before, after]) = (around.path().join("mirror"), states());
    bench.relay.set(|_| {});
    put(&share, &before);
    let first = run(bench, &mirror, Timeouts::default()).unwrap();
    assert_eq!((first.outcome, files(&mirror)), (Outcome::Succeeded, before.clone()), "{first:#?}");
    put(&share, &after);
    let touched = Arc::new(AtomicU64::new(0));
    bench.relay.set(lie(seed, Arc::clone(&touched)));
    let told = run(bench, &mirror, HASTY);
    let (there, lists_truly) = (files(&mirror), touched.load(Ordering::SeqCst) == 0);
    for (name, content) in &there {
        let is_known = [&before, &after].iter().any(|state| state.get(name) == Some(content));
        assert!(is_known, "{name} is of no state of the source: {told:#?}");
    }
    let kept = contents(&mirror);
    let lost: Vec<_> = before.iter().filter(|(_, content)| !kept.contains(*content)).map(|(name, _)| name).collect();
    assert!(lost.is_empty(), "lost: {lost:?}: {told:#?}");
    match &told {
        Ok(report) if lists_truly => {
            assert!(report.counts.deleted <= 1, "{report:#?}");
            assert!(report.outcome != Outcome::Succeeded || there == after, "{report:#?}");
            assert!(report.outcome == Outcome::Succeeded || !report.causes.is_empty(), "{report:#?}");
        }
        Ok(_) => {}
        Err(error) => assert!(error.code.stops_run(), "{error}"),
    }
    bench.relay.set(|_| {});
    let last = run(bench, &mirror, Timeouts::default()).unwrap();
    assert_eq!((last.outcome, files(&mirror) == after), (Outcome::Succeeded, true), "{last:#?} after {told:#?}");
}

fn live_through_seeds(mode: Mode) {
    let seeds = std::env::var("OCTO_SEEDS").map_or(SEEDS, |given| {
        let (first, end) = given.split_once("..").expect("OCTO_SEEDS=FIRST..END");
        first.parse().unwrap()..end.parse().unwrap()
    });
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(info);
    }));
    let bench = Arc::new(Bench::new(mode));
    for seed in seeds {
        let (done, waits) = mpsc::channel();
        let theirs = Arc::clone(&bench);
        let lives = std::thread::spawn(move || {
            live_through(&theirs, seed);
            let _ = done.send(());
        });
        match waits.recv_timeout(HANGS) {
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("seed {seed} of {mode:?} hangs"),
            _ => assert!(lives.join().is_ok(), "seed {seed} of {mode:?}"),
        }
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "seed {seed} of {mode:?}");
    }
}

#[test]
fn whatever_a_guest_is_told_the_mirror_stays_right() {
    live_through_seeds(Mode::Guest);
}

#[test]
fn whatever_is_signed_the_mirror_stays_right() {
    live_through_seeds(Mode::Smb311Signed);
}

#[test]
fn whatever_is_encrypted_the_mirror_stays_right() {
    live_through_seeds(Mode::Smb300Encrypted);
}
