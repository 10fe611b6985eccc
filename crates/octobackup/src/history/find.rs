//! `octobackup find`: files and folders of all states by their names.

use super::versions::{as_json, states_words};
use super::{open, path, size_words};
use crate::args::history::FindArgs;
use crate::exit;
use crate::listeners::print;
use octo_core::path::{bytes_to_text, os_bytes};
use octo_core::{Error, Name};
use octo_mirror::history::History;
use std::ops::ControlFlow;
use std::path::Path;

/// Lists them.
pub fn run(args: &FindArgs) -> Result<u8, Error> {
    let target = open(&args.mirror)?;
    let history = History::open(&target)?;
    let below = args.below.as_deref().map(path).transpose()?.unwrap_or_default();
    let fold = |bytes: &[u8]| match args.ignore_case {
        true => bytes_to_text(bytes).to_lowercase().into_bytes(),
        false => bytes.to_vec(),
    };
    let pattern = fold(&os_bytes(Path::new(&args.pattern)));
    let mut found = 0u64;
    if !args.json {
        print("LAST WRITTEN             SIZE                 IN STATES  PATH");
    }
    history.find(&below, &|name: &Name| fits(&pattern, &fold(name.as_bytes())), &mut |path, spans| {
        found += 1;
        for span in spans.iter().rev() {
            print(&match args.json {
                true => as_json(path, span),
                false => format!(
                    "{}  {:>19}  {:<9}  {path}",
                    span.meta.write_time.to_utc_text(),
                    size_words(&span.meta),
                    states_words(span)
                ),
            });
        }
        ControlFlow::Continue(())
    })?;
    if found == 0 {
        exit::remark("Nothing of that name is in any state.");
        return Ok(exit::NOT_FOUND);
    }
    Ok(exit::COMPLETE)
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
