//! The parsers of `crates/mirror`: see `crates/mirror/src/fuzzing.rs`.

#![no_main]

octo_fuzz::room!(octo_mirror::fuzzing::PARSERS);
