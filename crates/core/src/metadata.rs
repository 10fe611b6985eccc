//! What an entry has besides its data: attributes, creation time, security descriptor, streams and the like.
//!
//! A source hands it over in [`Piece`]s, the engine gathers them into a [`Metadata`], the target keeps that as well as it
//! can. All of it is hostile input: sizes are bounded here, and a security descriptor is looked into only as far as needed
//! to know that it is one. Metadata never makes the copy of a file's data fail: what is lost is counted and said.

use crate::error::Error;
use crate::target_file::TargetFile;
use crate::time::Timestamp;

/// Whether metadata is read and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// All of it.
    #[default]
    Full,
    /// Data and last write times only.
    Basic,
    /// All of it, read again for every entry: a source may change permissions without telling it in any time.
    Refresh,
}

/// The parts that metadata has, for what is said of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// DOS attributes and creation time.
    Attributes,
    /// Owner, group, DACL and SACL.
    Security,
    /// Alternate data streams.
    Streams,
    /// Extended attributes, as Windows or as POSIX has them.
    Extended,
    /// The data of a reparse point that is not a link.
    Reparse,
    /// Owner and mode of a POSIX file.
    Posix,
}

impl Part {
    /// In plain words, as the beginning of a sentence's object.
    pub fn words(self) -> &'static str {
        match self {
            Part::Attributes => "the attributes",
            Part::Security => "the permissions (security descriptor)",
            Part::Streams => "alternate data streams",
            Part::Extended => "extended attributes",
            Part::Reparse => "the reparse data",
            Part::Posix => "owner and mode",
        }
    }
}

/// The largest security descriptor taken: two ACLs of 64 KiB, two SIDs, a head.
pub const SECURITY_BYTES_MAX: usize = 160 << 10;
/// The most bytes of extended attributes taken of one entry, names included.
pub const EXTENDED_BYTES_MAX: usize = 256 << 10;
/// The most streams taken of one entry.
pub const STREAMS_MAX: usize = 10_000;
/// The longest name of a stream or attribute taken.
pub const NAME_BYTES_MAX: usize = 1024;

/// One piece of metadata on its way from a source.
#[derive(Debug)]
pub enum Piece<'a> {
    /// The security descriptor, self-relative (MS-DTYP 2.4.6).
    Security(&'a [u8]),
    /// One extended attribute of Windows.
    Extended {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// A named stream begins; its data follows.
    Stream {
        /// Its name in WTF-8, without colons and type.
        name: &'a [u8],
        /// Its size as announced.
        size_bytes: u64,
    },
    /// More bytes of the stream that was begun last, in order.
    StreamData(&'a [u8]),
    /// The reparse point of something that is not a link.
    Reparse {
        /// Its tag.
        tag: u32,
        /// Its data.
        data: &'a [u8],
    },
    /// Owner and mode of a POSIX file.
    Posix(Posix),
    /// One extended attribute of a POSIX file, ACLs included.
    Xattr {
        /// Its name, with its namespace.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// A part is not known, or not all of it: what was kept of it before stays. With an error it is lost and counted;
    /// without one the source does not have such a thing.
    Unknown(Part, Option<Error>),
}

/// Owner and mode of a POSIX file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posix {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits, set-id and sticky bits included.
    pub mode: u32,
}

/// A name with its value.
pub type Named = (Vec<u8>, Vec<u8>);

/// What an entry has besides its data.
#[derive(Default)]
pub struct Metadata {
    /// DOS attributes (MS-FSCC 2.6).
    pub attributes: u32,
    /// Creation time.
    pub creation_time: Option<Timestamp>,
    /// The security descriptor, self-relative; checked with [`is_security_descriptor`].
    pub security: Option<Vec<u8>>,
    /// Named streams.
    pub streams: Vec<Stream>,
    /// What is too large for memory of all streams together.
    pub bulk: Option<Box<dyn TargetFile>>,
    /// Extended attributes of Windows.
    pub extended: Vec<Named>,
    /// Extended attributes of POSIX.
    pub xattrs: Vec<Named>,
    /// Tag and data of a reparse point.
    pub reparse: Option<(u32, Vec<u8>)>,
    /// Owner and mode.
    pub posix: Option<Posix>,
    /// Parts that are not known, or not completely: nothing that was kept of them before is to be removed.
    pub unknown: Vec<Part>,
}

/// A named stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its name in WTF-8, without colons and type.
    pub name: Vec<u8>,
    /// Its data.
    pub content: StreamContent,
}

/// The data of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamContent {
    /// The bytes themselves.
    Bytes(Vec<u8>),
    /// In [`Metadata::bulk`].
    Bulk {
        /// Where it begins there.
        offset_bytes: u64,
        /// How long it is.
        size_bytes: u64,
    },
}

