//! The hash of a file's content: BLAKE3 of its bytes, up to 16 GiB.
//!
//! A larger file may be a disk of a virtual machine, of which terabytes are holes: hashing zeros would take hours. Its hash is BLAKE3
//! (with the key derived from [`CONTEXT`]) of each aligned block of 64 KiB that is not all zeros, with its number as 8 bytes,
//! little-endian, before it. It depends on the content alone, wherever there are holes, and holes cost nothing.
//! docs/decisions/content-hash.md.

/// Larger files are hashed by blocks.
pub const BY_BLOCKS_FROM: u64 = 16 << 30;
const BLOCK_BYTES: usize = 64 << 10;
const CONTEXT: &str = "octoBackup 2026-11 content of a large file by blocks that are not zero";

/// The hash of a content that comes in order.
pub struct ContentHasher {
    hasher: blake3::Hasher,
    /// By blocks: the number of the current one, and what came of it.
    blocks: Option<(u64, Vec<u8>)>,
}

impl ContentHasher {
    /// Of a file of this size.
    pub fn new(size_bytes: u64) -> ContentHasher {
        match size_bytes < BY_BLOCKS_FROM {
            true => ContentHasher { hasher: blake3::Hasher::new(), blocks: None },
            false => ContentHasher::by_blocks(),
        }
    }

    fn by_blocks() -> ContentHasher {
        ContentHasher { hasher: blake3::Hasher::new_derive_key(CONTEXT), blocks: Some((0, Vec::new())) }
    }

    /// The next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let Some((number, begun)) = &mut self.blocks else {
            self.hasher.update(bytes);
            return;
        };
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - begun.len()));
            bytes = rest;
            if head.len() == BLOCK_BYTES {
                take(&mut self.hasher, *number, head);
                *number += 1;
                continue;
            }
            begun.extend_from_slice(head);
            if begun.len() == BLOCK_BYTES {
                take(&mut self.hasher, *number, begun);
                *number += 1;
                begun.clear();
            }
        }
    }

    /// The next so many bytes are zeros.
    pub fn zeros(&mut self, mut count: u64) {
        static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
        while count > 0 {
            if let Some((number, begun)) = &mut self.blocks
                && begun.is_empty()
            {
                *number += count / BLOCK_BYTES as u64;
                count %= BLOCK_BYTES as u64;
            }
            let begun = self.blocks.as_ref().map_or(0, |(_, begun)| begun.len());
            let some = usize::try_from(count).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES - begun);
            self.update(&ZEROS[..some]);
            count -= some as u64;
        }
    }

    /// All came.
    pub fn finish(&mut self) -> [u8; 32] {
        if let Some((number, begun)) = self.blocks.take() {
            take(&mut self.hasher, number, &begun);
        }
        self.hasher.finalize().into()
    }
}

fn take(hasher: &mut blake3::Hasher, number: u64, block: &[u8]) {
    if block.iter().any(|byte| *byte != 0) {
        hasher.update(&number.to_le_bytes()).update(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(content: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        for (number, block) in
            content.chunks(BLOCK_BYTES).enumerate().filter(|(_, block)| **block != vec![0; block.len()])
        {
            hasher.update(&(number as u64).to_le_bytes()).update(block);
        }
        hasher.finalize().into()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_hash_by_blocks_does_not_depend_on_what_was_told_to_be_zeros(
            parts in proptest::collection::vec((0usize..200_000, any::<bool>(), any::<bool>()), 0..8),
        ) {
            let (mut content, mut hasher) = (Vec::new(), ContentHasher::by_blocks());
            for (len, is_zero, is_told) in parts {
                let bytes = vec![if is_zero { 0 } else { 7 }; len];
                content.extend_from_slice(&bytes);
                if is_zero && is_told { hasher.zeros(len as u64) } else { hasher.update(&bytes) }
            }
            prop_assert_eq!(hasher.finish(), naive(&content));
        }
    }

    #[test]
    fn a_small_file_has_the_plain_hash() {
        let mut hasher = ContentHasher::new(200_000);
        hasher.update(b"begin");
        hasher.zeros(199_995);
        let mut content = b"begin".to_vec();
        content.resize(200_000, 0);
        assert_eq!(hasher.finish(), <[u8; 32]>::from(blake3::hash(&content)));
    }
}
