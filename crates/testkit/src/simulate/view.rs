//! Both sides as the same plain value: what a mirror shows under the names that its entries have on the source.

use crate::memory::{Details, MemTarget};
use crate::tree::{Node, Tree};
use octo_core::{Filter, Kind, Name, RelPath, Target, naming};
use std::collections::BTreeMap;

/// What a mirror shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Mirror {
    /// By the path in the mirror.
    pub(super) places: Tree,
    /// What each place has besides its data, if that was kept.
    pub(super) details: BTreeMap<RelPath, Details>,
    /// The path on the source of each place.
    pub(super) origins: BTreeMap<RelPath, RelPath>,
}

impl Mirror {
    pub(super) fn of(target: &MemTarget) -> Mirror {
        let places = crate::tree::target_tree(target, &RelPath::root());
        let mut origins = BTreeMap::from([(RelPath::root(), RelPath::root())]);
        for place in places.keys() {
            let parent = place.parent().unwrap_or_default();
            let above = origins.get(&parent).cloned().unwrap_or_default();
            let Some(stored) = place.name() else { continue };
            let recorded = || target.recorded_name(place).ok().flatten().and_then(|full| Name::new(full).ok());
            let name = match Mirror::is_cut(&RelPath::root().join(&stored)) {
                true => recorded().unwrap_or(stored),
                false => naming::unescape(&stored).unwrap_or(stored),
            };
            origins.insert(place.clone(), above.join(&name));
        }
        let kept = |place: &RelPath| Some(Details::from(&target.metadata(place).ok()??));
        let details = places.keys().filter_map(|place| Some((place.clone(), kept(place)?))).collect();
        Mirror { places, details, origins }
    }

    /// Stored under a name from which the full one cannot be read back.
    pub(super) fn is_cut(place: &RelPath) -> bool {
        place.names().any(|name| {
            name.as_bytes().ends_with(naming::SUFFIX) && name.as_bytes().windows(2).any(|pair| pair == b"%~")
        })
    }

    /// The path on the source.
    pub(super) fn origin(&self, place: &RelPath) -> RelPath {
        self.origins.get(place).cloned().unwrap_or_else(|| place.clone())
    }

    /// By the path on the source.
    pub(super) fn by_origin(&self) -> BTreeMap<RelPath, &Node> {
        self.places.iter().map(|(place, node)| (self.origin(place), node)).collect()
    }
}

/// What of the source belongs into the mirror.
pub(super) fn included(source: &Tree, filter: &Filter) -> Tree {
    let kinds: BTreeMap<RelPath, Kind> = source.iter().map(|(path, node)| (path.clone(), node.kind)).collect();
    source
        .iter()
        .filter(|(path, _)| !is_reserved(path) && !is_excluded(path, filter, |at| kinds.get(at).copied()))
        .map(|(path, node)| (path.clone(), node.clone()))
        .collect()
}

/// Our own name at the root.
fn is_reserved(path: &RelPath) -> bool {
    path.top().is_some_and(|top| top.as_bytes().eq_ignore_ascii_case(octo_core::RESERVED.as_bytes()))
}

/// Whether a rule leaves it out, or a folder that it lies in.
pub(super) fn is_excluded(path: &RelPath, filter: &Filter, kind: impl Fn(&RelPath) -> Option<Kind>) -> bool {
    let mut at = path.clone();
    while !at.is_root() {
        if filter.excludes(&at, kind(&at).unwrap_or(Kind::Folder) == Kind::Folder) {
            return true;
        }
        at = at.parent().unwrap_or_default();
    }
    false
}
