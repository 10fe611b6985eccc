//! The parsers of `crates/disk`: see `crates/disk/src/fuzzing.rs`.

#![no_main]

octo_fuzz::room!(octo_disk::fuzzing::PARSERS);
