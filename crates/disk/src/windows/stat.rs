//! What Windows says of an entry, in our words; and times on their way to it.

use crate::windows::Handle;
use crate::windows::fault::{self, Fault};
use crate::windows::nt::{self, Buffer, field};
use octo_core::{FileId, Kind, Meta, Timestamp, windows_kind};
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Storage::FileSystem as fs;

/// Attributes that say: the data is elsewhere and would be fetched by reading it.
const NOT_LOCAL: u32 =
    fs::FILE_ATTRIBUTE_OFFLINE | fs::FILE_ATTRIBUTE_RECALL_ON_OPEN | fs::FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) attributes: u32,
    /// Of a reparse point; 0 if it is none, or if nobody says.
    pub(crate) tag: u32,
    pub(crate) size_bytes: u64,
    /// FILETIMEs: creation, last write, change.
    pub(crate) creation: u64,
    pub(crate) write: u64,
    pub(crate) change: u64,
    pub(crate) id: u64,
    pub(crate) links: u32,
}

impl Stat {
    /// What it is. A reparse point that nobody names is taken for a link, which is never followed.
    pub(crate) fn kind(&self) -> Kind {
        let is_reparse = self.attributes & fs::FILE_ATTRIBUTE_REPARSE_POINT != 0;
        if is_reparse && self.tag == 0 { Kind::Link } else { windows_kind(self.attributes, self.tag) }
    }
}

/// Whose entries these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// A source: when a file was born tells it from another with the same number.
    Source,
    /// The mirror: its attributes are its own.
    Mirror,
}

/// What is at this place.
pub(crate) fn kind(stat: &Stat) -> Kind {
    stat.kind()
}

/// In our words. `volume` goes into the id; no volume, no id.
pub(crate) fn meta(stat: &Stat, side: Side, volume: Option<u64>) -> Meta {
    let kind = stat.kind();
    let known = |filetime: u64| (filetime != 0).then(|| Timestamp::from_filetime(filetime));
    Meta {
        kind,
        size_bytes: if kind == Kind::File { stat.size_bytes } else { 0 },
        write_time: Timestamp::from_filetime(stat.write),
        creation_time: known(stat.creation),
        change_time: known(stat.change),
        attributes: if side == Side::Source { stat.attributes } else { 0 },
        id: volume.map(|volume| FileId { volume, id: stat.id.into() }),
        links: stat.links,
        is_local: side == Side::Mirror || stat.attributes & NOT_LOCAL == 0,
    }
}

/// Asks what an open handle is.
pub(crate) fn of_handle(handle: &Handle) -> Result<Stat, Fault> {
    // FILE_ALL_INFORMATION: basic 40 bytes, standard 24, internal 8, and what is of no use here; the name is cut.
    let mut buffer = Buffer([0; 112]);
    let filled = nt::query(handle, wdk::FileAllInformation, &mut buffer)?;
    let all = buffer.0.get(..filled).unwrap_or_default();
    let attributes = field::u32(all, 32)?;
    Ok(Stat {
        attributes,
        tag: if attributes & fs::FILE_ATTRIBUTE_REPARSE_POINT == 0 { 0 } else { tag(handle)? },
        size_bytes: size(field::u64(all, 48)?)?,
        creation: field::u64(all, 0)?,
        write: field::u64(all, 16)?,
        change: field::u64(all, 24)?,
        id: field::u64(all, 64)?,
        links: field::u32(all, 56)?.max(1),
    })
}

/// A size is a signed number; no file has a negative one.
pub(crate) fn size(said: u64) -> Result<u64, Fault> {
    if i64::try_from(said).is_ok() { Ok(said) } else { Err(fault::BAD_DATA) }
}

fn tag(handle: &Handle) -> Result<u32, Fault> {
    let mut buffer = Buffer([0; 8]);
    nt::query(handle, wdk::FileAttributeTagInformation, &mut buffer)?;
    field::u32(&buffer.0, 4)
}

/// Sets the last write time, and the creation time if one is given. Zero means to Windows: leave it as it is.
pub(crate) fn set_times(handle: &Handle, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Fault> {
    let filetime = |time: Timestamp| time.to_filetime().clamp(1, i64::MAX.cast_unsigned());
    // FILE_BASIC_INFORMATION: creation, last access, last write, change, attributes.
    let basic = [creation.map_or(0, filetime), 0, filetime(write), 0, 0];
    nt::set(handle, wdk::FileBasicInformation, &basic, 40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::System::SystemServices as tags;

    #[test]
    fn only_symbolic_links_and_mount_points_are_links() {
        let stat = |attributes, tag| Stat {
            attributes,
            tag,
            size_bytes: 5,
            creation: 1,
            write: 2,
            change: 3,
            id: 4,
            links: 1,
        };
        let kind = |attributes, tag| stat(attributes, tag).kind();
        let reparse = fs::FILE_ATTRIBUTE_REPARSE_POINT;
        assert_eq!(kind(0, 0), Kind::File);
        assert_eq!(kind(fs::FILE_ATTRIBUTE_DIRECTORY, 0), Kind::Folder);
        assert_eq!(kind(reparse, tags::IO_REPARSE_TAG_SYMLINK), Kind::Link);
        assert_eq!(kind(reparse | fs::FILE_ATTRIBUTE_DIRECTORY, tags::IO_REPARSE_TAG_MOUNT_POINT), Kind::Link);
        assert_eq!(kind(reparse, tags::IO_REPARSE_TAG_DEDUP), Kind::File);
        assert_eq!(kind(reparse | fs::FILE_ATTRIBUTE_DIRECTORY, tags::IO_REPARSE_TAG_CLOUD), Kind::Folder);
        assert_eq!(kind(reparse | fs::FILE_ATTRIBUTE_DIRECTORY, tags::IO_REPARSE_TAG_DFS), Kind::Other);
        assert_eq!(kind(reparse, 0), Kind::Link, "nobody says which");
        let recalled = stat(reparse | fs::FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS, tags::IO_REPARSE_TAG_CLOUD);
        assert!(!meta(&recalled, Side::Source, None).is_local);
    }
}
