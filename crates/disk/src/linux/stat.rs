//! What the kernel says of an entry, in our words; and times on their way to it.

use octo_core::{FileId, Kind, Meta, Timestamp};
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, Timespec, Timestamps, UTIME_NOW, statx};
use rustix::io::Errno;
use rustix::path::Arg;
use std::os::fd::AsFd;

/// What listings and handles are asked for.
pub(crate) const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// Asks what `name` in `folder` itself is; an automount is not triggered.
pub(crate) fn of_name(folder: impl AsFd, name: impl Arg) -> Result<Statx, Errno> {
    statx(folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, WANTED)
}

/// Asks what an open handle is.
pub(crate) fn of_handle(fd: impl AsFd) -> Result<Statx, Errno> {
    statx(fd, c"", AtFlags::EMPTY_PATH, WANTED)
}

/// The device a file is on.
pub(crate) fn device(stat: &Statx) -> (u32, u32) {
    (stat.stx_dev_major, stat.stx_dev_minor)
}

/// What is at this place.
pub(crate) fn kind(stat: &Statx) -> Kind {
    match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

/// Whose entries these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// A source: when a file was born tells it from another with the same inode number.
    Source,
    /// The mirror: when the copy was born says nothing of the original, and cannot be set.
    Mirror,
}

/// In our words. `volume` goes into the id; no volume, no id.
pub(crate) fn meta(stat: &Statx, side: Side, volume: Option<u64>) -> Meta {
    let kind = kind(stat);
    let born = side == Side::Source && StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
    Meta {
        kind,
        size_bytes: if kind == Kind::File { stat.stx_size } else { 0 },
        write_time: timestamp(&stat.stx_mtime),
        creation_time: born.then(|| timestamp(&stat.stx_btime)),
        change_time: Some(timestamp(&stat.stx_ctime)),
        attributes: 0,
        id: volume.map(|volume| FileId { volume, id: stat.stx_ino.into() }),
        links: stat.stx_nlink,
        is_local: true,
    }
}

pub(crate) fn timestamp(time: &StatxTimestamp) -> Timestamp {
    Timestamp::from_unix(time.tv_sec, time.tv_nsec)
}

/// Sets the last write time. The access time becomes now: filesystems made with the old FUSE library silently set neither
/// if one of them is left out.
pub(crate) fn write_time(write: Timestamp) -> Timestamps {
    let (secs, nanos) = write.to_unix();
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        last_modification: Timespec { tv_sec: secs, tv_nsec: nanos.into() },
    }
}
