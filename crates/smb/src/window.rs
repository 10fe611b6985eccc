//! How many requests of a source may be on their way at once: more where the way is long, fewer where the server is
//! slow.
//!
//! The time of an answer is the way there and back plus the time it waited at the server. The shortest seen of late is
//! the way alone. What is beyond it tells how many of the requests on their way only queue at the server (Little's law);
//! the window grows while hardly any do and shrinks when many do, as TCP Vegas does it. Two sources that share a server
//! or a line see the same queue, so neither can crowd out the other. Credits are the client library's business: it sends
//! nothing that the server has not granted.

use octo_core::{Code, Error};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The window is never smaller: a server whose disk is slow serves many requests better than few.
const MIN: u32 = 24;
/// Nor larger: what Windows grants a connection in credits, over a few connections.
const MAX: u32 = 512;
/// The window at the start.
const START: u32 = 48;
/// Fewer requests than this in the server's queue: there is room. More than the second: too many.
const QUEUED: (f64, f64) = (8.0, 48.0);
/// After this many answers the way is measured again, for routes change: with a small window, so that it is the way that
/// is measured and not our own queue.
const MEASURE_EVERY: u32 = 8192;
/// Answers that make a measurement.
const MEASURED_BY: u32 = 64;

/// The window of one source.
pub(crate) struct Window {
    permits: Semaphore,
    state: Mutex<State>,
}

/// A request on its way. Its place is free again when it is dropped.
pub(crate) struct RequestSlot<'a> {
    window: &'a Window,
    permit: SemaphorePermit<'a>,
    at: Instant,
}

impl Window {
    pub fn new() -> Window {
        Window { permits: Semaphore::new(START as usize), state: Mutex::new(State::new()) }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Result<RequestSlot<'_>, Error> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|_| Error::new(Code::ConnectionLost, "the source was closed"))?;
        Ok(RequestSlot { window: self, permit, at: Instant::now() })
    }
}

impl RequestSlot<'_> {
    /// The answer came: what it took decides about the window.
    pub fn answered(self) {
        let change = self.window.state.lock().unwrap_or_else(PoisonError::into_inner).answered(self.at.elapsed());
        match change {
            0 => {}
            1.. => self.window.permits.add_permits(1),
            _ => self.permit.forget(),
        }
    }
}

/// The decision, without the waiting.
#[derive(Debug)]
struct State {
    size: u32,
    /// The shortest time since the way was measured.
    shortest: Duration,
    /// Answers since then; while it is being measured, those that count for it.
    answers: u32,
    is_measuring: bool,
    /// Answers since the window became smaller.
    since_smaller: u32,
}

impl State {
    fn new() -> State {
        State { size: START, shortest: Duration::MAX, answers: 0, is_measuring: false, since_smaller: 0 }
    }

    /// By how much the window changes: one up, one down, or not.
    fn answered(&mut self, took: Duration) -> i32 {
        let change = self.change(took);
        self.since_smaller = if change < 0 { 0 } else { self.since_smaller.saturating_add(1) };
        self.size = self.size.saturating_add_signed(change);
        change
    }

    fn change(&mut self, took: Duration) -> i32 {
        if self.is_measuring && self.size > MIN {
            return -1;
        }
        self.shortest = self.shortest.min(took);
        self.answers += 1;
        if self.is_measuring {
            self.is_measuring = self.answers < MEASURED_BY;
            return 0;
        }
        if self.answers >= MEASURE_EVERY {
            (self.is_measuring, self.answers, self.shortest) = (true, 0, Duration::MAX);
            return 0;
        }
        let beyond = 1.0 - self.shortest.as_secs_f64() / took.as_secs_f64().max(f64::MIN_POSITIVE);
        let queued = beyond * f64::from(self.size);
        if queued < QUEUED.0 && self.size < MAX {
            // Each answer makes one more place: a long way is filled within few round trips.
            1
        } else if queued > QUEUED.1 && self.size > MIN && self.since_smaller >= self.size / 4 {
            -1
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with this delay, to a server that works on this many at once and takes this long for each: the size at which
    /// the window comes to rest.
    fn settles(way_ms: f64, at_once: f64, work_ms: f64) -> u32 {
        let mut state = State::new();
        for _ in 0..50_000 {
            let waiting = (f64::from(state.size) - at_once * (1.0 + way_ms / work_ms)).max(0.0);
            let took = way_ms + work_ms + waiting * work_ms / at_once;
            state.answered(Duration::from_secs_f64(took / 1000.0));
        }
        state.size
    }

    #[test]
    fn a_long_way_is_filled_and_a_slow_server_is_not_flooded() {
        assert!(settles(20.0, 64.0, 0.5) > 400, "a quick server far away: {}", settles(20.0, 64.0, 0.5));
        let near = settles(0.1, 2.0, 0.1);
        assert!((MIN..100).contains(&near), "a server next door: {near}");
        let slow = settles(0.1, 2.0, 20.0);
        assert!((MIN..100).contains(&slow), "a server that is slow: {slow}");
    }

    #[test]
    fn a_way_that_became_longer_is_learnt() {
        let mut state = State::new();
        for _ in 0..1000 {
            state.answered(Duration::from_millis(1));
        }
        for _ in 0..200_000 {
            state.answered(Duration::from_millis(40));
        }
        assert!(state.size > 400, "{}", state.size);
    }

    #[test]
    fn the_window_stays_within_its_limits_whatever_comes() {
        let mut state = State::new();
        for round in 0..100_000_u64 {
            let took = Duration::from_micros(round.wrapping_mul(2_654_435_761) % 1_000_000);
            state.answered(took);
            assert!((MIN..=MAX).contains(&state.size));
        }
    }

    #[test]
    fn a_place_is_free_again_when_its_request_ended_however_it_ended() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let window = Window::new();
            for round in 0..10_000 {
                let sent = window.enter().await.unwrap();
                if round % 3 != 0 {
                    sent.answered();
                }
            }
            let size = window.state.lock().unwrap().size as usize;
            assert_eq!(window.permits.available_permits(), size);
        });
    }
}
