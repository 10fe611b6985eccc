//! What a target filesystem can do, probed once and kept in its marker.

use crate::time::TimeRules;
use serde::{Deserialize, Serialize};

/// What a target filesystem can do. A feature that is missing is named in every report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abilities {
    /// The filesystem's name for people, such as `ext4`.
    pub filesystem: String,
    /// Hard links can be made: versions are kept without the name ever disappearing, and moves need no copy.
    pub hard_links: bool,
    /// A rename can refuse to replace (`RENAME_NOREPLACE`).
    pub rename_noreplace: bool,
    /// POSIX symbolic links can be made.
    pub symlinks: bool,
    /// One call makes the whole filesystem durable and reports errors (`syncfs`); false on NFS, CIFS and FUSE, where
    /// each file is synced by itself.
    pub whole_sync: bool,
    /// Times a file can have.
    pub times: TimeRules,
    /// Names a file can have.
    pub names: NameRules,
}

impl Abilities {
    /// A filesystem that can do everything, as ext4 does.
    pub fn full(filesystem: &str) -> Abilities {
        Abilities {
            filesystem: filesystem.to_owned(),
            hard_links: true,
            rename_noreplace: true,
            symlinks: true,
            whole_sync: true,
            times: TimeRules::EXACT,
            names: NameRules::POSIX,
        }
    }

    /// Whether changes of names reach the disk in the order in which they were made: after a power cut a later one is never there
    /// without an earlier one. So it is with a journal of metadata. Btrfs may keep some of the changes since its last commit, and
    /// others not, whenever any file is synced; of the rest it is not known.
    pub fn keeps_order(&self) -> bool {
        ["ext3", "ext4", "xfs", "NTFS"].contains(&self.filesystem.as_str())
    }

    /// The missing features, in plain words, for the report.
    pub fn losses(&self) -> Vec<String> {
        let mut losses = Vec::new();
        let mut lost = |missing: bool, words: &str| {
            if missing {
                losses.push(words.to_owned());
            }
        };
        lost(
            !self.hard_links,
            "no hard links: renamed files are copied again, and a replaced name is missing for an instant",
        );
        lost(
            !self.rename_noreplace,
            "no rename that refuses to replace: do not write into the mirror while a run is under way",
        );
        lost(!self.symlinks, "no symbolic links: links are recorded, not made");
        lost(
            !self.whole_sync,
            "the filesystem cannot be synced as a whole: every file is synced by itself, which is slow",
        );
        lost(
            self.names.folds_case,
            "upper and lower case are the same: names that differ only in case are stored escaped",
        );
        lost(!self.names.forbidden.is_empty(), "some characters cannot be stored: such names are stored escaped");
        lost(
            self.times.granularity_ticks > 1,
            "times are stored coarsely: a change within one step and of equal size goes unseen",
        );
        losses
    }
}

/// Which names a target can hold as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameRules {
    /// The longest name: in bytes of our encoding, or in UTF-16 units.
    #[serde(alias = "bytes_max")]
    pub length_max: usize,
    /// Lengths are counted in UTF-16 units, as Windows does.
    #[serde(default)]
    pub counts_utf16: bool,
    /// Upper and lower case are the same name.
    pub folds_case: bool,
    /// ASCII characters that cannot be in a name, besides `/` and NUL.
    pub forbidden: String,
    /// Names must be UTF-8.
    pub utf8_only: bool,
    /// Names may not end in a dot or a space, and device names (`NUL`, `COM1`) cannot be used.
    pub windows_rules: bool,
}

impl NameRules {
    /// Any bytes, up to 255 of them.
    pub const POSIX: NameRules = NameRules {
        length_max: 255,
        counts_utf16: false,
        folds_case: false,
        forbidden: String::new(),
        utf8_only: false,
        windows_rules: false,
    };

    /// How long this part of a name is, as the target counts.
    pub fn length(&self, bytes: &[u8]) -> usize {
        bytes.iter().map(|&b| self.length_of(b)).sum()
    }

    /// What one byte adds: every character counts with its first byte, and those beyond U+FFFF are two units.
    pub(crate) fn length_of(&self, byte: u8) -> usize {
        match byte {
            _ if !self.counts_utf16 => 1,
            0x80..=0xBF => 0,
            0xF0.. => 2,
            _ => 1,
        }
    }
}
