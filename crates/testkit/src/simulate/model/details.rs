//! What entries have besides their data: permissions and streams.

use super::ran::{Broken, Ran, stable};
use crate::memory::Details;
use crate::simulate::view::Mirror;
use crate::tree::Tree;
use octo_core::{Change, Kind, RelPath};
use std::collections::BTreeMap;

type All = BTreeMap<RelPath, Details>;

/// What an entry of the mirror has is what it had before, or what the source said in this run; or it has nothing yet. Permissions
/// and streams may be of two moments where one of them could not be read.
pub(super) fn whole(ran: &Ran<'_>, older: &[All]) -> Result<(), Broken> {
    let reported = || ran.heard.details.iter().chain(&ran.heard.snapshot_details);
    for (place, is) in &ran.after.details {
        let origin = ran.after.origin(place);
        // A move brings along what the file had.
        let known = || older.iter().flat_map(BTreeMap::values).chain(reported().filter_map(|all| all.get(&origin)));
        let permissions = is.permissions.is_empty() || known().any(|known| known.permissions == is.permissions);
        let stream = is.stream.is_empty() || known().any(|known| known.stream == is.stream);
        // After a power loss the full name of a cut one may be missing until the next run.
        let is_unknown = Mirror::is_cut(place) && (ran.power.is_some() || older.len() > 1);
        if !(is_unknown || permissions && stream) {
            return Err(Broken::new("metadata is whole, old or new", format!("{place} has {is:?}")));
        }
    }
    Ok(())
}

/// After a run that is complete but for what it names, metadata is as on the source, or the run says that some was lost. That of a file
/// that was moved is looked at by the next run.
pub(super) fn nothing_silent(ran: &Ran<'_>) -> Result<(), Broken> {
    if !ran.metadata || ran.report.counts.metadata_lost > 0 || ran.report.counts.problems > 0 {
        return Ok(());
    }
    let source = stable(&ran.heard.states, &ran.asked.filter);
    let states = &ran.heard.details;
    let is_stable = |path: &RelPath| states.iter().all(|all| all.get(path) == states[0].get(path));
    let mut stable: Tree = source.into_iter().filter(|(path, _)| is_stable(path)).collect();
    for change in &ran.changes {
        if let Change::Moved { to: place, .. } = change {
            stable.remove(&ran.after.origin(place));
        }
    }
    let held = ran.report.held_plan.is_some();
    let Some(first) = states.first() else { return Ok(()) };
    match different(ran.after, first, &stable) {
        Some(detail) if !held => Err(Broken::new("metadata that is not as on the source is reported", detail)),
        _ => Ok(()),
    }
}

/// An entry of `source` whose metadata is another in the mirror.
pub(super) fn different(mirror: &Mirror, should: &All, source: &Tree) -> Option<String> {
    let places: BTreeMap<RelPath, &RelPath> = mirror.places.keys().map(|place| (mirror.origin(place), place)).collect();
    source.iter().filter(|(_, node)| matches!(node.kind, Kind::File | Kind::Folder)).find_map(|(path, _)| {
        let place = places.get(path)?;
        let is = mirror.details.get(*place).cloned().unwrap_or_default();
        let should = should.get(path).cloned().unwrap_or_default();
        (is != should).then(|| format!("{place} has {is:?}, should have {should:?}"))
    })
}
