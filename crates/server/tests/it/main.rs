//! The service and the runner together, on a real database and real folders, with a clock that the tests set.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![allow(clippy::unwrap_used, reason = "a test fails in no other way")]

mod apply;
mod clock;
mod credentials;
mod digest;
mod doors;
mod fields;
mod health;
mod held;
mod history;
#[cfg(target_os = "linux")]
mod kills;
mod messages;
mod own_data;
mod pages;
mod recovery;
mod report;
mod requests;
mod restore;
mod simulate;
mod slots;
mod strangers;
mod world;
mod worlds;
