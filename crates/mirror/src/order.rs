//! The one order in which names, folders and index records are walked.
//!
//! Within a folder: plain bytes of the stored name, or, where the target folds case, (folded, exact). Across folders:
//! a folder's entries together, then its subfolders in the order of their names, each with all that is below it.

use octo_core::naming::fold;
use octo_core::{Name, RelPath};
use std::borrow::Cow;
use std::cmp::Ordering;

/// How the target of this run orders names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameOrder {
    /// Upper and lower case are the same name there.
    pub folds_case: bool,
}

impl NameOrder {
    /// What a name is sorted by. Holds the name itself: see [`NameOrder::name_of`].
    pub fn key<'n>(&self, name: &'n Name) -> Cow<'n, [u8]> {
        self.key_of(name.as_bytes())
    }

    fn key_of<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        if !self.folds_case {
            return name.into();
        }
        let mut key = fold(name);
        key.push(0);
        key.extend_from_slice(name);
        key.into()
    }

    /// The bytes of the name in its key.
    pub fn name_of<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        if !self.folds_case {
            return key;
        }
        key.iter().position(|&b| b == 0).map_or(key, |at| &key[at + 1..])
    }

    /// The part of a key that two names share when they are one name on the target.
    pub fn identity<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        if !self.folds_case {
            return key;
        }
        key.iter().position(|&b| b == 0).map_or(key, |at| &key[..at])
    }

    /// Whether two keys mean the same name on the target, and which comes first otherwise.
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.identity(a).cmp(self.identity(b))
    }

    /// The key of a folder in walk order; followed by a name's key, the key of an entry. No name contains NUL, so
    /// `00 00` (end of the folder) sorts before `00 01` (one level down), which sorts before every other byte.
    pub fn folder_key(&self, folder: &RelPath) -> Vec<u8> {
        self.folder_key_of(folder.as_bytes())
    }

    fn folder_key_of(&self, folder: &[u8]) -> Vec<u8> {
        // With room for the separators of a few names, and for the name of an entry.
        let mut key = Vec::with_capacity(folder.len() + 64);
        for (i, name) in folder.split(|&b| b == b'/').enumerate() {
            if i > 0 {
                key.extend_from_slice(&[0, 1]);
            }
            if self.folds_case { key.extend_from_slice(&fold(name)) } else { key.extend_from_slice(name) }
        }
        key.extend_from_slice(&[0, 0]);
        key
    }

    /// The key of an entry in walk order.
    pub fn entry_key(&self, path: &RelPath) -> Vec<u8> {
        let name = path.name_bytes();
        let folder = path.as_bytes().strip_suffix(name).unwrap_or_default();
        let mut key = self.folder_key_of(folder.strip_suffix(b"/").unwrap_or(folder));
        if !name.is_empty() {
            key.extend_from_slice(&self.key_of(name));
        }
        key
    }

    /// The path of an entry's key. Where case is folded, the names of the folders are.
    pub fn path_of(&self, key: &[u8]) -> RelPath {
        let end = key.windows(2).position(|pair| pair == [0, 0]).unwrap_or(0);
        let (folder, name) = key.split_at(end);
        let name = name.get(2..).unwrap_or_default();
        let mut path = Vec::with_capacity(key.len());
        for part in folder.split(|b| *b == 0).filter(|part| !part.is_empty()) {
            // After a separator's first byte comes its second.
            path.extend_from_slice(part.strip_prefix(&[1]).filter(|_| !path.is_empty()).unwrap_or(part));
            path.push(b'/');
        }
        path.extend_from_slice(self.name_of(name));
        RelPath::parse(&path).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Against a naive walk of a tree.
    #[test]
    fn entry_keys_sort_as_the_walk_goes() {
        let order = NameOrder { folds_case: false };
        let paths =
            ["a", "a/x", "a/y", "a/y/1", "a/y/1/deep", "a/z", "a.b", "a.b/c", "a b", "b", "b/\u{1}", "b/\u{1}/c"];
        let paths: Vec<_> = paths.iter().map(|p| RelPath::parse(p.as_bytes()).unwrap()).collect();
        let mut naive = Vec::new();
        walk(&RelPath::root(), &paths, &mut naive);
        let sorted: BTreeMap<_, _> = paths.iter().map(|p| (order.entry_key(p), p.clone())).collect();
        assert_eq!(sorted.into_values().collect::<Vec<_>>(), naive);
        for path in &paths {
            assert_eq!(order.path_of(&order.entry_key(path)), *path);
        }
    }

    fn walk(folder: &RelPath, all: &[RelPath], out: &mut Vec<RelPath>) {
        let mut here: Vec<_> = all.iter().filter(|p| p.parent().as_ref() == Some(folder)).cloned().collect();
        here.sort_by_key(RelPath::name);
        out.extend(here.iter().cloned());
        here.iter().for_each(|p| walk(p, all, out));
    }

    #[test]
    fn keys_give_the_name_back() {
        for folds_case in [false, true] {
            let order = NameOrder { folds_case };
            let name = Name::new(*b"ReadMe").unwrap();
            assert_eq!(order.name_of(&order.key(&name)), b"ReadMe");
        }
        let folds = NameOrder { folds_case: true };
        let key = |n: &[u8]| folds.key(&Name::new(n).unwrap()).into_owned();
        assert_eq!(folds.compare(&key(b"README"), &key(b"readme")), Ordering::Equal);
    }
}
