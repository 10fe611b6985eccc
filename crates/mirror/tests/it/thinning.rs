//! States go out of the middle, and all others stay what they were: names, contents, times, permissions; whatever happens meanwhile.

use crate::crash::{first_state, second_state};
use crate::pair::{Pair, Tree, assert_same, before_run, tree};
use crate::support::{assert_verified, mirror};
use octo_core::guard::MaxDelete;
use octo_core::retention::{KeepFree, KeepPolicy, KeepVersions};
use octo_core::{Code, FetchRequest, Outcome, Ranges, RelPath, RunReport, Source, Timestamp};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::history::{History, State, When};
use octo_mirror::retention::{Pin, decided, forecast, pin, pins, unpin};
use octo_mirror::{RunOptions, RunResult};
use octo_testkit::effects::{Count, Effects, FailAt, Trap};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub fn options(policy: KeepPolicy) -> RunOptions {
    RunOptions {
        workers: Some(1),
        max_delete: Some(MaxDelete::Percent(100)),
        keep_versions: KeepVersions::Of(policy),
        ..RunOptions::default()
    }
}

/// Nothing but the last three, and what is pinned.
pub fn nothing() -> KeepPolicy {
    KeepPolicy { all_secs: Some(0), ..KeepPolicy::default() }
}

pub fn all() -> KeepPolicy {
    KeepPolicy { all_secs: Some(1 << 30), ..KeepPolicy::default() }
}

pub fn open(pair: &Pair) -> DiskTarget {
    DiskTarget::open(&pair.target, DiskOptions::default()).unwrap()
}

pub fn run(pair: &Pair, options: &RunOptions, trap: impl Trap + 'static, hard_links: bool) -> (RunReport, Vec<String>) {
    let source = LocalSource::open(&pair.source).unwrap();
    let target = Effects::new(open(pair), trap);
    let target = if hard_links { target } else { target.without_hard_links() };
    let RunResult { report, .. } = mirror(&source, &target, options);
    (report, target.log())
}

/// What a run leaves: the tree, and the permissions of some entries.
pub type Seen = (Tree, BTreeMap<String, u32>);

const WITH_MODES: [&str; 4] = ["stays", "changes", "a", "goes"];

pub fn seen(pair: &Pair) -> Seen {
    let mode = |path: &&str| {
        use std::os::unix::fs::PermissionsExt;
        Some(((*path).to_owned(), fs::metadata(pair.source.join(path)).ok()?.permissions().mode() & 0o7777))
    };
    (tree(&pair.source), WITH_MODES.iter().filter_map(mode).collect())
}

/// Seven states in which everything that can happen to an entry happens, some of it several times.
pub fn seven_states(pair: &Pair, hard_links: bool) -> BTreeMap<u64, Seen> {
    let mut states = BTreeMap::new();
    let mut keep = |number: u64| {
        let (report, _) = run(pair, &options(all()), Count, hard_links);
        assert_eq!((report.outcome, report.run), (Outcome::Succeeded, number), "{report:#?}");
        states.insert(number, seen(pair));
    };
    first_state(pair);
    keep(1);
    pair.write("changes", b"between", 1_500_000);
    pair.write("only in two", b"only in state two", 1_500_000);
    pair.write("big", &[2; 5000], 1_500_000);
    pair.chmod("stays", 0o711);
    keep(2);
    second_state(pair);
    pair.write("big", &[3; 5000], 1_600_000);
    fs::remove_file(pair.source.join("only in two")).unwrap();
    keep(3);
    pair.write("big", &[4; 5000], 1_700_000);
    pair.write("goes", b"is back", 1_700_000);
    pair.chmod("stays", 0o722);
    pair.chmod("a", 0o755);
    fs::remove_dir_all(pair.source.join("new folder")).unwrap();
    keep(4);
    pair.write("big", &[5; 5000], 1_800_000);
    pair.write("new folder", b"a file now", 1_800_000);
    pair.write("folder goes/deep/y", b"another y", 1_800_000);
    pair.write("goes", b"is back", 1_900_000);
    keep(5);
    for (number, byte) in [(6, 6), (7, 7)] {
        pair.write("big", &[byte; 5000], 1_900_000 + u64::from(byte));
        keep(number);
    }
    states
}

