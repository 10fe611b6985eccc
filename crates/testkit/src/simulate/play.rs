//! Plays one scenario: run by run, each with what goes wrong in it, and the model after each.

use super::apply::{Contents, apply, path};
use super::clock::SimClock;
use super::model::{Broken, Model, Ran};
use super::scenario::{Act, Fault, Power, Round, Scenario};
use super::source::{Fired, SimSource};
use super::store::SimTrap;
use super::view::Mirror;
use super::{Asked, Engine, Options};
use crate::effects::Effects;
use crate::memory::{MemTarget, MemTree, PowerLoss};
use octo_core::{
    Abilities, Cancel, Change as Done, Clock, Event, Filter, FilterBuilder, Kind, Monitor, Name, Problem, RelPath,
    RunReport, Target, TimeRules,
};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a world was.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// Every effect, every report and every mirror, as one number.
    pub digest: u64,
    /// Runs.
    pub runs: u64,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Runs by the number of faults that happened in them.
    pub runs_by_faults: BTreeMap<usize, u64>,
    /// Runs by their outcome; `killed` is one.
    pub outcomes: BTreeMap<String, u64>,
}

/// Plays it. Tells what was not as the model says.
pub fn play(scenario: &Scenario, engine: Engine) -> Result<Played, Broken> {
    let mut world = World::new(scenario, engine);
    for (number, round) in scenario.rounds.iter().enumerate() {
        world.round(round).map_err(|broken| broken.in_round(number + 1))?;
    }
    world.settle().map_err(|broken| broken.in_round(scenario.rounds.len() + 1))?;
    world.played.digest = world.digest.finish();
    Ok(world.played)
}

struct World<'a> {
    scenario: &'a Scenario,
    engine: Engine,
    tree: MemTree,
    target: MemTarget,
    clock: Arc<SimClock>,
    contents: Arc<Contents>,
    model: Model,
    known_target: Option<String>,
    /// The plan that the last run reported of.
    plan: Option<String>,
    approve: Option<String>,
    release_brake: bool,
    digest: DefaultHasher,
    played: Played,
}

/// Keeps what a run tells.
#[derive(Default)]
struct Heard {
    changes: Mutex<Vec<Done>>,
    problems: Mutex<Vec<Problem>>,
}

