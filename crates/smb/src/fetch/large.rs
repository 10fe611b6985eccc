//! A large file: a window of reads, which goes on on another connection where it stopped.

use super::begun::Begun;
use super::fetcher::{
    CAREFUL_READ_BYTES, FetchStop, Fetcher, OpenFetch, READ_BYTES, WirePath, accept_read, check_kind, last_state,
    read_request, shrunk,
};
use crate::attempts::is_loss;
use crate::open;
use crate::wire::reply::{self, Handle, Opened};
use futures_util::stream::{FuturesUnordered, StreamExt};
use octo_core::{Error, FetchRequest, FetchSink, Ranges};
use smb2::Frame;
use smb2::types::Command;
use std::ops::Range;
use tokio::sync::SemaphorePermit;

/// Reads in flight for one large file.
const READS_IN_FLIGHT: usize = 8;

impl Fetcher<'_> {
    /// Fetches a file by a window of reads. `left` tells what came over a connection that was lost, and is kept up to
    /// date for the next one.
    pub(super) async fn large(
        &self,
        left: &mut OpenFetch,
        path: &dyn Fn(usize) -> WirePath,
        requests: &[FetchRequest],
        sink: &mut dyn FetchSink,
    ) -> Result<(), FetchStop> {
        let OpenFetch { file, begun, was_lost, .. } = left;
        let (file, path, wanted) = (*file, path(*file)?, &requests[*file]);
        let (open, opened, ask, denied) = self.open_large(&path, wanted).await?;
        check_kind(&opened.meta, wanted)?;
        let begun = match begun {
            Some(begun) => {
                begun.check_same(&opened.meta)?;
                begun
            }
            None => begun.insert(self.begin(file, &opened, wanted, sink).await?),
        };
        let parts = wanted.parts.as_ref();
        if parts.and_then(|parts| parts.iter().last()).is_some_and(|range| range.end > opened.meta.size_bytes) {
            return Err(shrunk().into());
        }
        let bytes = if *was_lost { CAREFUL_READ_BYTES } else { READ_BYTES };
        let bytes = bytes.min(self.session.read_bytes_max).max(1);
        let mut chunks = ReadChunks { ranges: begun.left(parts), bytes };
        let mut flying = FuturesUnordered::new();
        let mut lost = None;
        loop {
            while lost.is_none() && flying.len() < READS_IN_FLIGHT {
                chunks.bytes = open::affordable(self.session, bytes);
                let Some((at, bytes)) = chunks.next() else { break };
                let handle = open.handle;
                flying.push(async move { (at, bytes, self.read(handle, at, bytes).await) });
            }
            let Some((at, asked, answer)) = flying.next().await else { break };
            let (frame, _held) = match answer {
                // What came before the connection was lost counts: otherwise a file is blamed for what the network did.
                Err(error) if is_loss(&error) => {
                    lost.get_or_insert(error);
                    continue;
                }
                answer => answer?,
            };
            let data = reply::read(&frame.body, asked)?;
            if data.is_empty() {
                return Err(shrunk().into());
            }
            sink.data(file, at, data)?;
            let end = at + data.len() as u64;
            begun.given.insert(at..end);
            if end < at + u64::from(asked) {
                chunks.ranges.push(end..at + u64::from(asked));
            }
        }
        drop(flying);
        if let Some(error) = lost {
            return Err(error.into());
        }
        if wanted.metadata {
            self.large_details(file, &path, (&open, &opened.meta), wanted, (ask, denied), sink).await?;
        }
        let closed = last_state(&open.close().await?, &opened.meta)?;
        Ok(sink.finished(file, closed)?)
    }

    /// Tells the sink of the open file and of the holes that need not be read.
    async fn begin(
        &self,
        file: usize,
        opened: &Opened,
        wanted: &FetchRequest,
        sink: &mut dyn FetchSink,
    ) -> Result<Begun, FetchStop> {
        let mut given = Ranges::new();
        if sink.wants_holes(file) {
            let asked = wanted.parts.clone();
            let asked = asked.unwrap_or_else(|| Ranges::new().missing(opened.meta.size_bytes));
            given = self.holes(opened, &asked).await?;
            if !given.is_empty() {
                sink.holes(file, &given);
            }
        }
        sink.opened(file, opened.meta)?;
        Ok(Begun { opened: opened.meta, given })
    }

    pub(super) async fn read(
        &self,
        handle: Handle,
        at: u64,
        bytes: u32,
    ) -> Result<(Frame, SemaphorePermit<'_>), Error> {
        let held = self.budget.take(bytes).await?;
        let frame = open::single(self.session, (Command::Read, &read_request(handle, at, bytes), bytes)).await?;
        Ok((accept_read(frame)?, held))
    }
}

/// Ranges cut into reads, from the first to the last.
struct ReadChunks {
    ranges: Vec<Range<u64>>,
    bytes: u32,
}

impl Iterator for ReadChunks {
    type Item = (u64, u32);

    fn next(&mut self) -> Option<(u64, u32)> {
        // What came short is pushed last, but it is only a matter of order: few ranges, few shifts.
        let range = self.ranges.first_mut()?;
        let at = range.start;
        let bytes = u32::try_from(range.end - at).unwrap_or(u32::MAX).min(self.bytes);
        range.start += u64::from(bytes);
        if range.is_empty() {
            self.ranges.remove(0);
        }
        (bytes > 0).then_some((at, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Meta;
    use octo_core::{Kind, Timestamp};

    #[test]
    fn after_a_loss_only_what_is_wanted_and_was_not_given_is_read() {
        let set = |ranges: &[Range<u64>]| {
            let mut set = Ranges::new();
            ranges.iter().cloned().for_each(|range| set.insert(range));
            set
        };
        let opened = Meta::new(Kind::File, 100, Timestamp(0));
        let begun = Begun { opened, given: set(&[10..20, 50..60]) };
        assert_eq!(begun.left(None), [0..10, 20..50, 60..100]);
        assert_eq!(begun.left(Some(&set(&[15..55, 90..100]))), [20..50, 90..100]);
    }
}
