//! Under which name an entry is stored. No name is lost or merged (DESIGN rule 3).
//!
//! A name that the target can hold is stored as it is. Any other name is stored under an escape that can be turned back:
//! the offending bytes as `%XX`, `%` itself as `%25`, and `.~octo` at the end. A name that already ends in `.~octo` is
//! escaped too, so an escaped name is never mistaken for an original one. A name too long for that is cut and carries a
//! hash instead; its full form is recorded in the mirror's `meta/`.

use crate::abilities::NameRules;
use crate::path::{Name, hex_byte};

/// The end of every escaped name.
pub const SUFFIX: &[u8] = b".~octo";

/// How a name is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// As it is.
    AsIs,
    /// Escaped; [`unescape`] turns it back.
    Escaped(Name),
    /// Cut; the full name has to be recorded.
    Cut(Name),
}

/// How `name` is stored where `rules` hold. Pure: the same name always gets the same stored form.
pub fn store(name: &Name, rules: &NameRules) -> Stored {
    let bytes = name.as_bytes();
    if can_hold(name, rules) && !looks_escaped(bytes) { Stored::AsIs } else { escape(bytes, rules, |_| false) }
}

/// Whether a name can be stored as it is where there are no escapes: outside a mirror.
pub fn can_hold(name: &Name, rules: &NameRules) -> bool {
    rules.length(name.as_bytes()) <= rules.length_max && !has_offence(name.as_bytes(), rules)
}

/// How the second of two names that differ only in case is stored on a target that folds case: with every byte that
/// folding could touch escaped, so that no two such forms fold together. Where the first has to be escaped too, all letters
/// are, or the two escapes could fold together.
pub fn store_twin(name: &Name, rules: &NameRules) -> Stored {
    let twin = escape(name.as_bytes(), rules, |b| b.is_ascii_uppercase() || !b.is_ascii());
    if matches!(twin, Stored::Escaped(_)) && twin == store(name, rules) {
        return escape(name.as_bytes(), rules, |b| b.is_ascii_alphabetic() || !b.is_ascii());
    }
    twin
}

/// The original of an escaped name; `None` if it is not an escaped one, or was cut.
pub fn unescape(stored: &Name) -> Option<Name> {
    let body = stored.as_bytes().strip_suffix(SUFFIX)?;
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
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
    Name::new(out).ok()
}

/// The form in which names are compared where upper and lower case are the same.
pub fn fold(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_ascii() {
        return bytes.to_ascii_lowercase();
    }
    let mut out = Vec::with_capacity(bytes.len() + 4);
    for chunk in bytes.utf8_chunks() {
        let mut buffer = [0u8; 4];
        for c in chunk.valid().chars().flat_map(char::to_lowercase) {
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
        out.extend_from_slice(chunk.invalid());
    }
    out
}

fn looks_escaped(bytes: &[u8]) -> bool {
    bytes.len() >= SUFFIX.len() && bytes[bytes.len() - SUFFIX.len()..].eq_ignore_ascii_case(SUFFIX)
}

fn has_offence(bytes: &[u8], rules: &NameRules) -> bool {
    bytes.iter().any(|b| is_forbidden(*b, rules))
        || (rules.utf8_only && std::str::from_utf8(bytes).is_err())
        || (rules.windows_rules && (matches!(bytes.last(), Some(b'.' | b' ')) || is_device(bytes)))
}

fn is_forbidden(b: u8, rules: &NameRules) -> bool {
    rules.forbidden.as_bytes().contains(&b) || (rules.windows_rules && b < 0x20)
}

/// Device names of Windows, with or without an extension.
fn is_device(bytes: &[u8]) -> bool {
    let stem = bytes.split(|&b| b == b'.').next().unwrap_or(bytes);
    let upper = stem.trim_ascii_end().to_ascii_uppercase();
    matches!(
        upper.as_slice(),
        b"CON"
            | b"PRN"
            | b"AUX"
            | b"NUL"
            | b"CONIN$"
            | b"CONOUT$"
            | [b'C', b'O', b'M', b'1'..=b'9']
            | [b'L', b'P', b'T', b'1'..=b'9']
    )
}

fn escape(bytes: &[u8], rules: &NameRules, also: impl Fn(u8) -> bool) -> Stored {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let device = rules.windows_rules && is_device(bytes);
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for &b in chunk.valid().as_bytes() {
            if b == b'%' || also(b) || is_forbidden(b, rules) || (device && at == 0) {
                push_hex(&mut out, b)
            } else {
                out.push(b)
            }
            at += 1;
        }
        for &b in chunk.invalid() {
            if rules.utf8_only || also(b) {
                push_hex(&mut out, b)
            } else {
                out.push(b)
            }
            at += 1;
        }
    }
    // A trailing dot or space stops to be trailing once the suffix follows.
    if rules.length(&out) + SUFFIX.len() <= rules.length_max {
        out.extend_from_slice(SUFFIX);
        return Name::new(out).map_or(Stored::AsIs, Stored::Escaped);
    }
    cut(bytes, out, rules)
}

/// A beginning for people to recognise, `%~` (which no escape contains), and 128 bits of BLAKE3 of the whole name.
fn cut(original: &[u8], mut escaped: Vec<u8>, rules: &NameRules) -> Stored {
    let hash = blake3::hash(original).to_hex();
    let tail = [b"%~", &hash.as_bytes()[..32], SUFFIX].concat();
    let mut room = rules.length_max.saturating_sub(tail.len());
    let fits = |b: &u8| room.checked_sub(rules.length_of(*b)).map(|left| room = left).is_some();
    let mut keep = escaped.iter().copied().take_while(fits).count();
    let splits_char = |at: usize| escaped.get(at).is_some_and(|b| b & 0xC0 == 0x80);
    let splits_escape = |at: usize| escaped[at.saturating_sub(2)..at].contains(&b'%');
    while keep > 0 && (splits_char(keep) || splits_escape(keep)) {
        keep -= 1;
    }
    escaped.truncate(keep);
    escaped.extend_from_slice(&tail);
    Name::new(escaped).map_or(Stored::AsIs, Stored::Cut)
}

