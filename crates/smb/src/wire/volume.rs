//! What a server says of the volume under a share.

use super::name;
use super::{Bytes, Malformed};

/// QUERY_INFO's number for FileFsVolumeInformation.
pub(crate) const VOLUME_CLASS: u8 = 1;
/// QUERY_INFO's number for FileFsAttributeInformation.
pub(crate) const ATTRIBUTE_CLASS: u8 = 5;

/// QUERY_INFO's number for FileFsFullSizeInformation.
pub(crate) const FULL_SIZE_CLASS: u8 = 7;

/// Which volume it is (MS-FSCC 2.5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Volume {
    pub serial: u32,
}

/// Parses FileFsVolumeInformation.
pub(crate) fn volume(info: &[u8]) -> Result<Volume, Malformed> {
    let bytes = Bytes(info);
    Ok(Volume { serial: bytes.u32(8)? })
}

/// Parses FileFsAttributeInformation (MS-FSCC 2.5.1): the filesystem's name.
pub(crate) fn filesystem(info: &[u8]) -> Result<String, Malformed> {
    let bytes = Bytes(info);
    Ok(name::lossy(bytes.slice(12, bytes.len32(8)?)?))
}

/// Parses FileFsFullSizeInformation (MS-FSCC 2.5.4): the bytes that the account may still write, and those of the volume.
pub(crate) fn space(info: &[u8]) -> Result<(u64, u64), Malformed> {
    let bytes = Bytes(info);
    let unit = u64::from(bytes.u32(24)?).checked_mul(bytes.u32(28)?.into()).ok_or(Malformed("a size is too large"))?;
    let of = |units: u64| units.checked_mul(unit).ok_or(Malformed("a volume is larger than any can be"));
    Ok((of(bytes.u64(8)?)?, of(bytes.u64(0)?)?))
}
