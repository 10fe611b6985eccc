//! Bounds-checked reading of little-endian fields at fixed places.

use octo_core::{Code, Error};

/// Bytes that do not fit the specification, and what is wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Error {
        Error::new(Code::Protocol, malformed.0)
    }
}

/// Bytes from the network, addressed by offset. Every access is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// `len` bytes from `at`.
    pub fn slice(self, at: usize, len: usize) -> Result<&'a [u8], Malformed> {
        let end = at.checked_add(len).ok_or(Malformed("a length is too large"))?;
        self.0.get(at..end).ok_or(Malformed("a field lies beyond the end of the message"))
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Malformed> {
        let slice = self.slice(at, N)?;
        <[u8; N]>::try_from(slice).map_err(|_| Malformed("a field lies beyond the end of the message"))
    }

    pub fn u8(self, at: usize) -> Result<u8, Malformed> {
        self.array::<1>(at).map(|[b]| b)
    }

    pub fn u16(self, at: usize) -> Result<u16, Malformed> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub fn u32(self, at: usize) -> Result<u32, Malformed> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub fn u64(self, at: usize) -> Result<u64, Malformed> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// A 32-bit field that is an offset or a length.
    pub fn len32(self, at: usize) -> Result<usize, Malformed> {
        usize::try_from(self.u32(at)?).map_err(|_| Malformed("a length is too large"))
    }
}
