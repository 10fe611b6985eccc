//! The last look before deletions: is this what a person would expect? (DESIGN section 7, "Guard".)
//!
//! Evaluated once, after moves were matched and before the first delete, over the whole set. It only ever holds; it
//! never causes anything to be deleted.

use crate::path::Name;
use crate::printable::counted;
use serde::{Deserialize, Serialize};

mod hold;

pub use hold::{Hold, HoldKind, Way, with_kinds};

/// `--max-delete`: replaces the three numeric rules, and only those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MaxDelete {
    /// At most so many files.
    Files(u64),
    /// At most so many percent of the files in the mirror.
    Percent(u8),
}

/// What is known before the first delete.
#[derive(Debug, Clone, Default)]
pub struct GuardInput {
    /// Included entries of the source, folders and links too.
    pub source_entries: u64,
    /// Files in the mirror when the run began.
    pub mirror_files: u64,
    /// Their bytes.
    pub mirror_bytes: u64,
    /// Files to delete; moves are not counted, files below a kind change are.
    pub delete_files: u64,
    /// Their bytes.
    pub delete_bytes: u64,
    /// Folders and links to delete.
    pub delete_others: u64,
    /// Top-level folders that are there and empty on the source, with the number of files they have in the mirror.
    pub emptied_tops: Vec<(Name, u64)>,
    /// Files of the mirror that got new content in this run.
    pub replaced_files: u64,
    /// The mirror was adopted, or its source accepted, in this run.
    pub first_after_adoption: bool,
    /// Listings leave out what the account may not read, and the job does not say that it trusts them.
    pub listings_untrusted: bool,
    /// Folders that could not be read, and that nobody has accepted as unreadable.
    pub unread: Unread,
}

/// Folders that could not be read in this run: what is missing elsewhere may have been moved into them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many.
    pub folders: u64,
    /// Some of them, each with the cause.
    pub examples: Vec<String>,
}

/// A top-level folder with at least so many files that is suddenly empty is taken for an unmounted volume.
pub const EMPTIED_TOP_FILES_MIN: u64 = 100;

/// Why all deletions are held; empty if they may be done.
pub fn holds(input: &GuardInput, max_delete: Option<MaxDelete>) -> Vec<Hold> {
    if input.delete_files == 0 && input.delete_others == 0 {
        return Vec::new();
    }
    let mut because = Vec::new();
    let (files, total) = (input.delete_files, input.mirror_files);
    if input.source_entries == 0 && total > 0 {
        because.push(
            HoldKind::SourceEmpty
                .because(format!("the source is empty, the mirror has {}", counted(total, "file", "files"))),
        );
    }
    because.extend(numeric(input, max_delete).map(|words| HoldKind::TooMany.because(words)));
    for (name, count) in &input.emptied_tops {
        if *count >= EMPTIED_TOP_FILES_MIN {
            because.push(HoldKind::FolderEmpty.because(format!(
                "the folder {name} is empty on the source and has {count} files in the mirror: is a volume not mounted?"
            )));
        }
    }
    if input.first_after_adoption {
        let what = counted(files, "file", "files");
        let words = format!("{what} would be deleted in the first run after --adopt or --accept-source");
        because.push(HoldKind::NewSource.because(words));
    }
    if input.listings_untrusted {
        let words = "the share hides what the account may not read, so a missing name is no proof";
        because.push(HoldKind::ListingsUntrusted.because(words));
    }
    if brakes(input) {
        because.push(HoldKind::ManyReplaced.because(format!(
            "{} of {total} files were replaced in one run: is something encrypting them?",
            input.replaced_files
        )));
    }
    because
}

