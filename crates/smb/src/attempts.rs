//! Who is to blame when a request fails with the connection: the network, or the entry that was asked for.
//!
//! A request on which the server falls over would take the connection with it for ever. So an entry that was in flight
//! when connections were lost is soon asked for alone; if that goes wrong too, it is the entry's problem and the run
//! goes on.

use octo_core::{Code, Error};

/// So often an entry is asked for among others.
const AMONG_OTHERS: u8 = 2;
/// So often it is asked for alone.
const ALONE: u8 = 2;

/// How often connections were lost while one entry was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempts(u8);

impl Attempts {
    /// Whether it is to be asked for alone, so that it is known who is to blame.
    pub fn are_alone(self) -> bool {
        self.0 >= AMONG_OTHERS
    }

    /// Whether this is its last chance, which it gets on a connection that served nothing else before.
    pub fn are_ending(self) -> bool {
        self.0 + 1 >= AMONG_OTHERS + ALONE
    }

    /// Whether anything was asked before.
    pub fn is_first(self) -> bool {
        self.0 == 0
    }

    /// The connection was lost once more. Fails with what is to be said of the entry when it has had its chances.
    pub fn lost(&mut self, why: &Error) -> Result<(), Error> {
        // Silence costs minutes, and a file that was waited for in vain among others is the first suspect.
        self.0 += if why.code == Code::TimedOut { AMONG_OTHERS } else { 1 };
        if self.0 < AMONG_OTHERS + ALONE {
            return Ok(());
        }
        Err(Error::new(Code::ServerFails, why.to_string()))
    }
}

/// Whether a failure says that the connection is of no more use.
pub(crate) fn is_loss(error: &Error) -> bool {
    matches!(error.code, Code::ConnectionLost | Code::TimedOut | Code::Protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_blamed_only_after_it_was_asked_for_alone_and_twice() {
        let why = Error::new(Code::ConnectionLost, "reset");
        let mut attempts = Attempts::default();
        let (mut alone, mut ending) = (0, 0);
        let blame = loop {
            alone += u8::from(attempts.are_alone());
            ending += u8::from(attempts.are_ending());
            if let Err(blame) = attempts.lost(&why) {
                break blame;
            }
        };
        assert_eq!((alone, ending), (2, 1));
        assert!(!blame.code.stops_run() && blame.detail.contains("reset"));

        let mut silent = Attempts::default();
        let why = Error::new(Code::TimedOut, "");
        assert!(silent.lost(&why).is_ok() && silent.are_alone() && silent.lost(&why).is_err());
    }
}
