//! Paths and names: their order, their text, what they cannot be.

use super::*;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(1u8..=255, 1..6).prop_filter("a name", |bytes| Name::new(bytes.clone()).is_ok())
}

proptest! {
    #[test]
    fn order_is_component_by_component(a in proptest::collection::vec(name(), 0..4), b in proptest::collection::vec(name(), 0..4)) {
        let path = |parts: &[Vec<u8>]| RelPath::parse(&parts.join(&b'/')).unwrap();
        prop_assert_eq!(path(&a).cmp(&path(&b)), a.cmp(&b));
    }

    #[test]
    fn any_bytes_are_read_back_from_their_text(bytes: Vec<u8>) {
        prop_assert_eq!(text_to_bytes(&bytes_to_text(&bytes)), Some(bytes));
    }

    #[test]
    fn a_text_is_read_by_its_digits_alone(text in "[%+0-9a-fA-Fg ]{0,8}") {
        // An oracle that looks for each escape by itself.
        let mut parts = text.split('%');
        let plain = parts.next().unwrap_or_default().as_bytes().to_vec();
        let wanted = parts.try_fold(plain, |mut out, part| {
            let digits = part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            out.extend_from_slice(&part.as_bytes()[2..]);
            Some(out)
        });
        prop_assert_eq!(text_to_bytes(&text), wanted);
    }

    #[test]
    fn text_form_is_reversible(parts in proptest::collection::vec(name(), 0..4)) {
        let path = RelPath::parse(&parts.join(&b'/')).unwrap();
        prop_assert_eq!(RelPath::from_text(&path.to_text()), Some(path));
    }

    #[test]
    fn parent_and_name_rebuild_the_path(parts in proptest::collection::vec(name(), 1..4)) {
        let path = RelPath::parse(&parts.join(&b'/')).unwrap();
        prop_assert_eq!(path.parent().unwrap().join(&path.name().unwrap()), path);
    }
}

#[test]
fn a_path_of_the_system_comes_back() {
    for text in ["/srv/data", "C:\\data", "ä/😀", ""] {
        let path = PathBuf::from(text);
        assert_eq!(os_bytes(&path), text.as_bytes());
        assert_eq!(os_path(os_bytes(&path)), Some(path));
    }
}

#[test]
fn hostile_names_are_refused() {
    for (bytes, why) in [
        (&b""[..], BadName::Empty),
        (b".", BadName::Dots),
        (b"..", BadName::Dots),
        (b"a/b", BadName::Slash),
        (b"a\0b", BadName::Nul),
    ] {
        assert_eq!(Name::new(bytes), Err(why));
    }
    assert!(Name::new(vec![b'a'; NAME_BYTES_MAX + 1]).is_err());
    assert!(RelPath::parse(b"a/../b").is_err());
    assert!(RelPath::parse(b"/a").is_err());
    assert!(RelPath::parse(b"a//b").is_err());
}

#[test]
fn within_respects_component_borders() {
    let p = |s: &str| RelPath::parse(s.as_bytes()).unwrap();
    assert!(p("a/b").is_within(&p("a")));
    assert!(p("a").is_within(&p("a")));
    assert!(!p("ab").is_within(&p("a")));
    assert!(p("ab").is_within(&p("")));
}
