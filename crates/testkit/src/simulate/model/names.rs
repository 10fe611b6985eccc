//! Names: each is whole, and none goes without proof.

use super::ran::{Broken, Ran};
use crate::simulate::scenario::Power;
use crate::simulate::view::{Mirror, is_excluded};
use crate::tree::{Node, Tree};
use octo_core::{Code, Kind, RelPath, naming};

/// Every file of the mirror is one that was there before, or one that the source had under that name in this run.
/// `older` are the mirrors since the last run that ended, the one before this run last.
pub(super) fn whole(ran: &Ran<'_>, older: &[Tree]) -> Result<(), Broken> {
    for (place, node) in &ran.after.places {
        let origin = ran.after.origin(place);
        let same = |tree: &Tree, path: &RelPath| {
            let is = |was: &Node| was.kind == node.kind && was.content == node.content;
            // Where upper and lower case are the same, a name may get the case of another before that is seen to be of another kind.
            tree.get(path).is_some_and(is) || tree.iter().any(|(other, was)| is(was) && folds_alike(other, path))
        };
        // After a power loss the full name of a cut one may be missing until the next run.
        let is_unknown = ran.power.is_some() || older.len() > 1;
        let is_whole = (is_unknown && Mirror::is_cut(place)) || older.iter().any(|mirror| same(mirror, place))
            || ran.heard.states.iter().chain(&ran.heard.snapshots).any(|source| same(source, &origin))
            // One that got another name here, as its folder did or because of another of that name in another case.
            || ran.before.by_origin().get(&origin).is_some_and(|was| was.content == node.content)
            || (node.kind == Kind::File && ran.lost_data());
        if !is_whole {
            return Err(Broken::new("every name is whole, old or new", format!("{place} is {node:?}")));
        }
    }
    Ok(())
}

/// What is gone from the mirror was missing in a complete listing of its folder, in this run, or a folder that it lies in was.
/// What does not belong to the job stays as it is.
/// What was not durable before the run may also be gone with the power.
pub(super) fn nothing_gone_without_proof(
    ran: &Ran<'_>,
    durable: &Tree,
    kept: impl Fn(&RelPath) -> bool,
) -> Result<(), Broken> {
    let after = ran.after.by_origin();
    for (place, node) in &ran.before.places {
        let origin = ran.before.origin(place);
        let excluded =
            is_excluded(&origin, &ran.asked.filter, |at| ran.before.by_origin().get(at).map(|node| node.kind));
        if let Some(is) = after.get(&origin) {
            let touched = is.content != node.content && !ran.lost_data();
            if excluded && touched {
                return Err(Broken::new("what is excluded is not touched", format!("{place}: {node:?} is {is:?}")));
            }
            if is.kind == node.kind {
                continue;
            }
        }
        if Mirror::is_cut(place) && ran.after.places.get(place).is_some_and(|is| is.kind == node.kind) {
            // Its full name was missing, and is known again.
            continue;
        }
        if ran.power == Some(Power::Forgets) && !durable.contains_key(place) {
            continue;
        }
        // The folder it lies in may have got another case.
        let kept_in_other_case = || {
            ran.folds_case && after.iter().any(|(other, is)| folds_alike(other, &origin) && is.content == node.content)
        };
        if excluded && kept_in_other_case() {
            continue;
        }
        if excluded {
            return Err(Broken::new("what is excluded is not touched", format!("{place}: {node:?} is gone")));
        }
        if !is_proven(ran, &origin, node.kind) && !kept(place) {
            let folder = origin.parent().unwrap_or_default();
            let reported: Vec<_> = ran.heard.reported.iter().filter(|reported| reported.folder == folder).collect();
            return Err(Broken::new(
                "nothing is deleted without proof",
                format!("{place}: {node:?} is gone; {reported:?}"),
            ));
        }
    }
    Ok(())
}

/// Nothing comes into a folder that does not belong to the job.
pub(super) fn nothing_in_what_is_excluded(ran: &Ran<'_>) -> Result<(), Broken> {
    let kind = |at: &RelPath| ran.after.by_origin().get(at).map(|node| node.kind);
    let new = ran.after.places.keys().filter(|place| !ran.before.places.contains_key(*place));
    for place in new {
        let origin = ran.after.origin(place);
        // The folder it lies in may have got another case.
        let was = |before: &RelPath| *before == origin || (ran.folds_case && folds_alike(before, &origin));
        if is_excluded(&origin, &ran.asked.filter, kind) && !ran.before.origins.values().any(was) {
            return Err(Broken::new("nothing comes into what is excluded", format!("{place} is new")));
        }
    }
    Ok(())
}

fn folds_alike(a: &RelPath, b: &RelPath) -> bool {
    a != b && naming::fold(a.as_bytes()) == naming::fold(b.as_bytes())
}

fn is_proven(ran: &Ran<'_>, origin: &RelPath, kind: Kind) -> bool {
    let (mut at, mut kind) = (origin.clone(), kind);
    while let (Some(folder), Some(name)) = (at.parent(), at.name()) {
        let lacks = |names: &std::collections::BTreeMap<Vec<u8>, Kind>| {
            names.get(name.as_bytes()).is_none_or(|listed| *listed != kind)
        };
        if ran
            .heard
            .reported
            .iter()
            .any(|reported| reported.complete && reported.folder == folder && lacks(&reported.names))
        {
            return true;
        }
        (at, kind) = (folder, Kind::Folder);
    }
    false
}

/// Whether a folder could not be read to its end, and is there.
pub(super) fn has_unread(ran: &Ran<'_>) -> bool {
    ran.heard.reported.iter().any(|reported| {
        // One that ends the run comes before all deletions, or after them in a folder that takes the place of something else.
        let gone =
            reported.code.is_some_and(|code| code.stops_run() || matches!(code, Code::NotFound | Code::KindMoved));
        let again = ran.heard.reported.iter().any(|other| other.folder == reported.folder && other.complete);
        !reported.complete && !gone && !again
    })
}
