//! Which names are looked for. Pure.

use octo_core::Name;
use octo_core::path::bytes_to_text;

/// A name with `*` for any characters and `?` for exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    pattern: Vec<u8>,
    ignore_case: bool,
}

impl NamePattern {
    /// From what a person typed.
    pub fn new(pattern: &[u8], ignore_case: bool) -> NamePattern {
        NamePattern { pattern: folded(pattern, ignore_case), ignore_case }
    }

    /// Whether a name fits.
    pub fn fits(&self, name: &Name) -> bool {
        fits(&self.pattern, &folded(name.as_bytes(), self.ignore_case))
    }
}

fn folded(bytes: &[u8], ignore_case: bool) -> Vec<u8> {
    if ignore_case { bytes_to_text(bytes).to_lowercase().into_bytes() } else { bytes.to_vec() }
}

/// Whether a name fits a pattern with `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where the last star is, and how much of the name it takes.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => {
                // A character, not a byte.
                n += 1;
                while name.get(n).is_some_and(|b| b & 0xC0 == 0x80) {
                    n += 1;
                }
                p += 1;
            }
            Some(b) if *b == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::fits;
    use proptest::prelude::*;

    fn naive(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|taken| naive(rest, &name[taken..])),
            Some(('?', rest)) => !name.is_empty() && naive(rest, &name[1..]),
            Some((c, rest)) => name.first() == Some(c) && naive(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn patterns_fit_as_a_naive_matcher_says(pattern in "[ab*?é]{0,7}", name in "[abé]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), naive(&chars(&pattern), &chars(&name)));
        }
    }
}
