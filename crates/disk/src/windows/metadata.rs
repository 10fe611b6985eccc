//! Metadata on its way to what Windows itself keeps with a file, and back.
//!
//! What does not come back as it was set is left to the records: streams on a disk that has none, attributes that only the
//! filesystem itself can give. It must never lock the account out of its own mirror, so access lists are set only
//! while SeRestorePrivilege is on, which reaches everything; and never touch a file's data or last write time.

use super::fault::{self, Fault};
use super::nt;
pub(crate) use super::opened::Opened;
use super::root::Root;
use super::stat::{self, Stat};
use super::{privilege, security, streams, tree};
use crate::leftovers::{self, Leftover};
use crate::records::PieceKind;
use octo_core::metadata::{Metadata, Part, Piece};
use octo_core::{Error, Kind, RelPath, Stop, TargetFile, Timestamp};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use windows_sys::Wdk::Storage::FileSystem::FileBasicInformation;
use windows_sys::Win32::Storage::FileSystem as fs;

/// Outside a mirror: Windows has no owner, mode or attributes of POSIX to give. True if there are none.
pub(crate) fn apply_posix(_: &Opened, metadata: &Metadata) -> bool {
    metadata.posix.is_none() && metadata.xattrs.is_empty() && metadata.reparse.is_none()
}

/// Attributes that a program may give. The others tell how the data lies on its disk.
const SETTABLE: u32 = fs::FILE_ATTRIBUTE_READONLY
    | fs::FILE_ATTRIBUTE_HIDDEN
    | fs::FILE_ATTRIBUTE_SYSTEM
    | fs::FILE_ATTRIBUTE_ARCHIVE
    | fs::FILE_ATTRIBUTE_NOT_CONTENT_INDEXED;
/// Attributes that say nothing about a file.
const SAYING_NOTHING: u32 = fs::FILE_ATTRIBUTE_NORMAL | fs::FILE_ATTRIBUTE_DIRECTORY;

/// A file or folder, for its metadata; `None` if nothing is there, or a link.
pub(crate) fn open(root: &Root, path: &RelPath) -> Result<Option<Opened>, Fault> {
    let find = || {
        let (folder, name) = match path.is_root() {
            true => (root.handle()?.try_clone()?, Vec::new()),
            false => root.place(path)?.into_parts()?,
        };
        let opened = Opened { folder, name };
        let kind = opened.stat()?.kind();
        Ok((kind != Kind::Link).then_some(opened))
    };
    match find() {
        Err(fault) if fault::is_no_folder(fault) => Ok(None),
        other => other,
    }
}

/// All that Windows keeps with it; `None` of the mirror's own folder, which is the administrator's. `scratch` is for
/// streams that are too large for memory.
pub(crate) fn read(
    opened: &Opened,
    scratch: impl Fn() -> Result<Box<dyn TargetFile>, Error>,
) -> Result<Option<Metadata>, Fault> {
    if opened.name.is_empty() {
        return Ok(None);
    }
    let stat = opened.stat()?;
    let mut metadata = Metadata {
        attributes: stat.attributes,
        creation_time: creation(&stat),
        security: Some(security::read(opened)?),
        ..Metadata::default()
    };
    for stream in streams::list(opened)? {
        let name = stream.name();
        streams::read(opened, &stream, |at, bytes| {
            leftovers::add_stream(&mut metadata, &name, at, bytes, &scratch).map_err(|_| fault::BAD_DATA)
        })??;
    }
    Ok(Some(metadata))
}

fn creation(stat: &Stat) -> Option<Timestamp> {
    (stat.creation != 0).then(|| Timestamp::from_filetime(stat.creation))
}

/// Hands over what a source has, but for attributes and times. What cannot be read is called unknown.
pub(crate) fn hand_over(
    root: &Root,
    path: &RelPath,
    sink: &mut dyn FnMut(Piece<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let unknown = |part, fault| Piece::Unknown(part, Some(fault::source(fault, "reading the metadata of", path)));
    // Extended attributes are what OS/2 and WSL have; nobody else sees them.
    sink(Piece::Unknown(Part::Extended, None))?;
    let opened = match open(root, path).and_then(|opened| opened.ok_or(fault::MISSING)) {
        Ok(opened) => opened,
        Err(fault) => {
            return [Part::Security, Part::Streams, Part::Reparse]
                .into_iter()
                .try_for_each(|part| sink(unknown(part, fault)));
        }
    };
    match security::read(&opened) {
        Ok(bytes) => sink(Piece::Security(&bytes))?,
        Err(fault) => sink(unknown(Part::Security, fault))?,
    }
    match reparse_point(&opened) {
        Ok(Some((tag, data))) => sink(Piece::Reparse { tag, data: &data })?,
        Ok(None) => {}
        Err(fault) => sink(unknown(Part::Reparse, fault))?,
    }
    match streams::has_streams(&opened.folder)
        .and_then(|has| if has { streams::list(&opened).map(Some) } else { Ok(None) })
    {
        Ok(None) => sink(Piece::Unknown(Part::Streams, None)),
        Err(fault) => sink(unknown(Part::Streams, fault)),
        Ok(Some(all)) => all.iter().try_for_each(|stream| {
            sink(Piece::Stream { name: &stream.name(), size_bytes: stream.size_bytes })?;
            match streams::read(&opened, stream, |_, bytes| sink(Piece::StreamData(bytes))) {
                Ok(status) => status,
                Err(fault) => sink(unknown(Part::Streams, fault)),
            }
        }),
    }
}

/// Tag and data of what is not a link, such as a deduplicated file.
fn reparse_point(opened: &Opened) -> Result<Option<(u32, Vec<u8>)>, Fault> {
    let handle = opened.with(fs::FILE_READ_ATTRIBUTES)?;
    if stat::of_handle(&handle)?.attributes & fs::FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        return Ok(None);
    }
    tree::reparse_point(&handle).map(Some)
}

