//! Names and relative paths, and the one order they have.
//!
//! A name is any byte string without `/` and NUL that is not empty, `.` or `..` (DESIGN rule 3). Names that come from
//! UTF-16 are kept as WTF-8. A [`RelPath`] is a sequence of names. Paths are ordered component by component, which is
//! the order in which the engine walks a tree. Nothing here ever touches the operating system's path type except
//! [`Name::to_os`], at the edge.

use crate::printable::is_hidden;
use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};

/// One path component: never empty, never `.` or `..`, without `/` and NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

/// Why a byte string from outside cannot be a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// No bytes at all.
    Empty,
    /// `.` or `..`.
    Dots,
    /// Contains `/`.
    Slash,
    /// Contains a NUL byte.
    Nul,
    /// Longer than any filesystem allows ([`NAME_BYTES_MAX`]).
    TooLong,
}

/// The longest name believed: 255 UTF-16 units take at most 765 bytes of WTF-8; some filesystems allow a little more.
pub const NAME_BYTES_MAX: usize = 1024;

impl BadName {
    /// The reason in plain words.
    pub fn reason(self) -> &'static str {
        match self {
            BadName::Empty => "the name is empty",
            BadName::Dots => "the name is \".\" or \"..\"",
            BadName::Slash => "the name contains \"/\"",
            BadName::Nul => "the name contains a NUL byte",
            BadName::TooLong => "the name is longer than any filesystem allows",
        }
    }
}

impl Name {
    /// Accepts `bytes` as a name, or says why it cannot be one.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Name, BadName> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(BadName::Empty);
        }
        if &*bytes == b"." || &*bytes == b".." {
            return Err(BadName::Dots);
        }
        if bytes.len() > NAME_BYTES_MAX {
            return Err(BadName::TooLong);
        }
        for &b in &bytes {
            match b {
                b'/' => return Err(BadName::Slash),
                0 => return Err(BadName::Nul),
                _ => {}
            }
        }
        Ok(Name(bytes))
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as the operating system's string, for the adapters.
    #[cfg(unix)]
    pub fn to_os(&self) -> &std::ffi::OsStr {
        std::os::unix::ffi::OsStrExt::from_bytes(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", printable(&self.0))
    }
}

/// A path below a root: names joined by `/`, empty for the root itself.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RelPath(Box<[u8]>);

impl RelPath {
    /// The root itself.
    pub fn root() -> RelPath {
        RelPath::default()
    }

    /// Parses names joined by `/`; the empty string is the root.
    pub fn parse(bytes: &[u8]) -> Result<RelPath, BadName> {
        if bytes.is_empty() {
            return Ok(RelPath::root());
        }
        for part in bytes.split(|&b| b == b'/') {
            Name::new(part)?;
        }
        Ok(RelPath(bytes.into()))
    }

    /// This path with one more name.
    pub fn join(&self, name: &Name) -> RelPath {
        if self.is_root() {
            return RelPath(name.0.clone());
        }
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.0.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(&name.0);
        RelPath(bytes.into())
    }

    /// This path with all names of `below` added.
    pub fn join_path(&self, below: &RelPath) -> RelPath {
        match (self.is_root(), below.is_root()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => RelPath([&self.0, b"/".as_slice(), &below.0].concat().into()),
        }
    }