impl Metadata {
    /// Whether nothing that was kept of `part` before may be removed.
    pub fn is_unknown(&self, part: Part) -> bool {
        self.unknown.contains(&part)
    }
}

/// What a target did with metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Something of it did not fit into the filesystem and is in `meta/`.
    pub in_records: bool,
    /// Something of it did not fit, and could not be recorded either.
    pub is_lost: bool,
}

/// Whether these bytes are a self-relative security descriptor whose owner, group and ACLs lie within it (MS-DTYP 2.4.6).
/// The entries of the ACLs are not looked at.
pub fn is_security_descriptor(bytes: &[u8]) -> bool {
    const SELF_RELATIVE: u16 = 0x8000;
    const HEAD_BYTES: usize = 20;
    let u16_at = |at: usize| bytes.get(at..at.checked_add(2)?).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let place = |at: usize| {
        let field = bytes.get(at..at + 4)?;
        usize::try_from(u32::from_le_bytes([field[0], field[1], field[2], field[3]])).ok()
    };
    let within = |at: usize, len: usize| at >= HEAD_BYTES && at.checked_add(len).is_some_and(|end| end <= bytes.len());
    let sid = |at: usize| {
        let count = at.checked_add(1).and_then(|at| bytes.get(at)).map(|&count| usize::from(count));
        at == 0 || count.is_some_and(|count| count <= 15 && bytes[at] == 1 && within(at, 8 + 4 * count))
    };
    let acl = |at: usize| {
        let size = at.checked_add(2).and_then(u16_at).map(usize::from);
        at == 0 || size.is_some_and(|size| size >= 8 && within(at, size))
    };
    let has_head = bytes.len() >= HEAD_BYTES && bytes.len() <= SECURITY_BYTES_MAX && bytes[0] == 1;
    has_head
        && u16_at(2).is_some_and(|control| control & SELF_RELATIVE != 0)
        && place(4).is_some_and(sid)
        && place(8).is_some_and(sid)
        && place(12).is_some_and(acl)
        && place(16).is_some_and(acl)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Owner and group Administrators, a DACL with nothing in it.
    fn plain() -> Vec<u8> {
        let sid = [1u8, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
        let mut bytes = vec![1, 0, 4, 0x80];
        for place in [20u32, 36, 0, 52] {
            bytes.extend(place.to_le_bytes());
        }
        bytes.extend(sid);
        bytes.extend(sid);
        bytes.extend([2u8, 0, 8, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn a_descriptor_is_one_only_while_everything_lies_within_it() {
        assert!(is_security_descriptor(&plain()));
        for len in 0..plain().len() {
            assert!(!is_security_descriptor(&plain()[..len]), "cut to {len}");
        }
        for (at, value) in [(0, 2), (3, 0), (4, 60), (7, 255), (16, 19), (20, 2), (21, 200), (54, 7), (54, 9)] {
            let mut bent = plain();
            bent[at] = value;
            assert!(!is_security_descriptor(&bent), "byte {at} is {value}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_check_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in 0usize..80, value in any::<u8>()) {
            let _ = is_security_descriptor(&bytes);
            let mut bent = plain();
            if let Some(byte) = bent.get_mut(at) { *byte = value; }
            let _ = is_security_descriptor(&bent);
        }
    }
}
