//! The filesystems that lose power, and how each is made and mounted.

use super::shell::{Mount, run};
use std::path::Path;
use std::process::Command;

/// A filesystem of the manual's table with full support that this machine can make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filesystem {
    /// With its usual `data=ordered`.
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// Ext4 with `data=writeback`.
    Ext4Writeback,
    /// Ext4 without a journal: checked and repaired by `e2fsck` before it is mounted after a cut.
    Ext4NoJournal,
}

impl Filesystem {
    /// All that lose nothing.
    pub const ALL: [Filesystem; 3] = [Filesystem::Ext4, Filesystem::Xfs, Filesystem::Btrfs];

    /// Those, and what costs more in a power cut: to be looked at, not to be passed.
    pub const KNOWN: [Filesystem; 5] =
        [Filesystem::Ext4, Filesystem::Xfs, Filesystem::Btrfs, Filesystem::Ext4Writeback, Filesystem::Ext4NoJournal];

    /// What a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Filesystem::Ext4Writeback => "ext4-writeback",
            Filesystem::Ext4NoJournal => "ext4-nojournal",
            _ => self.kind(),
        }
    }

    /// As `mount -t` calls it.
    fn kind(self) -> &'static str {
        match self {
            Filesystem::Ext4 | Filesystem::Ext4Writeback | Filesystem::Ext4NoJournal => "ext4",
            Filesystem::Xfs => "xfs",
            Filesystem::Btrfs => "btrfs",
        }
    }

    /// Near the smallest that `mkfs` makes: every cut copies it.
    pub(super) fn image_bytes(self) -> u64 {
        let mib: u64 = match self {
            Filesystem::Ext4 | Filesystem::Ext4Writeback | Filesystem::Ext4NoJournal => 128,
            Filesystem::Xfs => 320,
            Filesystem::Btrfs => 256,
        };
        mib << 20
    }

    /// Makes it in an image of zeros. Nothing is left to be done later, as that would be in the log of writes.
    pub(super) fn make(self, image: &Path) {
        let args: &[&str] = match self {
            Filesystem::Ext4 | Filesystem::Ext4Writeback => {
                &["-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"]
            }
            Filesystem::Ext4NoJournal => &["-q", "-F", "-O", "^has_journal", "-E", "nodiscard,lazy_itable_init=0"],
            Filesystem::Xfs | Filesystem::Btrfs => &["-q", "-K"],
        };
        run(Command::new(format!("mkfs.{}", self.kind())).args(args).arg(image));
    }

    /// A discarded block may have any content afterwards; the log does not say which. Two cuts have one identity.
    pub(super) fn mount_options(self) -> &'static str {
        match self {
            Filesystem::Ext4 | Filesystem::Ext4NoJournal | Filesystem::Btrfs => "nodiscard",
            Filesystem::Ext4Writeback => "nodiscard,data=writeback",
            Filesystem::Xfs => "nodiscard,nouuid",
        }
    }

    /// Mounts it as a machine does that is started again.
    pub(super) fn mount_after_cut<'a>(self, image: &Path, place: &'a Path) -> Result<Mount<'a>, String> {
        if self == Filesystem::Ext4NoJournal {
            let checked = Command::new("e2fsck").args(["-f", "-y"]).arg(image).output().map_err(|e| e.to_string())?;
            // 1: errors were corrected.
            if checked.status.code().is_none_or(|code| code > 1) {
                return Err(format!("e2fsck: {}", String::from_utf8_lossy(&checked.stdout)));
            }
        }
        Mount::new(image, &format!("loop,{}", self.mount_options()), place)
    }
}
