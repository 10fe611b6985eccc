//! Names between UTF-16, as Windows and its protocols have them, and WTF-8, as our paths have them. Unpaired surrogates are
//! kept: no name is lost (DESIGN rule 3).

/// UTF-16 to WTF-8: surrogates that have no partner become three bytes each.
pub fn to_wtf8(units: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let units = units.into_iter();
    let mut out = Vec::with_capacity(units.size_hint().0);
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                out.extend([0xE0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3F) as u8, 0x80 | (unit & 0x3F) as u8]);
            }
        }
    }
    out
}

/// The name in `:name:$DATA`, as Windows and SMB list the streams of a file; `None` for the file's data, which has no name, and for
/// streams that are no data.
pub fn data_stream(units: &[u16]) -> Option<&[u16]> {
    const COLON: u16 = b':' as u16;
    let rest = units.strip_prefix(&[COLON])?;
    let at = rest.iter().position(|&unit| unit == COLON)?;
    let (name, kind) = rest.split_at(at);
    let is_data = kind.iter().copied().eq(":$DATA".encode_utf16());
    (is_data && !name.is_empty()).then_some(name)
}

/// WTF-8 to UTF-16; `None` if the bytes are not WTF-8.
pub fn to_utf16(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        if let [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] = *rest {
            out.push(0xD800 | u16::from(second & 0x1F) << 6 | u16::from(third & 0x3F));
            rest = &rest[3..];
            continue;
        }
        let len = match first {
            0..=0x7F => 1,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            _ => 4,
        };
        let text = rest.get(..len).and_then(|part| std::str::from_utf8(part).ok())?;
        out.extend(text.encode_utf16());
        rest = &rest[len..];
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_named_stream_of_data_is_one() {
        let of = |text: &str| data_stream(&text.encode_utf16().collect::<Vec<_>>()).map(String::from_utf16_lossy);
        assert_eq!(of(":Zone.Identifier:$DATA").as_deref(), Some("Zone.Identifier"));
        for other in ["::$DATA", ":x:$EA", ":x", "x:$DATA", ":x:y:$DATA", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_wide_name_comes_back(units in proptest::collection::vec(prop_oneof![any::<u16>(), 0xD7F0u16..0xE010], 0..20)) {
            prop_assert_eq!(to_utf16(&to_wtf8(units.iter().copied())), Some(units));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = to_utf16(&bytes);
        }
    }

    #[test]
    fn known_forms() {
        assert_eq!(to_wtf8([0x61, 0xE9, 0xD83D, 0xDE00, 0xD800]), b"a\xC3\xA9\xF0\x9F\x98\x80\xED\xA0\x80");
        assert_eq!(to_utf16(b"\xFF"), None);
        assert_eq!(to_utf16(b"\xC3"), None);
    }
}
