//! Metadata on its way to Samba's extended attributes and back. What the filesystem refuses is left to the records.
//!
//! It must never follow a link or touch an attribute that is neither Samba's nor a source's.

use crate::leftovers::{Data, Leftover};
use crate::linux::root::Root;
use crate::records::PieceKind;
use crate::samba;
use octo_core::metadata::{Named, Posix, Stream, StreamContent};
use octo_core::{Code, Error, Metadata, Part, Piece, RelPath, Stop, TargetFile};
use rustix::fs::{Mode, OFlags, XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// The largest value Linux takes for an attribute, and the largest list of their names.
const VALUE_BYTES_MAX: usize = 64 << 10;
const NAME_BYTES_MAX: usize = 255;

/// Gives an open file or folder the owner, the mode and the extended attributes that it had on the source, as far as this account may:
/// outside a mirror, where they are not only recorded. True if it has all of them. Never a set-id bit (DESIGN rule 9).
pub(crate) fn apply_posix(fd: &OwnedFd, metadata: &Metadata) -> bool {
    use rustix::fs::{Gid, Uid, fchmod, fchown};
    let mut has_all = metadata.reparse.is_none();
    if let Some(Posix { uid, gid, mode }) = metadata.posix {
        has_all &= fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).is_ok();
        has_all &= fchmod(fd, Mode::from_raw_mode(mode & 0o777)).is_ok() && mode & 0o6000 == 0;
    }
    for (name, value) in &metadata.xattrs {
        // Others are for the kernel, or for one machine.
        let is_given = name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_");
        has_all &= is_given && fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()).is_ok();
    }
    has_all
}

/// Hands over what an open file or folder of a source has besides its data: owner, mode, and all extended attributes, among
/// which are its ACLs.
pub(crate) fn hand_over(fd: &OwnedFd, sink: &mut dyn FnMut(Piece<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
    for part in [Part::Attributes, Part::Security, Part::Streams] {
        sink(Piece::Unknown(part, None))?;
    }
    let lost = |part, errno: Errno| Piece::Unknown(part, Some(Error::new(Code::SourceEntry, errno.to_string())));
    match rustix::fs::fstat(fd) {
        Ok(stat) => {
            let posix = Posix { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 };
            sink(Piece::Posix(posix))?;
        }
        Err(errno) => sink(lost(Part::Posix, errno))?,
    }
    let names = match names(fd) {
        Ok(names) => names,
        Err(errno) => return sink(lost(Part::Extended, errno)),
    };
    for name in names {
        match value(fd, &name) {
            Ok(Some(value)) => sink(Piece::Xattr { name: &name, value: &value })?,
            // Gone since.
            Ok(None) => {}
            Err(errno) => sink(lost(Part::Extended, errno))?,
        }
    }
    Ok(())
}

/// What was found out while attributes were set.
#[derive(Debug, Default)]
pub(crate) struct AttributeSupport {
    /// The filesystem has no extended attributes at all.
    none: AtomicBool,
    /// Setting `security.NTACL` was refused: the process is not root.
    user_acl: AtomicBool,
}

/// One attribute to set.
struct WantedAttribute<'m> {
    attribute: Vec<u8>,
    value: Vec<u8>,
    /// As what it is recorded if it is refused.
    leftover: Leftover<'m>,
}