fn push_hex(out: &mut Vec<u8>, b: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn windows() -> NameRules {
        NameRules {
            length_max: 255,
            counts_utf16: true,
            folds_case: true,
            forbidden: "<>:\"|?*\\".into(),
            utf8_only: true,
            windows_rules: true,
        }
    }

    fn name(text: &[u8]) -> Name {
        Name::new(text).unwrap()
    }

    fn any_name() -> impl Strategy<Value = Name> {
        let odd = prop_oneof![
            proptest::collection::vec(1u8..=255, 1..8),
            "(con|nul|a|B|ß|%|:|\\.| |~octo|\\.~octo){1,4}".prop_map(String::into_bytes),
            proptest::collection::vec(prop_oneof![Just(b'a'), Just(0xC3), Just(b'%')], 200..400),
            "(a|\u{4e2d}|\u{1f419}|:){80,300}".prop_map(String::into_bytes),
        ];
        odd.prop_filter_map("a name", |bytes| Name::new(bytes).ok())
    }

    proptest! {
        #[test]
        fn what_is_stored_can_be_held_and_turned_back(name in any_name(), posix in any::<bool>()) {
            let rules = if posix { NameRules::POSIX } else { windows() };
            // Counted in another way than by the code that is tested.
            let length = |bytes: &[u8]| if posix { bytes.len() } else { crate::wide::to_utf16(bytes).unwrap().len() };
            for stored in [store(&name, &rules), store_twin(&name, &rules)] {
                match stored {
                    Stored::AsIs => prop_assert!(length(name.as_bytes()) <= 255 && unescape(&name).is_none()),
                    Stored::Escaped(s) => {
                        prop_assert!(length(s.as_bytes()) <= 255 && !has_offence(s.as_bytes(), &rules), "{s:?}");
                        prop_assert_eq!(unescape(&s), Some(name.clone()));
                    }
                    Stored::Cut(s) => {
                        prop_assert!(length(s.as_bytes()) <= 255 && !has_offence(s.as_bytes(), &rules), "{s:?}");
                        prop_assert_eq!(unescape(&s), None);
                    }
                }
            }
        }

        #[test]
        fn no_two_names_are_merged(names in proptest::collection::hash_set(any_name(), 2..40)) {
            let mut seen: HashMap<Vec<u8>, Name> = HashMap::new();
            for name in names {
                let stored = match store(&name, &NameRules::POSIX) { Stored::AsIs => name.clone(), Stored::Escaped(s) | Stored::Cut(s) => s };
                prop_assert_eq!(seen.insert(stored.as_bytes().to_vec(), name), None);
            }
        }

        #[test]
        fn twins_never_fold_together(a in "[aAbBäÄ]{1,5}", b in "[aAbBäÄ]{1,5}") {
            prop_assume!(a != b);
            let stored = |text: &str| match store_twin(&name(text.as_bytes()), &windows()) {
                Stored::Escaped(s) | Stored::Cut(s) => fold(s.as_bytes()),
                Stored::AsIs => unreachable!("a twin is always escaped"),
            };
            prop_assert_ne!(stored(&a), stored(&b));
        }

        /// The first of such names is stored by the rules for all names, and may have to be escaped as well.
        #[test]
        fn a_twin_never_folds_together_with_the_first(a in "[aAbBäÄ]{0,3}[.~:%]{0,2}(con)?(\\.~octo|\\.~OCTO)?", upper in any::<u8>()) {
            prop_assume!(!a.is_empty() && a != "." && a != "..");
            let flip = |(at, c): (usize, char)| if upper >> (at % 8) & 1 == 1 { c.to_ascii_uppercase() } else { c };
            let b: String = a.chars().enumerate().map(flip).collect();
            prop_assume!(a != b);
            let form = |stored: Stored, text: &str| match stored {
                Stored::Escaped(s) | Stored::Cut(s) => fold(s.as_bytes()),
                Stored::AsIs => fold(text.as_bytes()),
            };
            for (first, second) in [(&a, &b), (&b, &a)] {
                let main = form(store(&name(first.as_bytes()), &windows()), first);
                prop_assert_ne!(&main, &form(store_twin(&name(second.as_bytes()), &windows()), second));
            }
        }
    }

    #[test]
    fn known_forms() {
        let shown = |text: &[u8], rules: &NameRules| match store(&name(text), rules) {
            Stored::AsIs => "as is".to_owned(),
            Stored::Escaped(s) | Stored::Cut(s) => s.to_string(),
        };
        assert_eq!(shown(b"a:b", &NameRules::POSIX), "as is");
        assert_eq!(shown(b"a:b", &windows()), "a%3Ab.~octo");
        assert_eq!(shown(b"NUL.txt", &windows()), "%4EUL.txt.~octo");
        assert_eq!(shown(b"end.", &windows()), "end..~octo");
        assert_eq!(shown(b"x.~octo", &NameRules::POSIX), "x.~octo.~octo");
        assert!(shown(&[b'n'; 300], &NameRules::POSIX).starts_with("nnnn"));
        let long = "\u{4e2d}".repeat(255);
        assert_eq!(shown(long.as_bytes(), &windows()), "as is", "255 units, and 765 bytes");
        assert!(shown(long.as_bytes(), &NameRules::POSIX).ends_with(".~octo"));
        assert!(shown("\u{1f419}".repeat(128).as_bytes(), &windows()).contains("%~"), "256 units");
    }
}
