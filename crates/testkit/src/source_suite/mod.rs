//! The suite that every [`Source`] must pass: what core's `source` module promises, as tests.
//!
//! A crate with a source implements [`Fixture`] and says `source_suite!(its_fixture())` in its tests; that makes one
//! test per case. What not every origin can do comes in groups that are asked for by name, so that nothing is ever
//! skipped in silence: `source_suite!(fixture(), ids, links, deny, snapshots, hostile)`.

mod fetching;
mod groups;
mod keep;
mod listing;
mod snapshots;

pub use fetching::*;
pub use groups::*;
pub use keep::{Kept, KeptFile, fetch, keep_list, path, request};
pub use listing::*;
pub use snapshots::*;

use octo_core::{RelPath, Source, Timestamp};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// Said where a test cannot be set up.
const ORIGIN: &str = "the origin of the source can be changed";

/// The origin of a source, as seen from its own side. Every test makes one of its own; dropping it cleans up. The
/// methods panic when they cannot do what they say: a test that could not be set up has failed.
pub trait Fixture {
    /// The source that reads the origin. Begins empty.
    fn source(&self) -> &dyn Source;
    /// The folder of this machine in which the origin is. What is done to it below is done there, unless a fixture does it
    /// in another way.
    fn folder(&self) -> PathBuf {
        unreachable!("this fixture has no folder")
    }
    /// Makes a folder in an existing one.
    fn make_folder(&self, path: &RelPath) {
        fs::create_dir(self.folder().join(path.to_os())).expect(ORIGIN);
    }
    /// Makes a file, or replaces the content of one, and gives it this last write time.
    fn write(&self, path: &RelPath, content: &[u8], time: Timestamp) {
        let at = self.folder().join(path.to_os());
        fs::write(&at, content).expect(ORIGIN);
        let (secs, nanos) = time.to_unix();
        let time = UNIX_EPOCH + Duration::new(u64::try_from(secs).expect(ORIGIN), nanos);
        fs::File::options().write(true).open(at).expect(ORIGIN).set_modified(time).expect(ORIGIN);
    }
    /// Removes a file or link, or a folder with all that is in it.
    fn remove(&self, path: &RelPath) {
        let at = self.folder().join(path.to_os());
        match fs::symlink_metadata(&at).expect(ORIGIN).is_dir() {
            true => fs::remove_dir_all(at).expect(ORIGIN),
            false => fs::remove_file(at).expect(ORIGIN),
        }
    }
    /// Gives something another name.
    fn rename(&self, from: &RelPath, to: &RelPath) {
        fs::rename(self.folder().join(from.to_os()), self.folder().join(to.to_os())).expect(ORIGIN);
    }

    /// Makes a symbolic link with this text. Group `links`.
    fn link(&self, path: &RelPath, text: &str) {
        #[cfg(unix)]
        std::os::unix::fs::symlink(text, self.folder().join(path.to_os())).expect(ORIGIN);
        #[cfg(not(unix))]
        unreachable!("{path}: no link to {text} is made here");
    }
    /// Makes a file or folder unreadable for the source. Group `deny`.
    fn deny(&self, path: &RelPath) {
        unreachable!("{path}: this fixture denies nothing");
    }
    /// Takes a snapshot of everything, later than those before; tells its moment. Group `snapshots`.
    fn take_snapshot(&self) -> Timestamp {
        unreachable!("this fixture takes no snapshots");
    }
    /// Makes the origin say that these files are in the folder, in this order, whatever they are. Group `hostile`.
    fn say(&self, folder: &RelPath, _names: &[&[u8]]) {
        unreachable!("{folder}: this fixture tells no lies");
    }
}

/// Makes one test for each case of the suite. See the module's comment for the groups.
#[macro_export]
macro_rules! source_suite {
    ($fixture:expr $(, $group:ident)* $(,)?) => {
        $crate::source_cases!(basic, $fixture);
        $($crate::source_cases!($group, $fixture);)*
    };
}

/// The tests of one group; [`source_suite!`] is the way to get them.
#[doc(hidden)]
#[macro_export]
macro_rules! source_cases {
    (basic, $fixture:expr) => {
        $crate::source_cases!(@each $fixture,
            an_empty_folder_is_complete_and_empty
            entries_come_with_kind_size_and_time
            each_of_5000_entries_is_listed_once
            unicode_and_odd_names_are_listed_and_fetched
            deep_paths_are_listed_and_fetched
            a_missing_folder_is_incomplete
            a_file_cannot_be_listed
            a_folder_that_became_a_file_is_incomplete
            a_listing_stops_at_once_when_no_more_is_wanted
            the_pin_stays_the_same
            files_of_all_sizes_come_whole
            an_empty_batch_tells_nothing
            many_files_come_in_one_batch
            only_the_parts_asked_for_come
            parts_beyond_the_end_fail
            what_the_listing_said_is_not_believed
            a_file_that_is_gone_is_not_found_and_disturbs_no_other
            a_file_that_became_a_folder_has_moved_kind
            stopping_one_file_ends_it_without_another_word
            stopping_everything_ends_the_call
            several_threads_are_served_at_once);
    };
    (ids, $fixture:expr) => {
        $crate::source_cases!(@each $fixture, ids_stay_with_a_renamed_file);
    };
    (links, $fixture:expr) => {
        $crate::source_cases!(@each $fixture, links_are_listed_and_never_followed);
    };
    (deny, $fixture:expr) => {
        $crate::source_cases!(@each $fixture,
            an_unreadable_file_is_denied_and_disturbs_no_other
            an_unreadable_folder_is_incomplete);
    };
    (snapshots, $fixture:expr) => {
        $crate::source_cases!(@each $fixture,
            snapshots_are_told_newest_first
            a_file_comes_as_it_was_in_each_snapshot
            a_file_that_a_snapshot_does_not_have_is_not_found_and_disturbs_no_other
            parts_of_a_file_in_a_snapshot_are_those_of_then);
    };
    (hostile, $fixture:expr) => {
        $crate::source_cases!(@each $fixture,
            impossible_names_are_reported_and_hide_no_other
            duplicates_and_disorder_do_no_harm);
    };
    (@each $fixture:expr, $($case:ident)*) => {
        $(#[test]
        fn $case() {
            let fixture = $fixture;
            $crate::source_suite::$case(&fixture);
        })*
    };
}
