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
