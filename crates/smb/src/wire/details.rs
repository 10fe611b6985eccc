//! What a server says of an entry's streams and extended attributes.

use super::{Bytes, Malformed, name};
use octo_core::wide;

/// A named stream as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamInfo {
    /// Its name in UTF-16, without colons and type, as the server spells it.
    pub wire: Vec<u16>,
    /// The same in WTF-8.
    pub name: Vec<u8>,
    pub size_bytes: u64,
}

/// The most entries believed of one chain; the target takes no more either.
const ENTRIES_MAX: usize = 10_000;

/// Parses FileStreamInformation (MS-FSCC 2.4.44): the named data streams. The unnamed one is the file's data.
pub(crate) fn streams(info: &[u8]) -> Result<Vec<StreamInfo>, Malformed> {
    let mut streams = Vec::new();
    chain(info, 24, |entry| {
        let wire = entry.slice(24, entry.len32(4)?)?;
        if !wire.len().is_multiple_of(2) {
            return Err(Malformed("the name of a stream has half a character"));
        }
        let units: Vec<u16> = wire.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let size_bytes = super::listing::size(entry.u64(8)?)?;
        if let Some(wire) = wide::data_stream(&units) {
            let is_hostile = |unit: &u16| [0, u16::from(b'/'), u16::from(b'\\')].contains(unit);
            if wire.iter().any(is_hostile) {
                return Err(Malformed("a stream has a name that no stream can have"));
            }
            let bytes: Vec<u8> = wire.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            streams.push(StreamInfo { wire: wire.to_vec(), name: name::to_wtf8(&bytes), size_bytes });
        }
        Ok(())
    })?;
    Ok(streams)
}

/// A name with its value.
pub(crate) type Extended<'a> = (&'a [u8], &'a [u8]);

/// Parses FileFullEaInformation (MS-FSCC 2.4.16).
pub(crate) fn extended(info: &[u8]) -> Result<Vec<Extended<'_>>, Malformed> {
    let mut all = Vec::new();
    chain(info, 8, |entry| {
        let name_bytes = usize::from(entry.u8(5)?);
        let name = entry.slice(8, name_bytes)?;
        // A NUL follows the name.
        let value = entry.slice(8 + name_bytes + 1, entry.u16(6)?.into())?;
        all.push((name, value));
        Ok(())
    })?;
    Ok(all)
}

/// Walks over entries that begin with the distance to the next one. Empty information is no entry.
fn chain<'a>(
    info: &'a [u8],
    fixed_bytes: usize,
    mut each: impl FnMut(Bytes<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut rest = info;
    for _ in 0..ENTRIES_MAX {
        if rest.is_empty() {
            return Ok(());
        }
        let next = Bytes(rest).len32(0)?;
        if next != 0 && next < fixed_bytes {
            return Err(Malformed("the entries of a list overlap"));
        }
        let entry = if next == 0 { rest } else { rest.get(..next).ok_or(Malformed("an entry lies beyond the end"))? };
        each(Bytes(entry))?;
        if next == 0 {
            return Ok(());
        }
        rest = &rest[next..];
    }
    Err(Malformed("a list has more entries than are taken"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(name: &str, size: u64, is_last: bool) -> Vec<u8> {
        let wire: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut out = vec![0; 4];
        out.extend((wire.len() as u32).to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(wire);
        out.resize(out.len().next_multiple_of(8), 0);
        if !is_last {
            let len = out.len() as u32;
            out[..4].copy_from_slice(&len.to_le_bytes());
        }
        out
    }

    #[test]
    fn named_data_streams_are_told_and_nothing_else() {
        let info = [
            stream("::$DATA", 5, false),
            stream(":a b:$DATA", 3, false),
            stream(":x:$INDEX_ALLOCATION", 1, false),
            stream(":last:$DATA", 0, true),
        ]
        .concat();
        let read: Vec<_> = streams(&info).unwrap().into_iter().map(|s| (s.name, s.size_bytes)).collect();
        assert_eq!(read, [(b"a b".to_vec(), 3), (b"last".to_vec(), 0)]);
        assert_eq!(streams(&[]).unwrap(), []);
        assert!(streams(&stream(":a/b:$DATA", 1, true)).is_err());
        assert!(streams(&stream(":a:$DATA", u64::MAX, true)).is_err());
    }

    #[test]
    fn extended_attributes_are_told() {
        let mut info = vec![0, 0, 0, 0, 0, 2, 3, 0];
        info.extend(b"AB\0xyz");
        assert_eq!(extended(&info).unwrap(), [(&b"AB"[..], &b"xyz"[..])]);
        assert!(extended(&info[..13]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic_or_run_in_place(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = streams(&bytes);
            let _ = extended(&bytes);
        }
    }
}
