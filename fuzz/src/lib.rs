//! One fuzz target a room, that is a crate; `OCTO_PARSER` says which of the room's parsers gets the input. Started by
//! `cargo xtask fuzz`, which knows the parsers by their corpora in `fuzz/corpus`.

pub use libfuzzer_sys;

/// A parser that must take any bytes.
pub type Parser = fn(&[u8]);

/// The parser that `OCTO_PARSER` names.
///
/// # Panics
///
/// If there is none of that name.
pub fn chosen(parsers: &[(&str, Parser)]) -> Parser {
    let name = std::env::var("OCTO_PARSER").unwrap_or_default();
    let names: Vec<&str> = parsers.iter().map(|(name, _)| *name).collect();
    let found = parsers.iter().find(|(parser, _)| *parser == name);
    found.unwrap_or_else(|| panic!("OCTO_PARSER is {name:?}, it has to be one of {names:?}")).1
}

/// The fuzz target of a room with these parsers.
#[macro_export]
macro_rules! room {
    ($parsers:expr) => {
        static CHOSEN: std::sync::LazyLock<$crate::Parser> = std::sync::LazyLock::new(|| $crate::chosen($parsers));
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| CHOSEN(data));
    };
}
