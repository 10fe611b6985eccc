//! The parsers of `crates/agent`: see `crates/agent/src/fuzzing.rs`.

#![no_main]

octo_fuzz::room!(octo_agent::fuzzing::PARSERS);
