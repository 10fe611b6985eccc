//! How often one may try to log on. Kept in memory: whoever can restart the server needs no password.

use crate::moment::Moment;
use crate::refusal::{Kind, Refusal};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Wrong passwords that cost no wait.
const FREE: u32 = 5;
/// The longest wait for an address. A name waits less: otherwise strangers could keep its owner out.
const ADDRESS_WAIT_SECS_MAX: i64 = 900;
const NAME_WAIT_SECS_MAX: i64 = 30;
/// Failures that lie back so long are forgotten.
const FORGET_SECS: i64 = 3600;
/// More are not kept; the oldest are forgotten.
const KEPT_MAX: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// An address, or the network that one customer has.
    Address(IpAddr),
    Name(String),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Moment,
}

/// Who failed, and how often.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<Key, Failures>>,
}

impl Throttle {
    /// Before a password is looked at. The try counts as failed until [`succeeded`](Self::succeeded), so that many at once
    /// are as slow as many in a row.
    pub fn begin(&self, from: Option<IpAddr>, name: &str, now: Moment) -> Result<(), Refusal> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, it| (now.0 - it.last.0).abs() < FORGET_SECS);
        let keys = keys(from, name);
        let wait = keys.iter().filter_map(|key| failures.get(key).map(|it| wait_secs(key, *it, now))).max();
        if let Some(secs) = wait.filter(|secs| *secs > 0) {
            return Err(Refusal::new(Kind::TooOften, format!("too many wrong passwords; try again in {secs} s")));
        }
        if failures.len() >= KEPT_MAX {
            let oldest = failures.iter().min_by_key(|(_, it)| it.last).map(|(key, _)| key.clone());
            oldest.map(|key| failures.remove(&key));
        }
        for key in keys {
            let it = failures.entry(key).or_insert(Failures { count: 0, last: now });
            *it = Failures { count: it.count.saturating_add(1), last: now };
        }
        Ok(())
    }

    /// The password was right.
    pub fn succeeded(&self, from: Option<IpAddr>, name: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|key, _| !keys(from, name).contains(key));
    }
}

fn keys(from: Option<IpAddr>, name: &str) -> Vec<Key> {
    let network = from.map(|address| match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    });
    network.map(Key::Address).into_iter().chain([Key::Name(name.to_owned())]).collect()
}

/// One second after the sixth failure, and twice as long after each next one.
fn wait_secs(key: &Key, failures: Failures, now: Moment) -> i64 {
    let longest = if matches!(key, Key::Name(_)) { NAME_WAIT_SECS_MAX } else { ADDRESS_WAIT_SECS_MAX };
    let doublings = failures.count.saturating_sub(FREE);
    let wait = if doublings == 0 { 0 } else { (1_i64 << (doublings - 1).min(20)).min(longest) };
    // A clock that was put back must not make it longer.
    (failures.last.plus_secs(wait).0 - now.0).clamp(0, wait)
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
    fn a_right_password_makes_it_good_and_a_network_is_one_address() {
        let throttle = Throttle::default();
        let now = Moment(1_000_000);
        for n in 0..6 {
            let from: IpAddr = format!("2001:db8::{n}").parse().unwrap();
            throttle.begin(Some(from), &format!("user{n}"), now).unwrap();
        }
        let from: Option<IpAddr> = Some("2001:db8::99".parse().unwrap());
        assert!(throttle.begin(from, "x", now).is_err());
        throttle.succeeded(from, "user0");
        throttle.begin(from, "x", now).unwrap();
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
