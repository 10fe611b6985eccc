//! Requests that the client library cannot make: names as UTF-16 units, every create option, every information class.

use super::reply::Handle;
use octo_core::Timestamp;
use smb2::pack::{Pack, WriteCursor};

/// `FILE_READ_DATA` or, on a folder, `FILE_LIST_DIRECTORY`; and `FILE_READ_ATTRIBUTES`. No more than that, so that
/// backup intent or read access is enough.
pub(crate) const READ: u32 = 0x81;
/// `FILE_READ_ATTRIBUTES` alone.
pub(crate) const READ_ATTRIBUTES: u32 = 0x80;

/// Create options (MS-SMB2 2.2.13).
pub(crate) mod option {
    pub const DIRECTORY_FILE: u32 = 0x1;
    pub const NON_DIRECTORY_FILE: u32 = 0x40;
    pub const DELETE_ON_CLOSE: u32 = 0x1000;
    pub const OPEN_FOR_BACKUP_INTENT: u32 = 0x4000;
    pub const OPEN_REPARSE_POINT: u32 = 0x20_0000;
}

/// In a compound: the handle that the CREATE before has opened.
pub(crate) const RELATED: Handle = Handle(u64::MAX, u64::MAX);

/// An SMB2 header's length: offsets on the wire count from its start.
const HEADER_BYTES: u16 = 64;
/// Share access: others may read, write and delete meanwhile. A backup never stands in anybody's way.
const SHARE_ALL: u32 = 0x7;
const IMPERSONATION: u32 = 2;
const OPEN_EXISTING: u32 = 1;
/// The context `QFid`, which asks for the file id (MS-SMB2 2.2.13.2.9).
const QUERY_ON_DISK_ID: [u8; 24] =
    [0, 0, 0, 0, 16, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'Q', b'F', b'i', b'd', 0, 0, 0, 0];

/// The context `TWrp`, up to its moment: the file as it was then (MS-SMB2 2.2.13.2.7).
const TIME_WARP: [u8; 24] = [0, 0, 0, 0, 16, 0, 4, 0, 0, 0, 24, 0, 8, 0, 0, 0, b'T', b'W', b'r', b'p', 0, 0, 0, 0];

/// CREATE of something that exists (MS-SMB2 2.2.13).
pub(crate) struct Create<'a> {
    /// The path from the share's root, without a leading backslash.
    pub path: &'a [u16],
    pub access: u32,
    pub options: u32,
    /// Whether to ask for the file id.
    pub with_id: bool,
    /// The previous version to open; `None` for what is there now.
    pub snapshot: Option<Timestamp>,
}

impl Create<'_> {
    /// The contexts, one after the other, each a multiple of 8 bytes.
    fn contexts(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(moment) = self.snapshot {
            out.extend_from_slice(&TIME_WARP);
            out.extend_from_slice(&moment.to_filetime().to_le_bytes());
            if self.with_id {
                // Where the next one begins.
                out[0] = TIME_WARP.len() as u8 + 8;
            }
        }
        if self.with_id {
            out.extend_from_slice(&QUERY_ON_DISK_ID);
        }
        out
    }
}

impl Pack for Create<'_> {
    fn pack(&self, out: &mut WriteCursor) {
        let head = CreateHead { access: self.access, attributes: 0, disposition: OPEN_EXISTING, options: self.options };
        head.pack(self.path, &self.contexts(), out);
    }
}

/// What every CREATE says besides its path.
pub(super) struct CreateHead {
    pub access: u32,
    pub attributes: u32,
    pub disposition: u32,
    pub options: u32,
}

impl CreateHead {
    pub fn pack(&self, path: &[u16], contexts: &[u8], out: &mut WriteCursor) {
        const FIXED_BYTES: u16 = 56;
        let name_bytes = path.len() * 2;
        let name_at = HEADER_BYTES + FIXED_BYTES;
        let padding = name_bytes.next_multiple_of(8) - name_bytes;
        out.write_u16_le(57);
        out.write_u8(0); // security flags
        out.write_u8(0); // no oplock
        out.write_u32_le(IMPERSONATION);
        out.write_zeros(16);
        out.write_u32_le(self.access);
        out.write_u32_le(self.attributes);
        out.write_u32_le(SHARE_ALL);
        out.write_u32_le(self.disposition);
        out.write_u32_le(self.options);
        out.write_u16_le(name_at);
        out.write_u16_le(u16::try_from(name_bytes).unwrap_or(u16::MAX));
        if !contexts.is_empty() {
            out.write_u32_le(u32::try_from(usize::from(name_at) + name_bytes + padding).unwrap_or(u32::MAX));
            out.write_u32_le(contexts.len() as u32);
        } else {
            out.write_u64_le(0);
        }
        path.iter().for_each(|&unit| out.write_u16_le(unit));
        if !contexts.is_empty() {
            out.write_zeros(padding);
            out.write_bytes(contexts);
        } else if path.is_empty() {
            // The buffer is never empty, though the name may be.
            out.write_u8(0);
        }
    }
}

/// QUERY_DIRECTORY for everything (MS-SMB2 2.2.33).
pub(crate) struct QueryDirectory {
    pub class: u8,
    pub handle: Handle,
    pub output_bytes: u32,
}

impl Pack for QueryDirectory {
    fn pack(&self, out: &mut WriteCursor) {
        out.write_u16_le(33);
        out.write_u8(self.class);
        out.write_u8(0); // no flags: go on where the handle stands
        out.write_u32_le(0);
        out.write_u64_le(self.handle.0);
        out.write_u64_le(self.handle.1);
        out.write_u16_le(HEADER_BYTES + 32);
        out.write_u16_le(2);
        out.write_u32_le(self.output_bytes);
        out.write_u16_le(u16::from(b'*'));
    }
}

/// What FSCTL_VALIDATE_NEGOTIATE_INFO sends (MS-SMB2 2.2.31.4), taken from the NEGOTIATE request's body as it went out.
pub(crate) fn validate_negotiate(request_body: &[u8]) -> Option<Vec<u8>> {
    let count = u16::from_le_bytes([*request_body.get(2)?, *request_body.get(3)?]);
    let dialects = request_body.get(36..36 + 2 * usize::from(count))?;
    let capabilities = request_body.get(8..12)?;
    let guid = request_body.get(12..28)?;
    let security_mode = request_body.get(4..6)?;
    Some([capabilities, guid, security_mode, &count.to_le_bytes(), dialects].concat())
}
