//! The extended attributes in which Samba keeps what Windows knows of a file, byte for byte.
//!
//! The layouts are NDR of Samba's `librpc/idl/xattr.idl`. `user.DOSATTRIB` is written as version 4 without the fields that
//! only Samba itself can know; the ACL as version 1, which carries no hash of the POSIX permissions, so that Samba believes
//! it whatever those are. No I/O here.

use octo_core::Timestamp;
use octo_core::metadata::is_security_descriptor;

/// Attributes and creation time.
pub(crate) const DOS_ATTRIBUTES: &str = "user.DOSATTRIB";
/// The security descriptor, where the process may set it.
pub(crate) const ACL_OF_ROOT: &str = "security.NTACL";
/// The security descriptor, where only the owner's own attributes can be set.
pub(crate) const ACL_OF_USER: &str = "user.NTACL";
/// Before the name of a stream.
pub(crate) const STREAM_PREFIX: &[u8] = b"user.DosStream.";
/// After it.
pub(crate) const STREAM_SUFFIX: &[u8] = b":$DATA";
/// Before the name of an extended attribute of Windows.
pub(crate) const USER_PREFIX: &[u8] = b"user.";
/// Names after `user.` that Samba takes for itself, in upper case.
const SAMBAS_OWN: &[&[u8]] = &[b"DOSATTRIB", b"NTACL", b"SAMBA_PAI", b"ORG.SAMBA", b"DOSSTREAM."];

const VERSION: u16 = 4;
const HAS_ATTRIBUTES: u32 = 0x1;
const HAS_CREATION_TIME: u32 = 0x10;
/// Version 1, again as the union's switch, and the reference of a pointer: any number but 0.
const ACL_HEAD: [u8; 8] = [1, 0, 1, 0, 0, 0, 2, 0];

/// The value of [`DOS_ATTRIBUTES`].
pub(crate) fn dos_attributes(attributes: u32, creation: Option<Timestamp>) -> Vec<u8> {
    // An empty string with its NUL, padded; the version, again as the union's switch, padded.
    let mut value = vec![0, 0];
    value.extend(VERSION.to_le_bytes());
    value.extend(VERSION.to_le_bytes());
    value.extend([0, 0]);
    let creation_flag = if creation.is_some() { HAS_CREATION_TIME } else { 0 };
    value.extend((HAS_ATTRIBUTES | creation_flag).to_le_bytes());
    value.extend(attributes.to_le_bytes());
    value.extend(0u64.to_le_bytes());
    value.extend(creation.map_or(0, Timestamp::to_filetime).to_le_bytes());
    value
}

/// Attributes and creation time in a value that [`dos_attributes`] or Samba wrote; `None` for another version.
pub(crate) fn read_dos_attributes(value: &[u8]) -> Option<(u32, Option<Timestamp>)> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(value.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(value.get(at..at + 8)?.try_into().ok()?));
    if value.get(2..4)? != VERSION.to_le_bytes() {
        return None;
    }
    let (flags, attributes) = (u32_at(8)?, u32_at(12)?);
    let creation = if flags & HAS_CREATION_TIME != 0 { Some(Timestamp::from_filetime(u64_at(24)?)) } else { None };
    Some((if flags & HAS_ATTRIBUTES != 0 { attributes } else { 0 }, creation))
}

/// The value of the ACL's attribute, from a self-relative security descriptor that was checked.
pub(crate) fn acl(security: &[u8]) -> Vec<u8> {
    let mut value = [&ACL_HEAD, security].concat();
    shift_places(&mut value, |place| place.checked_add(ACL_HEAD.len() as u32));
    value
}

/// The security descriptor in a value that [`acl`] wrote; `None` for another version.
pub(crate) fn read_acl(value: &[u8]) -> Option<Vec<u8>> {
    if value.get(..ACL_HEAD.len())? != ACL_HEAD {
        return None;
    }
    let mut value = value.to_vec();
    shift_places(&mut value, |place| place.checked_sub(ACL_HEAD.len() as u32));
    let security = value.split_off(ACL_HEAD.len());
    is_security_descriptor(&security).then_some(security)
}

/// In the attribute the places of owner, group and ACLs count from its beginning, not from that of the descriptor; 0
/// stands for none in both.
fn shift_places(value: &mut [u8], shift: impl Fn(u32) -> Option<u32>) {
    for at in [4, 8, 12, 16].map(|at| at + ACL_HEAD.len()) {
        if let Some(field) = value.get_mut(at..at + 4)
            && let Ok(place) = <[u8; 4]>::try_from(&*field).map(u32::from_le_bytes)
            && place != 0
        {
            field.copy_from_slice(&shift(place).unwrap_or(0).to_le_bytes());
        }
    }
}

/// The attribute of a stream.
pub(crate) fn stream_attribute(name: &[u8]) -> Vec<u8> {
    [STREAM_PREFIX, name, STREAM_SUFFIX].concat()
}

/// The stream that an attribute is of.
pub(crate) fn stream_name(attribute: &[u8]) -> Option<&[u8]> {
    let name = attribute.strip_prefix(STREAM_PREFIX)?;
    Some(name.strip_suffix(STREAM_SUFFIX).unwrap_or(name))
}

/// The attribute of an extended attribute of Windows; `None` if Samba would take it for something of its own.
pub(crate) fn extended_attribute(name: &[u8]) -> Option<Vec<u8>> {
    let upper = name.to_ascii_uppercase();
    let is_sambas = SAMBAS_OWN.iter().any(|own| upper.starts_with(own));
    (!is_sambas && !name.contains(&0)).then(|| [USER_PREFIX, name].concat())
}

/// The extended attribute of Windows that an attribute is of.
pub(crate) fn extended_name(attribute: &[u8]) -> Option<&[u8]> {
    let name = attribute.strip_prefix(USER_PREFIX)?;
    extended_attribute(name).map(|_| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn attributes_round_trip(attributes in any::<u32>(), creation in proptest::option::of(0u64..i64::MAX as u64)) {
            let creation = creation.map(Timestamp::from_filetime);
            prop_assert_eq!(read_dos_attributes(&dos_attributes(attributes, creation)), Some((attributes, creation)));
        }

        #[test]
        fn no_value_makes_reading_panic(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = read_dos_attributes(&value);
            let _ = read_acl(&value);
            let _ = stream_name(&value);
            let _ = extended_name(&value);
        }
    }

    /// Seen in what Samba 4.17 itself writes.
    #[test]
    fn the_places_in_an_acl_count_from_the_attributes_beginning() {
        let sid = [1u8, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let mut security = vec![1, 0, 4, 0x80, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0];
        security.extend(sid);
        security.extend([2u8, 0, 8, 0, 0, 0, 0, 0]);
        let value = acl(&security);
        assert_eq!(&value[..12], [1, 0, 1, 0, 0, 0, 2, 0, 1, 0, 4, 0x80]);
        assert_eq!((value[12], value[16], value[24]), (28, 0, 40));
        assert_eq!(read_acl(&value), Some(security));
        assert_eq!(read_acl(&value[..30]), None);
    }

    #[test]
    fn names_of_sambas_own_are_never_taken_for_those_of_a_source() {
        for hostile in ["DOSATTRIB", "dosattrib", "NTACL", "DosStream.x:$DATA", "org.samba.x", "SAMBA_PAI"] {
            assert_eq!(extended_attribute(hostile.as_bytes()), None, "{hostile}");
        }
        assert_eq!(extended_attribute(b"COMMENT").as_deref(), Some(&b"user.COMMENT"[..]));
        assert_eq!(stream_name(&stream_attribute(b"a b")), Some(&b"a b"[..]));
    }
}
