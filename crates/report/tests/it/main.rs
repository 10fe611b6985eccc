//! What reports say, and that each rendering says all of it. The expected pages are in `tests/expected`; UPDATE_EXPECTED=1
//! writes them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod pages;
mod runs;
mod samples;
mod whole;
