//! What becomes of the slots that have come: every one gets a verdict, run or not.

use super::Window;
use jiff::tz::TimeZone;
use octo_api::moment::Moment;
use serde::{Deserialize, Serialize};

/// A slot that is noticed within this time is on time. The runner looks far more often; what is later was not noticed
/// because the server was down, its machine asleep, or its clock wrong.
const ON_TIME_SECS: i64 = 120;
/// Why a slot was left out that a person never wanted.
pub const IN_BLACKOUT: &str = "it lies in a blackout";

/// What becomes of a slot that passed while the server was down. Of several, only the latest is caught up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatchUp {
    /// Run at once, even in a blackout.
    AtOnce,
    /// Run as soon as no blackout holds.
    #[default]
    InWindow,
    /// Leave it out.
    Skip,
}

/// What becomes of a slot while the job still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Leave it out: the run under way does its work.
    #[default]
    Skip,
    /// Run again afterwards; one such run waits at most.
    Queue,
}

/// A job's rules.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// For blackouts.
    pub zone: &'a TimeZone,
    /// When no run may start.
    pub blackouts: &'a [Window],
    /// After downtime.
    pub catch_up: CatchUp,
    /// While the job runs.
    pub overlap: Overlap,
    /// A run starts at most this long after its slot.
    pub random_delay_secs: u64,
    /// So that jobs with the same rules do not start at the same second: the job's id.
    pub seed: u64,
}

/// How the job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// It runs.
    pub is_running: bool,
    /// A run waits already.
    pub is_waiting: bool,
    /// A person paused it.
    pub is_paused: bool,
}

/// What happens to one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A run is queued.
    Run {
        /// It must not start before this.
        not_before: Moment,
        /// It starts even in a blackout.
        ignores_blackouts: bool,
        /// It makes up for a slot that passed unnoticed.
        is_late: bool,
    },
    /// Left out by a rule.
    Skipped(&'static str),
    /// It passed unnoticed.
    Missed(&'static str),
}

/// A slot and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The slot.
    pub slot: Moment,
    /// What happens.
    pub decision: Decision,
}

/// Decides about `slots`, which have come and are in order. Exactly one verdict each, and at most one run.
pub fn due(slots: &[Moment], now: Moment, rules: &Rules<'_>, state: State) -> Vec<Verdict> {
    let last = slots.len().saturating_sub(1);
    let mut verdicts = Vec::with_capacity(slots.len());
    for (at, slot) in slots.iter().enumerate() {
        let is_late = now.0.saturating_sub(slot.0) > ON_TIME_SECS;
        let decision = match () {
            () if state.is_paused => Decision::Skipped("the job is paused"),
            () if at < last && is_late => {
                Decision::Missed("the server was not running or could not write it down; a later slot makes up for it")
            }
            () if at < last => Decision::Skipped("the next slot had come as well"),
            () if state.is_waiting => Decision::Skipped("a run of this job is waiting already"),
            () if state.is_running && rules.overlap == Overlap::Skip => Decision::Skipped("the job was still running"),
            () if is_late => late(now, rules),
            () if Window::any_holds(rules.blackouts, rules.zone, *slot) => Decision::Skipped(IN_BLACKOUT),
            () => {
                let delay = random(rules.seed, slot.0) % (rules.random_delay_secs.saturating_add(1)).max(1);
                let not_before = slot.plus_secs(i64::try_from(delay).unwrap_or(0));
                Decision::Run { not_before, ignores_blackouts: false, is_late: false }
            }
        };
        verdicts.push(Verdict { slot: *slot, decision });
    }
    verdicts
}

fn late(now: Moment, rules: &Rules<'_>) -> Decision {
    match rules.catch_up {
        CatchUp::Skip => {
            Decision::Missed("the server was not running or could not write it down, and the job does not catch up")
        }
        catch_up => Decision::Run { not_before: now, ignores_blackouts: catch_up == CatchUp::AtOnce, is_late: true },
    }
}

