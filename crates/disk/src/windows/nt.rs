//! The calls of the kernel that this crate needs, as safe functions: one handle and one name in, bytes or a handle out.
//!
//! It must never take a name with a separator in it, which would lead further than one step.

use crate::windows::Handle;
use crate::windows::descriptor::Descriptor;
use crate::windows::fault::{self, Fault};
use octo_core::metadata::SECURITY_BYTES_MAX;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, OBJ_CASE_INSENSITIVE, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_NO_MORE_FILES,
    STATUS_NO_SUCH_FILE, UNICODE_STRING,
};
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

/// How something is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// Rights wanted (`FILE_READ_DATA` and its like); the right to wait is added.
    pub(crate) access: u32,
    /// What others may do meanwhile.
    pub(crate) share: u32,
    /// What happens if it is there, and if not.
    pub(crate) disposition: u32,
    /// Further `FILE_*` options. Links are never followed, and backup intent is always said: it only counts where the
    /// process has the privilege.
    pub(crate) options: u32,
}

/// Others may do everything.
pub(crate) const SHARE_ALL: u32 = fs::FILE_SHARE_READ | fs::FILE_SHARE_WRITE | fs::FILE_SHARE_DELETE;

impl How {
    /// Opens what is there, with these rights.
    pub(crate) const fn open(access: u32) -> How {
        How { access, share: SHARE_ALL, disposition: wdk::FILE_OPEN, options: 0 }
    }

    /// Makes what is not there, with these rights.
    pub(crate) const fn create(access: u32, options: u32) -> How {
        How { access, share: SHARE_ALL, disposition: wdk::FILE_CREATE, options }
    }

    /// The same with one more option.
    pub(crate) const fn with(self, options: u32) -> How {
        How { options: self.options | options, ..self }
    }

    /// The options as the kernel gets them.
    pub(crate) const fn all_options(self) -> u32 {
        self.options
            | wdk::FILE_OPEN_REPARSE_POINT
            | wdk::FILE_OPEN_FOR_BACKUP_INTENT
            | wdk::FILE_SYNCHRONOUS_IO_NONALERT
    }
}

/// Opens `name` in `folder`; the empty name is the folder itself.
pub(crate) fn open(folder: &Handle, name: &[u16], how: How) -> Result<Handle, Fault> {
    open_as(folder, name, how, None)
}

/// The same; if that makes it, it gets this security descriptor instead of what it would inherit.
pub(crate) fn open_as(
    folder: &Handle,
    name: &[u16],
    how: How,
    descriptor: Option<&Descriptor>,
) -> Result<Handle, Fault> {
    if name.iter().any(separates) {
        return Err(fault::BAD_NAME);
    }
    open_checked(folder, name, how, descriptor)
}

/// Opens a stream of `name` in `folder`; never the one without a name, which is the file's data.
pub(crate) fn open_stream(folder: &Handle, name: &[u16], stream: &[u16], how: How) -> Result<Handle, Fault> {
    if name.is_empty() || stream.is_empty() || name.iter().chain(stream).any(separates) {
        return Err(fault::BAD_NAME);
    }
    let colon = [u16::from(b':')];
    let kind: Vec<u16> = ":$DATA".encode_utf16().collect();
    open_checked(folder, &[name, &colon, stream, &kind].concat(), how, None)
}

/// What leads further than one step.
fn separates(unit: &u16) -> bool {
    [u16::from(b'\\'), u16::from(b'/'), u16::from(b':'), 0].contains(unit)
}

fn open_checked(folder: &Handle, name: &[u16], how: How, descriptor: Option<&Descriptor>) -> Result<Handle, Fault> {
    let bytes = u16::try_from(size_of_val(name)).map_err(|_| fault::BAD_NAME)?;
    let name = UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: name.as_ptr().cast_mut() };
    let object = OBJECT_ATTRIBUTES {
        Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
        RootDirectory: folder.as_raw_handle(),
        ObjectName: &raw const name,
        Attributes: OBJ_CASE_INSENSITIVE,
        SecurityDescriptor: descriptor.map_or(null(), Descriptor::as_ptr),
        SecurityQualityOfService: null(),
    };
    let mut opened: HANDLE = null_mut();
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(unsafe_code, reason = "all pointers are to locals that outlive the call; the name is only read")]
    let status = unsafe {
        wdk::NtCreateFile(
            &raw mut opened,
            how.access | fs::SYNCHRONIZE | fs::FILE_READ_ATTRIBUTES,
            &raw const object,
            &raw mut block,
            null(),
            fs::FILE_ATTRIBUTE_NORMAL,
            how.share,
            how.disposition,
            how.all_options(),
            null(),
            0,
        )
    };
    done(status)?;
    #[expect(unsafe_code, reason = "the kernel has just made this handle for us alone")]
    Ok(Handle::from(unsafe { OwnedHandle::from_raw_handle(opened) }))
}

/// Aligned as the kernel's structures need it.
#[repr(C, align(8))]
pub(crate) struct Buffer<const N: usize>(pub(crate) [u8; N]);

