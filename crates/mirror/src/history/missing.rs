//! What helps somebody who asks for a path that a state does not have: the states that have it, or the nearest name that there is.

use super::{History, Span, State};
use octo_core::path::bytes_to_text;
use octo_core::{Code, Entry, Error, ListSink, Name, RelPath, Source};
use std::ops::ControlFlow;

impl History<'_> {
    /// The error for a path that is not in a state.
    pub fn missing(&self, state: &State<'_>, path: &RelPath) -> Result<Error, Error> {
        let what = format!("{path} is not in state {}", state.number());
        let spans = self.spans(path)?;
        if !spans.is_empty() {
            let states: Vec<_> = spans.iter().map(Span::states_words).collect();
            return Ok(Error::new(Code::Usage, format!("{what}; the states {} have it", states.join(", "))));
        }
        let mut folder = path.parent().unwrap_or_default();
        while !folder.is_root() && state.look(&folder)?.is_none() {
            folder = folder.parent().unwrap_or_default();
        }
        let missing = path.names().nth(folder.names().count());
        let near = missing.map(|name| nearest(state, &folder, &name)).unwrap_or_default();
        let hint = match near {
            Some(name) => format!("; did you mean {}?", folder.join(&name)),
            None => String::new(),
        };
        Ok(Error::new(Code::Usage, format!("{what}, and no kept state has this path{hint}")))
    }
}

impl Span {
    /// The states: `12`, or `3 to 12`.
    pub fn states_words(&self) -> String {
        if self.first == self.last { self.first.to_string() } else { format!("{} to {}", self.first, self.last) }
    }
}

fn nearest(state: &State<'_>, folder: &RelPath, name: &Name) -> Option<Name> {
    let wanted = bytes_to_text(name.as_bytes()).to_lowercase();
    let limit = (wanted.chars().count() / 3).max(2);
    let mut near = Near { wanted, best: None, limit };
    let _ = state.list(folder, &mut near);
    near.best.map(|(_, name)| name)
}

struct Near {
    wanted: String,
    best: Option<(usize, Name)>,
    limit: usize,
}

impl ListSink for Near {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let name = bytes_to_text(entry.name.as_bytes()).to_lowercase();
        let distance = distance(&self.wanted, &name);
        if distance <= self.limit && self.best.as_ref().is_none_or(|(best, _)| distance < *best) {
            self.best = Some((distance, entry.name));
        }
        ControlFlow::Continue(())
    }
    fn problem(&mut self, _: &[u8], _: Error) {}
    fn restart(&mut self) {}
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut above_left = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = above_left + usize::from(x != *y);
            above_left = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(above_left + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, is) in [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("report", "reprot", 2)]
        {
            assert_eq!(distance(a, b), is, "{a} {b}");
        }
    }
}
