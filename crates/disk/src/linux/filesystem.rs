//! Which filesystem a handle is on: its name, and an identity that survives a restart of the machine.

use crate::linux::root::Root;
use crate::linux::{listing, stat};
use octo_core::{FilesLeft, Kind, Name, RelPath, Space};
use rustix::fs::{AtFlags, Mode, OFlags, StatxAttributes, StatxFlags, fstatvfs, statx};
use rustix::io::Errno;
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::fs::MetadataExt;
use std::path::Path;

/// Filesystems whose `syncfs` writes everything and reports errors. Anything else is synced file by file.
const SYNCED_AS_A_WHOLE: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "nilfs2", "bcachefs", "overlay", "tmpfs",
    "ramfs", "vfat", "msdos", "exfat", "ntfs3", "hfsplus", "udf",
];

/// Filesystems that make up inode numbers, or number the place of a file and not the file.
const UNSTABLE_IDS: &[&str] = &["vfat", "msdos", "exfat", "cifs", "smb3", "9p", "virtiofs"];

/// Filesystems whose `f_fsid` comes from a UUID kept in the filesystem. Others make it from the device's number, which
/// may be another after a restart.
const LASTING_FSID: &[&str] = &["ext2", "ext3", "ext4", "btrfs", "zfs", "f2fs"];

/// The filesystem's name as `mount` shows it, such as `ext4`; `unknown` if the kernel does not say.
pub(crate) fn name(fd: impl AsFd) -> String {
    let unknown = || "unknown".to_owned();
    let Ok(stat) = statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID) else { return unknown() };
    // A thread may have mounts of its own.
    let Ok(table) = std::fs::read_to_string("/proc/thread-self/mountinfo") else { return unknown() };
    name_in(&table, stat.stx_mnt_id).map_or_else(unknown, str::to_owned)
}

/// The line of a mount begins with its id; the filesystem's name follows ` - ` (proc_pid_mountinfo(5)).
fn name_in(table: &str, mount_id: u64) -> Option<&str> {
    let id = mount_id.to_string();
    let line = table.lines().find(|line| line.split(' ').next() == Some(&id))?;
    line.split_once(" - ")?.1.split(' ').next()
}

/// Whether this entry of the root is the filesystem's own: ext2 to ext4 are made with a folder `lost+found`, inode 11, in
/// their root, inode 2 (ext4(5)). A folder of that name anywhere else is somebody's data.
pub(crate) fn keeps_for_itself(root: &Root, entry: &Name) -> bool {
    const ROOT_INODE: u64 = 2;
    const LOST_AND_FOUND_INODE: u64 = 11;
    if entry.as_bytes() != b"lost+found" {
        return false;
    }
    let Ok(handle) = root.handle() else { return false };
    let (Ok(top), Ok(found)) = (stat::of_handle(handle), stat::of_name(handle, c"lost+found")) else { return false };
    let inodes = (top.stx_ino, found.stx_ino) == (ROOT_INODE, LOST_AND_FOUND_INODE);
    inodes && found.stx_uid == 0 && stat::kind(&found) == Kind::Folder && name(handle).starts_with("ext")
}

/// Free space.
pub(crate) fn space(fd: impl AsFd) -> Result<Space, Errno> {
    let stat = fstatvfs(fd)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    // Filesystems that make inodes as they are needed say 0 of 0.
    let files = (stat.f_files > 0).then_some(FilesLeft { free: stat.f_favail, total: stat.f_files });
    Ok(Space { free_bytes: bytes(stat.f_bavail), total_bytes: bytes(stat.f_blocks), files })
}

/// Whether one call makes all of this filesystem durable.
pub(crate) fn syncs_as_a_whole(name: &str) -> bool {
    SYNCED_AS_A_WHOLE.contains(&name)
}

/// Whether inode numbers stay with their files.
pub(crate) fn has_stable_ids(name: &str) -> bool {
    // Most FUSE filesystems number files in the order in which they were looked at.
    !UNSTABLE_IDS.contains(&name) && !name.starts_with("fuse")
}