/// Asks an open handle; returns how many bytes were filled. What does not fit is left out.
pub(crate) fn query<const N: usize>(handle: &Handle, class: i32, into: &mut Buffer<N>) -> Result<usize, Fault> {
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(unsafe_code, reason = "the buffer is ours, aligned, and as long as we say")]
    let status = unsafe {
        wdk::NtQueryInformationFile(handle.as_raw_handle(), &raw mut block, into.0.as_mut_ptr().cast(), N as u32, class)
    };
    filled(status, &block, N)
}

/// The same for lists, which are of no use if they are cut.
pub(crate) fn query_whole<const N: usize>(handle: &Handle, class: i32, into: &mut Buffer<N>) -> Result<usize, Fault> {
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(unsafe_code, reason = "the buffer is ours, aligned, and as long as we say")]
    let status = unsafe {
        wdk::NtQueryInformationFile(handle.as_raw_handle(), &raw mut block, into.0.as_mut_ptr().cast(), N as u32, class)
    };
    done(status).map(|()| block.Information.min(N))
}

/// The security descriptor of an open handle, self-relative: these parts of it.
pub(crate) fn security(handle: &Handle, information: u32) -> Result<Vec<u8>, Fault> {
    // Enough for most, and then as much as any can have.
    for bytes in [1024, SECURITY_BYTES_MAX] {
        let mut buffer = vec![0u64; bytes / 8];
        let mut needed = 0;
        #[expect(unsafe_code, reason = "the buffer is ours, aligned, and as long as we say")]
        let status = unsafe {
            wdk::NtQuerySecurityObject(
                handle.as_raw_handle(),
                information,
                buffer.as_mut_ptr().cast(),
                bytes as u32,
                &raw mut needed,
            )
        };
        if status != STATUS_BUFFER_TOO_SMALL {
            done(status)?;
            let filled = buffer.iter().flat_map(|word| word.to_le_bytes());
            return Ok(filled.take(needed as usize).collect());
        }
    }
    Err(fault::BAD_DATA)
}

/// Gives an open handle these parts of a security descriptor, which is self-relative and was checked.
pub(crate) fn set_security(handle: &Handle, information: u32, descriptor: &[u8]) -> Result<(), Fault> {
    let words: Vec<u64> =
        descriptor.chunks(8).map(|part| part.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))).collect();
    #[expect(unsafe_code, reason = "the copy is aligned, only read, and everything in it lies within it")]
    let status =
        unsafe { wdk::NtSetSecurityObject(handle.as_raw_handle(), information, words.as_ptr().cast_mut().cast()) };
    done(status)
}

/// Asks for the volume that an open handle is on.
pub(crate) fn query_volume<const N: usize>(handle: &Handle, class: i32, into: &mut Buffer<N>) -> Result<usize, Fault> {
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(unsafe_code, reason = "the buffer is ours, aligned, and as long as we say")]
    let status = unsafe {
        wdk::NtQueryVolumeInformationFile(
            handle.as_raw_handle(),
            &raw mut block,
            into.0.as_mut_ptr().cast(),
            N as u32,
            class,
        )
    };
    filled(status, &block, N)
}

/// Changes what is known of an open handle: times, names, whether it goes. `from` is one of the kernel's structures.
pub(crate) fn set(handle: &Handle, class: i32, from: &[u64], len: usize) -> Result<(), Fault> {
    let len = u32::try_from(len.min(size_of_val(from))).map_err(|_| fault::BAD_ARGUMENT)?;
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(unsafe_code, reason = "the buffer is ours, aligned, at least as long as we say, and only read")]
    let status =
        unsafe { wdk::NtSetInformationFile(handle.as_raw_handle(), &raw mut block, from.as_ptr().cast(), len, class) };
    done(status)
}

/// The next part of a folder's listing, or the first; `None` after the last.
pub(crate) fn query_directory<const N: usize>(
    folder: &Handle,
    class: i32,
    into: &mut Buffer<N>,
    first: bool,
) -> Result<Option<usize>, Fault> {
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(
        unsafe_code,
        reason = "the handle is synchronous, so the call is over when it returns; the buffer is ours"
    )]
    let status = unsafe {
        wdk::NtQueryDirectoryFile(
            folder.as_raw_handle(),
            null_mut(),
            None,
            null(),
            &raw mut block,
            into.0.as_mut_ptr().cast(),
            N as u32,
            class,
            false,
            null(),
            first,
        )
    };
    match status {
        STATUS_NO_MORE_FILES => Ok(None),
        STATUS_NO_SUCH_FILE if first => Ok(None),
        // A name that does not fit would be cut: that is not a listing.
        STATUS_BUFFER_OVERFLOW => Err(fault::BAD_DATA),
        other => filled(other, &block, N).map(Some),
    }
}

/// Makes data, or the names in a folder, durable.
pub(crate) fn flush(handle: &Handle) -> Result<(), Fault> {
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(unsafe_code, reason = "a handle and a local")]
    let status = unsafe { wdk::NtFlushBuffersFile(handle.as_raw_handle(), &raw mut block) };
    done(status)
}

/// Asks the filesystem something that has no call of its own.
pub(crate) fn fs_control<const N: usize>(handle: &Handle, code: u32, into: &mut Buffer<N>) -> Result<usize, Fault> {
    fs_ask(handle, code, &[], into)
}

