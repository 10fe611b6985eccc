//! What SQLite is made to do at its commits and between the steps of its machine.
#![expect(unsafe_code, reason = "the hooks of SQLite are given as pointers; rusqlite's own need the connection alone")]

use octo_server::store::Store;
use rusqlite::ffi;
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum At {
    Fails = 1,
    DiesBefore = 2,
    DiesAfter = 3,
}

/// One for a world. Whatever it is told counts for the database that it was bound to last.
#[derive(Default)]
pub struct Fate {
    commits_left: AtomicU32,
    what: AtomicU32,
    is_statement_doomed: AtomicBool,
    dead: AtomicBool,
    looks_aside: AtomicBool,
    met: AtomicU32,
}

impl Fate {
    /// Rules over this database. The connection must be closed before this is dropped.
    pub fn bind(self: &Arc<Fate>, store: &Store) {
        self.commits_left.store(0, Ordering::Relaxed);
        self.is_statement_doomed.store(false, Ordering::Relaxed);
        self.dead.store(false, Ordering::Relaxed);
        let me = Arc::as_ptr(self).cast_mut().cast::<c_void>();
        let bound = store.read(|db| {
            // SAFETY: the handle is of an open connection, and `me` outlives it, as the world drops the server first.
            unsafe { ffi::sqlite3_commit_hook(db.handle(), Some(on_commit), me) };
            Ok(())
        });
        bound.expect("a database that is open");
    }

    /// From the nth commit from here on.
    pub fn at_commit(&self, nth: u8, what: At) {
        self.what.store(what as u32, Ordering::Relaxed);
        self.commits_left.store(u32::from(nth) + 1, Ordering::Relaxed);
    }

    /// Something fails after so many steps of SQLite's machine.
    pub fn at_operation(&self, store: &Store, ops: u16) {
        self.is_statement_doomed.store(true, Ordering::Relaxed);
        let me = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        let bound = store.read(|db| {
            // SAFETY: as in `bind`.
            unsafe {
                ffi::sqlite3_progress_handler(db.handle(), c_int::from(ops.max(1).cast_signed()), Some(on_progress), me)
            };
            Ok(())
        });
        bound.expect("a database that is open");
    }

    /// The process has died: nothing that it does counts any more.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// What the world itself asks of the database is let through.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.looks_aside.store(true, Ordering::Relaxed);
        let done = work();
        self.looks_aside.store(false, Ordering::Relaxed);
        done
    }

    /// How often something failed so far.
    pub fn met(&self) -> u32 {
        self.met.load(Ordering::Relaxed)
    }

    /// Whether a commit fails.
    fn commit(&self) -> bool {
        if self.is_dead() {
            return true;
        }
        let left = self.commits_left.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        self.commits_left.store(left - 1, Ordering::Relaxed);
        if left > 1 {
            return false;
        }
        self.met.fetch_add(1, Ordering::Relaxed);
        let what = self.what.load(Ordering::Relaxed);
        self.dead.store(what != At::Fails as u32, Ordering::Relaxed);
        what != At::DiesAfter as u32
    }
}

extern "C" fn on_commit(me: *mut c_void) -> c_int {
    // SAFETY: given by `bind`.
    let me = unsafe { &*me.cast::<Fate>() };
    c_int::from(me.commit())
}

extern "C" fn on_progress(me: *mut c_void) -> c_int {
    // SAFETY: given by `at_operation`.
    let me = unsafe { &*me.cast::<Fate>() };
    let is_doomed = !me.looks_aside.load(Ordering::Relaxed) && me.is_statement_doomed.swap(false, Ordering::Relaxed);
    if is_doomed {
        me.met.fetch_add(1, Ordering::Relaxed);
    }
    c_int::from(is_doomed)
}