/// Spreads, and is the same whenever it is asked (the finaliser of splitmix64).
fn random(seed: u64, slot: i64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(slot.unsigned_abs());
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    static UTC: TimeZone = TimeZone::UTC;
    const SLOT: i64 = 1_785_877_200; // Tuesday, 4 August 2026, 21:00 UTC

    fn rules<'a>(zone: &'a TimeZone, blackouts: &'a [Window]) -> Rules<'a> {
        Rules { zone, blackouts, catch_up: CatchUp::InWindow, overlap: Overlap::Skip, random_delay_secs: 0, seed: 7 }
    }

    fn word(decision: &Decision) -> String {
        match decision {
            Decision::Run { is_late: false, .. } => "run".into(),
            Decision::Run { ignores_blackouts: true, .. } => "run at once".into(),
            Decision::Run { .. } => "run late".into(),
            Decision::Skipped(why) => format!("skipped: {why}"),
            Decision::Missed(why) => format!("missed: {why}"),
        }
    }

    type Row = (&'static [i64], i64, State, CatchUp, Overlap, &'static [&'static str]);

    /// Slots and now in seconds from SLOT; paused, running, waiting; catch-up; overlap; what becomes of each slot.
    #[test]
    fn every_slot_gets_its_verdict() {
        use CatchUp::{AtOnce, InWindow, Skip};
        const IDLE: State = State { is_running: false, is_waiting: false, is_paused: false };
        const RUNS: State = State { is_running: true, ..IDLE };
        const WAITS: State = State { is_waiting: true, ..IDLE };
        const PAUSED: State = State { is_paused: true, ..IDLE };
        let (skip, queue) = (Overlap::Skip, Overlap::Queue);
        let table: &[Row] = &[
            (&[0], 0, IDLE, InWindow, skip, &["run"]),
            (&[0], 120, IDLE, Skip, skip, &["run"]),
            (&[0], 121, IDLE, Skip, skip, &["missed: the server was not running or could not write it down, and"]),
            (&[0], 121, IDLE, InWindow, skip, &["run late"]),
            (&[0], 7200, IDLE, AtOnce, skip, &["run at once"]),
            (&[-600, -300, 0], 3600, IDLE, AtOnce, skip, &["missed: the server", "missed: the server", "run at once"]),
            (
                &[-600, -300, 0],
                3600,
                IDLE,
                Skip,
                skip,
                &["missed: the server", "missed: the server", "missed: the server"],
            ),
            (&[-60, 0], 0, IDLE, InWindow, skip, &["skipped: the next slot", "run"]),
            (&[0], 0, RUNS, InWindow, skip, &["skipped: the job was still running"]),
            (&[0], 0, RUNS, InWindow, queue, &["run"]),
            (&[0], 0, WAITS, InWindow, queue, &["skipped: a run of this job is waiting"]),
            (&[0], 900, RUNS, InWindow, skip, &["skipped: the job was still running"]),
            (&[-60, 0], 0, PAUSED, AtOnce, queue, &["skipped: the job is paused", "skipped: the job is paused"]),
            (&[], 0, IDLE, AtOnce, queue, &[]),
        ];
        for (slots, now, state, catch_up, overlap, wanted) in table {
            let slots: Vec<Moment> = slots.iter().map(|at| Moment(SLOT + at)).collect();
            let rules = Rules { catch_up: *catch_up, overlap: *overlap, ..rules(&UTC, &[]) };
            let verdicts = due(&slots, Moment(SLOT + now), &rules, *state);
            assert_eq!(verdicts.len(), wanted.len());
            for ((verdict, slot), wanted) in verdicts.iter().zip(&slots).zip(*wanted) {
                let got = word(&verdict.decision);
                assert!(
                    verdict.slot == *slot && got.starts_with(wanted),
                    "{slots:?} {now} {state:?}: {got}, not {wanted}"
                );
            }
        }
    }

    #[test]
    fn a_slot_in_a_blackout_is_skipped_and_says_so() {
        let blackouts = [Window::parse("tue 20:00-22:00").unwrap()];
        let verdicts = due(&[Moment(SLOT)], Moment(SLOT), &rules(&UTC, &blackouts), State::default());
        assert_eq!(verdicts[0].decision, Decision::Skipped("it lies in a blackout"));
    }

    #[test]
    fn a_random_delay_spreads_jobs_and_stays_within_its_limit() {
        let starts: std::collections::BTreeSet<i64> = (0..200)
            .map(|seed| {
                let rules = Rules { random_delay_secs: 600, seed, ..rules(&UTC, &[]) };
                match due(&[Moment(SLOT)], Moment(SLOT), &rules, State::default())[0].decision {
                    Decision::Run { not_before, .. } => not_before.0 - SLOT,
                    _ => panic!("no run"),
                }
            })
            .collect();
        assert!(starts.len() > 100 && starts.iter().all(|delay| (0..=600).contains(delay)), "{starts:?}");
    }

    proptest! {
        #[test]
        fn one_verdict_a_slot_and_at_most_one_run(
            gaps in prop::collection::vec(1i64..4000, 0..20), lag in 0i64..9000, running: bool, waiting: bool, paused: bool,
            catch_up in 0usize..3, queue: bool, delay in 0u64..900,
        ) {
            let mut at = SLOT;
            let slots: Vec<Moment> = gaps.iter().map(|gap| { at += gap; Moment(at) }).collect();
            let now = Moment(at + lag);
            let rules = Rules {
                catch_up: [CatchUp::AtOnce, CatchUp::InWindow, CatchUp::Skip][catch_up],
                overlap: if queue { Overlap::Queue } else { Overlap::Skip },
                random_delay_secs: delay,
                ..rules(&UTC, &[])
            };
            let state = State { is_running: running, is_waiting: waiting, is_paused: paused };
            let verdicts = due(&slots, now, &rules, state);
            prop_assert_eq!(verdicts.iter().map(|v| v.slot).collect::<Vec<_>>(), slots);
            let runs = verdicts.iter().filter(|v| matches!(v.decision, Decision::Run { .. })).count();
            prop_assert!(runs <= 1);
            prop_assert!(!(paused || waiting) || runs == 0);
        }
    }
}
