//! Plays many worlds, on all cores, and says what they were.

use super::model::Broken;
use super::play::{Played, play};
use super::scenario::Scenario;
use super::{Engine, Focus, generate, shrink};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Which worlds to play.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The seed of the first; the others follow.
    pub seed: u64,
    /// How many.
    pub worlds: u64,
    /// No new one is begun after this time.
    pub time: Option<Duration>,
    /// How many at once.
    pub threads: usize,
    /// What they are about.
    pub focus: Focus,
}

/// What was played.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    /// Worlds.
    pub worlds: u64,
    /// Their runs.
    pub runs: u64,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Runs by the number of faults in them.
    pub runs_by_faults: BTreeMap<usize, u64>,
    /// Runs by their outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// How long it took.
    pub time: Duration,
    /// What they were about.
    pub focus: Focus,
    /// The first world that broke a rule: the rule, and the scenario, shrunk.
    pub broken: Option<(Broken, Box<Scenario>)>,
}

impl Sum {
    fn add(&mut self, played: Played) {
        self.worlds += 1;
        self.runs += played.runs;
        played.faults.into_iter().for_each(|(kind, count)| *self.faults.entry(kind).or_default() += count);
        played.runs_by_faults.into_iter().for_each(|(n, count)| *self.runs_by_faults.entry(n).or_default() += count);
        played.outcomes.into_iter().for_each(|(outcome, count)| *self.outcomes.entry(outcome).or_default() += count);
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a_minute = self.worlds as f64 / self.time.as_secs_f64().max(0.001) * 60.0;
        writeln!(
            f,
            "{} worlds in {:.1} s, {a_minute:.0} a minute; {} runs",
            self.worlds,
            self.time.as_secs_f64(),
            self.runs
        )?;
        let list = |counts: Vec<String>| counts.join(", ");
        writeln!(f, "outcomes: {}", list(self.outcomes.iter().map(|(it, n)| format!("{it} {n}")).collect()))?;
        writeln!(
            f,
            "runs with 0, 1, 2, 3 faults: {}",
            list(self.runs_by_faults.values().map(ToString::to_string).collect())
        )?;
        writeln!(f, "faults: {}", list(self.faults.iter().map(|(it, n)| format!("{it} {n}")).collect()))?;
        match &self.broken {
            None => write!(f, "failures: 0"),
            Some((broken, scenario)) => {
                writeln!(f, "failures: 1\nseed {}, shrunk: {broken}", scenario.seed)?;
                let text = serde_json::to_string(scenario).map_err(|_| fmt::Error)?;
                writeln!(f, "to keep it, put this line into a file in crates/testkit/tests/seeds/simulate:\n{text}")?;
                if scenario.workers > 1 {
                    writeln!(f, "it has several workers, and may not fail each time")?;
                }
                let (seed, focus) = (scenario.seed, self.focus.name());
                write!(
                    f,
                    "to play it again: cargo xtask simulate --world mirror --focus {focus} --seed {seed} --runs 1"
                )
            }
        }
    }
}

/// As [`play`]; a panic is a broken rule, too.
fn play_or_panic(scenario: &Scenario, engine: Engine) -> Result<Played, Broken> {
    catch_unwind(AssertUnwindSafe(|| play(scenario, engine))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        Err(Broken::new("nothing panics", text))
    })
}

/// Plays them. Ends with the first that breaks a rule, and shrinks it.
pub fn play_many(plan: &Plan, engine: Engine) -> Sum {
    let begun = Instant::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let sum = Mutex::new(Sum::default());
    let first: Mutex<Option<Scenario>> = Mutex::new(None);
    let into_sum = |played| sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(played);
    let work = || {
        while !stop.load(Ordering::SeqCst) {
            let number = next.fetch_add(1, Ordering::SeqCst);
            // The first is played however slow the machine is.
            let is_late = number > 0 && plan.time.is_some_and(|time| begun.elapsed() > time);
            if number >= plan.worlds || is_late {
                return;
            }
            let scenario = generate(plan.seed.wrapping_add(number), plan.focus);
            match play_or_panic(&scenario, engine) {
                Ok(played) => into_sum(played),
                Err(_) => {
                    stop.store(true, Ordering::SeqCst);
                    first.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(scenario);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    (sum.time, sum.focus) = (begun.elapsed(), plan.focus);
    let first = first.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    sum.broken = first.map(|scenario| smallest(&scenario, engine));
    sum
}

/// The smallest scenario that breaks the same rule.
fn smallest(scenario: &Scenario, engine: Engine) -> (Broken, Box<Scenario>) {
    let rule = play_or_panic(scenario, engine).err().map(|broken| broken.rule);
    let breaks = |scenario: &Scenario| play_or_panic(scenario, engine).err().map(|broken| broken.rule) == rule;
    let small = if rule.is_some() { shrink(scenario, breaks) } else { scenario.clone() };
    let broken = play_or_panic(&small, engine).err();
    let broken = broken.unwrap_or_else(|| Broken::new("it failed once and not again", "several workers, or a race"));
    (broken, Box::new(small))
}
