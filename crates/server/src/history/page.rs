//! Pages of what is in a mirror's past.

use super::view;
use octo_api::history as api;
use octo_core::{Cancel, Code, Entry, Error, ListSink, Listed, Name, RelPath, Source};
use octo_mirror::history::{History, NamePattern, State};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Entries that could not be read, of which a page says why.
const PROBLEMS_MAX: usize = 20;

/// A page of a folder: its entries that come after a name.
pub fn folder(
    state: &State<'_>,
    folder: &RelPath,
    after: Option<&Name>,
    limit: usize,
) -> Result<api::StateFolder, Error> {
    let mut page = Page { after, limit, entries: BTreeMap::new(), more: false, problems: Vec::new() };
    if let Listed::Incomplete(error) = state.list(folder, &mut page) {
        return Err(error);
    }
    let last = page.entries.last_key_value().map(|(name, _)| octo_core::path::bytes_to_text(name.as_bytes()));
    Ok(api::StateFolder {
        state: state.number(),
        next: last.filter(|_| page.more),
        entries: page.entries.values().map(view::entry).collect(),
        problems: page.problems,
    })
}

/// The first entries after a name. A folder comes in no order, and may hold millions.
struct Page<'n> {
    after: Option<&'n Name>,
    limit: usize,
    entries: BTreeMap<Name, Entry>,
    more: bool,
    problems: Vec<String>,
}

impl ListSink for Page<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        if self.after.is_some_and(|after| entry.name <= *after) {
            return ControlFlow::Continue(());
        }
        self.entries.insert(entry.name.clone(), entry);
        if self.entries.len() > self.limit {
            self.entries.pop_last();
            self.more = true;
        }
        ControlFlow::Continue(())
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(format!("{}: {error}", octo_core::path::bytes_to_text(name)));
        }
    }

    fn restart(&mut self) {
        self.entries.clear();
        self.problems.clear();
        self.more = false;
    }
}

/// What is looked for.
pub struct FindAsked<'a> {
    /// A name.
    pub pattern: &'a NamePattern,
    /// Only in this folder, and below it.
    pub below: &'a RelPath,
    /// Only what comes after this.
    pub after: Option<&'a RelPath>,
}

/// A page of what was found: at most so many entries, each with all of its versions.
pub fn find<'t>(
    history: &'t History<'t>,
    asked: &FindAsked<'_>,
    limit: usize,
    cancel: &Cancel,
) -> Result<api::Found, Error> {
    let (mut versions, mut entries, mut last, mut more) = (Vec::new(), 0, None, false);
    history.find((asked.below, asked.after), &|name| asked.pattern.fits(name), cancel, &mut |path, spans| {
        if entries == limit {
            more = true;
            return ControlFlow::Break(());
        }
        entries += 1;
        versions.extend(spans.iter().rev().map(|span| view::version(path, span)));
        last = Some(path.to_text());
        ControlFlow::Continue(())
    })?;
    Ok(api::Found { versions, next: last.filter(|_| more) })
}

/// All versions of one entry, the newest first. An error says what there is instead.
pub fn versions<'t>(history: &'t History<'t>, path: &RelPath) -> Result<Vec<api::Version>, Error> {
    let spans = history.spans(path)?;
    if spans.is_empty() {
        return Err(history.missing(&history.state(octo_mirror::history::When::Now)?, path)?);
    }
    Ok(spans.iter().rev().map(|span| view::version(path, span)).collect())
}

/// A page of what differs, without the first `skipped` ones.
pub fn differences<'t>(
    history: &'t History<'t>,
    states: [&State<'t>; 2],
    below: &RelPath,
    (skipped, limit): (u64, usize),
    cancel: &Cancel,
) -> Result<api::Differences, Error> {
    let (mut seen, mut differences, mut more) = (0, Vec::new(), false);
    history.diff(states, below, cancel, &mut |difference| {
        seen += 1;
        if seen <= skipped {
            return ControlFlow::Continue(());
        }
        if differences.len() == limit {
            more = true;
            return ControlFlow::Break(());
        }
        differences.push(view::difference(difference));
        ControlFlow::Continue(())
    })?;
    let next = skipped.saturating_add(differences.len() as u64);
    let [earlier, later] = states.map(State::number);
    Ok(api::Differences { earlier, later, differences, next: more.then_some(next) })
}

/// A path as an address says it.
pub fn path(text: &str) -> Result<RelPath, Error> {
    let wrong = || Error::new(Code::Usage, format!("{text:?} is not a path on the source, such as projects/2026"));
    RelPath::from_text(text.trim_matches('/')).ok_or_else(wrong)
}
