//! What the engine says of the past, in the words of the API.

use octo_api::history as api;
use octo_core::path::bytes_to_text;
use octo_core::{Entry, Meta, RelPath};
use octo_mirror::history::{Difference, KeptState, Span};
use octo_mirror::retention::Decided;

/// A state, and why it is kept.
pub(super) fn state(kept: &KeptState, decided: Option<&Decided>) -> api::KeptState {
    api::KeptState {
        state: kept.number,
        taken: kept.taken.map(crate::Moment::from),
        outcome: kept.outcome,
        counts: kept.counts,
        because: decided.map(|it| it.reasons.iter().map(ToString::to_string).collect()),
        pinned: decided.and_then(|it| it.state.pinned.clone()),
    }
}

/// An entry of a folder.
pub fn entry(entry: &Entry) -> api::StateEntry {
    let Entry { name, meta } = entry;
    api::StateEntry {
        name: bytes_to_text(name.as_bytes()),
        kind: meta.kind,
        size_bytes: meta.size_bytes,
        write_time: meta.write_time.into(),
    }
}

/// A version of an entry.
pub fn version(path: &RelPath, span: &Span) -> api::Version {
    api::Version {
        path: path.to_text(),
        kind: span.meta.kind,
        size_bytes: span.meta.size_bytes,
        write_time: span.meta.write_time.into(),
        first_state: span.first,
        last_state: span.last,
        is_newest: span.is_newest,
    }
}

/// An entry that differs.
pub fn difference(difference: &Difference) -> api::Difference {
    let side =
        |meta: &Meta| api::Side { kind: meta.kind, size_bytes: meta.size_bytes, write_time: meta.write_time.into() };
    api::Difference {
        path: difference.path.to_text(),
        earlier: difference.earlier.as_ref().map(side),
        later: difference.later.as_ref().map(side),
    }
}