/// Whether upper and lower case are the same in `root`, found out without writing: a name of it, with the case of its letters
/// swapped, leads somewhere although it is not listed. A folder without any such name counts as no.
pub(crate) fn folds_case(root: &Root) -> Result<bool, Errno> {
    let mut swapped = Vec::new();
    let swap = |b: &u8| if b.is_ascii_alphabetic() { b ^ 0x20 } else { *b };
    let found = for_each_name_of(root, |name| {
        swapped = name.to_bytes().iter().map(swap).collect();
        if swapped == name.to_bytes() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if found.is_continue() || stat::of_name(root.handle()?, swapped.as_slice()).is_err() {
        return Ok(false);
    }
    let listed = for_each_name_of(root, |name| {
        if name.to_bytes() == swapped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(listed.is_continue())
}

fn for_each_name_of(root: &Root, each: impl FnMut(&CStr) -> ControlFlow<()>) -> Result<ControlFlow<()>, Errno> {
    let folder = root.open(&RelPath::root(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    listing::for_each_name(folder.as_fd(), each)
}

/// A number for the filesystem (a subvolume counts as one), for file ids.
pub(crate) fn number(fd: impl AsFd) -> Result<u64, Errno> {
    Ok(fstatvfs(fd)?.f_fsid)
}

/// The filesystem's identity as text: its number where that lasts, else its UUID as udev knows it, else its number.
pub(crate) fn identity(name: &str, number: u64, device: (u32, u32)) -> String {
    let by_number = || format!("{number:016x}");
    if LASTING_FSID.contains(&name) { by_number() } else { uuid(device).unwrap_or_else(by_number) }
}

fn uuid((major, minor): (u32, u32)) -> Option<String> {
    let device = rustix::fs::makedev(major, minor);
    std::fs::read_dir("/dev/disk/by-uuid").ok()?.flatten().find_map(|entry| {
        let is_it = std::fs::metadata(entry.path()).is_ok_and(|meta| meta.st_rdev() == device);
        is_it.then(|| entry.file_name().to_string_lossy().into_owned())
    })
}

/// What tells one folder from every other on this machine, whatever its path.
pub(crate) fn folder_identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let meta = std::fs::metadata(path)?;
    Ok((meta.st_dev(), meta.st_ino()))
}

/// Whether something is mounted at `path`. No, if that cannot be found out.
pub(crate) fn is_mount_point(path: &Path) -> bool {
    let Ok(handle) = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else { return false };
    statx(handle, c"", AtFlags::EMPTY_PATH, StatxFlags::empty())
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// The identity of an open folder, and of each one above it up to the top, by way of `..` and not of any path.
pub(crate) fn ancestor_ids(folder: BorrowedFd<'_>) -> Result<Vec<(u64, u64)>, Errno> {
    let mut found: Vec<(u64, u64)> = Vec::new();
    let mut above: Option<OwnedFd> = None;
    loop {
        let at = above.as_ref().map_or(folder, AsFd::as_fd);
        let stat = rustix::fs::fstat(at)?;
        let identity = (stat.st_dev, stat.st_ino);
        // Above the top is the top.
        if found.last() == Some(&identity) {
            return Ok(found);
        }
        found.push(identity);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        above = Some(rustix::fs::openat(at, c"..", flags, Mode::empty())?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_by_mount_id() {
        let table = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
                     36 21 98:0 /a /mnt/a\\040b rw master:1 - fuse.sshfs host: rw\n37 21 0:1 / /x rw - tmpfs none rw\n";
        assert_eq!(name_in(table, 21), Some("ext4"));
        assert_eq!(name_in(table, 36), Some("fuse.sshfs"));
        assert_eq!(name_in(table, 37), Some("tmpfs"));
        assert_eq!(name_in(table, 3), None);
        assert_eq!(name_in("21 broken", 21), None);
    }
}
