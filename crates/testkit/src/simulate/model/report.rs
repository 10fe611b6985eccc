//! The report: what a run says of itself is so, and what is not as on the source is named.

use super::ran::{Broken, Ran, ever, stable};
use crate::simulate::view::is_excluded;
use crate::tree::Node;
use octo_core::{Change, Code, Kind, Outcome, Problem, RelPath, TimeRules, naming};
use std::collections::BTreeSet;

/// What a run tells agrees with what it did to the names. `recovers` if it may first bring back names that an earlier run, which
/// was killed, had taken away for an instant.
pub(super) fn agrees(ran: &Ran<'_>, recovers: bool) -> Result<(), Broken> {
    if ran.killed {
        return Ok(());
    }
    let broken = |what: String| Err(Broken::new("a report says what was done", what));
    if ran.asked.options.dry_run {
        return match ran.before.places == ran.after.places {
            true => Ok(()),
            false => broken("a dry run changed the mirror".to_owned()),
        };
    }
    let (mut came, mut went) = (BTreeSet::new(), BTreeSet::new());
    for change in &ran.changes {
        match change {
            Change::Created { path, .. } => drop(came.insert(path.clone())),
            Change::Deleted { path, .. } => drop(went.insert(path.clone())),
            Change::Moved { from, to } => {
                went.insert(from.clone());
                came.insert(to.clone());
            }
            _ => {}
        }
    }
    if ran.folds_case {
        // The same name may be reported in one case and be there in another.
        return counts(ran);
    }
    let (before, after) = (&ran.before.places, &ran.after.places);
    let within = |path: &RelPath, set: &BTreeSet<RelPath>| set.iter().any(|other| path.is_within(other));
    for place in after.keys().filter(|place| !before.contains_key(*place)) {
        if !came.contains(place) && !within(place, &came) && !recovers {
            return broken(format!("{place} is new, and nothing was reported of it"));
        }
    }
    for place in before.keys().filter(|place| !after.contains_key(*place)) {
        if !went.contains(place) && !within(place, &went) {
            return broken(format!("{place} is gone, and nothing was reported of it"));
        }
    }
    for place in came.iter().filter(|place| !went.contains(*place)) {
        if !after.contains_key(place) && !within(place, &went) {
            return broken(format!("{place} was reported to be new, and is not there"));
        }
    }
    for place in went.iter().filter(|place| !came.contains(*place)) {
        if after.contains_key(place) {
            return broken(format!("{place} was reported to be gone, and is there"));
        }
    }
    counts(ran)
}

fn counts(ran: &Ran<'_>) -> Result<(), Broken> {
    let counts = &ran.report.counts;
    let of = |is: fn(&Change) -> bool| ran.changes.iter().filter(|change| is(change)).count() as u64;
    let problems = ran.problems.iter().filter(|problem| !problem.code.is_note()).count() as u64;
    let reported = [
        ("created", counts.created, of(|c| matches!(c, Change::Created { kind: Kind::File, .. }))),
        ("replaced", counts.replaced, of(|c| matches!(c, Change::Replaced { .. }))),
        ("moved", counts.moved, of(|c| matches!(c, Change::Moved { .. }))),
        ("deleted", counts.deleted, of(|c| matches!(c, Change::Deleted { kind: Kind::File | Kind::Link, .. }))),
        ("problems", counts.problems, problems),
    ];
    for (what, counted, happened) in reported {
        if counted != happened {
            let detail = format!("{what}: {counted} counted, {happened} reported one by one");
            return Err(Broken::new("a report says what was done", detail));
        }
    }
    match ran.report.outcome {
        Outcome::Succeeded if problems > 0 => {
            Err(Broken::new("a report says what was done", "succeeded, with problems"))
        }
        Outcome::Warnings if problems == 0 => Err(Broken::new("a report says what was done", "warnings about nothing")),
        _ => Ok(()),
    }
}

/// After a run that is complete but for what it names, everything else is as on the source.
pub(super) fn nothing_silent(ran: &Ran<'_>, times: &TimeRules) -> Result<(), Broken> {
    let broken = |what: String| Err(Broken::new("what is not as on the source is named", what));
    // A listing that is not to be believed is named by one of its names.
    let about = |problem: &Problem| match problem.code {
        Code::DuplicateName | Code::BadName => problem.path.parent().unwrap_or_default(),
        _ => problem.path.clone(),
    };
    let about: Vec<RelPath> = ran.problems.iter().map(about).collect();
    let named = |origin: &RelPath, place: &RelPath| {
        about.iter().any(|path| {
            origin.is_within(path) || place.is_within(path) || path.is_within(origin) || path.is_within(place)
        }) || is_held(ran, place)
            || is_held(ran, origin)
    };
    let mirror = ran.after.by_origin();
    let filter = &ran.asked.filter;
    for (path, should) in stable(&ran.heard.states, filter) {
        let is_same = |is: &Node| {
            let same_time = should.kind == Kind::Folder || times.represent(should.write_time) == is.write_time;
            is.kind == should.kind && is.content == should.content && same_time
        };
        // Beside it there may be one that was its twin and waits to be deleted.
        let same = ran.after.places.iter().any(|(place, is)| ran.after.origin(place) == path && is_same(is));
        if !same && !named(&path, &path) {
            return broken(format!("{path}: is {:?}, should be {should:?}", mirror.get(&path)));
        }
    }
    let source = ever(&ran.heard.states, filter);
    let places = &ran.after.places;
    for place in places.keys() {
        let origin = ran.after.origin(place);
        let excluded = |place: &RelPath| {
            let kind = |at: &RelPath| mirror.get(at).map(|node| node.kind);
            is_excluded(&ran.after.origin(place), filter, kind)
        };
        let holds_excluded = || places.keys().any(|other| other.is_within(place) && excluded(other));
        let left_over = !source.contains_key(&origin) && !ran.asked.options.no_delete && !holds_excluded();
        if left_over && !named(&origin, place) {
            return broken(format!("{place} is in the mirror, and not on the source"));
        }
    }
    Ok(())
}

/// On a mirror where upper and lower case are the same, it may have got the other case.
fn fold(path: &RelPath) -> RelPath {
    RelPath::parse(&naming::fold(path.as_bytes())).unwrap_or_default()
}

/// A deletion at this name, above it or below it waits for a person.
fn is_held(ran: &Ran<'_>, place: &RelPath) -> bool {
    let held = ran.changes.iter().any(|change| match change {
        Change::Held { path, .. } => {
            let (path, place) = (fold(path), fold(place));
            path.is_within(&place) || place.is_within(&path)
        }
        _ => false,
    });
    // A plan of an earlier run waits on, and what it is about could not be seen again.
    held || (ran.report.outcome == Outcome::Held
        && ran.report.causes.iter().any(|cause| cause.code == Code::ListingCut))
}
