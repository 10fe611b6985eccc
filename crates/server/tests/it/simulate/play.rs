//! Plays a scenario, looks after each step, and at the end waits until all is calm.

use super::answers::{self, Answer};
use super::model::{Between, Holds, must};
use super::seen::Seen;
use super::server::World;
use super::step::{Scenario, Step, Way};
use super::{act, messages};
use octo_server::run::{Reason, State};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Half of the time in which the queue must be drained, in rounds of eight hours.
const ROUNDS: usize = 3;

/// What became of a world.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// The same for the same world.
    pub digest: String,
    /// Steps taken.
    pub steps: u64,
    /// How often each kind of step was taken, and what it met.
    pub tally: BTreeMap<String, u64>,
    /// Which promise was broken, at which step.
    pub broken: Option<(usize, String)>,
}

struct Play {
    world: World,
    seen: Seen,
    /// Up to when the slots of each job have been recorded.
    until: BTreeMap<i64, i64>,
    trace: blake3::Hasher,
    tally: BTreeMap<String, u64>,
    steps: u64,
}

/// Plays it.
pub fn play(scenario: &Scenario) -> Played {
    let mut play = Play::begin(scenario);
    let mut broken = None;
    for (at, step) in scenario.steps.iter().enumerate() {
        let taken = catch_unwind(AssertUnwindSafe(|| play.step(step)));
        let taken = taken.unwrap_or_else(|panic| Err(format!("a panic: {}", words(&*panic))));
        if let Err(what) = taken {
            broken = Some((at, format!("{step:?}: {what}")));
            break;
        }
    }
    if broken.is_none() {
        let calm = catch_unwind(AssertUnwindSafe(|| play.calm_down()));
        let calm = calm.unwrap_or_else(|panic| Err(format!("a panic: {}", words(&*panic))));
        broken = calm.err().map(|what| (scenario.steps.len(), format!("after the last step: {what}")));
    }
    Played { digest: play.trace.finalize().to_hex()[..16].to_owned(), steps: play.steps, tally: play.tally, broken }
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

impl Play {
    fn begin(scenario: &Scenario) -> Play {
        let world = World::new(scenario);
        let seen = Seen::look(world.store());
        Play { world, seen, until: BTreeMap::new(), trace: blake3::Hasher::new(), tally: BTreeMap::new(), steps: 0 }
    }

    fn count(&mut self, what: &str) {
        *self.tally.entry(what.to_owned()).or_default() += 1;
    }

    fn held(&self) -> BTreeSet<i64> {
        self.world.life().held.with(|tasks| tasks.iter().map(|task| task.run().id).collect())
    }

    fn stopped(&self) -> Vec<i64> {
        self.world
            .life()
            .held
            .with(|tasks| tasks.iter().filter(|task| task.is_cancelled()).map(|task| task.run().id).collect())
    }

    /// Takes a step, and checks what came of it.
    fn step(&mut self, step: &Step) -> Holds {
        let name = format!("{step:?}");
        self.count(name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default());
        self.steps += 1;
        let (held, stopped_before) = (self.held(), self.stopped());
        let (met, came) = (self.world.fate.met(), self.world.ways.arrived().len());
        let looked_at = match step {
            Step::Look { secs } | Step::Sleep { secs } => Some(self.world.clock.wall() + i64::from(*secs)),
            _ => None,
        };
        let asked = act::ask(&self.world, &self.seen, step);
        let happened = if asked.is_some() { Ok(()) } else { act::happen(&mut self.world, step) };
        let died = self.world.fate.is_dead();
        let newly_stopped: Vec<i64> = self.stopped().into_iter().filter(|run| !stopped_before.contains(run)).collect();
        if self.world.fate.met() > met {
            self.count(if died { "died in a step" } else { "failed in a step" });
        }
        if self.world.is_ill() && (happened.is_err() || asked.as_ref().is_some_and(Result::is_err)) {
            self.count("refused by a sick disk");
        }
        if died {
            self.world.die_and_start();
        }
        let after = self.world.fate.aside(|| Seen::look(self.world.store()));
        let before = std::mem::replace(&mut self.seen, after);
        let after = &self.seen;
        self.trace.update(format!("{asked:?}{happened:?}{}", after.digest()).as_bytes());
        let arrived = self.world.ways.arrived();
        self.trace.update(format!("{:?}", &arrived[came..]).as_bytes());
        let is_whole = happened.is_ok() && !died;
        let now = self.world.clock.wall();
        let until = &self.until;
        let between = Between { before: &before, after, held: &held, until, now, looked_at, is_whole };
        between.check()?;
        between.messages(matches!(step, Step::Test { .. }))?;
        messages::arrivals(&before.messages, &after.messages, &arrived[came..], &arrived)?;
        match &asked {
            None => answers::untouched(&before, after)?,
            Some(_) if died => answers::check(&self.world, step, Answer::None, &before, after, &[])?,
            Some(Ok(())) => answers::check(&self.world, step, Answer::Done, &before, after, &newly_stopped)?,
            Some(Err(_)) => answers::check(&self.world, step, Answer::Refused, &before, after, &newly_stopped)?,
        }
        self.until = between.until_after();
        self.limits()
    }

    /// No more runs at once than there may be: in all, from one host, to one disk, of one job.
    fn limits(&self) -> Holds {
        let limits = self.world.limits;
        let most = |all: Vec<Option<String>>| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            all.into_iter().flatten().for_each(|place| *counts.entry(place).or_default() += 1);
            counts.into_values().max().unwrap_or(0)
        };
        self.world.life().held.with(|tasks| {
            must!(tasks.len() <= limits.runs_max, "{} runs at once", tasks.len());
            let of = most(tasks.iter().map(|task| Some(task.run().job_id.to_string())).collect());
            must!(of <= 1, "{of} runs of one job at once");
            let from = most(tasks.iter().map(|task| task.job().spec.host()).collect());
            must!(from <= limits.runs_per_host_max, "{from} runs at once from one host");
            let is_here = |target: &str| target.starts_with(&self.world.folder().display().to_string());
            let to = most(tasks.iter().map(|task| Some(is_here(&task.job().spec.target).to_string())).collect());
            must!(to <= limits.runs_per_disk_max, "{to} runs at once to one disk");
            Ok(())
        })?;
        // What says that it runs, and whose end could not be written down, is ended by the next look.
        let held = self.held();
        must!(
            held.iter().all(|run| self.seen.runs.get(run).is_some_and(|run| run.state == State::Running)),
            "runs {held:?} are worked on, and do not say so"
        );
        Ok(())
    }

    /// After the last fault everything that waits begins, and everything that was to be told is.
    fn calm_down(&mut self) -> Holds {
        self.step(&Step::Mend)?;
        self.step(&Step::Ways([Way::Works; 3]))?;
        // What may be armed still strikes now.
        self.step(&Step::Kill)?;
        self.rounds()?;
        let waited: Vec<i64> =
            self.seen.runs.values().filter(|run| run.state == State::Queued).map(|run| run.id).collect();
        self.rounds()?;
        for run in waited.iter().filter_map(|run| self.seen.runs.get(run)).filter(|run| run.state == State::Queued) {
            let is_paused = self.seen.jobs.get(&run.job_id).is_some_and(|job| job.spec.paused);
            must!(is_paused && run.reason != Reason::Manual, "a run waits for ever: {run:?}");
        }
        must!(self.seen.runs.values().all(|run| run.state != State::Running), "a run runs for ever");
        let now = self.world.clock.wall();
        messages::delivered(&self.seen.messages, &self.seen.recipients, &self.world.ways.arrived(), now)
    }

    fn rounds(&mut self) -> Holds {
        for _ in 0..ROUNDS {
            for secs in [8 * 3600, 60, 60] {
                self.step(&Step::Look { secs })?;
                self.step(&Step::EndAll)?;
            }
        }
        // Messages about the last ends.
        self.step(&Step::Look { secs: 5 })?;
        self.step(&Step::EndAll)?;
        self.step(&Step::Look { secs: 5 })?;
        self.step(&Step::EndAll)
    }
}
