//! What both sides know of one file, folder or link.

use crate::path::Name;
use crate::time::Timestamp;

/// What an entry is. Reparse points other than SYMLINK and MOUNT_POINT are ordinary files and folders
/// (DESIGN section 5, "Links").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, junction or mount point; never followed.
    Link,
    /// A device, socket or pipe; never mirrored.
    Other,
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

    /// Whether the creation time may be made up of the last write time, as Samba does, which rounds one of them to
    /// microseconds.
    pub fn creation_may_be_made_up(&self) -> bool {
        const MICROSECOND_TICKS: u64 = 10;
        self.creation_time.is_some_and(|created| created.0.abs_diff(self.write_time.0) < MICROSECOND_TICKS)
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
