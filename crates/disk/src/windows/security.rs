//! Security descriptors on their way to a file and back, exactly as they are: nothing is inherited or computed again.

use super::fault::{self, Fault};
use super::opened::Opened;
use super::{Handle, nt};
use octo_core::metadata::is_security_descriptor;
use windows_sys::Win32::Foundation as win;
use windows_sys::Win32::Security as sec;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::SystemServices::ACCESS_SYSTEM_SECURITY;

const OWNER_GROUP_DACL: u32 =
    sec::OWNER_SECURITY_INFORMATION | sec::GROUP_SECURITY_INFORMATION | sec::DACL_SECURITY_INFORMATION;
const SACL: u32 = sec::SACL_SECURITY_INFORMATION;

/// Opens it with rights of which one, that on audit entries, the account may lack. Returns what may be asked then.
fn open(opened: &Opened, access: u32) -> Result<(Handle, u32), Fault> {
    match opened.with(access | ACCESS_SYSTEM_SECURITY) {
        Err(fault::DENIED | Fault(win::ERROR_PRIVILEGE_NOT_HELD)) => Ok((opened.with(access)?, OWNER_GROUP_DACL)),
        other => Ok((other?, OWNER_GROUP_DACL | SACL)),
    }
}

/// Owner, group, DACL, and the SACL where the account may.
pub(crate) fn read(opened: &Opened) -> Result<Vec<u8>, Fault> {
    let (handle, information) = open(opened, fs::READ_CONTROL)?;
    let bytes = nt::security(&handle, information)?;
    if is_security_descriptor(&bytes) { Ok(bytes) } else { Err(fault::BAD_DATA) }
}

/// Sets all that `wanted` has, which was checked to be a descriptor.
pub(crate) fn set(opened: &Opened, wanted: &[u8]) -> Result<(), Fault> {
    let parts = Parts::of(wanted);
    // Without an owner it would be only half of what says who may do what.
    let (Some(_), Some(_)) = (parts.owner, parts.group) else { return Err(fault::BAD_ARGUMENT) };
    let (handle, may) = open(opened, fs::READ_CONTROL | fs::WRITE_DAC | fs::WRITE_OWNER)?;
    let has_sacl = parts.control & sec::SE_SACL_PRESENT != 0;
    let information = OWNER_GROUP_DACL | if has_sacl { SACL } else { 0 };
    if information & !may != 0 {
        return Err(fault::DENIED);
    }
    nt::set_security(&handle, information, &asking_for_inherited_marks(wanted))
}

/// Whether the file, opened again, has all of `wanted`.
pub(crate) fn holds(opened: &Opened, wanted: &[u8]) -> bool {
    let (Ok(there), wanted) = (read(opened), Parts::of(wanted)) else { return false };
    let there = Parts::of(&there);
    let has_sacl = wanted.control & sec::SE_SACL_PRESENT != 0;
    if has_sacl { there == wanted } else { there.without_sacl() == wanted.without_sacl() }
}

/// Windows takes over the mark that an ACL was inherited by itself only if it is asked to.
fn asking_for_inherited_marks(descriptor: &[u8]) -> Vec<u8> {
    let mut bytes = descriptor.to_vec();
    let control = Parts::of(descriptor).control;
    let ask = |inherited, request| if control & inherited != 0 { request } else { 0 };
    let asked = ask(sec::SE_DACL_AUTO_INHERITED, sec::SE_DACL_AUTO_INHERIT_REQ)
        | ask(sec::SE_SACL_AUTO_INHERITED, sec::SE_SACL_AUTO_INHERIT_REQ);
    if let Some(field) = bytes.get_mut(2..4) {
        let control = u16::from_le_bytes([field[0], field[1]]) | asked;
        field.copy_from_slice(&control.to_le_bytes());
    }
    bytes
}

/// What a descriptor says, wherever in it that lies.
#[derive(Debug, PartialEq, Eq, Default)]
struct Parts<'a> {
    control: u16,
    owner: Option<&'a [u8]>,
    group: Option<&'a [u8]>,
    sacl: Option<&'a [u8]>,
    dacl: Option<&'a [u8]>,
}

/// The bits about a SACL, and all that say something.
const ABOUT_SACL: u16 = sec::SE_SACL_PRESENT | sec::SE_SACL_AUTO_INHERITED | sec::SE_SACL_PROTECTED;
const ABOUT_ALL: u16 = ABOUT_SACL | sec::SE_DACL_PRESENT | sec::SE_DACL_AUTO_INHERITED | sec::SE_DACL_PROTECTED;

impl<'a> Parts<'a> {
    /// Of something that was checked with [`is_security_descriptor`]; nothing of anything else.
    fn of(bytes: &'a [u8]) -> Parts<'a> {
        if !is_security_descriptor(bytes) {
            return Parts::default();
        }
        let u16_at = |at: usize| bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
        let from = |field: usize| {
            let place = bytes.get(field..field + 4)?;
            let place = u32::from_le_bytes([place[0], place[1], place[2], place[3]]) as usize;
            (place != 0).then_some(place)
        };
        let sid = |field| from(field).and_then(|at| bytes.get(at..at + 8 + 4 * usize::from(*bytes.get(at + 1)?)));
        let acl = |field| from(field).and_then(|at| bytes.get(at..at + usize::from(u16_at(at + 2))));
        Parts { control: u16_at(2) & ABOUT_ALL, owner: sid(4), group: sid(8), sacl: acl(12), dacl: acl(16) }
    }

    fn without_sacl(self) -> Parts<'a> {
        Parts { control: self.control & !ABOUT_SACL, sacl: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Owner and group Administrators, a DACL with nothing in it, `gap` bytes in between that mean nothing.
    fn descriptor(control: u16, gap: usize) -> Vec<u8> {
        let sid = [1u8, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
        let mut bytes = vec![1, 0];
        bytes.extend((control | sec::SE_SELF_RELATIVE).to_le_bytes());
        let owner = 20 + gap as u32;
        for place in [owner, owner + 16, 0, owner + 32] {
            bytes.extend(place.to_le_bytes());
        }
        bytes.resize(20 + gap, 0xaa);
        bytes.extend([&sid[..], &sid, &[2, 0, 8, 0, 0, 0, 0, 0]].concat());
        bytes
    }

    #[test]
    fn descriptors_are_alike_when_they_say_the_same_wherever_it_lies() {
        let (near, far) = (descriptor(sec::SE_DACL_PRESENT, 0), descriptor(sec::SE_DACL_PRESENT, 8));
        assert_ne!(near, far);
        assert_eq!(Parts::of(&near), Parts::of(&far));
        assert_eq!(Parts::of(&near).dacl.map(<[u8]>::len), Some(8));
        let protected = descriptor(sec::SE_DACL_PRESENT | sec::SE_DACL_PROTECTED, 0);
        assert_ne!(Parts::of(&near), Parts::of(&protected));
        assert_eq!(Parts::of(&near[..40]), Parts::default());
    }

    #[test]
    fn inherited_marks_are_asked_for_where_there_are_some() {
        let marked = descriptor(sec::SE_DACL_PRESENT | sec::SE_DACL_AUTO_INHERITED, 0);
        let asked = asking_for_inherited_marks(&marked);
        assert_eq!(u16::from_le_bytes([asked[2], asked[3]]) & sec::SE_DACL_AUTO_INHERIT_REQ, 0x100);
        let plain = descriptor(sec::SE_DACL_PRESENT, 0);
        assert_eq!(asking_for_inherited_marks(&plain), plain);
    }
}
