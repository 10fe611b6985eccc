//! How often one may try to log on. Kept in memory: who can restart the server needs no password.
//!
//! What strangers make it remember is bounded in bytes: of a name only the hash is kept.

use crate::moment::Moment;
use crate::service_error::{Kind, ServiceError};
use octo_agent::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Wrong passwords that cost no wait.
const FREE: i64 = 5;
/// The longest wait for an address. A name waits less: otherwise strangers could keep its owner out.
const ADDRESS_WAIT_SECS_MAX: i64 = 900;
const NAME_WAIT_SECS_MAX: i64 = 30;
/// One failure is forgotten after this time, so that an office behind one address may mistype now and then. A right password
/// makes good only what its own name has failed: otherwise who has an account could try those of others.
const FAILURE_SECS: i64 = 900;
/// More failures make no difference.
const FAILURES_MAX: i64 = 17;
/// Failures that lie back so long are forgotten.
const FORGET_SECS: i64 = 3600;
/// More are not kept; the oldest are forgotten.
const KEPT_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// An address, or the network that one customer has.
    Address(IpAddr),
    /// The hash of a name.
    Name([u8; 32]),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    /// How long it would take until all are made good.
    debt_secs: i64,
    last: Moment,
    /// From the last one until the next try.
    wait_secs: i64,
}

impl Failures {
    /// With another one: a wait of one second after the sixth, and twice as long after each next one.
    fn with_another(before: Option<&Failures>, key: Key, now: Moment) -> Failures {
        // A clock that was put back makes nothing good, and nothing worse.
        let debt = before.map_or(0, |it| (it.debt_secs - (now.0 - it.last.0).max(0)).max(0)) + FAILURE_SECS;
        let debt_secs = debt.min(FAILURES_MAX * FAILURE_SECS);
        let longest = if matches!(key, Key::Name(_)) { NAME_WAIT_SECS_MAX } else { ADDRESS_WAIT_SECS_MAX };
        let count = (debt_secs + FAILURE_SECS - 1) / FAILURE_SECS;
        let wait_secs = if count <= FREE { 0 } else { (1_i64 << (count - FREE - 1).min(20)).min(longest) };
        Failures { debt_secs, last: now, wait_secs }
    }

    fn still_waits_secs(&self, now: Moment) -> i64 {
        (self.last.plus_secs(self.wait_secs).0 - now.0).clamp(0, self.wait_secs)
    }
}

/// Who failed, and how often.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<Key, Failures>>,
}

impl Throttle {
    /// Before a password is looked at. The try counts as failed until [`succeeded`](Self::succeeded), so that many at once
    /// are as slow as many in a row.
    pub fn begin(&self, from: Option<IpAddr>, name: &str, now: Moment) -> Result<(), ServiceError> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, it| (now.0 - it.last.0).abs() < FORGET_SECS);
        let keys = keys(from, name);
        let wait = keys.iter().filter_map(|key| failures.get(key).map(|it| it.still_waits_secs(now))).max();
        if let Some(secs) = wait.filter(|secs| *secs > 0) {
            return Err(ServiceError::new(Kind::TooOften, format!("too many wrong passwords; try again in {secs} s")));
        }
        if failures.len() >= KEPT_MAX {
            let oldest = failures.iter().min_by_key(|(_, it)| it.last).map(|(key, _)| *key);
            oldest.map(|key| failures.remove(&key));
        }
        for key in keys {
            let with_this = Failures::with_another(failures.get(&key), key, now);
            failures.insert(key, with_this);
        }
        Ok(())
    }

    /// The password was right: the name has a clean record, and for the address this was no failure. What failed there
    /// before stays.
    pub fn succeeded(&self, from: Option<IpAddr>, name: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys(from, name) {
            match (&key, failures.get_mut(&key)) {
                (Key::Address(_), Some(it)) if it.debt_secs > FAILURE_SECS => {
                    it.debt_secs -= FAILURE_SECS;
                    it.wait_secs = 0;
                }
                _ => drop(failures.remove(&key)),
            }
        }
    }
}

fn keys(from: Option<IpAddr>, name: &str) -> Vec<Key> {
    let address = from.map(|address| Key::Address(network(address)));
    address.into_iter().chain([Key::Name(*blake3::hash(name.as_bytes()).as_bytes())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[test]
    fn wrong_passwords_take_longer_and_longer() {
        let throttle = Throttle::default();
        let mut now = Moment(1_000_000);
        let mut waits = Vec::new();
        for _ in 0..20 {
            let begun = now;
            while throttle.begin(HERE, "anna", now).is_err() {
                now = now.plus_secs(1);
            }
            waits.push(now.0 - begun.0);
        }
        assert_eq!(&waits[..10], [0, 0, 0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(waits[19], 900);
    }

    #[test]
    fn from_elsewhere_a_name_is_slowed_down_but_never_kept_out_for_long() {
        let throttle = Throttle::default();
        let now = Moment(1_000_000);
        for n in 0..100_u8 {
            let _ = throttle.begin(Some(IpAddr::from([10, 0, 0, n])), "anna", now.plus_secs(i64::from(n) * 40));
        }
        let now = now.plus_secs(99 * 40);
        assert!(throttle.begin(HERE, "anna", now).is_err());
        throttle.begin(HERE, "anna", now.plus_secs(NAME_WAIT_SECS_MAX)).unwrap();
        throttle.begin(HERE, "otto", now).unwrap();
    }

    #[test]
    fn a_network_is_one_address_and_a_right_password_makes_good_only_its_own_name() {
        let throttle = Throttle::default();
        let now = Moment(1_000_000);
        for n in 0..6 {
            let from: IpAddr = format!("2001:db8::{n}").parse().unwrap();
            throttle.begin(Some(from), &format!("user{n}"), now).unwrap();
        }
        let from: Option<IpAddr> = Some("2001:db8::99".parse().unwrap());
        assert!(throttle.begin(from, "x", now).is_err());
        throttle.succeeded(from, "user5");
        throttle.begin(from, "mallory", now).unwrap();
        throttle.succeeded(from, "mallory");
        throttle.begin(from, "anna", now).unwrap();
        assert!(throttle.begin(from, "anna", now).is_err(), "what failed for others stays");
    }

    #[test]
    fn an_account_of_ones_own_does_not_speed_up_guessing_those_of_others() {
        let throttle = Throttle::default();
        let (begun, mut now, mut guesses) = (Moment(1_000_000), Moment(1_000_000), 0);
        while now.0 - begun.0 < 4 * 3600 {
            if throttle.begin(HERE, "mallory", now).is_ok() {
                throttle.succeeded(HERE, "mallory");
            }
            if throttle.begin(HERE, &format!("user{guesses}"), now).is_ok() {
                guesses += 1;
            }
            now = now.plus_secs(1);
        }
        assert!(guesses < 60, "{guesses}");
    }

    #[test]
    fn an_office_behind_one_address_may_mistype_now_and_then() {
        let throttle = Throttle::default();
        let mut now = Moment(1_000_000);
        for n in 0..100 {
            throttle.begin(HERE, &format!("user{n}"), now).unwrap();
            now = now.plus_secs(FAILURE_SECS);
        }
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let throttle = Throttle::default();
        for n in 0..KEPT_MAX + 50 {
            throttle.begin(None, &format!("user{n}"), Moment(1_000_000)).unwrap();
        }
        assert!(throttle.failures.lock().unwrap().len() <= KEPT_MAX + 1);
    }
}
