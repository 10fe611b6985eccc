//! Finding the holes of a large file, so that they need not be read: what the server says of them, made sure of as core's
//! `sparse` demands. Any trouble but a lost connection means that no holes are known, and the file is read whole.

use super::fetcher::Fetcher;
use crate::attempts;
use crate::open;
use crate::status::nt;
use crate::wire::reply::{self, Handle, Opened};
use crate::wire::{Malformed, attribute, ranges};
use futures_util::stream::{StreamExt, iter};
use octo_core::{Code, Error, Ranges, sparse};
use smb2::msg::ioctl::IoctlRequest;
use smb2::types::Command;

const FSCTL_QUERY_ALLOCATED_RANGES: u32 = 0x0009_40CF;
const IOCTL_IS_FSCTL: u32 = 1;
/// Room for the ranges of one answer.
const ANSWER_BYTES: u32 = 64 * 1024;
/// There are more ranges than fit into the answer, which holds the first.
const BUFFER_OVERFLOW: u32 = 0x8000_0005;
/// Samples under way together.
const PROBES_IN_FLIGHT: usize = 16;
/// Samba says that a file is all data if it was not marked as sparse. One of this size that takes no space has no data, as
/// no machine keeps that much in memory only.
const EMPTY_BYTES_MIN: u64 = 64 << 30;
/// What Samba says instead of nothing.
const NO_SPACE_BYTES: u64 = 512;
/// How many more places of such a file are sampled.
const EMPTY_PROBES: u64 = 64;

impl Fetcher<'_> {
    /// The holes of an open file among these ranges of it.
    pub(super) async fn holes(&self, opened: &Opened, wanted: &Ranges) -> Result<Ranges, Error> {
        match self.certain_holes(opened).await {
            Ok(holes) => Ok(wanted.common(&holes)),
            Err(lost) if attempts::is_loss(&lost) => Err(lost),
            Err(_) => Ok(Ranges::new()),
        }
    }

    async fn certain_holes(&self, opened: &Opened) -> Result<Ranges, Error> {
        let (size, allocated) = (opened.meta.size_bytes, opened.allocated_bytes);
        let may_be_sparse = opened.meta.attributes & attribute::SPARSE_FILE != 0 || allocated < size;
        if size < sparse::HOLE_BYTES_MIN || allocated >= size || !may_be_sparse {
            return Ok(Ranges::new());
        }
        let mut holes = match self.data(opened.handle, size).await {
            Ok(data) => sparse::holes(&data, size, Some(allocated)),
            Err(lost) if attempts::is_loss(&lost) => return Err(lost),
            Err(_) => Ranges::new(),
        };
        let mut probes = sparse::probes(&holes);
        if holes.is_empty() && allocated <= NO_SPACE_BYTES && size >= EMPTY_BYTES_MIN {
            holes = Ranges::new().missing(size);
            let step = (size / EMPTY_PROBES).max(1);
            let spread = (0..EMPTY_PROBES).map(|n| n * step).map(|at| at..(at + 4096).min(size));
            probes = sparse::probes(&holes).into_iter().chain(spread.filter(|range| !range.is_empty())).collect();
        }
        let reads = probes.into_iter().map(async |probe| self.is_zero(opened.handle, probe).await);
        let mut reads = iter(reads).buffer_unordered(PROBES_IN_FLIGHT);
        while let Some(is_zero) = reads.next().await {
            if !is_zero? {
                return Ok(Ranges::new());
            }
        }
        Ok(holes)
    }

    async fn is_zero(&self, handle: Handle, probe: std::ops::Range<u64>) -> Result<bool, Error> {
        let bytes = u32::try_from(probe.end - probe.start).unwrap_or(0);
        let (frame, _held) = self.read(handle, probe.start, bytes).await?;
        let data = reply::read(&frame.body, bytes)?;
        Ok(data.len() == probe.end.saturating_sub(probe.start) as usize && data.iter().all(|&byte| byte == 0))
    }

    /// Where an open file holds data.
    async fn data(&self, handle: Handle, size_bytes: u64) -> Result<Ranges, Error> {
        let (mut data, mut at, mut count) = (Ranges::new(), 0, 0);
        while at < size_bytes && count < sparse::DATA_RANGES_MAX {
            let ask = IoctlRequest {
                ctl_code: FSCTL_QUERY_ALLOCATED_RANGES,
                file_id: open::file_id(handle),
                max_input_response: 0,
                max_output_response: ANSWER_BYTES,
                flags: IOCTL_IS_FSCTL,
                input_data: ranges::question(at, size_bytes - at),
            };
            let frame = open::single(self.session, (Command::Ioctl, &ask, ANSWER_BYTES)).await?;
            let more = match frame.header.status.0 {
                nt::SUCCESS => false,
                BUFFER_OVERFLOW => true,
                refused => return Err(Error::new(Code::SourceEntry, format!("no ranges were sent ({refused:#x})"))),
            };
            let output = reply::ioctl(&frame.body)?;
            at = ranges::add(output, at, size_bytes, &mut data)?;
            count += output.len() / ranges::RANGE_BYTES;
            if !more {
                return Ok(data);
            }
            if output.is_empty() {
                return Err(Malformed("more ranges are announced than sent").into());
            }
        }
        data.insert(at.min(size_bytes)..size_bytes);
        Ok(data)
    }
}