    /// The folder this path is in; `None` for the root.
    pub fn parent(&self) -> Option<RelPath> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Some(RelPath(self.0[..cut].into()))
    }

    /// The last name; `None` for the root.
    pub fn name(&self) -> Option<Name> {
        if self.is_root() {
            return None;
        }
        let start = self.0.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1);
        Some(Name(self.0[start..].into()))
    }

    /// The bytes of the last name; empty for the root.
    pub fn name_bytes(&self) -> &[u8] {
        &self.0[self.0.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1)..]
    }

    /// The names from the root down.
    pub fn names(&self) -> impl Iterator<Item = Name> + '_ {
        self.0.split(|&b| b == b'/').filter(|part| !part.is_empty()).map(|part| Name(part.into()))
    }

    /// The first name; `None` for the root.
    pub fn top(&self) -> Option<Name> {
        self.names().next()
    }

    /// Whether this is the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `folder` or lies below it.
    pub fn is_within(&self, folder: &RelPath) -> bool {
        folder.is_root() || self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// The bytes, names joined by `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as the operating system's path, for the adapters.
    #[cfg(unix)]
    pub fn to_os(&self) -> &Path {
        Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&self.0))
    }

    /// The path as the operating system's path; empty if it has a name that Windows cannot say.
    #[cfg(windows)]
    pub fn to_os(&self) -> PathBuf {
        let bytes = self.0.iter().map(|&b| if b == b'/' { b'\\' } else { b }).collect();
        os_path(bytes).unwrap_or_default()
    }

    /// A reversible text form for files and JSON: UTF-8, with `%XX` for `%`, control characters and bytes that are not
    /// UTF-8. [`RelPath::from_text`] reads it back.
    pub fn to_text(&self) -> String {
        bytes_to_text(&self.0)
    }

    /// Reads what [`RelPath::to_text`] wrote; `None` if it is not such a text or not a path.
    pub fn from_text(text: &str) -> Option<RelPath> {
        RelPath::parse(&text_to_bytes(text)?).ok()
    }
}

/// A path of the operating system as bytes: as it is on Unix, WTF-8 on Windows. [`os_path`] turns it back.
pub fn os_bytes(path: &Path) -> Vec<u8> {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec();
    #[cfg(windows)]
    return crate::wide::to_wtf8(std::os::windows::ffi::OsStrExt::encode_wide(path.as_os_str()));
}

/// What [`os_bytes`] made bytes of; `None` if no path of this operating system can be that.
pub fn os_path(bytes: Vec<u8>) -> Option<PathBuf> {
    #[cfg(unix)]
    return Some(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into());
    #[cfg(windows)]
    return crate::wide::to_utf16(&bytes)
        .map(|wide| <std::ffi::OsString as std::os::windows::ffi::OsStringExt>::from_wide(&wide).into());
}

/// Any bytes as UTF-8 text, reversible: `%XX` for `%`, control characters and bytes that are not UTF-8.
pub fn bytes_to_text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' || c.is_control() {
                let mut buffer = [0u8; 4];
                c.encode_utf8(&mut buffer).bytes().for_each(|b| push_hex(&mut out, b));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|&b| push_hex(&mut out, b));
    }
    out
}

/// Reads what [`bytes_to_text`] wrote; `None` for a broken `%` sequence.
pub fn text_to_bytes(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&b, tail)) = rest.split_first() {
        if b == b'%' {
            let (hex, after) = tail.split_at_checked(2)?;
            out.push(hex_byte(hex)?);
            rest = after;
        } else {
            out.push(b);
            rest = tail;
        }
    }
    Some(out)
}

/// The byte that two hexadecimal digits write; `None` for anything else, a sign included.
pub(crate) fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|d| char::from(*d).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok().filter(|_| digits.len() == 2)
}

fn push_hex(out: &mut String, b: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(HEX[usize::from(b >> 4)] as char);
    out.push(HEX[usize::from(b & 15)] as char);
}

/// Bytes for a human's eyes: hidden characters as `\u{..}`, broken UTF-8 as `\xNN`, everything else as it is.
fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_hidden(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
        }
        chunk.invalid().iter().for_each(|b| out.push_str(&format!("\\x{b:02X}")));
    }
    out
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> Ordering {
        // Component by component is the same as byte by byte with `/` below every other byte: NUL never occurs.
        let weight = |b: &u8| if *b == b'/' { 0 } else { *b };
        self.0.iter().map(weight).cmp(other.0.iter().map(weight))
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str(".") } else { f.write_str(&printable(&self.0)) }
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", printable(&self.0))
    }
}

impl serde::Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_text())
    }
}

impl<'de> serde::Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(d)?;
        RelPath::from_text(&text).ok_or_else(|| serde::de::Error::custom("not a path in octoBackup's text form"))
    }
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
