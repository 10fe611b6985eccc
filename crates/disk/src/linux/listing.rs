//! Reading a folder's names and what each is, as one stream.
//!
//! Used by both sides. Memory is one buffer, whatever the folder holds.

use crate::linux::stat::{self, Side};
use octo_core::{Code, Entry, Error, ListSink, Name};
use rustix::fs::{RawDir, Statx};
use rustix::io::Errno;
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};

/// One `getdents64` call's worth of names.
const BUFFER_BYTES: usize = 64 * 1024;

/// How reading a folder ended.
pub(crate) enum End {
    /// All of it was handed over.
    All,
    /// The sink wanted no more.
    Stopped,
    /// All names were read, but what `name` is could not be found out; neither of perhaps more.
    Unclear {
        /// The first of them.
        name: Vec<u8>,
        /// Why.
        fault: Errno,
    },
}

/// Calls `each` for every name in the folder, in the order of the filesystem, without `.` and `..`.
pub(crate) fn for_each_name(
    folder: BorrowedFd<'_>,
    mut each: impl FnMut(&CStr) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Errno> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    let mut names = RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(next) = names.next() {
        let entry = match next {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let name = entry.file_name();
        if name != c"." && name != c".." && each(name).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Streams the folder's entries into `sink`. `volume` is the id's volume for all of them. `each` sees before it what the
/// kernel says of those on the folder's own filesystem, and may have something to say of it.
pub(crate) fn entries(
    folder: BorrowedFd<'_>,
    side: Side,
    volume: u64,
    each: &mut dyn FnMut(&CStr, &Statx) -> Option<Error>,
    sink: &mut dyn ListSink,
) -> Result<End, Errno> {
    let device = stat::device(&stat::of_handle(folder.as_fd())?);
    let mut unclear = None;
    let flow = for_each_name(folder, |raw| {
        let stat = match stat::of_name(folder, raw) {
            Ok(stat) => stat,
            // Removed between reading the name and asking for it: it is not in the folder.
            Err(Errno::NOENT) => return ControlFlow::Continue(()),
            Err(errno) => {
                unclear.get_or_insert_with(|| (raw.to_bytes().to_vec(), errno));
                return ControlFlow::Continue(());
            }
        };
        let name = match Name::new(raw.to_bytes()) {
            Ok(name) => name,
            Err(why) => {
                sink.problem(raw.to_bytes(), Error::new(Code::BadName, why.reason()));
                return ControlFlow::Continue(());
            }
        };
        // Inode numbers of a mounted filesystem or a subvolume are another numbering.
        let volume = (stat::device(&stat) == device).then_some(volume);
        if volume.is_some()
            && let Some(problem) = each(raw, &stat)
        {
            sink.problem(raw.to_bytes(), problem);
        }
        sink.entry(Entry { name, meta: stat::meta(&stat, side, volume) })
    })?;
    Ok(match (flow, unclear) {
        (ControlFlow::Break(()), _) => End::Stopped,
        (_, Some((name, fault))) => End::Unclear { name, fault },
        _ => End::All,
    })
}
