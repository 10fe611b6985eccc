//! What an agent tells ahead: the server's end of a walk, from which listings are taken in order.
//!
//! The agent may be anywhere else than we want it to be: some folders are not asked for, some are sorted otherwise in the
//! mirror, some are new. Nothing depends on it but speed: what the walk does not bring next is asked for by itself.

use crate::server::listing_reader::{ListingRead, read_listing};
use crate::server::session::{Answers, Session};
use crate::wire::{Answer, Order, fault, walk_order};
use octo_core::{Error, ListSink, RelPath};
use std::sync::Arc;

/// So much of a walk is passed over; where more is not wanted, another walk begins behind it.
const SKIP_BYTES_MAX: usize = 1 << 20;
/// So many folders in a row may be missing before another walk begins, at first and at most.
const MISSED_MAX: std::ops::RangeInclusive<u32> = 4..=4096;

/// A walk, if there is one under way. The first one begins with the first folder.
#[derive(Default)]
pub(crate) struct WalkReader {
    walk: Option<Walk>,
    /// Folders in a row that the walk did not bring.
    missed: u32,
    /// How many of them are borne.
    patience: u32,
}

struct Walk {
    session: Arc<Session>,
    answers: Answers,
    /// The folder of which the listing comes next.
    next: RelPath,
    served: u32,
}

impl WalkReader {
    /// The listing of `folder`, if the walk brings it; `None` if it is to be asked for. `came` as for a listing.
    pub async fn list(
        &mut self,
        session: &Arc<Session>,
        root: &str,
        folder: &RelPath,
        sink: &mut dyn ListSink,
        came: &mut bool,
    ) -> Result<Option<ListingRead>, Error> {
        // A walk on a connection that is no more ends with it.
        let walk = self.walk.take().filter(|walk| Arc::ptr_eq(&walk.session, session));
        let mut walk = match walk {
            // A caller that comes back to the root wants to see everything again.
            _ if folder.is_root() => Walk::begin(session, root, folder).await?,
            Some(walk) => match walk.until(folder).await? {
                Some(walk) => walk,
                None => Walk::begin(session, root, folder).await?,
            },
            None if self.missed >= self.patience => Walk::begin(session, root, folder).await?,
            None => {
                self.missed += 1;
                return Ok(None);
            }
        };
        if &walk.next != folder {
            self.missed += 1;
            if self.missed <= self.patience {
                self.walk = Some(walk);
                return Ok(None);
            }
            // Another one costs what it sends in vain: it is tried again the less often the less comes of it.
            let is_better = walk.served > self.patience;
            self.patience = if is_better { *MISSED_MAX.start() } else { (2 * self.patience).min(*MISSED_MAX.end()) };
            walk = Walk::begin(session, root, folder).await?;
        }
        self.missed = 0;
        self.patience = self.patience.max(*MISSED_MAX.start());
        let listed = read_listing(&mut walk.answers, sink, came).await?;
        walk.served = walk.served.saturating_add(1);
        if let ListingRead::Listed(_) = listed {
            self.walk = walk.on().await?;
        }
        Ok(Some(listed))
    }
}

impl Walk {
    async fn begin(session: &Arc<Session>, root: &str, folder: &RelPath) -> Result<Walk, Error> {
        let mut answers = session.ask("walk", Order::encode(root, folder)).await?;
        let next = next_folder(&mut answers)
            .await?
            .ok_or_else(|| crate::carrier::connection_lost("the walk brought nothing"))?;
        if &next != folder {
            return Err(fault("a walk that begins elsewhere"));
        }
        Ok(Walk { session: Arc::clone(session), answers, next, served: 0 })
    }

    /// On to the next folder, when the listing of the one before has been read. `None` at the end.
    async fn on(mut self) -> Result<Option<Walk>, Error> {
        let Some(next) = next_folder(&mut self.answers).await? else { return Ok(None) };
        if walk_order(&next, &self.next).is_le() {
            return Err(fault("a walk whose folders are not in order"));
        }
        Ok(Some(Walk { next, ..self }))
    }

    /// Past all that comes before `folder`. `None` if that is too much, or if the walk ends there.
    async fn until(mut self, folder: &RelPath) -> Result<Option<Walk>, Error> {
        let mut skipped_bytes = 0;
        while walk_order(&self.next, folder).is_lt() {
            loop {
                let frame = self
                    .answers
                    .next()
                    .await?
                    .ok_or_else(|| crate::carrier::connection_lost("the walk was cut short"))?;
                skipped_bytes += frame.len();
                if skipped_bytes > SKIP_BYTES_MAX {
                    return Ok(None);
                }
                match Answer::decode(&frame)? {
                    Answer::Entries(_) | Answer::Oddity { .. } => {}
                    Answer::Listed(_) => break,
                    _ => return Err(fault("an answer to another question")),
                }
            }
            match self.on().await? {
                Some(on) => self = on,
                None => return Ok(None),
            }
        }
        Ok(Some(self))
    }
}

async fn next_folder(answers: &mut Answers) -> Result<Option<RelPath>, Error> {
    let Some(frame) = answers.next().await? else { return Ok(None) };
    match Answer::decode(&frame)? {
        Answer::Folder(path) => Ok(Some(path)),
        _ => Err(fault("an answer to another question")),
    }
}
