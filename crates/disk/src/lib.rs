//! The local filesystem: a mirror's store ([`DiskTarget`]) and local folders as a source ([`LocalSource`]).
//!
//! The only crate that writes or deletes files of a mirror. It must never leave its root, follow a link or cross into
//! another filesystem: confinement is by handle (DESIGN rule 2), and the names it is given are
//! [`RelPath`](octo_core::RelPath)s, which cannot say `..`. It decides nothing: what to copy or delete is the
//! engine's business.
//!
//! Everything that depends on the operating system is in a module of its own (`linux`); what the filesystem cannot hold
//! is in `records`.

#[cfg(target_os = "linux")]
mod linux;
mod records;

#[cfg(target_os = "linux")]
pub use linux::{
    open::{DiskOptions, Modes},
    place::{marker_above, overlap},
    source::LocalSource,
    target::DiskTarget,
};

/// The Debian packages that the tests of this crate need.
pub const TEST_PACKAGES: &[&str] =
    &["mount", "util-linux", "e2fsprogs", "xfsprogs", "btrfs-progs", "exfatprogs", "exfat-fuse", "ntfs-3g"];
