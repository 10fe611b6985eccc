//! Requests that change something on a share, and the information that they set. Only `crate::write` makes them.

use super::attribute;
use super::request::CreateHead;
use octo_core::metadata::Named;
use octo_core::{Meta, Timestamp};
use smb2::pack::{Pack, WriteCursor};

/// Rights (MS-SMB2 2.2.13.1) besides those of [`request`](super::request).
pub(crate) mod right {
    pub const WRITE_DATA: u32 = 0x6;
    pub const WRITE_EXTENDED: u32 = 0x10;
    pub const READ_ATTRIBUTES: u32 = 0x80;
    pub const WRITE_ATTRIBUTES: u32 = 0x100;
    pub const DELETE: u32 = 0x1_0000;
    pub const READ_CONTROL: u32 = 0x2_0000;
    pub const WRITE_DACL: u32 = 0x4_0000;
    pub const WRITE_OWNER: u32 = 0x8_0000;
    pub const SYNCHRONIZE: u32 = 0x10_0000;
    pub const SYSTEM_SECURITY: u32 = 0x100_0000;
}

/// Parts of a security descriptor (MS-DTYP 2.4.7).
pub(crate) mod part {
    pub const OWNER_GROUP: u32 = 0x3;
    pub const DACL: u32 = 0x4;
    pub const SACL: u32 = 0x8;
}

/// SET_INFO's numbers (MS-FSCC 2.4).
pub(crate) mod class {
    pub const BASIC: u8 = 4;
    pub const RENAME: u8 = 10;
    pub const DISPOSITION: u8 = 13;
    pub const FULL_EXTENDED: u8 = 15;
    pub const END_OF_FILE: u8 = 20;
}

/// Control codes (MS-FSCC 2.3).
pub(crate) mod control {
    pub const SET_REPARSE_POINT: u32 = 0x0009_00A4;
    pub const SET_SPARSE: u32 = 0x0009_00C4;
}

/// What CREATE does where something is, or is not (MS-SMB2 2.2.13).
pub(crate) mod disposition {
    pub const OPEN: u32 = 1;
    pub const CREATE: u32 = 2;
    pub const OPEN_OR_CREATE: u32 = 3;
}

/// CREATE of something that is changed.
pub(crate) struct Make<'a> {
    /// The path from the share's root, without a leading backslash.
    pub path: &'a [u16],
    pub access: u32,
    pub attributes: u32,
    pub disposition: u32,
    pub options: u32,
}

impl Pack for Make<'_> {
    fn pack(&self, out: &mut WriteCursor) {
        let Make { access, attributes, disposition, options, .. } = *self;
        CreateHead { access, attributes, disposition, options }.pack(self.path, &[], out);
    }
}

/// FileBasicInformation (MS-FSCC 2.4.7): the times that are known, and attributes. A time of 0 stays as it is; so do attributes
/// of 0, which is why "none" has a number of its own.
pub(crate) fn basic(write: Option<Timestamp>, creation: Option<Timestamp>, attributes: u32) -> Vec<u8> {
    let time = |time: Option<Timestamp>| time.map_or(0, |time| time.to_filetime()).to_le_bytes();
    [&time(creation)[..], &time(None), &time(write), &time(None), &attributes.to_le_bytes(), &[0; 4]].concat()
}

/// The attributes of `meta` as they are set; 0 if the source had no such thing.
pub(crate) fn attributes(meta: &Meta) -> u32 {
    match meta.attributes & attribute::SETTABLE {
        0 if meta.attributes == 0 => 0,
        0 => attribute::NORMAL,
        some => some,
    }
}

/// FileRenameInformation as SMB 2 has it (MS-FSCC 2.4.42.2): the path from the share's root.
pub(crate) fn rename(to: &[u16], replaces: bool) -> Vec<u8> {
    let name: Vec<u8> = to.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let len = u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut info = [&[u8::from(replaces), 0, 0, 0, 0, 0, 0, 0][..], &[0; 8], &len, &name].concat();
    // It is never shorter than its fixed part.
    info.resize(info.len().max(24), 0);
    info
}