impl AttributeSupport {
    /// What the report has to say.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.none.load(Ordering::Relaxed) {
            remarks.push(
                "the mirror's filesystem has no extended attributes: attributes, permissions and streams are kept in \
                 .octobackup/meta, and a Samba share over the mirror does not show them"
                    .to_owned(),
            );
        } else if self.user_acl.load(Ordering::Relaxed) {
            remarks.push(
                "not running as root: permissions are kept as user.NTACL (a Samba share over the mirror shows them with \
                 acl_xattr:security_acl_name = user.NTACL)"
                    .to_owned(),
            );
        }
        remarks
    }

    /// Sets all attributes of an open file or folder, and removes those that are not wanted any more. Returns what was
    /// refused.
    pub(crate) fn set<'m>(&self, fd: &OwnedFd, metadata: &'m Metadata) -> Result<Vec<Leftover<'m>>, Errno> {
        let (wanted, mut leftovers) = self.wanted(metadata);
        let mut held = BTreeSet::new();
        for wanted in wanted {
            match self.set_one(fd, &wanted) {
                Ok(attribute) => {
                    held.insert(attribute);
                }
                Err(errno) if is_refusal(errno) => leftovers.push(wanted.leftover),
                Err(errno) => return Err(errno),
            }
        }
        for attribute in names(fd)? {
            let is_old = part_of(&attribute).is_some_and(|part| !metadata.is_unknown(part));
            // A value that is in the records now must not be here too.
            let is_recorded = leftovers.iter().any(|leftover| attribute_of(leftover).as_ref() == Some(&attribute));
            if !held.contains(&attribute) && (is_old || is_recorded) {
                match fremovexattr(fd, attribute.as_slice()) {
                    Ok(()) | Err(Errno::NODATA) => {}
                    // Root's attribute, from a run as root.
                    Err(Errno::PERM | Errno::ACCESS) => {}
                    Err(errno) => return Err(errno),
                }
            }
        }
        Ok(leftovers)
    }

    /// The attribute that holds the value now.
    fn set_one(&self, fd: &OwnedFd, wanted: &WantedAttribute<'_>) -> Result<Vec<u8>, Errno> {
        if self.none.load(Ordering::Relaxed) {
            return Err(Errno::NOTSUP);
        }
        if wanted.attribute.len() > NAME_BYTES_MAX || wanted.value.len() > VALUE_BYTES_MAX {
            return Err(Errno::RANGE);
        }
        let set = |attribute: &[u8]| fsetxattr(fd, attribute, &wanted.value, XattrFlags::empty());
        let is_acl = wanted.attribute == samba::ACL_OF_ROOT.as_bytes();
        if is_acl && self.user_acl.load(Ordering::Relaxed) {
            return set(samba::ACL_OF_USER.as_bytes()).map(|()| samba::ACL_OF_USER.into());
        }
        match set(&wanted.attribute) {
            Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP) if is_acl => {
                set(samba::ACL_OF_USER.as_bytes())?;
                self.user_acl.store(true, Ordering::Relaxed);
                Ok(samba::ACL_OF_USER.into())
            }
            Err(Errno::NOTSUP) => {
                self.none.store(true, Ordering::Relaxed);
                Err(Errno::NOTSUP)
            }
            other => other.map(|()| wanted.attribute.clone()),
        }
    }

    /// What goes into attributes, the most useful first, and what cannot.
    fn wanted<'m>(&self, metadata: &'m Metadata) -> (Vec<WantedAttribute<'m>>, Vec<Leftover<'m>>) {
        let (mut wanted, mut leftovers) = (Vec::new(), Vec::new());
        if !metadata.is_unknown(Part::Attributes) {
            let value = samba::dos_attributes(metadata.attributes, metadata.creation_time);
            let leftover = Leftover::attributes(metadata);
            wanted.push(WantedAttribute { attribute: samba::DOS_ATTRIBUTES.into(), value, leftover });
        }
        if let Some(security) = &metadata.security {
            let leftover = Leftover { sort: PieceKind::Security, name: b"", data: Data::Bytes(security) };
            wanted.push(WantedAttribute {
                attribute: samba::ACL_OF_ROOT.into(),
                value: samba::acl(security),
                leftover,
            });
        }
        for (name, value) in &metadata.extended {
            let leftover = Leftover { sort: PieceKind::Extended, name, data: Data::Bytes(value) };
            match samba::extended_attribute(name) {
                Some(attribute) => wanted.push(WantedAttribute { attribute, value: value.clone(), leftover }),
                None => leftovers.push(leftover),
            }
        }
        let mut small: Vec<&Stream> = Vec::new();
        for stream in &metadata.streams {
            match stream.content {
                StreamContent::Bytes(_) => small.push(stream),
                StreamContent::Bulk { offset_bytes, size_bytes } => {
                    let data = Data::Bulk { offset_bytes, size_bytes };
                    leftovers.push(Leftover { sort: PieceKind::Stream, name: &stream.name, data });
                }
            }
        }
        let bytes = |stream: &'m Stream| match &stream.content {
            StreamContent::Bytes(bytes) => bytes.as_slice(),
            StreamContent::Bulk { .. } => &[],
        };
        small.sort_by_key(|stream| bytes(stream).len());
        for stream in small {
            let leftover = Leftover { sort: PieceKind::Stream, name: &stream.name, data: Data::Bytes(bytes(stream)) };
            let value = [bytes(stream), &[0]].concat();
            wanted.push(WantedAttribute { attribute: samba::stream_attribute(&stream.name), value, leftover });
        }
        (wanted, leftovers)
    }
}