/// Every state that is kept is what it was; the others are not there, and that is said.
#[track_caller]
pub fn assert_states(pair: &Pair, states: &BTreeMap<u64, Seen>, kept: &[u64], context: &str) {
    let target = open(pair);
    let history = History::open(&target).unwrap();
    let numbers: Vec<u64> = history.states().unwrap().iter().map(|state| state.number).collect();
    assert_eq!(numbers, kept, "{context}");
    for (number, (should, modes)) in states {
        if !kept.contains(number) {
            let error = history.state(When::Number(*number)).err().unwrap_or_else(|| panic!("{context}: {number}"));
            assert_eq!(error.code, Code::Usage, "{context}: {error}");
            continue;
        }
        let state = history.state(When::Number(*number)).unwrap();
        let is: Tree = octo_testkit::tree::source_tree(&state)
            .into_iter()
            .map(|(path, node)| {
                let kind = match node.kind {
                    octo_core::Kind::Folder => "folder",
                    octo_core::Kind::Link => "link",
                    _ => "file",
                };
                (
                    path.to_os().to_path_buf(),
                    crate::pair::Node { kind, content: node.content, ticks: node.write_time.0 },
                )
            })
            .collect();
        assert_same(&is, should, &format!("{context}: state {number}"));
        for (path, mode) in modes {
            assert_eq!(mode_in(&state, path), Some(*mode), "{context}: {path} in state {number}");
        }
    }
    assert_verified(&target, context);
}

fn mode_in(state: &State<'_>, path: &str) -> Option<u32> {
    #[derive(Default)]
    struct Mode(Option<u32>);
    impl octo_core::FetchSink for Mode {
        fn opened(&mut self, _: usize, _: octo_core::Meta) -> Result<(), octo_core::Stop> {
            Ok(())
        }
        fn data(&mut self, _: usize, _: u64, _: &[u8]) -> Result<(), octo_core::Stop> {
            Ok(())
        }
        fn metadata(&mut self, _: usize, piece: octo_core::metadata::Piece<'_>) -> Result<(), octo_core::Stop> {
            if let octo_core::metadata::Piece::Posix(posix) = piece {
                self.0 = Some(posix.mode);
            }
            Ok(())
        }
        fn finished(&mut self, _: usize, _: octo_core::Meta) -> Result<(), octo_core::Stop> {
            Ok(())
        }
        fn failed(&mut self, _: usize, error: octo_core::Error) -> Result<(), octo_core::Stop> {
            panic!("{error}")
        }
    }
    let path = RelPath::parse(path.as_bytes()).unwrap();
    let listed = state.look(&path).unwrap()?;
    let request = FetchRequest { path, listed, parts: Some(Ranges::new()), snapshot: None, metadata: true };
    let mut sink = Mode::default();
    state.fetch(&[request], &mut sink);
    sink.0
}

pub fn pin_states(pair: &Pair, states: &[u64]) {
    for state in states {
        let words = format!("state {state} matters");
        pin(&open(pair), Pin { state: *state, words, pinned_at: Timestamp(0) }).unwrap();
    }
}

/// States 3 to 6 are dropped, in steps, and what is left is what it was, also as it is taken back by hand.
fn thin(hard_links: bool) {
    let pair = Pair::new();
    let states = seven_states(&pair, hard_links);
    pin_states(&pair, &[1, 3]);
    let target = open(&pair);
    let foreseen = forecast(&target, &nothing(), Timestamp(i64::MAX), &Default::default()).unwrap();
    let goes = foreseen.states.iter().filter(|it| it.reasons.is_empty()).map(|it| it.state.number);
    assert_eq!(goes.collect::<Vec<_>>(), [2]);
    drop(target);
    let before = bytes(&pair);
    let (report, _) = run(&pair, &options(nothing()), Count, hard_links);
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
    assert_states(&pair, &states, &[1, 3, 4, 5, 6, 7], "once");
    assert_eq!(before - bytes(&pair), foreseen.freed_bytes, "{report:#?}");
    assert!(foreseen.freed_bytes > 5000, "the file that only state 2 had is gone: {}", foreseen.freed_bytes);
    let says = |words: &str| report.remarks.iter().any(|remark| remark.contains(words));
    assert!(says("of 1 state were removed") && says("state 2 of ") && says("all=0s"), "{report:#?}");
    for n in 0..3 {
        pair.write("big", &[10 + n; 5000], 2_000_000 + u64::from(n));
        run(&pair, &options(nothing()), Count, hard_links);
    }
    // Run 8 changed nothing: it left no versions.
    assert_states(&pair, &states, &[1, 3, 7, 9, 10, 11], "again");
    assert_same(&before_run(&pair.target, 4), &states[&3].0, "state 3 by hand");
    assert_same(&before_run(&pair.target, 2), &states[&1].0, "state 1 by hand");
    assert!(unpin(&open(&pair), 1).unwrap() && !unpin(&open(&pair), 2).unwrap());
    assert_eq!(pins(&open(&pair)).unwrap().len(), 1);
    run(&pair, &options(nothing()), Count, hard_links);
    assert_states(&pair, &states, &[3, 7, 9, 10, 11], "the oldest keeps its number");
    unpin(&open(&pair), 3).unwrap();
    run(&pair, &options(nothing()), Count, hard_links);
    assert_states(&pair, &states, &[7, 9, 10, 11], "the last ones stay");
}