impl Monitor for Heard {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Change(change) => {
                self.changes.lock().unwrap_or_else(PoisonError::into_inner).push((*change).clone());
            }
            Event::Problem(problem) => {
                self.problems.lock().unwrap_or_else(PoisonError::into_inner).push((*problem).clone());
            }
            Event::Phase(_) | Event::Progress { .. } => {}
        }
    }
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, engine: Engine) -> World<'a> {
        let mut abilities = Abilities::full(if scenario.keeps_order { "ext4" } else { "btrfs" });
        abilities.hard_links = scenario.hard_links;
        abilities.names.folds_case = scenario.folds_case;
        if scenario.coarse_times {
            abilities.times = TimeRules { granularity_ticks: 20_000_000, ..TimeRules::EXACT };
        }
        let clock = Arc::new(SimClock::new());
        World {
            scenario,
            engine,
            tree: MemTree::new(),
            target: MemTarget::with(abilities, u64::MAX, Arc::clone(&clock) as _),
            clock,
            contents: Arc::default(),
            model: Model::new(scenario),
            known_target: None,
            plan: None,
            approve: None,
            release_brake: false,
            digest: DefaultHasher::new(),
            played: Played::default(),
        }
    }

    /// What happens before a run, and the run.
    fn round(&mut self, round: &Round) -> Result<(), Broken> {
        for change in &round.changes {
            apply(&self.tree, change, &self.contents, self.clock.now());
        }
        for act in &round.person {
            self.act(act);
        }
        self.clock.jump(round.hours);
        self.run(&round.options, &round.faults)?;
        Ok(())
    }

    fn act(&mut self, act: &Act) {
        let target = &self.target;
        if self.known_target.is_none() && matches!(act, Act::Write { .. } | Act::Rename { .. }) {
            // A folder with something in it and no marker is not taken over.
            return;
        }
        match act {
            Act::Approve => self.approve = self.plan.clone(),
            Act::ApproveAnother => self.approve = Some("0123456789ab".to_owned()),
            Act::ReleaseBrake => self.release_brake = true,
            Act::Restart => target.boot(),
            Act::FreeSpace => target.set_capacity(u64::MAX),
            Act::Write { path: at } => {
                let Some(at) = by_hand(at) else { return };
                if target.look(&at).ok().flatten().is_none_or(|meta| meta.kind != Kind::Folder) {
                    let _ = target.remove_file(&at);
                    if let Ok(file) = target.create_file(&at) {
                        let _ = file.write_at(0, &self.contents.content(20, 0));
                    }
                }
                self.model.edited(&self.target);
            }
            Act::Remove { path: at } => {
                let Some(at) = by_hand(at) else { return };
                let places = Mirror::of(target).places;
                // What is in a folder comes after it.
                for (place, node) in places.iter().rev().filter(|(place, _)| place.is_within(&at)) {
                    let _ = match node.kind {
                        Kind::Folder => target.remove_folder(place),
                        _ => target.remove_file(place),
                    };
                }
                self.model.edited(&self.target);
            }
            Act::Rename { from, to } => {
                if let (Some(from), Some(to)) = (by_hand(from), by_hand(to)) {
                    let _ = target.rename_new(&from, &to);
                }
                self.model.edited(&self.target);
            }
        }
        // What a person does is on the disk long before the next run.
        let _ = self.target.checkpoint();
    }

    /// One run, and what the model says of it. `None` if it was killed.
    fn run(&mut self, options: &Options, faults: &[Fault]) -> Result<Option<RunReport>, Broken> {
        let before = Mirror::of(&self.target);
        let (cancel, fired, dead) = (Cancel::new(), Fired::default(), Arc::new(AtomicBool::new(false)));
        let source = SimSource::new(&self.tree, &self.contents, &self.clock, &cancel, faults, &fired, self.scenario);
        for (number, fault) in faults.iter().enumerate() {
            if let Fault::LittleRoom { bytes } = fault {
                let used = self.target.space().map_or(0, |space| space.total_bytes - space.free_bytes);
                self.target.set_capacity(used + bytes);
                fired.fire(number);
            }
        }
        let stuck = faults.iter().any(|fault| matches!(fault, Fault::Stuck { .. }));
        let asked = Asked {
            filter: filter(options),
            options: options.clone(),
            workers: self.scenario.workers,
            approve: self.approve.take(),
            release_brake: std::mem::take(&mut self.release_brake),
            known_target: self.known_target.clone(),
            idle_max: stuck.then_some(Duration::from_secs(2 * 3600)),
        };
        self.model.begins(&self.target, &*self.clock);
        let target = Effects::new(self.target.clone(), SimTrap::new(faults, &fired, &self.clock, &dead));
        let heard = Heard::default();
        let (report, id) = (self.engine.run)(&source, &target, &asked, &heard, &*self.clock, &cancel);
        let killed = dead.load(Ordering::SeqCst);
        let effects = target.log();
        drop(target);
        if faults.iter().any(|fault| matches!(fault, Fault::LittleRoom { .. })) {
            self.target.set_capacity(u64::MAX);
        }
        let power = faults.iter().find_map(|fault| match fault {
            Fault::Kill { power, .. } if killed => *power,
            _ => None,
        });
        if let Some(power) = power {
            self.target.power_loss(match power {
                Power::Forgets => PowerLoss::Forgets,
                Power::LeavesZeros => PowerLoss::LeavesZeros,
                Power::LeavesSome(chosen) => PowerLoss::LeavesSome(chosen),
            });
        }
        let after = Mirror::of(&self.target);
        self.count(faults, &fired, &report, killed);
        self.note(&effects, &report, killed, &after);
        let into = |list: Mutex<_>| list.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ran = Ran {
            before: &before,
            folds_case: self.scenario.folds_case,
            metadata: self.scenario.metadata,
            after: &after,
            heard: source.heard(),
            changes: into(heard.changes),
            problems: heard.problems.into_inner().unwrap_or_else(PoisonError::into_inner),
            report: &report,
            asked: &asked,
            faults,
            killed,
            power,
        };
        self.model.ended(&self.target, &*self.clock, &ran, self.engine.before)?;
        if killed {
            return Ok(None);
        }
        if !options.dry_run {
            self.plan.clone_from(&report.held_plan);
        }
        self.known_target = id.or(self.known_target.take());
        Ok(Some(report))
    }

    /// After the last fault: two runs, with what is held approved, and the mirror is equal.
    fn settle(&mut self) -> Result<(), Broken> {
        let options = Options { keep_days: 30, ..Options::default() };
        self.target.set_capacity(u64::MAX);
        let mut last = self.run(&options, &[])?;
        self.clock.jump(24);
        let held = last.as_ref().is_some_and(|report| report.held_plan.is_some());
        if held {
            self.approve.clone_from(&self.plan);
        }
        self.release_brake = true;
        last = self.run(&options, &[])?.or(last);
        let Some(report) = last else { return Ok(()) };
        self.model.settled(&Mirror::of(&self.target), &self.tree, &report)
    }

    fn count(&mut self, faults: &[Fault], fired: &Fired, report: &RunReport, killed: bool) {
        let fired = fired.all();
        for (number, fault) in faults.iter().enumerate() {
            if fired.contains(&number) {
                *self.played.faults.entry(fault.kind()).or_default() += 1;
            }
        }
        self.played.runs += 1;
        *self.played.runs_by_faults.entry(fired.len()).or_default() += 1;
        let outcome = if killed { "killed".to_owned() } else { report.outcome.to_string() };
        *self.played.outcomes.entry(outcome).or_default() += 1;
    }

    /// Everything that must be the same when the same world is played again. Ids of mirrors are drawn by lot, and stay out.
    fn note(&mut self, effects: &[String], report: &RunReport, killed: bool, after: &Mirror) {
        effects.hash(&mut self.digest);
        killed.hash(&mut self.digest);
        let report = RunReport { duration_ms: 0, ..report.clone() };
        format!("{report:?}").hash(&mut self.digest);
        format!("{:?}", after.places).hash(&mut self.digest);
    }
}

/// What belongs to the job.
fn filter(options: &Options) -> Filter {
    let rules = FilterBuilder::new().defaults(false);
    match &options.exclude {
        Some(pattern) => {
            rules.exclude(pattern).and_then(|rules| rules.build()).unwrap_or_else(|_| Filter::everything())
        }
        None => Filter::everything(),
    }
}

/// A path that a person may change by hand: nothing of ours, and not one that the mirror takes for the escape of another name.
fn by_hand(text: &str) -> Option<RelPath> {
    let is_escape = |name: &Name| name.as_bytes().to_ascii_lowercase().ends_with(octo_core::naming::SUFFIX);
    let looks_escaped = |at: &RelPath| at.names().any(|name| is_escape(&name));
    let is_ours = |at: &RelPath| at.names().any(|name| name.as_bytes() == octo_core::RESERVED.as_bytes());
    path(text).filter(|at| !looks_escaped(at) && !is_ours(at))
}