/// Whether an error says that the value does not fit here, and not that the disk fails. Where the disk is full, the
/// records will say so.
fn is_refusal(errno: Errno) -> bool {
    let refusals = [
        Errno::NOSPC,
        Errno::TOOBIG,
        Errno::RANGE,
        Errno::NOTSUP,
        Errno::PERM,
        Errno::ACCESS,
        Errno::INVAL,
        Errno::NAMETOOLONG,
        Errno::ILSEQ,
    ];
    refusals.contains(&errno)
}

/// The attribute in which a leftover may have been before.
fn attribute_of(leftover: &Leftover<'_>) -> Option<Vec<u8>> {
    match leftover.sort {
        PieceKind::Attributes => Some(samba::DOS_ATTRIBUTES.into()),
        PieceKind::Stream => Some(samba::stream_attribute(leftover.name)),
        PieceKind::Extended => samba::extended_attribute(leftover.name),
        PieceKind::Security | PieceKind::Reparse | PieceKind::Posix | PieceKind::Xattr => None,
    }
}

/// The part of the metadata that an attribute holds; `None` for one that is not ours.
fn part_of(attribute: &[u8]) -> Option<Part> {
    let is = |name: &str| attribute == name.as_bytes();
    if is(samba::DOS_ATTRIBUTES) {
        Some(Part::Attributes)
    } else if is(samba::ACL_OF_ROOT) || is(samba::ACL_OF_USER) {
        Some(Part::Security)
    } else if samba::stream_name(attribute).is_some() {
        Some(Part::Streams)
    } else {
        samba::extended_name(attribute).map(|_| Part::Extended)
    }
}

/// All attributes of an open file; none where the filesystem has none.
fn names(fd: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut list = vec![0; 1024];
    let len = loop {
        match flistxattr(fd, list.as_mut_slice()) {
            Err(Errno::RANGE) if list.len() < VALUE_BYTES_MAX => list.resize(VALUE_BYTES_MAX, 0),
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            other => break other?,
        }
    };
    Ok(list[..len].split(|&b| b == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

fn value(fd: &OwnedFd, attribute: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
    let mut value = vec![0; 1024];
    loop {
        match fgetxattr(fd, attribute, value.as_mut_slice()) {
            Err(Errno::RANGE) if value.len() < VALUE_BYTES_MAX => value.resize(VALUE_BYTES_MAX, 0),
            Err(Errno::NODATA) => return Ok(None),
            Err(errno) => return Err(errno),
            Ok(len) => {
                value.truncate(len);
                return Ok(Some(value));
            }
        }
    }
}

/// A file or folder that is open for its attributes.
pub(crate) type Opened = OwnedFd;

/// Opens a file or folder for its attributes; `None` if nothing is there, or a link.
pub(crate) fn open(root: &Root, path: &RelPath) -> Result<Option<Opened>, Errno> {
    match root.open(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()) {
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
        other => other.map(Some),
    }
}

/// Reads what the attributes of an open file hold. `None` if they hold nothing. They hold nothing that is too large for
/// memory, so `_scratch` is for other systems.
pub(crate) fn read(
    fd: &OwnedFd,
    _scratch: impl Fn() -> Result<Box<dyn TargetFile>, Error>,
) -> Result<Option<Metadata>, Errno> {
    let mut metadata = Metadata::default();
    let mut found = false;
    for attribute in names(fd)? {
        let Some(part) = part_of(&attribute) else { continue };
        let Some(value) = value(fd, &attribute)? else { continue };
        found |= part != Part::Extended;
        match part {
            Part::Attributes => {
                if let Some((attributes, creation)) = samba::read_dos_attributes(&value) {
                    (metadata.attributes, metadata.creation_time) = (attributes, creation);
                }
            }
            // Root's is the newer one if both are there: the other was removed when it was set.
            Part::Security if metadata.security.is_none() || attribute == samba::ACL_OF_ROOT.as_bytes() => {
                metadata.security = samba::read_acl(&value);
            }
            Part::Streams => {
                let name = samba::stream_name(&attribute).unwrap_or_default().to_vec();
                let content =
                    StreamContent::Bytes(value.split_last().map(|(_, data)| data.to_vec()).unwrap_or_default());
                metadata.streams.push(Stream { name, content });
            }
            Part::Extended => {
                let name = samba::extended_name(&attribute).unwrap_or_default().to_vec();
                let named: Named = (name, value);
                metadata.extended.push(named);
            }
            _ => {}
        }
    }
    Ok(found.then_some(metadata))
}