/// What was found out while metadata was set.
#[derive(Debug, Default)]
pub(crate) struct AttributeSupport {
    no_restore: AtomicBool,
    no_streams: AtomicBool,
    no_lists: AtomicBool,
}

impl AttributeSupport {
    /// What the report has to say.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let said = |flag: &AtomicBool, what: &str| {
            let is_so = flag.load(Ordering::Relaxed);
            is_so.then(|| format!("{what}: they are kept in .octobackup\\meta, not on the mirror's files"))
        };
        let remarks = [
            said(&self.no_restore, "permissions are set only with SeRestorePrivilege, which is missing"),
            said(&self.no_lists, "the mirror's filesystem does not hold permissions as they were"),
            said(&self.no_streams, "the mirror's filesystem has no alternate data streams"),
        ];
        remarks.into_iter().flatten().collect()
    }

    /// Sets what Windows can hold, and removes streams that are not wanted any more. Returns what it did not hold.
    pub(crate) fn set<'m>(&self, opened: &Opened, metadata: &'m Metadata) -> Result<Vec<Leftover<'m>>, Fault> {
        let mut left = leftovers::all(metadata);
        // The mirror's own folder is the administrator's: who may reach it, and whether it is hidden, is not the source's
        // business.
        if opened.name.is_empty() {
            return Ok(left);
        }
        let before = opened.stat()?;
        if streams::has_streams(&opened.folder)? {
            if before.attributes & fs::FILE_ATTRIBUTE_READONLY != 0 {
                set_basic(opened, &before, None, before.attributes & !fs::FILE_ATTRIBUTE_READONLY)?;
            }
            set_streams(opened, metadata, &mut left)?;
        } else if !metadata.streams.is_empty() {
            self.no_streams.store(true, Ordering::Relaxed);
        }
        if let Some(wanted) = &metadata.security
            && self.set_security(opened, wanted)
        {
            left.retain(|leftover| leftover.sort != PieceKind::Security);
        }
        // Last: what is read-only takes no streams, and a stream that is written moves the last write time.
        if metadata.is_unknown(Part::Attributes) {
            set_basic(opened, &before, None, before.attributes)?;
        } else {
            // What other filesystems tell of may be nothing that this one takes.
            if set_basic(opened, &before, metadata.creation_time, metadata.attributes).is_err() {
                set_basic(opened, &before, None, before.attributes)?;
            }
            let now = opened.stat()?;
            // It may be sparse here and not there: that is how its data lies.
            let unlike = now.attributes ^ metadata.attributes;
            let is_held = unlike & !(SAYING_NOTHING | (now.attributes & fs::FILE_ATTRIBUTE_SPARSE_FILE)) == 0
                && metadata.creation_time.is_none_or(|time| creation(&now) == Some(time));
            if is_held {
                left.retain(|leftover| leftover.sort != PieceKind::Attributes);
            }
        }
        Ok(left)
    }

    fn set_security(&self, opened: &Opened, wanted: &[u8]) -> bool {
        if !privilege::is_raised(privilege::RESTORE) {
            self.no_restore.store(true, Ordering::Relaxed);
            return false;
        }
        let held = security::set(opened, wanted).is_ok() && security::holds(opened, wanted);
        if !held {
            self.no_lists.store(true, Ordering::Relaxed);
        }
        held
    }
}

/// Writes the streams wanted and takes from `left` those that are held now; removes the others.
fn set_streams(opened: &Opened, metadata: &Metadata, left: &mut Vec<Leftover<'_>>) -> Result<(), Fault> {
    let mut held = BTreeSet::new();
    left.retain(|leftover| {
        let written = leftover.sort == PieceKind::Stream && streams::write(opened, metadata, leftover).is_ok();
        if written {
            held.insert(leftover.name.to_vec());
        }
        !written
    });
    for there in streams::list(opened)? {
        let name = there.name();
        // A name in another case is the same stream.
        let is_held = held.iter().any(|held| octo_core::naming::fold(held) == octo_core::naming::fold(&name));
        let is_recorded = left.iter().any(|leftover| leftover.sort == PieceKind::Stream && leftover.name == name);
        if !is_held && (is_recorded || !metadata.is_unknown(Part::Streams)) {
            streams::remove(opened, &there)?;
        }
    }
    Ok(())
}

/// Attributes, creation time, and the last write time as it was.
fn set_basic(opened: &Opened, before: &Stat, creation: Option<Timestamp>, attributes: u32) -> Result<(), Fault> {
    let handle = opened.with(fs::FILE_WRITE_ATTRIBUTES)?;
    let creation = creation.map_or(0, |time| time.to_filetime().clamp(1, i64::MAX.cast_unsigned()));
    // With this one there is never none, which would mean: leave them as they are.
    let attributes = (attributes & SETTABLE) | fs::FILE_ATTRIBUTE_NORMAL;
    // FILE_BASIC_INFORMATION: creation, last access, last write, change, attributes.
    nt::set(&handle, FileBasicInformation, &[creation, 0, before.write, 0, attributes.into()], 40)
}
