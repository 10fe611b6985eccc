//! A stack of records: the last one pushed comes first. One file for all of it, however deep.

use super::read_exact;
use octo_core::{Code, Error, Target, TargetFile};

/// What stays in memory when more is written to the scratch file, and what is read back at once.
const BLOCK_BYTES: usize = 128 << 10;
/// Length after each record.
const FRAME: usize = 4;

/// Records of which only the uppermost are in memory.
#[derive(Default)]
pub struct Stack {
    /// The uppermost bytes.
    top: Vec<u8>,
    file: Option<Box<dyn TargetFile>>,
    /// How much lies in the file, below `top`. What is behind that in the file was popped.
    file_bytes: u64,
}

impl Stack {
    /// Adds a record on top; the scratch file comes from `target`.
    pub fn push(&mut self, target: &dyn Target, record: &[u8]) -> Result<(), Error> {
        let len = u32::try_from(record.len()).map_err(|_| Error::new(Code::TargetFailed, "a record of 4 GiB"))?;
        self.top.extend_from_slice(record);
        self.top.extend_from_slice(&len.to_le_bytes());
        if self.top.len() < 2 * BLOCK_BYTES {
            return Ok(());
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => target.scratch()?,
        };
        let below = self.top.len() - BLOCK_BYTES;
        file.write_at(self.file_bytes, &self.top[..below])?;
        self.file_bytes += below as u64;
        self.file = Some(file);
        self.top.drain(..below);
        self.top.shrink_to(2 * BLOCK_BYTES);
        Ok(())
    }

    /// Takes the uppermost record.
    pub fn pop(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.top.is_empty() && self.file_bytes == 0 {
            return Ok(None);
        }
        self.fill(FRAME)?;
        let at = self.top.len() - FRAME;
        let len = u32::from_le_bytes([self.top[at], self.top[at + 1], self.top[at + 2], self.top[at + 3]]) as usize;
        self.fill(len + FRAME)?;
        self.top.truncate(self.top.len() - FRAME);
        Ok(Some(self.top.split_off(self.top.len() - len)))
    }

    /// Brings back what is needed for `bytes` bytes in memory.
    fn fill(&mut self, bytes: usize) -> Result<(), Error> {
        let Some(missing) = bytes.checked_sub(self.top.len()).filter(|missing| *missing > 0) else { return Ok(()) };
        let back = self.file_bytes.min(missing.max(BLOCK_BYTES) as u64);
        let damaged = || Error::new(Code::RecordsDamaged, "a temporary file ends early");
        let Some(file) = self.file.as_deref().filter(|_| back >= missing as u64) else { return Err(damaged()) };
        let mut below = vec![0; usize::try_from(back).map_err(|_| damaged())?];
        read_exact(file, self.file_bytes - back, &mut below)?;
        self.file_bytes -= back;
        below.append(&mut self.top);
        self.top = below;
        Ok(())
    }

    /// What is in memory.
    #[cfg(test)]
    pub fn memory_bytes(&self) -> usize {
        self.top.capacity()
    }
}
