//! The target's space: what is free, what is promised to copies that are under way, and what is reserved.
//!
//! Every copy asks before it takes space, and its promise shrinks as its bytes arrive. So copies under way together cannot
//! each count on the same free bytes, and what the end of the run needs (records, index, report) stays free.

use octo_core::{Code, Error, Space, Target};
use std::sync::{Arc, Mutex, PoisonError};

/// A file that needs no more than this is a small one: where it does not fit the disk is full, and the run ends.
pub const SMALL_BYTES: u64 = 4 << 20;

/// What is promised to copies under way. Shared by all threads of a run.
#[derive(Default)]
pub struct Ledger(Arc<Mutex<u64>>);

/// Space that one copy may still take. What is left of it is free again when it is dropped.
pub struct Promise {
    promised: Arc<Mutex<u64>>,
    bytes: u64,
}

/// In words for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        1_048_576..1_099_511_627_776 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

/// What copies may take of this space altogether.
pub fn usable(space: &Space) -> u64 {
    space.free_bytes.saturating_sub(space.reserve_bytes())
}

/// Whether one more file can be made without touching what is kept.
fn check_files(space: &Space) -> Result<(), Error> {
    let Some(files) = space.files.filter(|files| files.free <= space.reserve_files()) else { return Ok(()) };
    let kept = space.reserve_files();
    let detail = format!("{} more files (inodes) are possible, and {kept} are kept free", files.free);
    Err(Error::new(Code::NoSpace, detail))
}

impl Ledger {
    /// Promises space to a copy, if they can be had; otherwise says whether it is the file that is too large, or the
    /// disk that is full.
    pub fn promise(&self, target: &dyn Target, bytes: u64) -> Result<Promise, Error> {
        // Held while the target is asked: two copies must not both get the same space.
        let mut promised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let space = target.space()?;
        check_files(&space)?;
        let left = usable(&space).saturating_sub(*promised);
        if bytes > 0 && bytes > left {
            let (free, kept) = (size(space.free_bytes), size(space.reserve_bytes()));
            let code = if bytes > SMALL_BYTES { Code::DoesNotFit } else { Code::NoSpace };
            let others = if *promised == 0 {
                String::new()
            } else {
                format!(", {} are promised to files under way", size(*promised))
            };
            let detail = format!("it takes {}; {free} are free{others}, and {kept} are kept free", size(bytes));
            return Err(Error::new(code, detail));
        }
        *promised = promised.saturating_add(bytes);
        Ok(Promise { promised: Arc::clone(&self.0), bytes })
    }

    /// Whether there is room for small files besides everything that is promised.
    pub fn has_room(&self, target: &dyn Target) -> bool {
        let promised = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        target.space().is_ok_and(|space| {
            check_files(&space).is_ok()
                && usable(&space).saturating_sub(promised) >= SMALL_BYTES.min(space.total_bytes / 50)
        })
    }

    /// Whether one more folder can be made without touching what is kept.
    pub fn check_files(&self, target: &dyn Target) -> Result<(), Error> {
        check_files(&target.space()?)
    }
}

impl Promise {
    /// These bytes have arrived, and are not free any more.
    pub fn used(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
        *promised = promised.saturating_sub(bytes);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.used(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Abilities;
    use octo_testkit::clock::TestClock;
    use octo_testkit::memory::MemTarget;

    const MIB: u64 = 1 << 20;

    fn of(bytes: u64) -> MemTarget {
        MemTarget::with(Abilities::full("memory"), bytes, Arc::new(TestClock::real()))
    }

    #[test]
    fn what_is_promised_to_one_is_not_promised_to_another() {
        let (target, ledger) = (of(100 * MIB), Ledger::default());
        let mut first = ledger.promise(&target, 60 * MIB).unwrap();
        let refused = ledger.promise(&target, 40 * MIB).map(drop).unwrap_err();
        assert_eq!(refused.code, Code::DoesNotFit);
        assert!(refused.detail.contains("60 MiB are promised"), "{refused}");
        assert_eq!(ledger.promise(&target, 4 * MIB).map(drop), Ok(()), "there is room for a small one");
        first.used(30 * MIB);
        assert!(ledger.promise(&target, 60 * MIB).is_ok(), "what has arrived is the target's own affair");
        drop(first);
        assert!(ledger.promise(&target, 90 * MIB).is_ok());
        assert_eq!(ledger.promise(&target, 91 * MIB).map(drop).unwrap_err().code, Code::DoesNotFit, "a tenth is kept");
    }

    #[test]
    fn a_small_file_that_does_not_fit_means_that_the_disk_is_full() {
        let (target, ledger) = (of(10 * MIB), Ledger::default());
        let all = ledger.promise(&target, 9 * MIB).unwrap();
        assert_eq!(ledger.promise(&target, 1).map(drop).unwrap_err().code, Code::NoSpace);
        assert!(ledger.promise(&target, 0).is_ok() && !ledger.has_room(&target));
        drop(all);
        assert!(ledger.has_room(&target));
    }
}
