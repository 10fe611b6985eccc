//! Reads the listing of one folder as the agent sends it. All of it is hostile input.

use crate::server::session::Answers;
use crate::wire::{Answer, fault};
use octo_core::{Code, Error, ListSink, Listed};
use std::ops::ControlFlow;

/// A listing with more entries has no end: what was sorted of it would fill the disk.
const ENTRIES_MAX: u64 = if cfg!(test) { 1_000_000 } else { 200_000_000 };

/// How far the listing of a folder was read.
pub(crate) enum ListingRead {
    /// To its end.
    Listed(Listed),
    /// As far as it was wanted.
    Enough,
}

impl From<ListingRead> for Listed {
    fn from(read: ListingRead) -> Listed {
        match read {
            ListingRead::Listed(listed) => listed,
            ListingRead::Enough => Listed::Incomplete(Error::new(Code::ListingCut, "no more was wanted")),
        }
    }
}

/// Reads what is in one folder.
pub(crate) async fn read_listing(
    answers: &mut Answers,
    sink: &mut dyn ListSink,
    came: &mut bool,
) -> Result<ListingRead, Error> {
    let mut count = 0;
    let mut one_more = || {
        count += 1;
        if count > ENTRIES_MAX { Err(fault(format!("a folder with more than {ENTRIES_MAX} entries"))) } else { Ok(()) }
    };
    while let Some(frame) = answers.next().await? {
        match Answer::decode(&frame)? {
            Answer::Entries(mut entries) => {
                while let Some(entry) = entries.next()? {
                    *came = true;
                    one_more()?;
                    match entry {
                        Ok(entry) => {
                            if let ControlFlow::Break(()) = sink.entry(entry) {
                                return Ok(ListingRead::Enough);
                            }
                        }
                        Err((name, why)) => sink.problem(&name, Error::new(Code::BadName, why)),
                    }
                }
            }
            Answer::Oddity { name, error } => {
                *came = true;
                one_more()?;
                sink.problem(name, error);
            }
            Answer::Listed(listed) => return Ok(ListingRead::Listed(listed)),
            _ => return Err(fault("an answer to another question")),
        }
    }
    Err(crate::carrier::connection_lost("the listing ended without saying so"))
}
