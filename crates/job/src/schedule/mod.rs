//! When jobs are due: pure functions of a schedule, a time zone and a moment. No clock is read here; only [`machine_zone`]
//! asks the machine, once.
//!
//! `form` reads what people write, [`slots`] says which moments that means in a zone (and what happens at a skipped or
//! repeated hour), `window` says when no run may start or another bandwidth holds, `due` decides what becomes of the slots that have come, and
//! `retry` when a failed run is tried again. The policy in words is in docs/manual/schedule.md; its tables are the tests.

mod due;
mod form;
mod retry;
mod slots;
mod window;

pub use due::{CatchUp, Decision, IN_BLACKOUT, Overlap, Rules, State, Verdict, due};
pub use form::Schedule;
pub use retry::retry_after_secs;
pub use slots::{next_slots, slots};
pub use window::{Hours, Window};

pub use jiff::tz::TimeZone;

use std::sync::OnceLock;

/// The name of this machine's time zone, as it was when the program began; UTC where it has none that has a name.
pub fn machine_zone() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let system = TimeZone::try_system().ok().and_then(|zone| zone.iana_name().map(str::to_owned));
        // Where /etc/localtime is a copy, Debian still says whose.
        let debian = || std::fs::read_to_string("/etc/timezone").ok().map(|name| name.trim().to_owned());
        let is_known = |name: &String| zone(name).is_ok();
        system.filter(is_known).or_else(debian).filter(is_known).unwrap_or_else(|| "UTC".to_owned())
    })
}

/// A named time zone. Its rules are part of the program, so that every machine agrees.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| "there is no such time zone; names are as Europe/Berlin, America/New_York, UTC".into())
}

/// The clocks of a zone, as the decision needs them which states are kept.
pub fn local_time(zone: TimeZone) -> octo_core::retention::LocalTime {
    octo_core::retention::LocalTime::new(move |moment| {
        let moment = jiff::Timestamp::from_second(moment.to_unix().0);
        moment.map_or(0, |moment| i64::from(zone.to_offset(moment).seconds()))
    })
}
