//! Reading a folder's names and what each is, as one stream.
//!
//! Used by both sides. Memory is one buffer, whatever the folder holds. What comes may be another machine's (a share
//! that Windows has open), so nothing in it is believed.

use crate::windows::Handle;
use crate::windows::fault::{self, Fault};
use crate::windows::nt::{self, Buffer, field};
use crate::windows::stat::{self, Side, Stat};
use octo_core::{Code, Entry, Error, ListSink, Name, wide};
use std::ops::ControlFlow;
use windows_sys::Wdk::Storage::FileSystem::FileIdFullDirectoryInformation;
use windows_sys::Win32::Storage::FileSystem::FILE_ATTRIBUTE_REPARSE_POINT;

/// One call's worth of entries. No share takes more at once.
const BUFFER_BYTES: usize = 64 * 1024;
/// Where the name begins in FILE_ID_FULL_DIR_INFORMATION.
const NAME_AT: usize = 80;

/// How reading a folder ended.
pub(crate) enum End {
    /// All of it was handed over.
    All,
    /// The sink wanted no more.
    Stopped,
    /// All names were read, but what `name` is could not be found out.
    #[expect(dead_code, reason = "Windows says with each name what it is")]
    Unclear {
        /// The first of them.
        name: Vec<u8>,
        /// Why.
        fault: Fault,
    },
}

/// Streams the folder's entries into `sink`. `volume` is the id's volume for all of them.
pub(crate) fn entries(folder: &Handle, side: Side, volume: u64, sink: &mut dyn ListSink) -> Result<End, Fault> {
    let flow = for_each(folder, |raw, stat| {
        let name = match Name::new(raw) {
            // What separates folders, or a file from its streams, would lead elsewhere.
            Ok(name) if !raw.contains(&b'\\') && !raw.contains(&b':') => name,
            Ok(_) => {
                sink.problem(raw, Error::new(Code::BadName, "the name contains \"\\\" or \":\""));
                return ControlFlow::Continue(());
            }
            Err(why) => {
                sink.problem(raw, Error::new(Code::BadName, why.reason()));
                return ControlFlow::Continue(());
            }
        };
        sink.entry(Entry { name, meta: stat::meta(stat, side, Some(volume)) })
    })?;
    Ok(if flow.is_break() { End::Stopped } else { End::All })
}

/// Calls `each` for every name in the folder, in the order of the filesystem, without `.` and `..`.
pub(crate) fn for_each(
    folder: &Handle,
    mut each: impl FnMut(&[u8], &Stat) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Fault> {
    let mut buffer = Box::new(Buffer([0; BUFFER_BYTES]));
    let mut first = true;
    while let Some(filled) = nt::query_directory(folder, FileIdFullDirectoryInformation, &mut buffer, first)? {
        first = false;
        let mut rest = buffer.0.get(..filled).unwrap_or_default();
        loop {
            let (name, stat) = entry(rest)?;
            if name != b"." && name != b".." && each(&name, &stat).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let next = field::u32(rest, 0)? as usize;
            if next == 0 {
                break;
            }
            rest = rest.get(next..).ok_or(fault::BAD_DATA)?;
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn entry(bytes: &[u8]) -> Result<(Vec<u8>, Stat), Fault> {
    let attributes = field::u32(bytes, 56)?;
    let name = field::text(bytes, NAME_AT, field::u32(bytes, 60)? as usize)?;
    let stat = Stat {
        attributes,
        // For reparse points the field of the extended attributes' size holds the tag instead (MS-FSCC 2.4).
        tag: if attributes & FILE_ATTRIBUTE_REPARSE_POINT == 0 { 0 } else { field::u32(bytes, 64)? },
        size_bytes: stat::size(field::u64(bytes, 40)?)?,
        creation: field::u64(bytes, 8)?,
        write: field::u64(bytes, 24)?,
        change: field::u64(bytes, 32)?,
        id: field::u64(bytes, 72)?,
        links: 1,
    };
    Ok((wide::to_wtf8(name), stat))
}
