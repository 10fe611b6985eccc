//! The primitives on the disk itself, each one effect, each relative to the root handle.
//!
//! Knows nothing of records. Errors stay those of Windows here; [`fault`] gives them a meaning. Newer versions of Windows
//! rename and remove as POSIX does, also what is open or read-only; older ones, and other filesystems, the old way.

use crate::windows::Handle;
use crate::windows::fault::{self, Fault};
use crate::windows::listing::{self, End};
use crate::windows::nt::{self, Buffer, How, field};
use crate::windows::permissions::Permissions;
use crate::windows::root::{Place, Root};
use crate::windows::stat::{self, Side, Stat};
use octo_core::{Done, Kind, LinkTarget, LinkType, ListSink, RelPath, Timestamp, naming, wide};
use std::os::windows::io::AsRawHandle;
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Foundation as win;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::Ioctl::FSCTL_GET_REPARSE_POINT;

/// The longest reparse data that Windows allows (MS-FSCC 2.1.2).
const REPARSE_BYTES_MAX: usize = 16 * 1024;
/// Reading and writing a file's data and times.
const READ_WRITE: u32 = fs::FILE_GENERIC_READ | fs::FILE_GENERIC_WRITE;
/// Only to look.
const LOOK: How = How::open(fs::FILE_READ_ATTRIBUTES);

/// What is at a path.
pub(crate) enum EntryAtPath {
    /// An entry.
    Taken(Stat),
    /// Nothing, but its folder exists.
    Free,
    /// Not even its folder exists.
    NoFolder,
}

/// What is at `path` itself.
pub(crate) fn entry_at(root: &Root, path: &RelPath) -> Result<EntryAtPath, Fault> {
    if path.is_root() {
        return Ok(if root.exists() {
            EntryAtPath::Taken(stat::of_handle(root.handle()?)?)
        } else {
            EntryAtPath::NoFolder
        });
    }
    match root.place(path) {
        Err(fault) if fault::is_missing(fault) => Ok(EntryAtPath::NoFolder),
        Err(fault) => Err(fault),
        Ok(place) => Ok(look(&place)?.map_or(EntryAtPath::Free, EntryAtPath::Taken)),
    }
}

