//! The filesystems that lose power, and how each is made and mounted.

use super::shell::run;
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
}

impl Filesystem {
    /// All of them.
    pub const ALL: [Filesystem; 3] = [Filesystem::Ext4, Filesystem::Xfs, Filesystem::Btrfs];

    /// As `mount -t` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Filesystem::Ext4 => "ext4",
            Filesystem::Xfs => "xfs",
            Filesystem::Btrfs => "btrfs",
        }
    }

    /// Near the smallest that `mkfs` makes: every cut copies it.
    pub(super) fn image_bytes(self) -> u64 {
        let mib: u64 = match self {
            Filesystem::Ext4 => 128,
            Filesystem::Xfs => 320,
            Filesystem::Btrfs => 256,
        };
        mib << 20
    }

    /// Makes it in an image of zeros. Nothing is left to be done later, as that would be in the log of writes.
    pub(super) fn make(self, image: &Path) {
        let args: &[&str] = match self {
            Filesystem::Ext4 => &["-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
            Filesystem::Xfs | Filesystem::Btrfs => &["-q", "-K"],
        };
        run(Command::new(format!("mkfs.{}", self.name())).args(args).arg(image));
    }

    /// A discarded block may have any content afterwards; the log does not say which. Two cuts have one identity.
    pub(super) fn mount_options(self) -> &'static str {
        match self {
            Filesystem::Ext4 => "nodiscard",
            Filesystem::Xfs => "nodiscard,nouuid",
            Filesystem::Btrfs => "nodiscard",
        }
    }
}
