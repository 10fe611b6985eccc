//! Words: values that have a few fixed spellings, the same over the wire, on the command line, in the database and in messages.

use std::fmt;

/// A value that is one of a few words.
pub trait Word: Copy + fmt::Display + Sized + 'static {
    /// All of them, as people should see them listed.
    const ALL: &'static [Self];

    /// How it is spelled, everywhere and for ever.
    fn word(self) -> &'static str;

    /// The one that is spelled so.
    fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.word() == text)
    }
}

/// An enumeration whose variants are words: each spelling is written once, and serde, `Display` and [`Word`] take it from there.
/// `or newer` is for words of answers that later versions will add to: a client reads one that it does not know as `Newer`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $( $(#[$of:meta])* $variant:ident = $word:literal, )+ } $(or $newer:ident)?) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[$of])* #[serde(rename = $word)] $variant, )+
            $(
                #[doc = concat!("What only a ", stringify!($newer), " server knows.")]
                #[serde(other, rename = "newer")]
                Newer,
            )?
        }

        impl $crate::words::Word for $name {
            const ALL: &'static [$name] = &[$( $name::$variant, )+];

            fn word(self) -> &'static str {
                match self {
                    $( $name::$variant => $word, )+
                    $( $name::Newer => stringify!($newer), )?
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::words::Word::word(*self))
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    #[test]
    fn a_word_has_one_spelling() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.word());
            assert_eq!((role.to_string().as_str(), Role::read(role.word())), (role.word(), Some(*role)));
        }
        assert_eq!(Role::read("Viewer"), None);
    }
}