fn look(place: &Place<'_>) -> Result<Option<Stat>, Fault> {
    match place.open(LOOK) {
        Ok(handle) => stat::of_handle(&handle).map(Some),
        Err(fault) if fault::is_missing(fault) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Streams the entries of a folder of the mirror into `sink`.
pub(crate) fn list(
    root: &Root,
    folder: &RelPath,
    volume: u64,
    _permissions: &Permissions,
    sink: &mut dyn ListSink,
) -> Result<End, Fault> {
    listing::entries(&open_folder(root, folder, fs::FILE_LIST_DIRECTORY)?, Side::Mirror, volume, sink)
}

/// Opens a folder, and nothing else, with these rights.
pub(crate) fn open_folder(root: &Root, path: &RelPath, access: u32) -> Result<Handle, Fault> {
    let handle = root.open(path, How::open(access).with(wdk::FILE_DIRECTORY_FILE))?;
    if stat::of_handle(&handle)?.kind() == Kind::Folder { Ok(handle) } else { Err(fault::LINK_IN_WAY) }
}

/// Makes a folder. It inherits its access list; `_mode` is for systems that have one.
pub(crate) fn make_folder(root: &Root, path: &RelPath, _mode: u32) -> Result<Done, Fault> {
    let how = How::create(fs::FILE_LIST_DIRECTORY, wdk::FILE_DIRECTORY_FILE);
    done(root.place(path).and_then(|place| place.open(how)).map(drop))
}

/// Makes a new, empty file. It inherits its access list.
pub(crate) fn create_file(root: &Root, path: &RelPath, _mode: u32) -> Result<Handle, Fault> {
    // The right to delete lets a staged file be renamed while it is open.
    root.open(path, How::create(READ_WRITE | fs::DELETE, wdk::FILE_NON_DIRECTORY_FILE))
}

/// Opens a regular file; `None` if nothing is there. For reading only where writing is not possible.
pub(crate) fn open_file(root: &Root, path: &RelPath) -> Result<Option<Handle>, Fault> {
    let open = |access| root.open(path, How::open(access).with(wdk::FILE_NON_DIRECTORY_FILE));
    let opened = match open(READ_WRITE) {
        // A copy that is nearly ready may be read-only already when the process dies.
        Err(fault::DENIED) if path.is_within(&crate::reserved("tmp")) => {
            root.open(path, How::open(fs::FILE_WRITE_ATTRIBUTES)).and_then(|handle| make_writable(&handle))?;
            open(READ_WRITE)
        }
        Err(fault::DENIED) => open(fs::FILE_GENERIC_READ),
        other => other,
    };
    let handle = match opened {
        Err(fault) if fault::is_missing(fault) => return Ok(None),
        other => other?,
    };
    if stat::of_handle(&handle)?.kind() == Kind::File { Ok(Some(handle)) } else { Err(fault::LINK_IN_WAY) }
}

/// What is read-only is so no longer.
fn make_writable(handle: &Handle) -> Result<(), Fault> {
    set_attributes(handle, stat::of_handle(handle)?.attributes & !fs::FILE_ATTRIBUTE_READONLY)
}

fn set_attributes(handle: &Handle, attributes: u32) -> Result<(), Fault> {
    // FILE_BASIC_INFORMATION; 0 would mean: as they are.
    let attributes = attributes | fs::FILE_ATTRIBUTE_NORMAL;
    nt::set(handle, wdk::FileBasicInformation, &[0, 0, 0, 0, attributes.into()], 40)
}

/// Links are only recorded: those of Windows point to places on another server, those of POSIX it does not have.
pub(crate) fn can_link(_link: &LinkTarget) -> bool {
    false
}

/// See [`can_link`].
pub(crate) fn make_link(_root: &Root, _path: &RelPath, _data: &[u8], _write: Timestamp) -> Result<Done, Fault> {
    Err(Fault(win::ERROR_NOT_SUPPORTED))
}

/// Where a link points to; `None` if there is something else or nothing.
pub(crate) fn read_link(root: &Root, path: &RelPath) -> Result<Option<LinkTarget>, Fault> {
    let handle = match root.place(path).and_then(|place| place.open(LOOK)) {
        // The root itself is no link.
        Err(fault) if fault::is_missing(fault) || fault == fault::BAD_ARGUMENT => return Ok(None),
        other => other?,
    };
    let stat = stat::of_handle(&handle)?;
    if stat.kind() != Kind::Link {
        return Ok(None);
    }
    let (tag, data) = reparse_point(&handle)?;
    Ok(Some(LinkTarget { kind: LinkType::Windows(tag), data }))
}

/// Tag and data of the reparse point of an open handle.
pub(crate) fn reparse_point(handle: &Handle) -> Result<(u32, Vec<u8>), Fault> {
    let mut buffer = Box::new(Buffer([0; REPARSE_BYTES_MAX]));
    let filled = nt::fs_control(handle, FSCTL_GET_REPARSE_POINT, &mut buffer)?;
    let (tag, data) = tag_and_data(buffer.0.get(..filled).unwrap_or_default())?;
    Ok((tag, data.to_vec()))
}

/// What a reparse point consists of (MS-FSCC 2.1.2.2), as every source tells it: without its head.
fn tag_and_data(point: &[u8]) -> Result<(u32, &[u8]), Fault> {
    const HEAD_BYTES: usize = 8;
    let size = usize::from(field::u16(point, 4)?);
    let data = point.get(HEAD_BYTES..HEAD_BYTES + size).ok_or(fault::BAD_DATA)?;
    Ok((field::u32(point, 0)?, data))
}

/// A second name. Of a link, the link itself.
pub(crate) fn hard_link(root: &Root, from: &RelPath, to: &RelPath) -> Result<Done, Fault> {
    between(root, from, to, |from, to| {
        let handle = from.open(How::open(fs::FILE_WRITE_ATTRIBUTES))?;
        if stat::of_handle(&handle)?.kind() == Kind::Folder {
            // As elsewhere: a name that is taken comes first.
            return Err(if look(to)?.is_some() { fault::TAKEN } else { fault::IS_FOLDER });
        }
        link_in(&handle, to.folder(), &to.name)
    })
}

/// One more name for an open file.
pub(crate) fn link_in(handle: &Handle, folder: &Handle, name: &[u16]) -> Result<(), Fault> {
    let (buffer, len) = naming_buffer(0, folder, name);
    nt::set(handle, wdk::FileLinkInformation, &buffer, len)
}

/// A rename that replaces a file or link.
pub(crate) fn rename_over(root: &Root, from: &RelPath, to: &RelPath) -> Result<Done, Fault> {
    let renamed = between(root, from, to, |from_place, to_place| {
        let handle = from_place.open(How::open(fs::DELETE))?;
        if let Some(there) = look(to_place)? {
            let here = stat::of_handle(&handle)?;
            if here.kind() == Kind::Folder {
                return Err(fault::NO_FOLDER);
            }
            // Two names of one file: POSIX says that nothing happens, Windows would lose one of them. One name written
            // in another case is renamed.
            let is_same_name = naming::fold(from.as_bytes()) == naming::fold(to.as_bytes());
            if here.id == there.id && !is_same_name {
                return Ok(());
            }
        }
        rename(&handle, to_place, true)
    })?;
    // A folder was to be replaced.
    if matches!(renamed, Done::Exists | Done::NotEmpty) { Err(fault::IS_FOLDER) } else { Ok(renamed) }
}

/// A rename that replaces nothing; Windows always can.
pub(crate) fn rename_new(root: &Root, from: &RelPath, to: &RelPath, _noreplace: bool) -> Result<Done, Fault> {
    between(root, from, to, |from_place, to_place| {
        let handle = from_place.open(How::open(fs::DELETE))?;
        // Its own name is taken too; Windows would say that all is done.
        if from == to { Err(fault::TAKEN) } else { rename(&handle, to_place, false) }
    })
}

fn rename(handle: &Handle, to: &Place<'_>, replace: bool) -> Result<(), Fault> {
    let replace_flag = if replace { wdk::FILE_RENAME_REPLACE_IF_EXISTS } else { 0 };
    let flags = replace_flag | wdk::FILE_RENAME_POSIX_SEMANTICS | wdk::FILE_RENAME_IGNORE_READONLY_ATTRIBUTE;
    let (buffer, len) = naming_buffer(flags, to.folder(), &to.name);
    match nt::set(handle, wdk::FileRenameInformationEx, &buffer, len) {
        Err(fault) if is_unknown(fault) => {
            // The old way replaces nothing that is read-only.
            if replace && look(to)?.is_some_and(|there| there.attributes & fs::FILE_ATTRIBUTE_READONLY != 0) {
                make_writable(&to.open(How::open(fs::FILE_WRITE_ATTRIBUTES))?)?;
            }
            let (buffer, len) = naming_buffer(replace_flag, to.folder(), &to.name);
            nt::set(handle, wdk::FileRenameInformation, &buffer, len)
        }
        other => other,
    }
}

/// FILE_RENAME_INFORMATION and FILE_LINK_INFORMATION: flags, root folder, the name's length in bytes, the name.
fn naming_buffer(flags: u32, folder: &Handle, name: &[u16]) -> (Vec<u64>, usize) {
    const HEAD_BYTES: usize = 20;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + name.len() * 2 + 8);
    bytes.extend_from_slice(&u64::from(flags).to_le_bytes());
    bytes.extend_from_slice(&(folder.as_raw_handle() as u64).to_le_bytes());
    bytes.extend_from_slice(&((name.len() * 2) as u32).to_le_bytes());
    bytes.extend(name.iter().flat_map(|unit| unit.to_le_bytes()));
    // The structure itself is longer than its head; a short name leaves some of it empty.
    let len = bytes.len().max(24);
    bytes.resize(len.next_multiple_of(8), 0);
    let words = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
    (words.collect(), len)
}

/// This version of Windows, or this filesystem, does not know the newer call.
fn is_unknown(fault: Fault) -> bool {
    matches!(
        fault.0,
        win::ERROR_INVALID_PARAMETER
            | win::ERROR_NOT_SUPPORTED
            | win::ERROR_INVALID_FUNCTION
            | win::ERROR_CALL_NOT_IMPLEMENTED
            | win::ERROR_INVALID_LEVEL
            | win::ERROR_BAD_LENGTH
    )
}

/// Removes one name of a file or link.
pub(crate) fn remove_file(root: &Root, path: &RelPath) -> Result<Done, Fault> {
    done(root.place(path).and_then(|place| {
        let handle = place.open(How::open(fs::DELETE | fs::FILE_WRITE_ATTRIBUTES))?;
        let stat = stat::of_handle(&handle)?;
        if stat.kind() == Kind::Folder { Err(fault::IS_FOLDER) } else { remove(&handle, &stat) }
    }))
}

/// Removes an empty folder.
pub(crate) fn remove_folder(root: &Root, path: &RelPath) -> Result<Done, Fault> {
    done(root.place(path).and_then(|place| {
        let how = How::open(fs::DELETE | fs::FILE_WRITE_ATTRIBUTES | fs::FILE_LIST_DIRECTORY);
        let handle = place.open(how.with(wdk::FILE_DIRECTORY_FILE))?;
        let stat = stat::of_handle(&handle)?;
        if stat.kind() == Kind::Folder { remove(&handle, &stat) } else { Err(fault::LINK_IN_WAY) }
    }))
}

fn remove(handle: &Handle, stat: &Stat) -> Result<(), Fault> {
    let flags = wdk::FILE_DISPOSITION_DELETE
        | wdk::FILE_DISPOSITION_POSIX_SEMANTICS
        | wdk::FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE;
    match nt::set(handle, wdk::FileDispositionInformationEx, &[flags.into()], 4) {
        Err(fault) if is_unknown(fault) => {}
        other => return other,
    }
    let is_read_only = stat.attributes & fs::FILE_ATTRIBUTE_READONLY != 0;
    if is_read_only {
        make_writable(handle)?;
    }
    let removed = nt::set(handle, wdk::FileDispositionInformation, &[1], 1);
    if is_read_only {
        // The file may have other names.
        set_attributes(handle, stat.attributes)?;
    }
    removed
}

/// Sets the times of whatever is there. `Done::Missing` if nothing is.
pub(crate) fn set_time(
    root: &Root,
    path: &RelPath,
    write: Timestamp,
    creation: Option<Timestamp>,
) -> Result<Done, Fault> {
    let opened = root.open(path, How::open(fs::FILE_WRITE_ATTRIBUTES));
    done(opened.and_then(|handle| stat::set_times(&handle, write, creation)))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(root: &Root, path: &RelPath) -> Result<(), Fault> {
    match open_folder(root, path, fs::FILE_ADD_FILE).and_then(|folder| nt::flush(&folder)) {
        // Filesystems whose folders cannot be synced keep them in order by themselves.
        Err(Fault(win::ERROR_INVALID_HANDLE | win::ERROR_INVALID_FUNCTION | win::ERROR_NOT_SUPPORTED)) => Ok(()),
        other => other,
    }
}

fn between(
    root: &Root,
    from: &RelPath,
    to: &RelPath,
    act: impl FnOnce(&Place<'_>, &Place<'_>) -> Result<(), Fault>,
) -> Result<Done, Fault> {
    let places = root.place(from).and_then(|from| Ok((from, root.place(to)?)));
    match places {
        Err(fault) if fault::is_missing(fault) => Ok(Done::Missing),
        Err(fault) => Err(fault),
        Ok((from, to)) => done(act(&from, &to)),
    }
}

fn done(result: Result<(), Fault>) -> Result<Done, Fault> {
    match result {
        Ok(()) => Ok(Done::Yes),
        Err(fault) if fault::is_missing(fault) => Ok(Done::Missing),
        Err(Fault(win::ERROR_ALREADY_EXISTS | win::ERROR_FILE_EXISTS)) => Ok(Done::Exists),
        Err(Fault(win::ERROR_DIR_NOT_EMPTY)) => Ok(Done::NotEmpty),
        Err(fault) => Err(fault),
    }
}

/// A file in `folder` with a name that nobody else has, gone when it is closed, whatever happens.
pub(crate) fn passing(folder: &Handle, name: &str) -> Result<Handle, Fault> {
    let options = wdk::FILE_NON_DIRECTORY_FILE | wdk::FILE_DELETE_ON_CLOSE;
    let name = wide::to_utf16(name.as_bytes()).ok_or(fault::BAD_NAME)?;
    nt::open(folder, &name, How::create(READ_WRITE | fs::DELETE, options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reparse_point_gives_tag_and_data_and_what_is_cut_is_refused() {
        let point = [&0xA000_000Cu32.to_le_bytes()[..], &[3, 0, 0, 0], b"abc"].concat();
        assert_eq!(tag_and_data(&point), Ok((0xA000_000C, &b"abc"[..])));
        assert!((0..point.len()).all(|len| tag_and_data(&point[..len]).is_err()));
    }
}
