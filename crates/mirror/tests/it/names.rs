//! Rules for names hold on both sides alike: what is left out is left out of both, all else is mirrored, found again and
//! deleted.

use crate::pair::Pair;
use octo_core::guard::MaxDelete;
use octo_core::{Filter, FilterBuilder, Outcome};
use octo_mirror::RunOptions;
use proptest::prelude::*;
use std::fs;

const NAMES: &[&str] = &[
    "lost+found",
    "LOST+FOUND",
    "lost+found.~octo",
    ".octobackup",
    ".OctoBackup",
    ".octobackup.~octo",
    "x.~octo",
    "%41.~octo",
    "$RECYCLE.BIN",
    "System Volume Information",
    "pagefile.sys",
    "RECYCLER",
    "Thumbs.db",
    "plain",
];

fn options(defaults: bool) -> RunOptions {
    let filter = if defaults { FilterBuilder::new().build().unwrap() } else { Filter::everything() };
    RunOptions { max_delete: Some(MaxDelete::Percent(100)), filter, ..RunOptions::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_name_is_mirrored_found_again_and_deleted_or_left_out_on_both_sides(
        chosen in proptest::collection::vec((proptest::sample::select(NAMES), 0usize..3), 1..8),
        defaults in any::<bool>(),
    ) {
        let pair = Pair::new();
        for (name, form) in &chosen {
            match form {
                0 if !pair.source.join(name).is_dir() => pair.write(name, name.as_bytes(), 1_000_000),
                1 if !pair.source.join(name).is_file() => pair.write(&format!("{name}/in it"), b"x", 1_000_001),
                _ => pair.write(&format!("deep/{name}/in it"), b"y", 1_000_002),
            }
        }
        pair.write("stays", b"stays", 1_000_000);
        let options = options(defaults);
        let first = pair.run(&options).counts;
        let second = pair.run(&options).counts;
        let changes = (second.created, second.folders_created, second.replaced, second.moved, second.deleted, second.held);
        prop_assert_eq!(changes, (0, 0, 0, 0, 0, 0), "{:?}", chosen);
        prop_assert_eq!(second.unchanged, first.created);
        for entry in fs::read_dir(&pair.source).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != "stays") {
            let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
        }
        let last = pair.run(&options);
        prop_assert_eq!((last.outcome, last.counts.deleted), (Outcome::Succeeded, first.created - 1), "{:?}", chosen);
        let mut left: Vec<_> = fs::read_dir(&pair.target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        prop_assert_eq!(left, [".octobackup", "stays"]);
    }
}
