//! The tools of the tests are tested too.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod generated;
mod local;
mod mem_target;
mod memory;
mod power_loss;
mod proxy;
mod recording;
mod source_faults;
mod stop;
mod versions;
