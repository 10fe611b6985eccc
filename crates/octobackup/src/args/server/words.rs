//! Options whose value is a word of the API: the API has the list.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use octo_api::Word;

/// Takes one of the words of `W`, and lists them in the help.
pub fn one_of<W: Word + Send + Sync>() -> impl TypedValueParser<Value = W> {
    let words = W::ALL.iter().map(|it| it.word());
    PossibleValuesParser::new(words).try_map(|text| W::read(&text).ok_or("not an allowed word"))
}
