//! Tests of the agent as a whole: a real listener, real agent processes, real TLS, real folders.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![expect(clippy::unwrap_used, reason = "a test that could not be set up has failed")]

mod clones;
mod kills;
mod memory;
mod mirrors;
mod pairing;
mod renewal;
mod strangers;
mod suite;
mod trouble;
mod world;
