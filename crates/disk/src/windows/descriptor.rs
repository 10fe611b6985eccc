//! Security descriptors: who may do what.

use crate::windows::fault::Fault;
use crate::windows::privilege;
use std::ffi::c_void;
use std::os::windows::io::AsRawHandle;
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security as sec;
use windows_sys::Win32::Security::Authorization as sddl;

/// More than any account's name in a token takes: a head and the longest SID.
const USER_WORDS: usize = 16;

/// Who may do what, as the kernel has it.
#[derive(Debug)]
pub(crate) struct Descriptor(Local);

impl Descriptor {
    /// For the system, administrators and the account that we run as: for no one else, whatever the folder above says.
    /// What is made below inherits that.
    pub(crate) fn private() -> Result<Descriptor, Fault> {
        let me = own_sid()?;
        let text = format!("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{me})");
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut made = null_mut();
        #[expect(unsafe_code, reason = "the text ends with NUL; the result goes to a local")]
        let done = unsafe {
            sddl::ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                sddl::SDDL_REVISION_1,
                &raw mut made,
                null_mut(),
            )
        };
        if done == 0 { Err(last()) } else { Ok(Descriptor(Local(made))) }
    }

    /// For a call of the kernel that reads it.
    pub(crate) fn as_ptr(&self) -> *const sec::SECURITY_DESCRIPTOR {
        self.0.0.cast_const().cast()
    }
}

/// The account that we run as: `S-1-5-...`.
fn own_sid() -> Result<String, Fault> {
    let token = privilege::token(sec::TOKEN_QUERY)?;
    let mut user = [0u64; USER_WORDS];
    let mut len = 0;
    #[expect(unsafe_code, reason = "the buffer is ours, aligned, and as long as we say")]
    let asked = unsafe {
        sec::GetTokenInformation(
            token.as_raw_handle(),
            sec::TokenUser,
            user.as_mut_ptr().cast(),
            size_of_val(&user) as u32,
            &raw mut len,
        )
    };
    if asked == 0 {
        return Err(last());
    }
    let mut text: *mut u16 = null_mut();
    #[expect(unsafe_code, reason = "TOKEN_USER begins with a pointer to the SID, which is in the same buffer")]
    let converted = unsafe { sddl::ConvertSidToStringSidW(user[0] as usize as sec::PSID, &raw mut text) };
    if converted == 0 {
        return Err(last());
    }
    let text = Local(text.cast());
    let units = (0..).map(|at| {
        #[expect(unsafe_code, reason = "the text ends with NUL, behind which nothing is read")]
        unsafe {
            *text.0.cast::<u16>().add(at)
        }
    });
    Ok(char::decode_utf16(units.take_while(|unit| *unit != 0)).flatten().collect())
}

/// What Windows made for us and wants to have back.
#[derive(Debug)]
struct Local(*mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "what was given to us alone is given back once")]
        unsafe {
            LocalFree(self.0)
        };
    }
}

fn last() -> Fault {
    std::io::Error::last_os_error().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_for_us_too() {
        assert!(own_sid().unwrap().starts_with("S-1-5-"));
        assert!(!Descriptor::private().unwrap().as_ptr().is_null());
    }
}
