//! By which clocks times are shown to people: the machine's, or UTC where that was asked for. Set once, when the program
//! begins; what programs read is always in UTC.

use octo_job::schedule::{self, TimeZone};
use std::sync::OnceLock;

static NAME: OnceLock<&'static str> = OnceLock::new();

/// Everything is shown in UTC.
pub fn show_utc() {
    NAME.get_or_init(|| "UTC");
}

/// The zone's name.
pub fn name() -> &'static str {
    NAME.get_or_init(schedule::machine_zone)
}

/// The zone.
pub fn shown() -> TimeZone {
    schedule::zone(name()).unwrap_or(TimeZone::UTC)
}
