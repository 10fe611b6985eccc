//! Alternate data streams: what lies under `file:name`.
//!
//! It must never open the stream without a name, which is the file's data.

use super::fault::{self, Fault};
use super::nt::{self, Buffer, How, field};
use super::opened::Opened;
use super::{Handle, positioned};
use crate::leftovers::{Data, Leftover, PIECE_BYTES};
use octo_core::{Metadata, wide};
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::SystemServices::FILE_NAMED_STREAMS;

/// As much of a list of streams as is taken.
const LIST_BYTES_MAX: usize = 64 * 1024;

/// A stream that is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    units: Vec<u16>,
    pub(crate) size_bytes: u64,
}

impl Listed {
    /// Its name, without colons and type.
    pub(crate) fn name(&self) -> Vec<u8> {
        wide::to_wtf8(self.units.iter().copied())
    }
}

/// Whether files of this filesystem have streams.
pub(crate) fn has_streams(on: &Handle) -> Result<bool, Fault> {
    // FILE_FS_ATTRIBUTE_INFORMATION begins with flags.
    let mut buffer = Buffer([0; 128]);
    let filled = nt::query_volume(on, wdk::FileFsAttributeInformation, &mut buffer)?;
    Ok(field::u32(buffer.0.get(..filled).unwrap_or_default(), 0)? & FILE_NAMED_STREAMS != 0)
}

/// All that have a name.
pub(crate) fn list(opened: &Opened) -> Result<Vec<Listed>, Fault> {
    if !has_streams(&opened.folder)? {
        return Ok(Vec::new());
    }
    let mut buffer = Box::new(Buffer([0; LIST_BYTES_MAX]));
    let handle = opened.with(fs::FILE_READ_ATTRIBUTES)?;
    let filled = nt::query_whole(&handle, wdk::FileStreamInformation, &mut buffer)?;
    parse(buffer.0.get(..filled).unwrap_or_default())
}

/// FILE_STREAM_INFORMATION (MS-FSCC 2.4.44): where the next one is, the name's length in bytes, size, room, name.
fn parse(mut rest: &[u8]) -> Result<Vec<Listed>, Fault> {
    const HEAD_BYTES: usize = 24;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let name: Vec<u16> = field::text(rest, HEAD_BYTES, field::u32(rest, 4)? as usize)?.collect();
        let size_bytes = super::stat::size(field::u64(rest, 8)?)?;
        if let Some(units) = wide::data_stream(&name) {
            all.push(Listed { units: units.to_vec(), size_bytes });
        }
        match field::u32(rest, 0)? as usize {
            0 => break,
            next if next < HEAD_BYTES => return Err(fault::BAD_DATA),
            next => rest = rest.get(next..).ok_or(fault::BAD_DATA)?,
        }
    }
    Ok(all)
}

/// Reads a stream in pieces of `PIECE_BYTES`, the last one shorter; at least one piece. Not more than was listed.
pub(crate) fn read<E>(
    opened: &Opened,
    stream: &Listed,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<Result<(), E>, Fault> {
    let how = How::open(fs::FILE_READ_DATA).with(wdk::FILE_NON_DIRECTORY_FILE);
    let handle = nt::open_stream(&opened.folder, &opened.name, &stream.units, how)?;
    let mut buffer = vec![0; usize::try_from(stream.size_bytes).unwrap_or(PIECE_BYTES).min(PIECE_BYTES)];
    let mut at = 0;
    loop {
        let left = usize::try_from(stream.size_bytes - at).unwrap_or(PIECE_BYTES);
        let wanted = left.min(buffer.len());
        let mut filled = 0;
        while filled < wanted {
            match positioned::read_at(&handle, &mut buffer[filled..wanted], at + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        if let Err(stop) = each(at, &buffer[..filled]) {
            return Ok(Err(stop));
        }
        at += filled as u64;
        if filled < wanted || at >= stream.size_bytes {
            return Ok(Ok(()));
        }
    }
}

/// Writes a stream, new or over the old one. What was begun and not finished is removed.
pub(crate) fn write(opened: &Opened, metadata: &Metadata, leftover: &Leftover<'_>) -> Result<(), Fault> {
    let units = wide::to_utf16(leftover.name).ok_or(fault::BAD_NAME)?;
    let how = How { disposition: wdk::FILE_OVERWRITE_IF, ..How::open(fs::FILE_WRITE_DATA) };
    let handle = nt::open_stream(&opened.folder, &opened.name, &units, how.with(wdk::FILE_NON_DIRECTORY_FILE))?;
    let written = write_all(&handle, metadata, &leftover.data);
    drop(handle);
    if written.is_err() {
        // It will be in the records; anyone who lists the streams next removes it if it is still there.
        let _ = remove(opened, &Listed { units, size_bytes: 0 });
    }
    written
}

fn write_all(handle: &Handle, metadata: &Metadata, data: &Data<'_>) -> Result<(), Fault> {
    match data {
        Data::Owned(bytes) => positioned::write_all_at(handle, bytes, 0),
        Data::Bytes(bytes) => positioned::write_all_at(handle, bytes, 0),
        Data::Bulk { offset_bytes, size_bytes } => {
            let bulk = metadata.bulk.as_ref().ok_or(fault::BAD_DATA)?;
            let mut buffer = vec![0; PIECE_BYTES];
            let mut at = 0;
            while at < *size_bytes {
                let wanted = usize::try_from(size_bytes - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
                let read = bulk.read_at(offset_bytes + at, &mut buffer[..wanted]).map_err(|_| fault::BAD_DATA)?;
                if read == 0 {
                    return Err(fault::BAD_DATA);
                }
                positioned::write_all_at(handle, &buffer[..read], at)?;
                at += read as u64;
            }
            Ok(())
        }
    }
}

/// Removes a stream.
pub(crate) fn remove(opened: &Opened, stream: &Listed) -> Result<(), Fault> {
    let how = How::open(fs::DELETE).with(wdk::FILE_NON_DIRECTORY_FILE);
    let handle = nt::open_stream(&opened.folder, &opened.name, &stream.units, how)?;
    nt::set(&handle, wdk::FileDispositionInformation, &[1], 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, size: u64, is_last: bool) -> Vec<u8> {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let len = (24 + name.len()).next_multiple_of(8);
        let mut bytes = (if is_last { 0 } else { len as u32 }).to_le_bytes().to_vec();
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(&name);
        bytes.resize(len, 0);
        bytes
    }

    #[test]
    fn streams_with_a_name_are_listed_and_the_data_of_the_file_is_none() {
        let said = [entry("::$DATA", 9, false), entry(":Zone.Identifier:$DATA", 26, false), entry(":x:$EA", 1, true)];
        let listed = parse(&said.concat()).unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].name(), listed[0].size_bytes), (b"Zone.Identifier".to_vec(), 26));
        assert_eq!(parse(&[]), Ok(Vec::new()));
    }

    #[test]
    fn a_list_that_lies_is_refused() {
        let good = entry(":a:$DATA", 1, false);
        assert!(parse(&good).is_ok_and(|all| all.len() == 1), "the next one would begin at the end");
        for (at, value) in [(0, 8), (0, 255), (4, 255), (15, 255)] {
            let mut bent = good.clone();
            bent[at] = value;
            assert!(parse(&bent).is_err(), "byte {at} is {value}");
        }
        for len in 1..good.len() {
            let _ = parse(&good[..len]);
        }
    }
}
