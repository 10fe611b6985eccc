//! What NetrShareEnum answers on the pipe `srvsvc` (MS-SRVS 3.1.4.8, level 1), in NDR (C706 chapter 14).

use super::{Bytes, Malformed, name};

/// The base of a share's type (MS-SRVS 2.2.2.4); the bits above it are modifiers.
const TYPE_MASK: u32 = 0xFF;
/// The modifier of administrative shares.
const SPECIAL: u32 = 0x8000_0000;
/// The call went well (MS-ERREF 2.2).
pub(crate) const CALL_SUCCEEDED: u32 = 0;
/// The caller may not ask.
pub(crate) const CALL_DENIED: u32 = 5;

/// One share as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WireShare {
    pub name: String,
    /// 0 files, 1 printer, 2 device, 3 pipes.
    pub base: u32,
    pub is_special: bool,
    pub comment: String,
}

/// The answer: the call's own result and, if it went well, the shares.
pub(crate) fn shares(stub: &[u8]) -> Result<(u32, Vec<WireShare>), Malformed> {
    let end = stub.len().checked_sub(4).ok_or(Malformed("a list of shares is cut off"))?;
    let result = Bytes(stub).u32(end)?;
    let mut ndr = Ndr { bytes: Bytes(stub), at: 0 };
    if result != CALL_SUCCEEDED {
        return Ok((result, Vec::new()));
    }
    if (ndr.u32()?, ndr.u32()?) != (1, 1) {
        return Err(Malformed("a list of shares is of another kind than was asked for"));
    }
    if ndr.u32()? == 0 {
        return Ok((result, Vec::new()));
    }
    let count = ndr.u32()?;
    if ndr.u32()? == 0 || count == 0 {
        return Ok((result, Vec::new()));
    }
    if ndr.u32()? < count {
        return Err(Malformed("a list of shares is shorter than it says"));
    }
    // Grows only with what is really there: each turn takes bytes from the answer.
    let mut heads = Vec::new();
    for _ in 0..count {
        heads.push((ndr.u32()?, ndr.u32()?, ndr.u32()?));
    }
    let mut shares = Vec::new();
    for (name, kind, comment) in heads {
        shares.push(WireShare {
            name: ndr.text(name)?,
            base: kind & TYPE_MASK,
            is_special: kind & SPECIAL != 0,
            comment: ndr.text(comment)?,
        });
    }
    Ok((result, shares))
}

/// Reads one value after the other, aligned to four bytes.
struct Ndr<'a> {
    bytes: Bytes<'a>,
    at: usize,
}

impl Ndr<'_> {
    fn u32(&mut self) -> Result<u32, Malformed> {
        let value = self.bytes.u32(self.at)?;
        self.at += 4;
        Ok(value)
    }

    /// A conformant varying string of UTF-16, without its NUL; empty where the pointer to it is null.
    fn text(&mut self, pointer: u32) -> Result<String, Malformed> {
        if pointer == 0 {
            return Ok(String::new());
        }
        let (_room, offset, units) = (self.u32()?, self.u32()?, self.u32()?);
        if offset != 0 {
            return Err(Malformed("a text does not begin at its beginning"));
        }
        let len = usize::try_from(units).ok().and_then(|n| n.checked_mul(2)).ok_or(Malformed("a text is too long"))?;
        let wire = self.bytes.slice(self.at, len)?;
        self.at += len.next_multiple_of(4);
        Ok(name::lossy(wire.strip_suffix(&[0, 0]).unwrap_or(wire)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let len = units.len() as u32;
        [len, 0, len].iter().for_each(|n| out.extend(n.to_le_bytes()));
        units.iter().for_each(|u| out.extend(u.to_le_bytes()));
        out.resize(out.len().next_multiple_of(4), 0);
    }

    fn stub(shares: &[(&str, u32, &str)], result: u32) -> Vec<u8> {
        let count = shares.len() as u32;
        let mut out: Vec<u8> =
            [1, 1, 0x2_0000, count, 0x2_0004, count].iter().flat_map(|n: &u32| n.to_le_bytes()).collect();
        for (_, kind, _) in shares {
            [0x2_0008, *kind, 0x2_000C].iter().for_each(|n: &u32| out.extend(n.to_le_bytes()));
        }
        for (name, _, comment) in shares {
            text(&mut out, name);
            text(&mut out, comment);
        }
        [count, 0, result].iter().for_each(|n| out.extend(n.to_le_bytes()));
        out
    }

    #[test]
    fn shares_have_names_types_and_comments() {
        let list = stub(&[("data", 0, "Our files"), ("C$", 0x8000_0000, ""), ("IPC$", 0x8000_0003, "x")], 0);
        let (result, shares) = shares(&list).unwrap();
        assert_eq!(result, CALL_SUCCEEDED);
        let seen: Vec<_> = shares.iter().map(|s| (s.name.as_str(), s.base, s.is_special, s.comment.as_str())).collect();
        assert_eq!(seen, [("data", 0, false, "Our files"), ("C$", 0, true, ""), ("IPC$", 3, true, "x")]);
    }

    #[test]
    fn a_refused_call_is_told_from_an_empty_list() {
        assert_eq!(shares(&stub(&[], 5)), Ok((CALL_DENIED, Vec::new())));
        assert_eq!(shares(&stub(&[], 0)), Ok((CALL_SUCCEEDED, Vec::new())));
    }

    #[test]
    fn a_count_that_nothing_follows_takes_no_memory() {
        let mut list = stub(&[("data", 0, "")], 0);
        list[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        list[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(shares(&list).is_err());
    }

    proptest! {
        #[test]
        fn cut_or_altered_lists_never_panic(at in 0usize..200, byte in any::<u8>(), len in 0usize..200) {
            let mut list = stub(&[("data", 0, "Our files"), ("C$", 0x8000_0000, "")], 0);
            let end = list.len();
            list[at % end] = byte;
            let _ = shares(&list[..len.min(end)]);
            let _ = shares(&list);
        }
    }
}