/// The same with a question; what does not fit is left out.
pub(crate) fn fs_ask<const N: usize>(
    handle: &Handle,
    code: u32,
    what: &[u64],
    into: &mut Buffer<N>,
) -> Result<usize, Fault> {
    let len = u32::try_from(size_of_val(what)).map_err(|_| fault::BAD_ARGUMENT)?;
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(unsafe_code, reason = "input and buffer are ours, aligned, and as long as we say; the input is only read")]
    let status = unsafe {
        wdk::NtFsControlFile(
            handle.as_raw_handle(),
            null_mut(),
            None,
            null(),
            &raw mut block,
            code,
            what.as_ptr().cast(),
            len,
            into.0.as_mut_ptr().cast(),
            N as u32,
        )
    };
    filled(status, &block, N)
}

/// Has the filesystem do something that has no call of its own.
pub(crate) fn fs_tell(handle: &Handle, code: u32, what: &[u64]) -> Result<(), Fault> {
    let len = u32::try_from(size_of_val(what)).map_err(|_| fault::BAD_ARGUMENT)?;
    let mut block = IO_STATUS_BLOCK::default();
    #[expect(unsafe_code, reason = "the input is ours, aligned, as long as we say, and only read; no output")]
    let status = unsafe {
        wdk::NtFsControlFile(
            handle.as_raw_handle(),
            null_mut(),
            None,
            null(),
            &raw mut block,
            code,
            what.as_ptr().cast(),
            len,
            null_mut(),
            0,
        )
    };
    done(status)
}

fn done(status: NTSTATUS) -> Result<(), Fault> {
    if status >= 0 { Ok(()) } else { Err(Fault::of_status(status)) }
}

fn filled(status: NTSTATUS, block: &IO_STATUS_BLOCK, max: usize) -> Result<usize, Fault> {
    if status != STATUS_BUFFER_OVERFLOW {
        done(status)?;
    }
    Ok(block.Information.min(max))
}

/// Numbers in what the kernel filled: never beyond its end.
pub(crate) mod field {
    use crate::windows::fault::{self, Fault};

    fn bytes<const N: usize>(from: &[u8], at: usize) -> Result<[u8; N], Fault> {
        from.get(at..at + N).and_then(|part| part.try_into().ok()).ok_or(fault::BAD_DATA)
    }

    /// A number of 16 bits.
    pub(crate) fn u16(from: &[u8], at: usize) -> Result<u16, Fault> {
        bytes(from, at).map(u16::from_le_bytes)
    }

    /// A number of 32 bits.
    pub(crate) fn u32(from: &[u8], at: usize) -> Result<u32, Fault> {
        bytes(from, at).map(u32::from_le_bytes)
    }

    /// A number of 64 bits.
    pub(crate) fn u64(from: &[u8], at: usize) -> Result<u64, Fault> {
        bytes(from, at).map(u64::from_le_bytes)
    }

    /// UTF-16 of so many bytes.
    pub(crate) fn text(from: &[u8], at: usize, len: usize) -> Result<impl Iterator<Item = u16>, Fault> {
        let part = at.checked_add(len).and_then(|end| from.get(at..end)).ok_or(fault::BAD_DATA)?;
        Ok(part.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_says_backup_intent_and_follows_no_link() {
        for how in [How::open(fs::FILE_READ_DATA), How::create(fs::FILE_WRITE_DATA, wdk::FILE_NON_DIRECTORY_FILE)] {
            let options = how.all_options();
            assert_ne!(options & wdk::FILE_OPEN_FOR_BACKUP_INTENT, 0);
            assert_ne!(options & wdk::FILE_OPEN_REPARSE_POINT, 0);
        }
    }

    #[test]
    fn a_name_that_leads_further_than_one_step_is_refused() {
        let here = crate::windows::root::Root::open_at(&std::env::temp_dir()).unwrap();
        for name in ["..\\x", "a/b", "a:stream", "a\0b"] {
            let name: Vec<u16> = name.encode_utf16().collect();
            let opened = open(here.handle().unwrap(), &name, How::open(fs::FILE_READ_DATA));
            assert_eq!(opened.map(|_| ()).unwrap_err(), fault::BAD_NAME);
        }
        for stream in ["", "a:b", "..\\x", ":$DATA"] {
            let stream: Vec<u16> = stream.encode_utf16().collect();
            let how = How::open(fs::FILE_READ_DATA);
            let opened = open_stream(here.handle().unwrap(), &[u16::from(b'f')], &stream, how);
            assert_eq!(opened.map(|_| ()).unwrap_err(), fault::BAD_NAME);
        }
    }

    #[test]
    fn nothing_is_read_beyond_what_was_filled() {
        assert_eq!(field::u32(&[1, 0, 0, 0], 0), Ok(1));
        assert!(field::u32(&[1, 0, 0, 0], 1).is_err() && field::u64(&[0; 8], 4).is_err());
        assert!(field::text(&[0; 4], 2, 4).is_err() && field::text(&[0; 4], 2, usize::MAX).is_err());
    }
}
