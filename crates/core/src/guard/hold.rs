//! Why deletions are held, and what a person does about it. The words of a reason are for people; its kind is what a
//! remedy is found by. Commands are no part of it: they differ between a job of the server and the command line, so
//! anyone who prints a remedy adds the command of its [`Way`].

use serde::{Deserialize, Serialize};

/// A reason to hold all deletions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What it is.
    pub kind: HoldKind,
    /// In words.
    pub words: String,
}

/// How a person lets the deletions go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Approves the plan.
    Approve,
    /// Says that the many changed files are right (`--release-brake`).
    ReleaseBrake,
    /// Says that the listings show everything (`--trust-listings`).
    TrustListings,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $way:ident, $remedy:literal;)*) => {
        /// What a reason to hold is. Stored in reports and plans.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum HoldKind {
            $($(#[$doc])* $kind,)*
        }

        impl HoldKind {
            /// All of them.
            pub const ALL: &'static [HoldKind] = &[$(HoldKind::$kind),*];

            /// What to do about it. The command of [`HoldKind::way`] may follow it.
            pub fn remedy(self) -> &'static str {
                match self { $(HoldKind::$kind => $remedy,)* }
            }

            /// How the deletions go on, if they are right.
            pub fn way(self) -> Way {
                match self { $(HoldKind::$kind => Way::$way,)* }
            }
        }
    };
}

kinds! {
    /// The source has no entries.
    SourceEmpty, Approve,
        "Check that the source's disk is mounted and that the path is right: once the files are back, nothing is deleted. If they were deleted on purpose, approve the deletions";
    /// More than the numeric rules or `--max-delete` allow.
    TooMany, Approve,
        "Look at the list of files: what was deleted by mistake can be copied back from the mirror. If it was deleted on purpose, approve the deletions";
    /// A top-level folder is empty.
    FolderEmpty, Approve,
        "Mount the volume on the source: once its files are back, nothing is deleted. If the folder was emptied on purpose, approve the deletions";
    /// The first run after `--adopt` or `--accept-source`.
    NewSource, Approve,
        "Check that this is the right source for this mirror: what it does not have would be deleted. If it is, approve the deletions";
    /// The share hides what the account may not read.
    ListingsUntrusted, TrustListings,
        "Look for the files on the source itself. If they are gone, approve the deletions. If the account may read everything there, switch access-based enumeration off, or trust the listings";
    /// Many files were replaced by this run.
    ManyReplaced, ReleaseBrake,
        "Open some of the changed files on the source. If they cannot be opened, take the source off the network and restore from the versions. If they are right, release the brake";
    /// Folders could not be read.
    Unread, Approve,
        "Give the backup account the right to read the folders, or exclude them: the deletions then go on by themselves. Approving the deletions accepts the folders as unreadable";
    /// An earlier run's plan waits.
    PlanWaits, Approve,
        "Look at the list of files. If they were deleted on purpose, approve the deletions";
    /// Many files were replaced by an earlier run.
    BrakeIsOn, ReleaseBrake,
        "Open some of the files that were changed. If they cannot be opened, take the source off the network and restore from the versions. If they are right, release the brake";
    /// Not known to this program: the report is older than the kinds, or newer than the program.
    #[serde(other)]
    Unknown, Approve,
        "Look at the list of files. If they were deleted on purpose, approve the deletions";
}

impl HoldKind {
    /// A reason of this kind.
    pub fn because(self, words: impl Into<String>) -> Hold {
        Hold { kind: self, words: words.into() }
    }
}

/// Stored reasons with their kinds. Reports of older programs have no kinds.
pub fn with_kinds<'a>(because: &'a [String], kinds: &'a [HoldKind]) -> impl Iterator<Item = (&'a str, HoldKind)> {
    let kinds = kinds.iter().copied().chain(std::iter::repeat(HoldKind::Unknown));
    because.iter().map(String::as_str).zip(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reason_has_a_remedy_that_says_its_way() {
        for kind in HoldKind::ALL {
            let way = match kind.way() {
                Way::Approve => "pprov",
                Way::ReleaseBrake => "release the brake",
                Way::TrustListings => "trust the listings",
            };
            assert!(kind.remedy().contains(way), "{kind:?}: {}", kind.remedy());
            assert!(!kind.remedy().ends_with('.') && !kind.remedy().contains("--"), "a command may follow: {kind:?}");
        }
    }
}