/// FileFullEaInformation (MS-FSCC 2.4.16). `None` if a name or value is longer than it can say.
pub(crate) fn extended(all: &[Named]) -> Option<Vec<u8>> {
    let mut info = Vec::new();
    for (nth, (name, value)) in all.iter().enumerate() {
        let entry =
            [&[0, u8::try_from(name.len()).ok()?][..], &u16::try_from(value.len()).ok()?.to_le_bytes()].concat();
        let entry = [&entry[..], name, &[0], value].concat();
        let (len, padded) = (entry.len() + 4, (entry.len() + 4).next_multiple_of(4));
        let is_last = nth + 1 == all.len();
        info.extend_from_slice(&(if is_last { 0 } else { u32::try_from(padded).ok()? }).to_le_bytes());
        info.extend_from_slice(&entry);
        if !is_last {
            info.resize(info.len() + padded - len, 0);
        }
    }
    Some(info)
}

/// REPARSE_DATA_BUFFER (MS-FSCC 2.1.2.2).
pub(crate) fn reparse(tag: u32, data: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(data.len()).ok()?;
    Some([&tag.to_le_bytes()[..], &len.to_le_bytes(), &[0; 2], data].concat())
}

/// Bits of a descriptor's control field (MS-DTYP 2.4.6).
mod descriptor {
    pub const DACL_PRESENT: u16 = 0x4;
    pub const SACL_PRESENT: u16 = 0x10;
    pub const DACL_INHERIT_REQUIRED: u16 = 0x100;
    pub const SACL_INHERIT_REQUIRED: u16 = 0x200;
    pub const DACL_INHERITED: u16 = 0x400;
    pub const SACL_INHERITED: u16 = 0x800;
}

/// A descriptor as it is set so that it reads as it was: servers keep "these entries are inherited" only if that is required of
/// them with a second bit. With the parts that it has.
pub(crate) fn descriptor(security: &[u8]) -> Option<(Vec<u8>, u32)> {
    use descriptor::*;
    let mut security = security.to_vec();
    let field = security.get_mut(2..4)?;
    let mut bits = u16::from_le_bytes([field[0], field[1]]);
    for (inherited, required) in [(DACL_INHERITED, DACL_INHERIT_REQUIRED), (SACL_INHERITED, SACL_INHERIT_REQUIRED)] {
        bits = if bits & inherited == 0 { bits & !required } else { bits | required };
    }
    field.copy_from_slice(&bits.to_le_bytes());
    let has = |bit: u16, part: u32| if bits & bit == 0 { 0 } else { part };
    let parts = part::OWNER_GROUP | has(DACL_PRESENT, part::DACL) | has(SACL_PRESENT, part::SACL);
    Some((security, parts))
}

/// A protected access list (MS-DTYP 2.4.5) that gives everything to the file's owner (OWNER RIGHTS, S-1-3-4), to Administrators and to the
/// system, and nothing to anybody else.
#[rustfmt::skip]
pub(crate) const PRIVATE: [u8; 92] = [
    1, 0, 0x04, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0,
    2, 0, 72, 0, 3, 0, 0, 0,
    0, 0, 20, 0, 0xFF, 0x01, 0x1F, 0, 1, 1, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0,
    0, 0, 24, 0, 0xFF, 0x01, 0x1F, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0,
    0, 0, 20, 0, 0xFF, 0x01, 0x1F, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_a_security_descriptor() {
        assert!(octo_core::metadata::is_security_descriptor(&PRIVATE));
        assert_eq!(descriptor(&PRIVATE).unwrap().1, part::OWNER_GROUP | part::DACL);
    }

    #[test]
    fn information_is_as_the_specification_has_it() {
        assert_eq!(rename(&[0x61], true).len(), 24);
        assert_eq!(rename(&[0x61, 0x62, 0x63], false)[16..], [6, 0, 0, 0, 0x61, 0, 0x62, 0, 0x63, 0]);
        let basic = basic(Some(Timestamp::from_unix(0, 0)), None, 1);
        assert_eq!((basic.len(), &basic[..16], basic[32]), (40, &[0; 16][..], 1));
        assert_ne!(basic[16..24], [0; 8]);
        let two = extended(&[(b"A".to_vec(), b"12".to_vec()), (b"BC".to_vec(), Vec::new())]).unwrap();
        assert_eq!(super::super::details::extended(&two).unwrap(), [(&b"A"[..], &b"12"[..]), (&b"BC"[..], &b""[..])]);
        assert!(extended(&[(vec![b'n'; 300], Vec::new())]).is_none());
    }

    #[test]
    fn what_was_inherited_is_required_to_stay_so() {
        let mut inherited = PRIVATE.to_vec();
        inherited[3] = 0x84;
        let (set, _) = descriptor(&inherited).unwrap();
        assert_eq!(set[3], 0x85);
        let mut required = PRIVATE.to_vec();
        required[3] = 0x91;
        assert_eq!(descriptor(&required).unwrap().0[3], 0x90);
    }
}
