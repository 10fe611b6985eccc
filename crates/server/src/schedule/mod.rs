//! When jobs are due: pure functions of a schedule, a time zone and a moment. No clock is read here and nothing is kept.
//!
//! `form` reads what people write, [`slots`] says which moments that means in a zone (and what happens at a skipped or
//! repeated hour), `window` says when no run may start or another bandwidth holds, `due` decides what becomes of the slots that have come, and
//! `retry` when a failed run is tried again. The policy in words is in docs/manual/schedule.md; its tables are the tests.

mod due;
mod form;
mod retry;
mod slots;
mod window;

pub use due::{CatchUp, Decision, Overlap, Rules, State, Verdict, due};
pub use form::Schedule;
pub use retry::retry_after_secs;
pub use slots::{next_slots, slots};
pub use window::{Hours, Window};

pub use jiff::tz::TimeZone;

/// A named time zone. Its rules are part of the program, so that every machine agrees.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| "there is no such time zone; names are as Europe/Berlin, America/New_York, UTC".into())
}
