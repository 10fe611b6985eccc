//! The local filesystem: a mirror's store ([`DiskTarget`]) and local folders as a source ([`LocalSource`]).
//!
//! The only crate that writes or deletes files of a mirror. It must never leave its root, follow a link or cross into
//! another filesystem: confinement is by handle (DESIGN rule 2), and the names it is given are
//! [`RelPath`](octo_core::RelPath)s, which cannot say `..`. It decides nothing: what to copy or delete is the
//! engine's business.
//!
//! Everything that depends on the operating system is in a room of its own, `linux` or `windows`; both have the same
//! doors, and the rest of the crate knows them as `os`. What the filesystem cannot hold is in `records`; how Samba keeps
//! metadata, in `samba`.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made"))]

mod blocking_calls;
mod cancellable;
#[cfg(all(target_os = "linux", any(test, feature = "fuzzing")))]
#[doc(hidden)]
pub mod fuzzing;
mod holes;
mod lazy_records;
mod leftovers;
mod options;
mod overlap;
mod protected;
mod records;
#[cfg(target_os = "linux")]
mod samba;
mod source;
mod sparse;
mod target;
mod times;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as os;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as os;

pub use blocking_calls::BlockingCalls;
pub use cancellable::CancellableSource;
pub use options::{DiskOptions, Modes};
pub use overlap::{marker_above, may_be_unmounted, overlap};
pub use protected::{FolderLocation, Protected};
pub use records::is_want_of_room;
pub use source::LocalSource;
pub use target::DiskTarget;

/// The Debian packages that the tests of this crate need.
pub const TEST_PACKAGES: &[&str] =
    &["mount", "util-linux", "e2fsprogs", "xfsprogs", "btrfs-progs", "exfatprogs", "exfat-fuse", "ntfs-3g"];

/// A path in the reserved folder.
fn reserved(below: &str) -> octo_core::RelPath {
    octo_core::RelPath::parse(format!("{}/{below}", octo_core::RESERVED).as_bytes()).unwrap_or_default()
}
