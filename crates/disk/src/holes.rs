//! Sparse files stay sparse: long runs of zeros are not written, but made a hole where the filesystem can.
//!
//! It decides only which bytes are a hole; what they read as is the same either way.

/// So many zeros in a row take no space. NTFS gives space in units of this size.
const HOLE_BYTES: usize = 64 << 10;
static ZEROS: [u8; HOLE_BYTES] = [0; HOLE_BYTES];

/// Brings `bytes` to their place. `hole` makes a range read as zeros, whatever was there, or says that it cannot; `write`
/// writes the beginning of what it gets, and says how much.
pub(crate) fn write<E>(
    bytes: &[u8],
    offset_bytes: u64,
    mut hole: impl FnMut(u64, u64) -> bool,
    mut write: impl FnMut(u64, &[u8]) -> Result<usize, E>,
) -> Result<(), E> {
    let mut at = 0usize;
    while at < bytes.len() {
        let here = offset_bytes.saturating_add(at as u64);
        let zeros = zeros_at_start(&bytes[at..]);
        if zeros > 0 && hole(here, zeros as u64) {
            at += zeros;
            continue;
        }
        let end = next_zeros(bytes, at + zeros);
        at += write(here, &bytes[at..end])?;
    }
    Ok(())
}

/// How many bytes are zero from the beginning on, in whole blocks.
fn zeros_at_start(bytes: &[u8]) -> usize {
    bytes.chunks_exact(HOLE_BYTES).take_while(|block| *block == ZEROS).count() * HOLE_BYTES
}

/// Where after `at` the next block of zeros begins, or the end.
fn next_zeros(bytes: &[u8], at: usize) -> usize {
    let blocks = bytes[at..].chunks_exact(HOLE_BYTES).take_while(|block| *block != ZEROS).count();
    let end = at + blocks * HOLE_BYTES;
    if bytes.len() - end < HOLE_BYTES { bytes.len() } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;

    proptest! {
        #[test]
        fn every_byte_gets_to_its_place_whatever_can_be_made_a_hole(
            runs in prop::collection::vec((0usize..=3 * HOLE_BYTES, any::<bool>()), 0..6),
            offset in 0usize..9,
            cannot in any::<bool>(),
            most in 1usize..=4 * HOLE_BYTES,
        ) {
            let bytes: Vec<u8> = runs.iter().flat_map(|&(len, data)| std::iter::repeat_n(u8::from(data), len)).collect();
            // What was there before must not show through.
            let file = RefCell::new(vec![7; offset + bytes.len()]);
            let hole = |at: u64, size: u64| {
                if !cannot {
                    file.borrow_mut()[at as usize..(at + size) as usize].fill(0);
                }
                !cannot
            };
            let put = |at: u64, part: &[u8]| {
                let part = &part[..part.len().min(most)];
                file.borrow_mut()[at as usize..at as usize + part.len()].copy_from_slice(part);
                Ok::<_, ()>(part.len())
            };
            write(&bytes, offset as u64, hole, put).unwrap();
            prop_assert_eq!(&file.borrow()[..offset], &vec![7; offset][..]);
            prop_assert_eq!(&file.borrow()[offset..], &bytes[..]);
        }
    }

    #[test]
    fn long_runs_of_zeros_are_holes_and_short_ones_are_not() {
        let bytes = [&vec![1; 10][..], &[0; 2 * HOLE_BYTES][..], &[1; HOLE_BYTES][..], &[0; 10][..]].concat();
        let holes = RefCell::new(Vec::new());
        let hole = |at, size| {
            holes.borrow_mut().push((at, size));
            true
        };
        write(&bytes, 0, hole, |_, part| Ok::<_, ()>(part.len())).unwrap();
        assert_eq!(*holes.borrow(), [(HOLE_BYTES as u64, HOLE_BYTES as u64)], "blocks begin where the piece does");
    }
}
