//! Which filesystem a handle is on: its name, its number, its space.

use crate::windows::Handle;
use crate::windows::fault::{self, Fault};
use crate::windows::nt::{self, Buffer, field};
use crate::windows::root::Root;
use crate::windows::stat;
use octo_core::Space;
use std::path::Path;
use windows_sys::Wdk::Storage::FileSystem as wdk;

/// The filesystem's name, such as `NTFS`; `unknown` if Windows does not say.
pub(crate) fn name(handle: &Handle) -> String {
    asked_name(handle).unwrap_or_else(|_| "unknown".to_owned())
}

fn asked_name(handle: &Handle) -> Result<String, Fault> {
    // FILE_FS_ATTRIBUTE_INFORMATION: flags, the longest name, the length of the filesystem's name, and it.
    let mut buffer = Buffer([0; 128]);
    let filled = nt::query_volume(handle, wdk::FileFsAttributeInformation, &mut buffer)?;
    let said = buffer.0.get(..filled).unwrap_or_default();
    let name: Vec<u16> = field::text(said, 12, field::u32(said, 8)? as usize)?.collect();
    Ok(String::from_utf16_lossy(&name))
}

/// The volume's serial number, for file ids.
pub(crate) fn number(handle: &Handle) -> Result<u64, Fault> {
    // FILE_FS_VOLUME_INFORMATION: when it was made, serial number, label.
    let mut buffer = Buffer([0; 128]);
    nt::query_volume(handle, wdk::FileFsVolumeInformation, &mut buffer)?;
    field::u32(&buffer.0, 8).map(u64::from)
}

/// Free space, as far as this account may use it.
pub(crate) fn space(handle: &Handle) -> Result<Space, Fault> {
    // FILE_FS_FULL_SIZE_INFORMATION: units in all, units free for the caller, units free, sectors a unit, bytes a sector.
    let mut buffer = Buffer([0; 32]);
    nt::query_volume(handle, wdk::FileFsFullSizeInformation, &mut buffer)?;
    let said = &buffer.0;
    let unit_bytes = u64::from(field::u32(said, 24)?).saturating_mul(field::u32(said, 28)?.into());
    let bytes = |at: usize| -> Result<u64, Fault> {
        let units = i64::try_from(field::u64(said, at)?).map_err(|_| fault::BAD_DATA)?;
        Ok(units.cast_unsigned().saturating_mul(unit_bytes))
    };
    Ok(Space { total_bytes: bytes(0)?, free_bytes: bytes(8)?, files: None })
}

/// Whether ids stay with their files: not on FAT, which numbers places, nor on ReFS, whose ids are longer than what
/// listings tell.
pub(crate) fn has_stable_ids(name: &str) -> bool {
    name.eq_ignore_ascii_case("NTFS")
}

/// Whether a volume begins at `path`: a drive, or a volume mounted in a folder. No, if that cannot be found out.
pub(crate) fn is_mount_point(path: &Path) -> bool {
    let Some(parent) = path.parent() else { return true };
    let volume = |path: &Path| folder_identity(path).ok().map(|(volume, _)| volume);
    matches!((volume(path), volume(parent)), (Some(here), Some(above)) if here != above)
}

/// What tells one folder from every other on this machine, whatever its path.
pub(crate) fn folder_identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let ask = || {
        let root = Root::open_at(path)?;
        identity_of(root.handle()?)
    };
    ask().map_err(|fault: Fault| std::io::Error::from_raw_os_error(fault.0.cast_signed()))
}

/// Whether this entry of the root is the filesystem's own. What Windows keeps for itself is excluded by default, on both sides.
pub(crate) fn keeps_for_itself(_: &crate::windows::root::Root, _: &octo_core::Name) -> bool {
    false
}

fn identity_of(folder: &Handle) -> Result<(u64, u64), Fault> {
    Ok((number(folder)?, stat::of_handle(folder)?.id))
}

/// The identity of an open folder. Windows knows no way from a handle to the folder above: those are judged by their path.
pub(crate) fn ancestor_ids(folder: &Handle) -> Result<Vec<(u64, u64)>, Fault> {
    Ok(vec![identity_of(folder)?])
}
