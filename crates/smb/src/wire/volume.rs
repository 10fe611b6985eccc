//! What a server says of the volume under a share.

use super::name;
use super::{Bytes, Malformed};

/// QUERY_INFO's number for FileFsVolumeInformation.
pub(crate) const VOLUME_CLASS: u8 = 1;
/// QUERY_INFO's number for FileFsAttributeInformation.
pub(crate) const ATTRIBUTE_CLASS: u8 = 5;

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
