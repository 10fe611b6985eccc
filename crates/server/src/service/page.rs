//! Pages of lists that are sorted by name.

use octo_api::{PAGE_DEFAULT, PAGE_MAX};
use serde::Deserialize;

/// Which part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ByName {
    /// Only names that sort after this one: the last of the page before.
    pub after: Option<String>,
    /// The most rows.
    pub limit: Option<u32>,
}

impl ByName {
    /// That part of `all`. Names sort by their bytes, so that a page is the same for every client.
    pub(super) fn of<T>(&self, mut all: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
        all.retain(|row| self.after.as_deref().is_none_or(|after| name(row) > after));
        all.sort_by(|a, b| name(a).cmp(name(b)));
        all.truncate(self.limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX) as usize);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_one_after_the_other_are_the_whole_list() {
        let names: Vec<String> = (0..1234).map(|n| format!("{:x}-{n}", n * 7919 % 1000)).collect();
        for limit in [Some(1), Some(7), None, Some(500), Some(u32::MAX)] {
            let mut seen: Vec<String> = Vec::new();
            loop {
                let part = ByName { after: seen.last().cloned(), limit };
                let page = part.of(names.clone(), |name| name);
                assert!(page.len() <= limit.unwrap_or(100).min(500) as usize);
                if page.is_empty() {
                    break;
                }
                seen.extend(page);
            }
            let mut all = names.clone();
            all.sort();
            assert_eq!(seen, all, "{limit:?}");
        }
        let none = ByName { after: None, limit: Some(0) };
        assert!(none.of(names, |name| name).is_empty());
    }
}