/// Why deletions wait until a folder can be read or a person approves; `None` if all could be read, or nothing is to be
/// deleted. Unlike what [`holds`] says, this passes by itself.
pub fn waits_for_unread(input: &GuardInput) -> Option<Hold> {
    let Unread { folders, examples } = &input.unread;
    if *folders == 0 || (input.delete_files == 0 && input.delete_others == 0) {
        return None;
    }
    let what = counted(*folders, "folder", "folders");
    let more = match folders.saturating_sub(examples.len() as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(HoldKind::Unread.because(format!(
        "{what} could not be read, and what is missing elsewhere may have been moved there: {}{more}",
        examples.join(", ")
    )))
}

/// An earlier run's plan waits for a person.
pub fn plan_waits(plan: &str) -> Hold {
    HoldKind::PlanWaits.because(format!("plan {plan} waits for approval"))
}

/// An earlier run replaced so much that nothing is deleted or pruned until a person has looked.
pub fn brake_is_on(run: u64) -> Hold {
    HoldKind::BrakeIsOn
        .because(format!("state {run} replaced suspiciously many files, and nobody has released the brake yet"))
}

fn numeric(input: &GuardInput, max_delete: Option<MaxDelete>) -> Option<String> {
    let (files, total) = (input.delete_files, input.mirror_files);
    let over = |percent: u64| u128::from(files) * 100 > u128::from(total) * u128::from(percent);
    let bytes_over =
        |percent: u64| u128::from(input.delete_bytes) * 100 > u128::from(input.mirror_bytes) * u128::from(percent);
    match max_delete {
        Some(MaxDelete::Files(limit)) => {
            let what = counted(files, "file", "files");
            (files > limit).then(|| format!("{what} would be deleted; --max-delete allows {limit}"))
        }
        Some(MaxDelete::Percent(limit)) => over(u64::from(limit))
            .then(|| format!("{files} of {total} files would be deleted; --max-delete allows {limit}%")),
        None if files >= 20 && over(25) => Some(format!("{files} of {total} files would be deleted, more than 25%")),
        None if files > 1000 && over(10) => {
            Some(format!("{files} of {total} files would be deleted, more than 1,000 and more than 10%"))
        }
        None if input.delete_bytes > 1 << 30 && bytes_over(25) => Some(format!(
            "{} MiB of {} MiB would be deleted, more than 25%",
            input.delete_bytes >> 20,
            input.mirror_bytes >> 20
        )),
        None => None,
    }
}

/// Whether so much was replaced that versions must not be pruned until a person has looked.
pub fn brakes(input: &GuardInput) -> bool {
    replaces_too_many(input.replaced_files, input.mirror_files)
}

/// The brake's rule: more than 1,000 files and more than 20% of the mirror.
pub fn replaces_too_many(replaced_files: u64, mirror_files: u64) -> bool {
    replaced_files > 1000 && u128::from(replaced_files) * 5 > u128::from(mirror_files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn input(delete: u64, total: u64) -> GuardInput {
        GuardInput {
            source_entries: 1,
            mirror_files: total,
            mirror_bytes: total * 10,
            delete_files: delete,
            delete_bytes: delete * 10,
            ..GuardInput::default()
        }
    }

    #[test]
    fn an_unread_folder_holds_deletions_only_where_there_are_any() {
        let unread =
            |folders, examples: &[&str]| Unread { folders, examples: examples.iter().map(|it| (*it).into()).collect() };
        let waits = |input: &GuardInput| waits_for_unread(input).map(|hold| hold.words);
        let closed = GuardInput { unread: unread(3, &["a", "b/c"]), ..input(1, 10) };
        let why = waits(&closed).unwrap();
        assert!(why.contains("3 folders") && why.contains("a, b/c and 1 more"), "{why}");
        assert!(!waits(&GuardInput { unread: unread(2, &["a", "b/c"]), ..input(1, 10) }).unwrap().contains("more"));
        assert_eq!(waits(&GuardInput { delete_files: 0, ..closed.clone() }), None);
        assert!(waits(&GuardInput { delete_files: 0, delete_others: 1, ..closed.clone() }).is_some());
        assert_eq!(waits(&GuardInput { unread: unread(0, &[]), ..closed }), None);
    }

    #[test]
    fn the_rules_one_by_one() {
        let held = |input: &GuardInput| !holds(input, None).is_empty();
        assert!(!held(&input(19, 20)), "below 20 files percentages say nothing");
        assert!(held(&input(20, 79)));
        assert!(!held(&input(20, 80)), "exactly 25%");
        assert!(held(&input(1001, 10_009)));
        assert!(!held(&input(1001, 10_010)), "exactly 10%");
        assert!(held(&GuardInput { source_entries: 0, ..input(1, 5) }));
        assert!(held(&GuardInput { delete_bytes: (1 << 30) + 1, mirror_bytes: 4 << 30, ..input(1, 50) }));
        assert!(!held(&GuardInput { delete_bytes: 1 << 30, mirror_bytes: 2 << 30, ..input(1, 50) }));
        let tops = |n| vec![(Name::new(*b"data").unwrap(), n)];
        assert!(held(&GuardInput { emptied_tops: tops(100), ..input(1, 1000) }));
        assert!(!held(&GuardInput { emptied_tops: tops(99), ..input(1, 1000) }));
        assert!(held(&GuardInput { first_after_adoption: true, ..input(1, 1000) }));
        assert!(held(&GuardInput { listings_untrusted: true, ..input(1, 1000) }));
        assert!(held(&GuardInput { replaced_files: 1001, ..input(1, 5000) }));
        assert!(!held(&GuardInput { replaced_files: 1001, ..input(1, 5005) }), "exactly 20%");
        assert!(
            !held(&GuardInput { first_after_adoption: true, ..input(0, 1000) }),
            "nothing to delete, nothing to hold"
        );
    }

    proptest! {
        #[test]
        fn the_brake_is_a_thousand_and_a_fifth(replaced in 0u64..5000, mirror in 0u64..20_000) {
            let fifth = mirror as f64 / 5.0;
            prop_assert_eq!(replaces_too_many(replaced, mirror), replaced > 1000 && replaced as f64 > fifth);
        }
    }

    proptest! {
        #[test]
        fn max_delete_replaces_only_the_numeric_rules(delete in 1u64..5000, total in 0u64..20_000, limit in 0u64..5000, percent in 0u8..=100) {
            let base = input(delete, total);
            prop_assert_eq!(holds(&base, Some(MaxDelete::Files(limit))).is_empty(), delete <= limit);
            prop_assert_eq!(holds(&base, Some(MaxDelete::Percent(percent))).is_empty(), delete as f64 / 100.0 * 100.0 * 100.0 <= (total * u64::from(percent)) as f64);
            let empty = GuardInput { source_entries: 0, mirror_files: total.max(1), ..base };
            prop_assert!(!holds(&empty, Some(MaxDelete::Percent(100))).is_empty(), "an empty source is held whatever is allowed");
        }
    }
}
