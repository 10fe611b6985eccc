//! Reads a file of a state, and compares it with the hash that the copy had, if that is known: what the disk damaged is never handed over
//! without a word.

use super::pieces::Ended;
use crate::content_hash::ContentHasher;
use octo_core::{Code, Error, Ranges, RelPath, Stop, TargetFile};
use std::ops::Range;

/// One read; also the largest piece handed over.
const BUFFER_BYTES: usize = 512 << 10;

/// A file that is read.
pub struct Reading<'r> {
    /// What it is called.
    pub path: &'r RelPath,
    /// Where it is in the mirror.
    pub content: &'r RelPath,
    /// The open file.
    pub handle: &'r dyn TargetFile,
    /// The hash of its copy.
    pub hash: Option<[u8; 32]>,
    /// How far it was read.
    pub at: u64,
}

impl Reading<'_> {
    /// Hands over these parts. What is between them is holes, if a hash is known.
    pub fn all(
        &mut self,
        parts: &Ranges,
        size_bytes: u64,
        mut hand_over: impl FnMut(u64, &[u8]) -> Result<(), Stop>,
    ) -> Result<(), Ended> {
        let mut hasher = self.hash.map(|_| ContentHasher::new(size_bytes));
        for part in parts.iter() {
            if let Some(hasher) = &mut hasher {
                hasher.zeros(part.start - self.at);
            }
            self.at = part.start;
            self.part(part, |at, bytes| {
                if let Some(hasher) = &mut hasher {
                    hasher.update(bytes);
                }
                hand_over(at, bytes)
            })?;
        }
        let Some((mut hasher, hash)) = hasher.zip(self.hash) else { return Ok(()) };
        hasher.zeros(size_bytes.saturating_sub(self.at));
        if hasher.finish() != hash {
            let what = "its content is not what was copied; what is left of it is in the mirror, at";
            let what = format!("{}: {what} {}", self.path, self.content);
            return Err(Error::new(Code::ContentDamaged, what).into());
        }
        Ok(())
    }

    fn part(
        &mut self,
        part: Range<u64>,
        mut hand_over: impl FnMut(u64, &[u8]) -> Result<(), Stop>,
    ) -> Result<(), Ended> {
        let room = usize::try_from(part.end - part.start).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        let mut buffer = vec![0; room];
        while self.at < part.end {
            let wanted = usize::try_from(part.end - self.at).unwrap_or(room).min(room);
            let read = self.handle.read_at(self.at, &mut buffer[..wanted])?;
            if read == 0 {
                let what = format!("{} ended after {} bytes, before what its handle had announced", self.path, self.at);
                return Err(Error::new(Code::ChangedWhileRead, what).into());
            }
            hand_over(self.at, &buffer[..read])?;
            self.at += read as u64;
        }
        Ok(())
    }
}
