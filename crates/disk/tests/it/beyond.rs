//! Last write times that the filesystem cannot hold: each entry tells the one it was given, whatever happens to it.

use crate::ground::*;
use octo_core::time::TICKS_PER_SEC;
use octo_core::{Done, RelPath, Target, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Op {
    Make(usize, i64),
    SetTime(usize, i64),
    RenameOver(usize, usize),
    RenameNew(usize, usize),
    HardLink(usize, usize),
    Remove(usize),
    RenameFolder,
    OpenAgain,
}

const NAMES: usize = 5;

/// Within what ext4 knows, beyond it on both sides, and about its ends.
fn time() -> impl Strategy<Value = i64> {
    let ends = [-2_147_483_648i64, 15_032_385_535].map(|secs| secs * TICKS_PER_SEC);
    let about = move |end: i64| (-30_000_000i64..30_000_000).prop_map(move |n| end + n);
    prop_oneof![any::<i64>(), 0i64..1 << 50, about(ends[0]), about(ends[1]), Just(-11_644_473_600 * TICKS_PER_SEC)]
}

fn op() -> impl Strategy<Value = Op> {
    let name = || 0..NAMES;
    prop_oneof![
        4 => (name(), time()).prop_map(|(at, time)| Op::Make(at, time)),
        4 => (name(), time()).prop_map(|(at, time)| Op::SetTime(at, time)),
        3 => (name(), name()).prop_map(|(from, to)| Op::RenameOver(from, to)),
        2 => (name(), name()).prop_map(|(from, to)| Op::RenameNew(from, to)),
        2 => (name(), name()).prop_map(|(from, to)| Op::HardLink(from, to)),
        2 => name().prop_map(Op::Remove),
        1 => Just(Op::RenameFolder),
        1 => Just(Op::OpenAgain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_entry_tells_the_time_it_was_given(ops in proptest::collection::vec(op(), 1..40)) {
        let mut yard = yard();
        yard.target.make_folder(&p("folder")).unwrap();
        let mut folder = 0;
        let mut given: BTreeMap<usize, i64> = BTreeMap::new();
        for op in ops {
            let target = &yard.target;
            let path = |n: usize| -> RelPath { p(&format!("{}/{n}", ["folder", "other"][folder])) };
            let is_shared = |n: usize| target.look(&path(n)).unwrap().is_some_and(|meta| meta.links > 1);
            match op {
                Op::Make(at, time) if !given.contains_key(&at) => {
                    drop(target.create_file(&path(at)).unwrap());
                    target.set_times(&path(at), Timestamp(time), None).unwrap();
                    given.insert(at, time);
                }
                Op::SetTime(at, time) if given.contains_key(&at) && !is_shared(at) => {
                    target.set_times(&path(at), Timestamp(time), None).unwrap();
                    given.insert(at, time);
                }
                Op::RenameOver(from, to) if from != to && given.contains_key(&from) && !is_shared(from) => {
                    prop_assert_eq!(target.rename_over(&path(from), &path(to)).unwrap(), Done::Yes);
                    let time = given.remove(&from).unwrap();
                    given.insert(to, time);
                }
                Op::RenameNew(from, to) if given.contains_key(&from) && !given.contains_key(&to) => {
                    prop_assert_eq!(target.rename_new(&path(from), &path(to)).unwrap(), Done::Yes);
                    let time = given.remove(&from).unwrap();
                    given.insert(to, time);
                }
                Op::HardLink(from, to) if given.contains_key(&from) && !given.contains_key(&to) => {
                    prop_assert_eq!(target.hard_link(&path(from), &path(to)).unwrap(), Done::Yes);
                    given.insert(to, given[&from]);
                }
                Op::Remove(at) if given.remove(&at).is_some() => {
                    prop_assert_eq!(target.remove_file(&path(at)).unwrap(), Done::Yes);
                }
                Op::RenameFolder => {
                    let names = [p("folder"), p("other")];
                    prop_assert_eq!(target.rename_new(&names[folder], &names[1 - folder]).unwrap(), Done::Yes);
                    folder = 1 - folder;
                }
                Op::OpenAgain => {
                    target.checkpoint().unwrap();
                    yard.target = open(&yard.root);
                }
                _ => {}
            }
        }
        let times = yard.target.abilities().times;
        let told = list_target(&yard.target, ["folder", "other"][folder]).entries;
        let told: BTreeMap<usize, i64> =
            told.into_iter().map(|(name, meta)| (usize::from(name[0] - b'0'), meta.write_time.0)).collect();
        let kept = given.into_iter().map(|(at, time)| (at, times.represent(Timestamp(time)).0)).collect();
        prop_assert_eq!(told, kept);
    }
}
