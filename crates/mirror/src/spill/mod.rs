//! Lists longer than memory: they live in memory up to a named limit and in nameless scratch files beyond it.

mod arena;
mod log;
mod record;
mod sorter;
mod stack;

pub use arena::Pool;
pub use log::{SpillBuffer, SpillLog, SpillWriter};

pub use record::Record;
pub use sorter::{Sorted, Sorter};
pub use stack::Stack;

use octo_core::{Error, TargetFile};

/// How much is read from a scratch file at once.
const READ_BYTES: usize = 64 << 10;

/// Reads exactly `buffer.len()` bytes, or fails: scratch data is never shorter than we wrote it.
pub fn read_exact(file: &dyn TargetFile, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), Error> {
    while !buffer.is_empty() {
        let n = file.read_at(offset, buffer)?;
        if n == 0 {
            return Err(Error::new(octo_core::Code::TargetFailed, "a temporary file is shorter than it was written"));
        }
        offset += n as u64;
        buffer = &mut buffer[n..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_disk::{DiskOptions, DiskTarget};
    use proptest::prelude::*;

    /// A target that only gives scratch files.
    fn scratch() -> DiskTarget {
        DiskTarget::open(std::path::Path::new("/nonexistent/octobackup"), DiskOptions::default()).unwrap()
    }

    /// Records large enough that a few dozen of them leave memory.
    fn records() -> impl Strategy<Value = Vec<(u8, usize)>> {
        proptest::collection::vec((any::<u8>(), prop_oneof![0usize..40, 8000usize..30_000]), 0..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_log_reads_the_same_from_both_ends(records in records()) {
            let target = scratch();
            let mut log = SpillWriter::new(&target);
            let records: Vec<Vec<u8>> = records.into_iter().map(|(b, len)| vec![b; len]).collect();
            for record in &records { log.push(record).unwrap(); }
            prop_assert_eq!(log.count(), records.len() as u64);
            let log = log.finish();
            prop_assert!(log.forward().map(Result::unwrap).eq(records.iter().cloned()));
            prop_assert!(log.backward().map(Result::unwrap).eq(records.iter().rev().cloned()));
        }

        #[test]
        fn a_stack_is_one_however_little_of_it_is_in_memory(steps in proptest::collection::vec((records(), 0usize..40), 1..5)) {
            let target = scratch();
            let (mut stack, mut naive) = (Stack::default(), Vec::new());
            for (records, pops) in steps {
                for (b, len) in records {
                    stack.push(&target, &vec![b; len]).unwrap();
                    naive.push(vec![b; len]);
                }
                for _ in 0..pops {
                    prop_assert_eq!(stack.pop().unwrap(), naive.pop());
                }
            }
            while let Some(record) = stack.pop().unwrap() {
                prop_assert_eq!(Some(record), naive.pop());
            }
            prop_assert!(naive.is_empty());
        }

        #[test]
        fn a_sorter_sorts_as_a_vector_does_however_little_memory_there_is(records in records(), pool_bytes in 0usize..(2 << 20)) {
            let target = scratch();
            let pool = Pool::new(pool_bytes);
            let mut sorter = Sorter::new(&target, &pool);
            let mut naive = Vec::new();
            for (i, (b, len)) in records.into_iter().enumerate() {
                let key = [[b].as_slice(), &vec![b; len % 7], &i.to_be_bytes()].concat();
                let value = vec![b; len];
                sorter.push(&key, &value).unwrap();
                naive.push((key, value));
            }
            naive.sort();
            let sorted = sorter.finish().unwrap();
            for _ in 0..2 {
                let read: Vec<_> = sorted.iter().unwrap().map(|r| r.map(|r| (r.key().to_vec(), r.value().to_vec())).unwrap()).collect();
                prop_assert_eq!(&read, &naive);
            }
            drop(sorted);
            prop_assert!(pool.is_full(pool_bytes), "all memory is given back");
        }
    }

    #[test]
    fn many_runs_are_merged_before_they_are_too_many() {
        let target = scratch();
        let pool = Pool::new(0);
        let mut sorter = Sorter::new(&target, &pool);
        for i in (0..100_000u32).rev() {
            sorter.push(&i.to_be_bytes(), &[0; 400]).unwrap();
        }
        let sorted = sorter.finish().unwrap();
        let keys = sorted.iter().unwrap().map(|r| u32::from_be_bytes(r.unwrap().key().try_into().unwrap()));
        assert!(keys.eq(0..100_000));
    }
}
