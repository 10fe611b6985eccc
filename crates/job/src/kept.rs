//! How a kind of value that a setting keeps looks as an option of a command line.

use crate::keep::Keep;
use crate::mirror_spec::{CompareBy, Intent, LiveFiles, MetadataKept};
use crate::units::DEFAULT;
use clap::builder::{EnumValueParser, Str};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, ValueEnum, value_parser};

/// The lines of a doc comment as one sentence, as clap shows it.
pub(crate) fn words(lines: &[&str]) -> String {
    let words = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    words.trim_end_matches('.').replace('`', "")
}

/// A row of the table that has an option.
pub(crate) struct Row {
    /// The setting.
    pub name: &'static str,
    /// Its help, as the lines of a comment.
    pub help: &'static [&'static str],
    /// The option, if it is not called as the setting is.
    pub long: Option<&'static str>,
    /// Where it is in the help.
    pub heading: &'static str,
    /// What its value is called.
    pub value_name: &'static str,
}

impl Row {
    pub(crate) fn arg<T: Kept>(&self, built_in: &T) -> Arg {
        let long = self.long.map_or_else(|| self.name.replace('_', "-"), str::to_owned);
        let arg = Arg::new(self.name).long(Str::from(long)).help(words(self.help)).help_heading(self.heading);
        built_in.option(if self.value_name.is_empty() { arg } else { arg.value_name(self.value_name) })
    }
}

/// A kind of value that a setting keeps, as an option.
pub(crate) trait Kept: Sized {
    /// The option; `self` is what is built in.
    fn option(&self, arg: Arg) -> Arg;

    /// What was typed; `self` is what is built in.
    fn typed(&self, matches: &ArgMatches, id: &str) -> Option<Self>;
}

/// A switch that turns it to what is not built in.
impl Kept for bool {
    fn option(&self, arg: Arg) -> Arg {
        let arg = arg.action(ArgAction::SetTrue);
        if !*self {
            return arg;
        }
        let (long, help) = (arg.get_long().unwrap_or_default(), arg.get_help().map(ToString::to_string));
        let (long, mut help) = (format!("no-{long}"), help.unwrap_or_default());
        if let Some(first) = help.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        arg.long(Str::from(long)).help(format!("Do not {help}"))
    }

    fn typed(&self, matches: &ArgMatches, id: &str) -> Option<bool> {
        matches.get_flag(id).then_some(!*self)
    }
}

impl Kept for String {
    fn option(&self, arg: Arg) -> Arg {
        if self == DEFAULT { arg } else { arg.default_value(Str::from(self.clone())) }
    }

    fn typed(&self, matches: &ArgMatches, id: &str) -> Option<String> {
        // What is built in was not typed: it must not stand against what was.
        let is_typed = matches.value_source(id) != Some(ValueSource::DefaultValue);
        matches.get_one(id).cloned().filter(|_| is_typed)
    }
}

impl Kept for Keep {
    fn option(&self, arg: Arg) -> Arg {
        arg.value_parser(Keep::parse)
    }

    fn typed(&self, matches: &ArgMatches, id: &str) -> Option<Keep> {
        matches.get_one(id).cloned()
    }
}

impl Kept for u64 {
    fn option(&self, arg: Arg) -> Arg {
        arg.value_parser(value_parser!(u64)).default_value(Str::from(self.to_string()))
    }

    fn typed(&self, matches: &ArgMatches, id: &str) -> Option<u64> {
        matches.get_one(id).copied()
    }
}

impl Kept for Vec<String> {
    fn option(&self, arg: Arg) -> Arg {
        arg.action(ArgAction::Append)
    }

    fn typed(&self, matches: &ArgMatches, id: &str) -> Option<Vec<String>> {
        matches.get_many(id).map(|all| all.cloned().collect())
    }
}

/// A word of a list.
macro_rules! kept_words {
    ($($words:ty),+) => { $( impl Kept for $words {
        fn option(&self, arg: Arg) -> Arg {
            let built_in = self.to_possible_value().map(|value| Str::from(value.get_name().to_owned()));
            let arg = arg.value_parser(EnumValueParser::<$words>::new());
            built_in.into_iter().fold(arg, |arg, built_in| arg.default_value(built_in))
        }

        fn typed(&self, matches: &ArgMatches, id: &str) -> Option<$words> {
            matches.get_one(id).copied()
        }
    } )+ };
}

kept_words!(CompareBy, Intent, LiveFiles, MetadataKept);
