//! Names between UTF-16 on the wire and WTF-8 in our paths, unpaired surrogates included.

use octo_core::{Code, Error, Name, RelPath, wide};

/// What a name in a listing turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WireName {
    /// A name that an entry can have.
    Good(Name),
    /// One of the server's own two dot entries.
    Dot,
    /// No entry can have this name: its bytes, and why.
    Bad(Vec<u8>, Error),
}

/// Judges a name from the wire. An odd number of bytes is the caller's to refuse.
pub(crate) fn from_utf16le(wire: &[u8]) -> WireName {
    let bytes = to_wtf8(wire);
    if bytes == b"." || bytes == b".." {
        return WireName::Dot;
    }
    // On this protocol the backslash separates folders: a name with one would lead out of the folder listed.
    if bytes.contains(&b'\\') {
        return WireName::Bad(bytes, Error::new(Code::BadName, "the name contains \"\\\""));
    }
    match Name::new(bytes.as_slice()) {
        Ok(name) => WireName::Good(name),
        Err(bad) => WireName::Bad(bytes, Error::new(Code::BadName, bad.reason())),
    }
}

pub(crate) fn to_wtf8(wire: &[u8]) -> Vec<u8> {
    wide::to_wtf8(wire.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])))
}

/// A path as UTF-16 with backslashes, the root being empty. Fails on bytes that are not WTF-8 and on names with a
/// backslash, neither of which can have come from a listing of this protocol.
pub(crate) fn to_utf16(path: &RelPath) -> Result<Vec<u16>, Error> {
    if path.as_bytes().contains(&b'\\') {
        return Err(Error::new(Code::BadName, "the name contains \"\\\""));
    }
    let Some(mut units) = wide::to_utf16(path.as_bytes()) else {
        return Err(Error::new(Code::BadName, "the name is not UTF-16 text in our encoding"));
    };
    for unit in units.iter_mut().filter(|unit| **unit == u16::from(b'/')) {
        *unit = u16::from(b'\\');
    }
    Ok(units)
}

/// A label from the wire, for people: broken parts replaced.
pub(crate) fn lossy(wire: &[u8]) -> String {
    String::from_utf8_lossy(&to_wtf8(wire)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn units(units: &[u16]) -> Vec<u8> {
        units.iter().flat_map(|u| u.to_le_bytes()).collect()
    }

    #[test]
    fn hostile_names_are_refused() {
        for text in ["", "a/b", "a\\b", "\\", "/", "a\0b", "\0"] {
            assert!(
                matches!(from_utf16le(&wire(text)), WireName::Bad(_, error) if error.code == Code::BadName),
                "{text:?}"
            );
        }
        assert!(matches!(from_utf16le(&wire(&"x".repeat(5000))), WireName::Bad(..)));
        assert_eq!(from_utf16le(&wire(".")), WireName::Dot);
        assert_eq!(from_utf16le(&wire("..")), WireName::Dot);
        assert!(matches!(from_utf16le(&wire("...")), WireName::Good(_)));
    }

    #[test]
    fn a_lone_surrogate_survives() {
        let WireName::Good(name) = from_utf16le(&units(&[0x61, 0xD800, 0x62])) else { panic!("refused") };
        assert_eq!(name.as_bytes(), b"a\xED\xA0\x80b");
        assert_eq!(to_utf16(&RelPath::root().join(&name)), Ok(vec![0x61, 0xD800, 0x62]));
    }

    #[test]
    fn bytes_that_no_listing_gives_are_refused() {
        for bytes in [&b"\xFF"[..], b"a\xC3", b"\xED\xA0", b"a\\b", b"\xED\xA0\x80\\", b"\xF8\x80\x80\x80"] {
            assert!(to_utf16(&RelPath::parse(bytes).unwrap()).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_good_name_comes_back_unit_by_unit(name in proptest::collection::vec(prop_oneof![1u16..0x80, 0xD700u16..0xE010, any::<u16>()], 1..40)) {
            if let WireName::Good(good) = from_utf16le(&units(&name)) {
                prop_assert_eq!(to_utf16(&RelPath::root().join(&good)), Ok(name));
            }
        }

        #[test]
        fn any_path_is_encoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(path) = RelPath::parse(&bytes) {
                let _ = to_utf16(&path);
            }
        }
    }
}
