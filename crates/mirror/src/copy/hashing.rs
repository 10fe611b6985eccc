//! The BLAKE3 hash of a file while it is gathered, by the thread that has the bytes in its cache.
//!
//! What comes in order is hashed as it comes. What came before its turn is read back as soon as the gap is closed; so is, in the
//! end, what an earlier run had gathered, and all of a file of which something came twice. It must never tell a hash of
//! anything but what lies in the file from its first byte to its last.

use octo_core::{Code, Error, Ranges, TargetFile};

/// Read back at once.
const READ_BYTES: usize = 256 << 10;
/// More than this is not read back while the source waits, but in the end.
const READ_BACK_MAX: u64 = 256 << 20;

/// The hash of a file that is gathered.
#[derive(Default)]
pub struct Hashing {
    size_bytes: u64,
    /// So many bytes are hashed.
    at: u64,
    hasher: Option<Box<blake3::Hasher>>,
    /// All came in one piece.
    whole: Option<[u8; 32]>,
    /// Nothing is hashed before the end.
    is_late: bool,
}

impl Hashing {
    /// Of a file of this size. `is_told`: the source mostly tells the hash in the end.
    pub fn new(size_bytes: u64, is_told: bool) -> Hashing {
        Hashing { size_bytes, is_late: is_told, ..Hashing::default() }
    }

    /// These bytes lie in the file at `at` now, and `got` is all of it that counts.
    pub fn wrote(&mut self, file: &dyn TargetFile, got: &Ranges, at: u64, bytes: &[u8]) -> Result<(), Error> {
        if self.is_late || at > self.at {
            return Ok(());
        }
        if at < self.at {
            *self = Hashing::new(self.size_bytes, true);
            return Ok(());
        }
        self.at += bytes.len() as u64;
        if at == 0 && self.at == self.size_bytes {
            self.whole = Some(blake3::hash(bytes).into());
            return Ok(());
        }
        self.hasher.get_or_insert_default().update(bytes);
        let end = got.end_at(self.at);
        if end - self.at <= READ_BACK_MAX { self.read_to(file, end, &|| true).map(drop) } else { Ok(()) }
    }

    /// The hash of the file, which is whole; `None` if that was not to go on for so long.
    pub fn finish(&mut self, file: &dyn TargetFile, go_on: &dyn Fn() -> bool) -> Result<Option<[u8; 32]>, Error> {
        if self.whole.is_some() {
            return Ok(self.whole);
        }
        let is_done = self.read_to(file, self.size_bytes, go_on)?;
        Ok(is_done.then(|| self.hasher.get_or_insert_default().finalize().into()))
    }

    /// Hashes what lies in the file up to `end`. Whether it came so far.
    fn read_to(&mut self, file: &dyn TargetFile, end: u64, go_on: &dyn Fn() -> bool) -> Result<bool, Error> {
        if self.at >= end {
            return Ok(true);
        }
        let hasher = self.hasher.get_or_insert_default();
        let left = usize::try_from(end - self.at).unwrap_or(READ_BYTES);
        let mut buffer = vec![0; left.min(READ_BYTES)];
        while self.at < end {
            if !go_on() {
                return Ok(false);
            }
            let want = usize::try_from(end - self.at).unwrap_or(READ_BYTES).min(buffer.len());
            let n = file.read_at(self.at, &mut buffer[..want])?;
            if n == 0 {
                return Err(Error::new(Code::TargetFailed, "a file is shorter than it was written"));
            }
            hasher.update(&buffer[..n]);
            self.at += n as u64;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::{RelPath, Target};
    use octo_testkit::clock::TestClock;
    use octo_testkit::memory::MemTarget;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn in_whatever_order_pieces_come_and_come_again_the_hash_is_that_of_the_file(
            size in 0u64..3000,
            there in 0u64..3000,
            pieces in proptest::collection::vec((0u64..3000, 1u64..900, any::<u8>()), 0..12),
            is_told in any::<bool>(),
        ) {
            let target = MemTarget::new(Arc::new(TestClock::real()));
            let file = target.create_file(&RelPath::parse(b"f").unwrap()).unwrap();
            file.set_len(size).unwrap();
            let mut got = Ranges::new();
            // What an earlier run had gathered, or a hole.
            got.insert(0..there.min(size));
            let mut hashing = Hashing::new(size, is_told);
            let mut content = vec![0u8; usize::try_from(size).unwrap()];
            let rest = got.missing(size);
            let pieces = pieces.into_iter().map(|(at, len, byte)| (at.min(size)..(at + len).min(size), byte));
            let in_the_end: Vec<_> = pieces.chain(rest.iter().map(|range| (range, 7))).collect();
            for (range, byte) in in_the_end {
                let (from, to) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
                content[from..to].fill(byte);
                file.write_at(range.start, &content[from..to]).unwrap();
                got.insert(range.clone());
                hashing.wrote(&*file, &got, range.start, &content[from..to]).unwrap();
            }
            let hash = hashing.finish(&*file, &|| true).unwrap();
            prop_assert_eq!(hash, Some(<[u8; 32]>::from(blake3::hash(&content))));
        }
    }
}
