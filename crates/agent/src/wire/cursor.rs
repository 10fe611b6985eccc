//! Numbers and byte strings, written one after the other and read back.

use super::{DETAIL_BYTES_MAX, fault};
use octo_core::{Code, Error, RelPath};

/// Codes that a source can know. What an agent says of our own disk or our own logon is not believed.
const BELIEVED: &[Code] = &[
    Code::AccessDenied,
    Code::Locked,
    Code::NotFound,
    Code::NotLocal,
    Code::ChangedWhileRead,
    Code::KindMoved,
    Code::BadName,
    Code::NotMirrored,
    Code::ListingCut,
    Code::OtherDevice,
    Code::OwnFolder,
    Code::SourceEntry,
    Code::PathTooLong,
    Code::SourceMissing,
    Code::OwnData,
    Code::PrivilegeMissing,
    Code::InternalError,
];

pub(crate) fn put_varint(out: &mut Vec<u8>, value: impl Into<u128>) {
    let mut value: u128 = value.into();
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(crate) fn put_zigzag_wide(out: &mut Vec<u8>, value: i128) {
    put_varint(out, ((value << 1) ^ (value >> 127)) as u128);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_error(out: &mut Vec<u8>, error: &Error) {
    put_bytes(out, error.code.as_str().as_bytes());
    let detail = &error.detail;
    put_bytes(out, &detail.as_bytes()[..detail.floor_char_boundary(DETAIL_BYTES_MAX)]);
}

/// The code an agent's word stands for.
pub(crate) fn believed(code: &str) -> Code {
    BELIEVED.iter().copied().find(|known| known.as_str() == code).unwrap_or(Code::SourceEntry)
}

/// What is left to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (head, tail) = self.0.split_at_checked(count).ok_or_else(|| fault("a message is cut short"))?;
        self.0 = tail;
        Ok(head)
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    pub fn varint_wide(&mut self) -> Result<u128, Error> {
        let mut value = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7F);
            if shift > 121 && bits >> (128 - shift) != 0 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(fault("a number is too large"))
    }

    pub fn varint<T: TryFrom<u128>>(&mut self) -> Result<T, Error> {
        T::try_from(self.varint_wide()?).map_err(|_| fault("a number is too large"))
    }

    pub fn zigzag(&mut self) -> Result<i64, Error> {
        let raw: u64 = self.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    pub fn zigzag_wide(&mut self) -> Result<i128, Error> {
        let raw = self.varint_wide()?;
        Ok((raw >> 1) as i128 ^ -((raw & 1) as i128))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let count = self.varint()?;
        self.take(count)
    }

    pub fn text(&mut self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes()?).map_err(|_| fault("a text is not UTF-8"))
    }

    pub fn path(&mut self) -> Result<RelPath, Error> {
        RelPath::parse(self.bytes()?).map_err(|bad| fault(format!("an impossible path: {}", bad.reason())))
    }

    pub fn error(&mut self) -> Result<Error, Error> {
        let (code, detail) = (self.text()?, self.bytes()?);
        let detail = String::from_utf8_lossy(&detail[..detail.len().min(DETAIL_BYTES_MAX)]);
        // It goes to terminals and reports.
        let detail =
            detail.chars().map(|c| if octo_core::printable::is_hidden(c) { '\u{FFFD}' } else { c }).collect::<String>();
        Ok(Error::new(believed(code), detail))
    }

    pub fn end(&self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(fault("a message is longer than what it says")) }
    }
}
