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

    /// Whether anything was asked before.
    pub fn is_first(self) -> bool {
        self.0 == 0
    }

    /// The connection was lost once more. Fails with what is to be said of the entry when it has had its chances.
    pub fn lost(&mut self, why: &Error) -> Result<(), Error> {
        self.0 += 1;
        if self.0 < AMONG_OTHERS + ALONE {
            return Ok(());
        }
        Err(Error::new(Code::SourceEntry, format!("each time it is asked for, the connection fails ({})", why.detail)))
    }
}

/// Whether a failure says that the connection is of no more use.
pub(crate) fn is_loss(error: &Error) -> bool {
    matches!(error.code, Code::ConnectionLost | Code::Protocol)
}

/// A request that the server left without an answer although it answers others concerns only its entry.
pub(crate) fn unanswered(error: Error) -> Error {
    if error.code == Code::TimedOut {
        Error::new(Code::SourceEntry, "the server gave no answer in time")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_blamed_only_after_it_was_asked_for_alone_and_twice() {
        let why = Error::new(Code::ConnectionLost, "reset");
        let mut attempts = Attempts::default();
        let mut alone = 0;
        let blame = loop {
            alone += u8::from(attempts.are_alone());
            if let Err(blame) = attempts.lost(&why) {
                break blame;
            }
        };
        assert_eq!(alone, 2);
        assert!(!blame.code.stops_run() && blame.detail.contains("reset"));
    }
}
