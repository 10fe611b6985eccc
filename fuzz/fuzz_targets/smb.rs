//! The parsers of `crates/smb`: see `crates/smb/src/fuzzing.rs`.

#![no_main]

octo_fuzz::room!(octo_smb::fuzzing::PARSERS);
