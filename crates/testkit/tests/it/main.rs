//! The tools of the tests are tested too.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(target_os = "linux")]
mod covered;
#[cfg(unix)]
mod engine;
#[cfg(unix)]
mod generated;
mod local;
#[cfg(unix)]
mod mem_target;
#[cfg(unix)]
mod memory;
#[cfg(unix)]
mod power_loss;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
mod recording;
#[cfg(unix)]
mod simulate;
#[cfg(unix)]
mod source_faults;
#[cfg(unix)]
mod stop;
