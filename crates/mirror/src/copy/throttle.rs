//! Keeps the bytes per second at a limit, whatever the pieces are and however many threads bring them.
//!
//! Each piece takes its share of time from one account, and the thread that brought it waits until that time has come. So the
//! rate is that of the sum. What a wait lasts too long is made good afterwards, within [`CREDIT`]: a limit that is never
//! reached is as wrong as one that is passed.

use crate::options::Bandwidth;
use octo_core::Clock;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Cancelling is noticed within this time.
const SLICE: Duration = Duration::from_millis(100);
/// Time that was not used is kept so long, and may then be used at once.
const CREDIT: Duration = Duration::from_millis(100);
/// No thread waits for less: a system's shortest waits last several times too long. It stays on the account.
const WAIT_MIN: Duration = Duration::from_millis(5);

/// An account of time. Shared by all threads that copy.
pub struct Throttle {
    bandwidth: Bandwidth,
    account: Mutex<Account>,
}

#[derive(Default)]
struct Account {
    /// Bytes a second.
    limit: Option<u64>,
    /// The moment until which the limit is used up; `None` before the first byte under it.
    used_until: Option<Duration>,
}

impl Throttle {
    /// Nothing was taken yet.
    pub fn new(bandwidth: Bandwidth) -> Throttle {
        Throttle { bandwidth, account: Mutex::default() }
    }

    /// Waits until this many bytes may have come, the limit is another one, or no more will come at all. A run that is to
    /// stop keeps to its limit as long as it reads.
    pub fn take(&self, bytes: u64, clock: &dyn Clock, is_over: impl Fn() -> bool) {
        if !self.bandwidth.is_limited() {
            return;
        }
        let limit = self.bandwidth.at(clock.now());
        let mut now = clock.monotonic();
        let until = self.book(limit, bytes, now);
        if until.saturating_sub(now) < WAIT_MIN {
            return;
        }
        while now < until && !is_over() && self.bandwidth.at(clock.now()) == limit {
            clock.sleep((until - now).min(SLICE));
            now = clock.monotonic();
        }
    }

