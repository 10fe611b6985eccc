//! The states of a mirror, and why each is kept.

use super::view::state;
use octo_api::history::KeptState;
use octo_core::clock::Clock;
use octo_core::retention::{KeepPolicy, KeepVersions, LocalTime};
use octo_core::{Code, Error, Target, Timestamp};
use octo_job::mirror_spec::MirrorSpec;
use octo_mirror::history::History;
use octo_mirror::retention::{Decided, decided};

/// The rules of a mirror's last run.
pub struct Rules {
    /// `None`: versions are not kept, and none are removed.
    pub policy: Option<KeepPolicy>,
    /// When days begin.
    pub local: LocalTime,
}

/// Those that the mirror keeps of its last run.
pub fn rules(target: &dyn Target) -> Result<Rules, Error> {
    let spec = octo_mirror::saved_job(target)?.map(|text| MirrorSpec::from_text(&text)).transpose()?;
    let keep = spec.as_ref().map_or_else(KeepVersions::default, MirrorSpec::keep_versions);
    let local = spec.as_ref().map_or_else(LocalTime::default, MirrorSpec::local_time);
    let policy = if let KeepVersions::Of(policy) = keep { Some(policy) } else { None };
    Ok(Rules { policy, local })
}

/// Now, by this machine's clock.
pub fn now() -> Timestamp {
    crate::clock::SystemClock::default().now()
}

/// All states, the newest first, and why each is kept by the rules of the last run.
pub fn states(history: &History<'_>) -> Result<Vec<KeptState>, Error> {
    let states = history.states()?;
    let decided = match why(history.mirror()) {
        // A state can be restored whether or not it is known what is pinned.
        Err(error) if [Code::RecordsDamaged, Code::NewerFormat].contains(&error.code) => Vec::new(),
        decided => decided?,
    };
    let of = |number| decided.iter().find(|it| it.state.number == number);
    Ok(states.iter().rev().map(|kept| state(kept, of(kept.number))).collect())
}

fn why(target: &dyn Target) -> Result<Vec<Decided>, Error> {
    let Rules { policy, local } = rules(target)?;
    policy.map_or_else(|| Ok(Vec::new()), |policy| decided(target, &policy, now(), &local))
}
