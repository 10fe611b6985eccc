//! The BLAKE3 hash of a file while it is gathered, by the thread that has the bytes in its cache.
//!
//! What comes in order is hashed as it comes. What came before its turn is read back as soon as the gap is closed; so is, in the
//! end, what an earlier run had gathered, and all of a file of which something came twice. It must never tell a hash of
//! anything but what lies in the file from its first byte to its last.

use crate::content_hash::{BY_BLOCKS_FROM, ContentHasher};
use octo_core::{Code, Error, Ranges, TargetFile};

/// Read back at once.
const READ_BYTES: usize = 256 << 10;
/// More than this is not read back while the source waits, but in the end.
const READ_BACK_MAX: u64 = 256 << 20;

/// The hash of a file that is gathered.
#[derive(Default)]
pub struct Hashing {
    size_bytes: u64,
    /// What is zeros, and need not be read back.
    holes: Ranges,
    /// So many bytes are hashed.
    at: u64,
    hasher: Option<Box<ContentHasher>>,
    /// All came in one piece.
    whole: Option<[u8; 32]>,
    /// Nothing is hashed before the end.
    is_late: bool,
}

impl Hashing {
    /// Of a file of this size. `is_told`: the source mostly tells the hash in the end.
    pub fn new(size_bytes: u64, holes: Ranges, is_told: bool) -> Hashing {
        let is_late = is_told && Hashing::takes_told(size_bytes);
        Hashing { size_bytes, holes, is_late, ..Hashing::default() }
    }

    /// Whether the hash of a file of this size is that which a source tells.
    pub fn takes_told(size_bytes: u64) -> bool {
        size_bytes < BY_BLOCKS_FROM
    }

    /// These bytes lie in the file at `at` now, and `got` is all of it that counts.
    pub fn wrote(&mut self, file: &dyn TargetFile, got: &Ranges, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let end = at + bytes.len() as u64;
        if self.holes.end_at(at) > at || self.holes.next_start(at).is_some_and(|hole| hole < end) {
            // It is none any more.
            self.holes = Ranges::new();
            self.begin_again();
        }
        if self.is_late || at > self.at {
            return Ok(());
        }
        if at < self.at {
            self.begin_again();
            return Ok(());
        }
        self.at = end;
        if at == 0 && end == self.size_bytes && Hashing::takes_told(end) {
            self.whole = Some(blake3::hash(bytes).into());
            return Ok(());
        }
        self.hasher().update(bytes);
        self.read_to(file, got.end_at(end), READ_BACK_MAX, &|| true).map(drop)
    }

    fn begin_again(&mut self) {
        (self.at, self.hasher, self.whole, self.is_late) = (0, None, None, true);
    }

    fn hasher(&mut self) -> &mut ContentHasher {
        self.hasher.get_or_insert_with(|| Box::new(ContentHasher::new(self.size_bytes)))
    }

    /// The hash of the file, which is whole; `None` if that was not to go on for so long.
    pub fn finish(&mut self, file: &dyn TargetFile, go_on: &dyn Fn() -> bool) -> Result<Option<[u8; 32]>, Error> {
        if self.whole.is_none() && self.read_to(file, self.size_bytes, u64::MAX, go_on)? {
            self.whole = Some(self.hasher().finish());
        }
        Ok(self.whole)
    }

    /// Hashes what lies in the file up to `end`, unless that is too much. Whether it came so far.
    fn read_to(
        &mut self,
        file: &dyn TargetFile,
        end: u64,
        max_bytes: u64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<bool, Error> {
        let (mut buffer, mut read_bytes) = (Vec::new(), 0);
        while self.at < end {
            if !go_on() || read_bytes >= max_bytes {
                return Ok(false);
            }
            let hole = self.holes.end_at(self.at).min(end);
            if hole > self.at {
                let zeros = hole - self.at;
                self.hasher().zeros(zeros);
                self.at = hole;
                continue;
            }
            let to = self.holes.next_start(self.at).map_or(end, |hole| hole.min(end));
            let want = usize::try_from(to - self.at).unwrap_or(READ_BYTES).min(READ_BYTES);
            buffer.resize(want, 0);
            let n = file.read_at(self.at, &mut buffer)?;
            if n == 0 {
                return Err(Error::new(Code::TargetFailed, "a file is shorter than it was written"));
            }
            self.hasher().update(&buffer[..n]);
            self.at += n as u64;
            read_bytes += n as u64;
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
            (is_told, is_hole) in any::<(bool, bool)>(),
        ) {
            let target = MemTarget::new(Arc::new(TestClock::real()));
            let file = target.create_file(&RelPath::parse(b"f").unwrap()).unwrap();
            file.set_len(size).unwrap();
            let mut got = Ranges::new();
            // What an earlier run had gathered, or a hole.
            got.insert(0..there.min(size));
            let holes = if is_hole { got.clone() } else { Ranges::new() };
            let mut hashing = Hashing::new(size, holes, is_told);
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
