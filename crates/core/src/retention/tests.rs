//! The decision against a naive reader of the manual, and against clocks that were wrong.

use super::*;
use proptest::prelude::*;

const START: Timestamp = Timestamp(17_000_000_000_000_000);

fn hours(n: i64) -> Timestamp {
    START.plus_secs(n * 3600)
}

/// States that came to be at these hours.
fn states(taken: &[i64]) -> Vec<StateFacts> {
    let state = |at: usize| StateFacts {
        number: at as u64,
        taken: hours(taken[at]),
        replaced: taken.get(at + 1).map(|next| hours(*next)),
        is_complete: true,
        pinned: None,
    };
    (0..taken.len()).map(state).collect()
}

fn kept(states: &[StateFacts], policy: &KeepPolicy, now: Timestamp) -> Vec<u64> {
    let reasons = reasons(states, policy, now, &LocalTime::default());
    states.iter().zip(reasons).filter(|(_, reasons)| !reasons.is_empty()).map(|(state, _)| state.number).collect()
}

fn all(secs: u64) -> KeepPolicy {
    KeepPolicy { all_secs: Some(secs), ..KeepPolicy::default() }
}

prop_compose! {
    fn policies()(
        all_secs in proptest::option::of(0u64..40 * 86_400), last in 0u32..6, daily in 0u32..10, weekly in 0u32..5,
        monthly in 0u32..5, yearly in 0u32..3,
    ) -> KeepPolicy {
        KeepPolicy { all_secs, last, daily, weekly, monthly, yearly }
    }
}

/// Written from the manual, state by state.
fn naive(states: &[StateFacts], at: usize, policy: &KeepPolicy, now: Timestamp) -> bool {
    let later = &states[at + 1..];
    let by_period = Every::ALL.into_iter().any(|every| {
        let period = |state: &StateFacts| every.period(state.taken, &LocalTime::default());
        let mine = period(&states[at]);
        let rivals: Vec<_> = states.iter().filter(|state| period(state) == mine).collect();
        let is_last = match rivals.iter().rev().find(|state| state.is_complete) {
            Some(best) => best.number == states[at].number,
            None => rivals.last().is_some_and(|best| best.number == states[at].number),
        };
        let mut newer: Vec<_> = states.iter().map(period).filter(|other| *other > mine).collect();
        newer.dedup();
        is_last && newer.len() < policy.count(every) as usize
    });
    let is_within = policy.all_secs.is_some_and(|secs| {
        later.first().is_some_and(|next| now.0 - next.taken.0 <= i64::try_from(secs).unwrap() * TICKS_PER_SEC)
    });
    later.len() <= policy.last.max(3) as usize || states[at].pinned.is_some() || is_within || by_period
}

proptest! {
    #[test]
    fn what_is_kept_is_what_a_naive_reader_of_the_manual_keeps(
        steps in proptest::collection::vec((0i64..400, any::<bool>(), proptest::option::weighted(0.1, Just("x"))), 0..40),
        policy in policies(), later in 0i64..2000,
    ) {
        let mut hour = 0;
        let taken: Vec<_> = steps.iter().map(|(step, ..)| { hour += step; hour }).collect();
        let mut states = states(&taken);
        for (state, (_, complete, pin)) in states.iter_mut().zip(&steps) {
            state.is_complete = *complete;
            state.pinned = pin.map(str::to_owned);
        }
        let now = hours(hour + later);
        let naive: Vec<_> = (0..states.len()).filter(|at| naive(&states, *at, &policy, now)).map(|at| at as u64).collect();
        prop_assert_eq!(kept(&states, &policy, now), naive.clone());
        // Nothing more goes once they are gone.
        let left: Vec<_> = states.iter().filter(|state| naive.contains(&state.number)).cloned().collect();
        prop_assert_eq!(kept(&left, &policy, now), naive);
    }

    #[test]
    fn nothing_but_old_ones_goes_by_age_and_three_stay(ages in proptest::collection::vec(0i64..100, 1..12), keep in 0u64..100) {
        let mut ages = ages;
        ages.sort_unstable_by(|a, b| b.cmp(a));
        let taken: Vec<_> = ages.iter().map(|age| -age).collect();
        let kept = kept(&states(&taken), &all(keep * 3600), START);
        let expected: Vec<_> = (0..ages.len()).filter(|at| at + 4 >= ages.len() || ages[at + 1] <= keep as i64)
            .map(|at| at as u64).collect();
        prop_assert_eq!(kept, expected);
    }

    #[test]
    fn whatever_the_clocks_showed_the_last_ones_stay(
        taken in proptest::collection::vec(any::<i64>(), 0..9), now in any::<i64>(), policy in policies(),
    ) {
        let states: Vec<_> = (0..taken.len()).map(|at| StateFacts {
            number: at as u64, taken: Timestamp(taken[at]), replaced: taken.get(at + 1).copied().map(Timestamp),
            is_complete: true, pinned: None,
        }).collect();
        let kept = kept(&states, &policy, Timestamp(now));
        prop_assert!(kept.len() >= states.len().min(4));
    }
}

#[test]
fn moments_of_a_wrong_clock_neither_block_nor_hurry_the_others() {
    let gone = |days: &[i64], now: i64| {
        let taken: Vec<_> = days.iter().map(|day| day * 24).collect();
        let kept = kept(&states(&taken), &all(30 * 86_400), hours(now * 24));
        (0..days.len() as u64).filter(|number| !kept.contains(number)).collect::<Vec<_>>()
    };
    // The first is what was before the run of the second.
    let ahead = [0, 0, 1, 400, 2, 3, 20, 21, 22];
    assert_eq!(gone(&ahead, 30), [0u64; 0]);
    assert_eq!(gone(&ahead, 32), [0, 1]);
    assert_eq!(gone(&ahead, 34), [0, 1, 2, 3, 4], "what the future left goes with what came after it");
    let behind = [0, 10, 11, -9000, 12, 20, 21, 22];
    assert_eq!(gone(&behind, 40), [0u64; 0]);
    assert_eq!(gone(&behind, 42), [0, 1, 2], "and one of the past with the one before it");
    assert_eq!(gone(&[0, 0, 400, 401, 402, 403], 5), [0u64; 0]);
}

#[test]
fn each_state_says_why_it_is_kept() {
    let policy = KeepPolicy { all_secs: Some(2 * 86_400), daily: 3, monthly: 2, ..KeepPolicy::default() };
    let mut states = states(&[0, 24 * 40, 24 * 41, 24 * 41 + 1, 24 * 42, 24 * 43, 24 * 44]);
    states[1].pinned = Some("before the migration".to_owned());
    let reasons = reasons(&states, &policy, hours(24 * 44 + 1), &LocalTime::default());
    let words: Vec<_> =
        reasons.iter().map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")).collect();
    assert_eq!(
        words,
        [
            "last of month 2023-11",
            "pinned: before the migration",
            "",
            "one of the last 3",
            "one of the last 3; within 2 days; last of day 2023-12-26",
            "one of the last 3; within 2 days; last of day 2023-12-27",
            "the mirror as it is; last of day 2023-12-28; last of month 2023-12",
        ]
    );
}

#[test]
fn the_oldest_goes_first_but_no_pinned_one_and_none_of_the_last() {
    let mut states = states(&[0, 1, 2, 3, 4, 5]);
    states[0].pinned = Some(String::new());
    let policy = all(0);
    assert_eq!(first_to_go(&states, &policy), Some(1));
    states.remove(1);
    assert_eq!(first_to_go(&states, &policy), None);
    assert_eq!(first_to_go(&states, &KeepPolicy { last: 1, ..policy }), None, "never below three");
}