    /// The moment at which this many more bytes may have come. What was used up under another limit counts no more.
    fn book(&self, limit: Option<u64>, bytes: u64, now: Duration) -> Duration {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        if account.limit != limit {
            *account = Account { limit, used_until: None };
        }
        let Some(limit) = limit else { return now };
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(limit);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let from = account.used_until.unwrap_or(now).max(now.saturating_sub(CREDIT));
        *account.used_until.insert(from.saturating_add(cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Timestamp;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A clock whose waits last too long, as real ones do, and whose time passes in no other way.
    struct Slow {
        now: Mutex<Duration>,
        too_long: Duration,
    }

    impl Slow {
        fn new(too_long: Duration) -> Slow {
            // No machine was started just now.
            Slow { now: Mutex::new(1000 * SECOND), too_long }
        }

        fn pass(&self, duration: Duration) {
            *self.now.lock().unwrap() += duration;
        }
    }

    impl Clock for Slow {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix(i64::try_from(self.monotonic().as_secs()).unwrap(), 0)
        }
        fn monotonic(&self) -> Duration {
            *self.now.lock().unwrap()
        }
        fn sleep(&self, duration: Duration) {
            self.pass(duration + self.too_long);
        }
    }

    fn limited(limit: u64) -> Throttle {
        Throttle::new(Bandwidth::constant(Some(limit)))
    }

    /// Bytes per second for this many pieces, each of which takes some work besides.
    fn rate(limit: u64, piece: u64, pieces: u64, work: Duration, too_long: Duration) -> f64 {
        let (throttle, clock) = (limited(limit), Slow::new(too_long));
        let begun = clock.monotonic();
        for _ in 0..pieces {
            clock.pass(work);
            throttle.take(piece, &clock, || false);
        }
        (piece * pieces) as f64 / (clock.monotonic() - begun).as_secs_f64()
    }

    #[test]
    fn the_rate_is_the_limit_for_small_and_large_pieces_although_waits_last_too_long() {
        for (limit, piece) in
            [(1 << 20, 4096), (10 << 20, 4096), (100 << 20, 4096), (10 << 20, 100), (10 << 20, 512 << 10)]
        {
            for too_long in [Duration::ZERO, Duration::from_micros(60), Duration::from_millis(20)] {
                // Ten seconds' worth, and each piece needs a third of its time anyhow.
                let pieces = 10 * limit / piece;
                let work = SECOND.mul_f64(piece as f64 / limit as f64 / 3.0);
                let rate = rate(limit, piece, pieces, work, too_long) / limit as f64;
                assert!((0.97..=1.03).contains(&rate), "{rate} at {limit} in {piece}, waits {too_long:?} too long");
            }
        }
    }

    #[test]
    fn many_threads_together_come_to_the_limit() {
        let throttle = limited(10 << 20);
        // Each goes on when its wait is over; some bring small files, one a large one.
        let mut threads: Vec<(Duration, u64)> = [4096, 4096, 100, 65_536, 4096, 1 << 20].map(|it| (SECOND, it)).into();
        let mut bytes = 0;
        while let Some((now, piece)) = threads.iter_mut().min().filter(|(now, _)| *now < 11 * SECOND) {
            bytes += *piece;
            *now = throttle.book(Some(10 << 20), *piece, *now).max(*now);
        }
        let rate = bytes as f64 / f64::from(100 << 20);
        assert!((0.97..=1.03).contains(&rate), "{rate}");
    }

    #[test]
    fn time_in_which_nothing_came_is_not_made_good_by_a_flood() {
        let (throttle, clock) = (limited(1000), Slow::new(Duration::ZERO));
        throttle.take(1000, &clock, || false);
        clock.pass(3600 * SECOND);
        let begun = clock.monotonic();
        (0..10).for_each(|_| throttle.take(1000, &clock, || false));
        assert!(clock.monotonic() - begun >= 10 * SECOND - CREDIT);
    }

    #[test]
    fn a_run_that_is_over_waits_no_longer() {
        let (throttle, clock) = (limited(1), Slow::new(Duration::ZERO));
        let begun = clock.monotonic();
        throttle.take(u64::MAX, &clock, || clock.monotonic() >= begun + SECOND);
        assert!(clock.monotonic() - begun <= SECOND + SLICE);
    }

    #[test]
    fn another_limit_holds_at_once_and_frees_those_who_wait_for_the_one_before() {
        // From second 1010 on it is a thousand times as fast, and from 1020 on there is none.
        let limit = |now: Timestamp| match now.0 / Timestamp::from_unix(1, 0).0 {
            ..1010 => Some(1_000),
            1010..1020 => Some(1_000_000),
            _ => None,
        };
        let (throttle, clock) = (Throttle::new(Bandwidth::by_time(limit)), Slow::new(Duration::ZERO));
        throttle.take(5_000, &clock, || false);
        assert_eq!(clock.monotonic(), 1005 * SECOND);
        throttle.take(1_000_000, &clock, || false);
        assert_eq!(clock.monotonic(), 1010 * SECOND, "it waited for what a limit of before would have taken");
        throttle.take(5_000_000, &clock, || false);
        assert_eq!(clock.monotonic(), 1015 * SECOND);
        throttle.take(u64::MAX, &clock, || false);
        assert_eq!(clock.monotonic(), 1020 * SECOND);
        throttle.take(u64::MAX, &clock, || false);
        assert_eq!(clock.monotonic(), 1020 * SECOND);
    }

    proptest! {
        #[test]
        fn no_pieces_make_it_pass_the_limit(
            limit in 1000u64..1_000_000_000,
            pieces in proptest::collection::vec((0u64..2_000_000, 0u64..50_000), 1..200),
        ) {
            let (throttle, clock) = (limited(limit), Slow::new(Duration::ZERO));
            let (begun, mut bytes) = (clock.monotonic(), 0);
            for (piece, work_micros) in pieces {
                clock.pass(Duration::from_micros(work_micros));
                throttle.take(piece, &clock, || false);
                bytes += piece;
                let allowed = (clock.monotonic() - begun + CREDIT + WAIT_MIN).as_secs_f64() * limit as f64;
                prop_assert!(bytes as f64 <= allowed + 1.0, "{} of {}", bytes, allowed);
            }
        }
    }
}
