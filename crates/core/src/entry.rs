//! What both sides know of one file, folder or link.

use crate::path::Name;
use crate::time::{TICKS_PER_SEC, Timestamp};

/// The attributes of MS-FSCC 2.6 that matter here.
const DIRECTORY: u32 = 0x10;
const REPARSE_POINT: u32 = 0x400;

/// What an entry is. Reparse points other than SYMLINK and MOUNT_POINT, and other than the links of DFS, are ordinary files
/// and folders (DESIGN section 5, "Links").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, junction or mount point; never followed.
    Link,
    /// A device, socket or pipe, or a link of DFS to a folder of another server; never mirrored.
    Other,
}

/// The kind of an entry of Windows, by its attributes (MS-FSCC 2.6) and, where it has a reparse point, by the tag of that
/// (2.1.2.1). The tag is of no meaning without the attribute.
pub fn windows_kind(attributes: u32, tag: u32) -> Kind {
    const SYMLINK: u32 = 0xA000_000C;
    const MOUNT_POINT: u32 = 0xA000_0003;
    // A folder with one of these is a link of DFS (MS-DFSC): opening it leads to another server.
    const DFS: u32 = 0x8000_000A;
    const DFSR: u32 = 0x8000_0012;
    let is_folder = attributes & DIRECTORY != 0;
    match tag {
        SYMLINK | MOUNT_POINT if attributes & REPARSE_POINT != 0 => Kind::Link,
        DFS | DFSR if attributes & REPARSE_POINT != 0 && is_folder => Kind::Other,
        _ if is_folder => Kind::Folder,
        _ => Kind::File,
    }
}

/// The identity of a file within its server: stable across renames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Volume serial number or device.
    pub volume: u64,
    /// File id (MS-FSCC 2.1.9) or inode number.
    pub id: u128,
}

impl FileId {
    /// Whether the id means anything: 0 and all ones are "no id" (MS-FSCC 2.1.9), as 64 or 128 bits.
    pub fn is_usable(&self) -> bool {
        self.id != 0 && self.id != u128::MAX && self.id != u128::from(u64::MAX)
    }
}

/// What is known of an entry besides its name. Also what an open handle tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: Kind,
    /// Size of the data; of no meaning for folders and links.
    pub size_bytes: u64,
    /// Last write time.
    pub write_time: Timestamp,
    /// Creation time, where the side has one.
    pub creation_time: Option<Timestamp>,
    /// Change time: moves with the metadata too (`ctime`).
    pub change_time: Option<Timestamp>,
    /// DOS attributes (MS-FSCC 2.6), 0 where the side has none.
    pub attributes: u32,
    /// Identity, where the side has one.
    pub id: Option<FileId>,
    /// Names this file has, where the side tells; 1 otherwise.
    pub links: u32,
    /// Whether the data is there to read: false for offline files and those that would be recalled on access.
    pub is_local: bool,
}

impl Meta {
    /// A bare entry of `kind` with size and last write time, and nothing else known.
    pub fn new(kind: Kind, size_bytes: u64, write_time: Timestamp) -> Meta {
        Meta {
            kind,
            size_bytes,
            write_time,
            creation_time: None,
            change_time: None,
            attributes: 0,
            id: None,
            links: 1,
            is_local: true,
        }
    }

    /// Whether it is a link of DFS: to a reader, a folder, but one of another server. Nothing else that is never mirrored
    /// has a reparse point.
    pub fn is_dfs_link(&self) -> bool {
        self.kind == Kind::Other && self.attributes & REPARSE_POINT != 0
    }

    /// Whether patterns for folders are for it too.
    pub fn looks_like_folder(&self) -> bool {
        self.kind == Kind::Folder || (self.is_dfs_link() && self.attributes & DIRECTORY != 0)
    }

    /// Whether the creation time may be made up of the last write time, as Samba does, which rounds one of them to
    /// microseconds.
    pub fn creation_may_be_made_up(&self) -> bool {
        const MICROSECOND_TICKS: u64 = 10;
        self.creation_time.is_some_and(|created| created.0.abs_diff(self.write_time.0) < MICROSECOND_TICKS)
    }

    /// Whether it says nothing that the creation time is another than before. Where none is stored, Samba tells the earliest of
    /// a file's times, and reading moves one of those. It even puts together (4.17) the second of the last write with the
    /// fraction of the change time, which it does not tell: so any moment within that second may be made up.
    pub fn creation_may_have_moved(&self) -> bool {
        let second = |time: Timestamp| time.0.div_euclid(TICKS_PER_SEC);
        let in_that_second = |created: Timestamp| second(created) == second(self.write_time);
        self.creation_may_be_made_up() || self.creation_time.is_some_and(in_that_second)
    }
}

/// One file, folder or link in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder listed.
    pub name: Name,
    /// What is known of it.
    pub meta: Meta,
}

/// Where a link points to, verbatim; never resolved by us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkTarget {
    /// The sort of link.
    pub kind: LinkType,
    /// POSIX: the link's text. Windows: the reparse data (MS-FSCC 2.1.2) or, where that was not read, empty.
    pub data: Vec<u8>,
}

/// The sort of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkType {
    /// A POSIX symbolic link.
    Posix,
    /// A Windows reparse point with this tag (SYMLINK or MOUNT_POINT).
    Windows(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creation_time_that_samba_may_have_made_up_proves_nothing() {
        let second = TICKS_PER_SEC;
        let write = 100 * second + 5_000_000;
        for (created, is_made_up, may_have_moved) in [
            (None, false, false),
            (Some(write), true, true),
            (Some(write + 9), true, true),
            (Some(write + 10), false, true),
            (Some(100 * second), false, true),
            (Some(101 * second - 1), false, true),
            (Some(101 * second), false, false),
            (Some(100 * second - 1), false, false),
        ] {
            let meta = Meta { creation_time: created.map(Timestamp), ..Meta::new(Kind::File, 1, Timestamp(write)) };
            let said = (meta.creation_may_be_made_up(), meta.creation_may_have_moved());
            assert_eq!(said, (is_made_up, may_have_moved), "{created:?}");
        }
    }

    #[test]
    fn what_windows_says_of_an_entry_makes_its_kind() {
        for (attributes, tag, kind) in [
            (0x20, 0, Kind::File),
            (0x10, 0, Kind::Folder),
            (0x420, 0xA000_000C, Kind::Link),
            (0x410, 0xA000_0003, Kind::Link),
            (0x20, 0xA000_000C, Kind::File),
            (0x410, 0x8000_000A, Kind::Other),
            (0x410, 0x8000_0012, Kind::Other),
            (0x420, 0x8000_000A, Kind::File),
            (0x10, 0x8000_000A, Kind::Folder),
            (0x410, 0x9000_001A, Kind::Folder),
            (0x420, 0x8000_0013, Kind::File),
        ] {
            assert_eq!(windows_kind(attributes, tag), kind, "{attributes:x} {tag:x}");
            let meta = Meta { attributes, ..Meta::new(kind, 0, Timestamp::from_unix(0, 0)) };
            assert_eq!(meta.is_dfs_link(), kind == Kind::Other, "{attributes:x} {tag:x}");
            assert_eq!(meta.looks_like_folder(), attributes & DIRECTORY != 0 && kind != Kind::Link);
        }
    }
}
