//! Which last write times a filesystem keeps, found out by storing some; and listings with those that it does not keep.

use octo_core::time::TICKS_PER_SEC;
use octo_core::{Entry, Error, ListSink, Meta, TimeRules, Timestamp};
use std::ops::ControlFlow;

/// Steps of time that filesystems have, in ticks of 100 ns: exact, 1 us, 1 ms, 10 ms, 1 s, 2 s (FAT).
const STEPS_TICKS: &[i64] = &[1, 10, 10_000, 100_000, TICKS_PER_SEC, 2 * TICKS_PER_SEC];
/// 2001-09-09 01:46:41.1234567, an odd number in every step, and a time that every filesystem has.
const ODD_MOMENT: Timestamp = Timestamp(10_000_000_011_234_567);
/// The times of Windows, 1601 to 30828: further away nobody needs them, and filesystems compute them wrongly. Windows takes
/// the first second of 1601 for "leave it as it is".
const EARLIEST: Timestamp = Timestamp(-11_644_473_599 * TICKS_PER_SEC);
const LATEST: Timestamp = Timestamp(i64::MAX - 11_644_473_600 * TICKS_PER_SEC);

/// What `stored` makes of times: it stores one and says what came back. `None` if it does not keep them.
pub(crate) fn rules<E>(mut stored: impl FnMut(Timestamp) -> Result<Timestamp, E>) -> Result<Option<TimeRules>, E> {
    let odd = stored(ODD_MOMENT)?;
    let floor = |ticks: i64, step: i64| ticks - ticks.rem_euclid(step);
    let matching = STEPS_TICKS.iter().find(|step| floor(ODD_MOMENT.0, **step) == odd.0);
    // Times that cannot be set would make every file look changed for ever.
    let Some(&granularity_ticks) = matching else { return Ok(None) };
    // The end of the range in either direction, in whole steps of at least a second; fractions must be kept there too,
    // which Linux does not do in the very first and last second of a range, nor ntfs-3g before 1970.
    let step = granularity_ticks.max(TICKS_PER_SEC);
    let fraction = floor(ODD_MOMENT.0, granularity_ticks).rem_euclid(step);
    let mut is_kept = |time: Timestamp| stored(time).is_ok_and(|back| back == time);
    let mut keeps = |steps: i64| is_kept(Timestamp(steps * step)) && is_kept(Timestamp(steps * step + fraction));
    let mut end = |limit: i64| {
        let last = limit / step;
        (if keeps(last) { last } else { last_kept(ODD_MOMENT.0 / step, last, &mut keeps) }) * step
    };
    Ok(Some(TimeRules { granularity_ticks, min: Timestamp(end(EARLIEST.0)), max: Timestamp(end(LATEST.0)) }))
}

/// Between `good`, which is kept, and `bad`, which is not: the last that is kept.
fn last_kept(mut good: i64, mut bad: i64, mut keeps: impl FnMut(i64) -> bool) -> i64 {
    while good.abs_diff(bad) > 1 {
        let middle = good.midpoint(bad);
        if keeps(middle) { good = middle } else { bad = middle }
    }
    good
}

/// Hands entries on with their true times.
pub(crate) struct TrueTimes<'a> {
    pub(crate) true_time: &'a dyn Fn(&Entry) -> Result<Meta, Error>,
    pub(crate) sink: &'a mut dyn ListSink,
    /// The true time of an entry could not be read: the listing has failed.
    pub(crate) fault: Option<Error>,
}

impl ListSink for TrueTimes<'_> {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        match (self.true_time)(&entry) {
            Ok(meta) => self.sink.entry(Entry { meta, ..entry }),
            Err(error) => {
                self.fault = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn problem(&mut self, name: &[u8], error: Error) {
        self.sink.problem(name, error);
    }

    fn restart(&mut self) {
        self.sink.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_kept_step_is_found_in_both_directions() {
        assert_eq!(last_kept(10, i64::MAX / 3, |n| n <= 12_345), 12_345);
        assert_eq!(last_kept(10, i64::MIN / 3, |n| n >= -7), -7);
        assert_eq!(last_kept(10, 11, |_| false), 10);
    }

    #[test]
    fn a_filesystem_that_keeps_everything_or_nothing_is_known() {
        let everything = rules(Ok::<_, ()>).unwrap().unwrap();
        assert_eq!((everything.granularity_ticks, everything.min), (1, EARLIEST));
        assert_eq!(rules(|_| Ok::<_, ()>(Timestamp(3))), Ok(None));
        let fat = rules(|time| Ok::<_, ()>(Timestamp(time.0 - time.0.rem_euclid(2 * TICKS_PER_SEC)))).unwrap().unwrap();
        assert_eq!(fat.granularity_ticks, 2 * TICKS_PER_SEC);
    }
}
