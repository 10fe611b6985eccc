//! What goes wrong on the side of the mirror in one run.

use super::clock::SimClock;
use super::scenario::Fault;
use super::source::Fired;
use crate::effects::Trap;
use octo_core::{Code, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What takes space.
const GROWS: &[&str] =
    &["create_file", "write", "set_len", "make_folder", "hard_link", "make_link", "record_name", "set_metadata"];

/// Time that one effect takes.
const EFFECT: Duration = Duration::from_millis(100);

/// The faults of one run at its effects.
pub(super) struct SimTrap {
    faults: Vec<Fault>,
    fired: Fired,
    clock: Arc<SimClock>,
    removed: AtomicU64,
    dead: Arc<AtomicBool>,
}

impl SimTrap {
    /// `dead` tells later whether the process was killed.
    pub(super) fn new(faults: &[Fault], fired: &Fired, clock: &Arc<SimClock>, dead: &Arc<AtomicBool>) -> SimTrap {
        SimTrap {
            faults: faults.to_vec(),
            fired: fired.clone(),
            clock: Arc::clone(clock),
            removed: AtomicU64::new(0),
            dead: Arc::clone(dead),
        }
    }
}

impl Trap for SimTrap {
    fn before(&self, number: u64, what: &str) -> Result<(), Error> {
        let planned = |code| Err(Error::new(code, format!("planned to fail: {what}")));
        // From its end on a killed process does nothing.
        for (at, fault) in self.faults.iter().enumerate() {
            if matches!(fault, Fault::Kill { nth, .. } if number >= *nth) {
                self.fired.fire(at);
                self.dead.store(true, Ordering::SeqCst);
                return planned(Code::TargetFailed);
            }
        }
        self.clock.pass(EFFECT);
        let removed = self.removed.load(Ordering::SeqCst);
        for (at, fault) in self.faults.iter().enumerate() {
            match fault {
                Fault::Effect { nth, code } if number == *nth => {
                    self.fired.fire(at);
                    return planned(*code);
                }
                Fault::Full { nth, until_removed }
                    if number >= *nth && removed < *until_removed && GROWS.contains(&what) =>
                {
                    self.fired.fire(at);
                    return planned(Code::NoSpace);
                }
                Fault::Clock { nth, hours } if number == *nth => {
                    self.fired.fire(at);
                    self.clock.jump(*hours);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn after(&self, _: u64, what: &str) {
        if what.starts_with("remove") {
            self.removed.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn tears(&self, number: u64) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::Kill { nth, torn: true, .. } if *nth == number))
    }
}
