//! Every parser of the SMB source in one target: the first byte of the input chooses the parser.
//!
//! Run with `cargo +nightly fuzz run smb`. Seeds from a real Samba lie in `crates/smb/tests/seeds`; put the number of
//! the folder's parser in front of each. A single parser is chosen with `OCTO_PARSER=listing`, its seeds as they are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use octo_smb::fuzzing::{PARSERS, Parser};
use std::sync::LazyLock;

static CHOSEN: LazyLock<Option<Parser>> = LazyLock::new(|| {
    let name = std::env::var("OCTO_PARSER").ok()?;
    let found = PARSERS.iter().find(|(parser, _)| *parser == name);
    Some(found.unwrap_or_else(|| panic!("no parser {name:?}")).1)
});

fuzz_target!(|data: &[u8]| {
    match (*CHOSEN, data.split_first()) {
        (Some(parse), _) => parse(data),
        (None, Some((&choice, rest))) => PARSERS[usize::from(choice) % PARSERS.len()].1(rest),
        (None, None) => {}
    }
});
