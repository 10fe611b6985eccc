//! The parsers of `crates/server`: see `crates/server/src/fuzzing/mod.rs`.

#![no_main]

octo_fuzz::room!(octo_server::fuzzing::PARSERS);