/// Bytes of all older contents.
fn bytes(pair: &Pair) -> u64 {
    let versions = pair.target.join(".octobackup/versions");
    let runs = fs::read_dir(versions).unwrap().map(|run| tree(&run.unwrap().path().join("tree")));
    runs.flat_map(|tree| tree.into_values()).map(|node| node.content.len() as u64).sum()
}

#[test]
fn a_state_in_the_middle_goes_and_all_others_are_what_they_were() {
    thin(true);
}

#[test]
fn a_state_in_the_middle_goes_without_hard_links() {
    thin(false);
}

/// Whatever effect fails, alone or with all after it, as on a full disk: the states that stay are what they were, before
/// and after the next run.
fn fails_at_each_effect(and_all_after: bool, code: Code) {
    let original = Pair::new();
    let states = seven_states(&original, true);
    pin_states(&original, &[1, 3]);
    let mut number = u64::MAX;
    loop {
        let pair = Pair { source: original.source.clone(), ..Pair::new() };
        copy(&original.target, &pair.target);
        // The copy has other inodes, so metadata would be set again.
        let options = RunOptions { metadata: octo_core::metadata::Keep::Basic, ..options(nothing()) };
        let trap = FailAt { number, code, and_all_after };
        let (report, effects) = run(&pair, &options, trap, true);
        // The first time none fails: what comes before the merge is tried by other tests.
        if number == u64::MAX {
            number = effects.iter().position(|effect| effect.contains("changes-3")).unwrap() as u64;
        }
        let effect = effects.get((number as usize).saturating_sub(1));
        let context = format!("{effect:?} ({number}) fails: {code}, all after it: {and_all_after}");
        let target = open(&pair);
        let history = History::open(&target).unwrap();
        let left: Vec<u64> = history.states().unwrap().iter().map(|state| state.number).collect();
        assert!(left == [1, 2, 3, 4, 5, 6, 7] || left == [1, 3, 4, 5, 6, 7], "{context}: {left:?} {report:#?}");
        drop(history);
        drop(target);
        assert_states(&pair, &states, &left, &context);
        let (next, _) = run(&pair, &options, Count, true);
        assert_eq!(next.outcome, Outcome::Succeeded, "{context}: {next:#?}");
        assert_states(&pair, &states, &[1, 3, 4, 5, 6, 7], &context);
        assert!(!pair.target.join(".octobackup/versions/2/changes").exists(), "{context}");
        assert!(!pair.target.join(".octobackup/versions/3/tree/only in two").exists(), "{context}");
        if effect.is_none() {
            return;
        }
        number += 1;
    }
}

pub fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_merge_that_dies_at_any_effect_is_finished_by_the_next_run() {
    fails_at_each_effect(true, Code::TargetFailed);
}

#[test]
fn a_merge_in_which_any_effect_fails_loses_no_state() {
    fails_at_each_effect(false, Code::TargetFailed);
}

#[test]
fn where_less_is_free_than_wanted_the_oldest_states_go_down_to_the_last_ones() {
    let pair = Pair::new();
    let states = seven_states(&pair, true);
    pin_states(&pair, &[2]);
    let wanted = RunOptions { keep_free: Some(KeepFree::Bytes(u64::MAX)), ..options(all()) };
    let (report, _) = run(&pair, &wanted, Count, true);
    assert_states(&pair, &states, &[2, 4, 5, 6, 7], "no room");
    let says = |words: &str| report.remarks.iter().any(|remark| remark.contains(words));
    assert!(says("less than ") && says("of 2 states were removed") && says("only the last 3 states"), "{report:#?}");
    let wanted = RunOptions { keep_free: Some(KeepFree::Bytes(1)), ..options(all()) };
    let (report, _) = run(&pair, &wanted, Count, true);
    assert!(!report.remarks.iter().any(|remark| remark.contains("keep_free")), "{report:#?}");
}

#[test]
fn where_it_is_not_known_what_is_pinned_nothing_goes() {
    let pair = Pair::new();
    let states = seven_states(&pair, true);
    fs::write(pair.target.join(".octobackup/pins.json"), "{\"format\":1,\"pins\":[{}]}").unwrap();
    let (report, _) = run(&pair, &options(nothing()), Count, true);
    assert!(report.remarks.iter().any(|remark| remark.contains("pins.json")), "{report:#?}");
    assert_states(&pair, &states, &[1, 2, 3, 4, 5, 6, 7], "nothing went");
    let error = decided(&open(&pair), &nothing(), Timestamp(0), &Default::default()).unwrap_err();
    assert_eq!(error.code, Code::RecordsDamaged);
}
